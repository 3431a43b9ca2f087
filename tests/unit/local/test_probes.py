"""Single looks of the health checks."""

from __future__ import annotations

import os
import shutil
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.service import Probe, ProbeKind
from orchctl_local.probes import Check, look
from tests.children import LONGEST_S
from tests.pace import promised
from tests.servers.waiting import until

HTTP = Probe(kind=ProbeKind.HTTP, path="/ready", port="http", timeout_ms=60_000)
"""Who answers does so when it can; how long a check waits is told by ``IMPATIENT``."""
IMPATIENT = replace(HTTP, timeout_ms=300)
TCP = Probe(kind=ProbeKind.TCP, port="http", timeout_ms=60_000)


@contextmanager
def server(answer: bytes, *, drip: bool = False) -> Iterator[dict[str, int]]:
    """Answers one connection; ``drip``: a byte every 50 ms until the end."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                try:
                    connection.sendall(answer)
                    while drip and not over.wait(0.05):
                        connection.sendall(b"x")
                except OSError:
                    return

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield {"http": listener.getsockname()[1]}
        over.set()
        thread.join(LONGEST_S)


def is_there(pid: int, command: bytes) -> bool:
    try:
        return command in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def ask(probe: Probe, ports: dict[str, int], **environment: str) -> str:
    return look(probe, ports=ports, environment=environment, directory=Path("/"))


@pytest.mark.parametrize("status", [200, 204, 302, 399])
def test_an_http_status_below_400_passes(status: int) -> None:
    with server(f"HTTP/1.1 {status} x\r\n\r\n".encode()) as ports:
        assert ask(HTTP, ports) == ""


@pytest.mark.parametrize("status", [199, 400, 404, 500, 503])
def test_another_http_status_fails_and_is_named(status: int) -> None:
    with server(f"HTTP/1.1 {status} x\r\n\r\n".encode()) as ports:
        assert ask(HTTP, ports) == f"http check: status {status} for /ready"


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 abc\r\n"])
def test_an_answer_that_is_not_http_fails(answer: bytes) -> None:
    with server(answer) as ports:
        assert ask(HTTP, ports) == "http check: the answer is not HTTP"


def test_a_server_that_drips_bytes_does_not_outlast_the_timeout() -> None:
    with server(b"HTTP", drip=True) as ports, promised(3):
        assert ask(IMPATIENT, ports) == "http check: no answer in time"


def test_a_closed_port_fails_both_kinds() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ports = {"http": listener.getsockname()[1]}
    assert ask(HTTP, ports) == "http check: Connection refused"
    assert ask(TCP, ports) == "tcp check: Connection refused"


def test_an_open_port_passes_the_tcp_check() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        assert ask(TCP, {"http": listener.getsockname()[1]}) == ""


def test_a_command_is_judged_by_its_exit_code_and_sees_the_environment() -> None:
    def check(script: str) -> str:
        words = ("/bin/sh", "-c", script, "sh", "$(WANTED)")
        return ask(Probe(kind=ProbeKind.EXEC, command=words, timeout_ms=60_000), {}, WANTED="7")

    assert check('test "$1" = "$WANTED"') == ""
    assert check("exit 3") == "exec check: exit code 3"


def test_a_command_that_hangs_is_killed_with_its_children(tmp_path: Path) -> None:
    """Its time is up once its child is there: how long a shell takes to begin is not what is asked here."""
    (tmp_path / "sleep").symlink_to(shutil.which("sleep") or "")
    script = f"{tmp_path}/sleep 3600 & echo $! > {tmp_path}/new; mv {tmp_path}/new {tmp_path}/pid; wait"
    for timeout_ms in (300, 1_000, 3_000, 10_000, 60_000):
        probe = Probe(kind=ProbeKind.EXEC, command=("/bin/sh", "-c", script), timeout_ms=timeout_ms)
        assert ask(probe, {}, PATH=os.environ["PATH"]) == "exec check: no answer in time"
        if (tmp_path / "pid").exists():
            break
    child = int((tmp_path / "pid").read_text())
    until("its end", lambda: not is_there(child, str(tmp_path).encode()))


def test_a_command_that_does_not_exist_fails() -> None:
    assert "exec check" in ask(Probe(kind=ProbeKind.EXEC, command=("/nowhere/x",)), {})


def test_ready_is_lost_after_the_allowed_failures_and_not_before(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.touch()
    probe = Probe(kind=ProbeKind.EXEC, command=("/bin/sh", "-c", f"test -e {good}"), interval_ms=1_000, failures=2)
    probe = replace(probe, timeout_ms=60_000)
    check = Check(probe, {}, {"PATH": os.environ["PATH"]}, tmp_path)
    with ThreadPoolExecutor(1) as pool:

        def next_answer(now: int) -> bool | None:
            check.advance(now, pool)
            assert check.pending is not None
            check.pending.exception(timeout=LONGEST_S)
            check.advance(now, pool)
            return check.good

        assert next_answer(0) is True
        good.unlink()
        assert next_answer(1_000) is True
        assert next_answer(2_000) is False
        good.touch()
        assert next_answer(3_000) is True


def test_a_check_that_cannot_be_made_fails_and_ends_nothing(tmp_path: Path) -> None:
    """An environment value with a NUL cannot be given to a command: ValueError, not OSError."""
    probe = Probe(kind=ProbeKind.EXEC, command=("true",), timeout_ms=60_000)
    check = Check(probe, ports={}, environment={"KEY": "a\0b"}, directory=tmp_path)
    with ThreadPoolExecutor(1) as pool:
        check.advance(0, pool)
        assert check.pending is not None
        check.pending.exception()
        check.advance(1, pool)
    assert "could not be made" in check.message
    assert check.failures == 1

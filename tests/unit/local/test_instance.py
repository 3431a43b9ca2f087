"""What one process is started with, and what its end is called."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from orchctl.core.rollout import FailureKind
from orchctl.core.service import Port, Protocol, SecretRef, Service
from orchctl_local.instance import CannotStart, choose_ports, command_of, end_of, prepare
from orchctl_local.layout import Layout, confined
from orchctl_local.ports import free_port, is_free
from orchctl_local.secrets import store_file

WEB = Service(name="web", namespace="shop", command=("serve", "$(PORT_HTTP)"), args=("$(X)", "$$(X)", "$(UNKNOWN)"))


def ended(home: Path, code: int, stderr: str = "") -> Path:
    (home / "exit").write_text(str(code))
    (home / "stderr.log").write_text(stderr)
    return home


def test_exit_code_zero_is_no_problem(tmp_path: Path) -> None:
    assert end_of(ended(tmp_path, 0)) is None


@pytest.mark.parametrize(
    ("code", "stderr", "kind", "message", "exit_code"),
    [
        (7, "boom", FailureKind.CRASHED, "exit code 7", 7),
        (-9, "", FailureKind.CRASHED, "killed by signal 9", 137),
        (1, "OSError: [Errno 98] Address already in use", FailureKind.PORT_TAKEN, "its port was taken", 1),
        (1, "Error: listen EADDRINUSE: :::8080", FailureKind.PORT_TAKEN, "its port was taken", 1),
    ],
)
def test_an_end_is_classified(
    tmp_path: Path, code: int, stderr: str, kind: FailureKind, message: str, exit_code: int
) -> None:
    problem = end_of(ended(tmp_path, code, stderr))
    assert problem is not None
    assert (problem.kind, problem.message, problem.exit_code) == (kind, message, exit_code)


def test_what_the_launcher_noted_counts_more_than_the_exit_code(tmp_path: Path) -> None:
    (tmp_path / "launch-failed.json").write_text(json.dumps({"message": "executable not found: x", "code": 127}))
    problem = end_of(ended(tmp_path, 127))
    assert problem is not None
    assert (problem.kind, problem.message) == (FailureKind.IMAGE, "executable not found: x")


def test_command_and_arguments_are_expanded_once() -> None:
    assert command_of(WEB, {"PORT_HTTP": "80", "X": "$(PORT_HTTP)"}) == [
        "serve",
        "80",
        "$(PORT_HTTP)",
        "$(X)",
        "$(UNKNOWN)",
    ]


def test_an_instance_that_cannot_be_prepared_is_a_configuration_problem(tmp_path: Path) -> None:
    (tmp_path / "instances").write_text("in the way")
    with pytest.raises(CannotStart) as caught:
        prepare(Layout(tmp_path), WEB, instance="web-1-1", numbers={}, secrets_dir="")
    assert caught.value.problem.kind is FailureKind.CONFIG


def test_ports_differ_from_those_that_are_taken() -> None:
    service = Service(name="web", namespace="shop", ports=(Port(name="a", port=1), Port(name="b", port=2)))
    taken: set[int] = set()
    chosen = [choose_ports(service, taken) for _ in range(20)]
    numbers = [number for ports in chosen for number in ports.values()]
    assert len(set(numbers)) == 40
    assert taken == set(numbers)


@pytest.mark.parametrize("protocol", [Protocol.TCP, Protocol.UDP])
def test_a_port_in_use_is_not_free(protocol: Protocol) -> None:
    kind = socket.SOCK_DGRAM if protocol is Protocol.UDP else socket.SOCK_STREAM
    number = free_port(protocol, set())
    with socket.socket(socket.AF_INET, kind) as holder:
        holder.bind(("127.0.0.1", number))
        if protocol is Protocol.TCP:
            holder.listen()
        assert not is_free(number, protocol)
    assert is_free(number, protocol)


@pytest.mark.parametrize(
    ("target", "expected"), [("/etc/a", "etc/a"), ("a/b", "a/b"), ("/", None), ("..", None), ("/a/../b", None)]
)
def test_files_stay_below_the_instance(target: str, expected: str | None) -> None:
    found = confined(target)
    assert (str(found) if found else None) == expected


def test_secrets_stay_below_their_directory(tmp_path: Path) -> None:
    (tmp_path / "store").mkdir()
    (tmp_path / "outside").write_text("x")
    (tmp_path / "store" / "link").symlink_to(tmp_path / "outside")
    store = str(tmp_path / "store")
    assert store_file(SecretRef("db", "password"), store) == tmp_path / "store" / "db" / "password"
    for name, key in (("..", "outside"), ("a/b", ""), ("", ""), ("link", ""), ("db", "../../outside")):
        assert store_file(SecretRef(name, key), store) is None
    assert store_file(SecretRef("db"), "") is None

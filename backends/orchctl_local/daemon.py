"""supervisord for one context: started on first use, in the background, with nothing of the caller's kept open."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import orchctl
from orchctl.errors import Unreachable
from orchctl_local.daemon_lock import holder, is_running, new_life
from orchctl_local.files import remove, try_lock
from orchctl_local.layout import Layout
from orchctl_local.supervisor_config import KEEPER, keep_script, launch_script, main_config

START_TIMEOUT_S = 15.0
STOP_TIMEOUT_S = 15.0
_POLL_S = 0.02
_LOCK_TRIES = 25
# supervisord closes descriptors from 5 up when it starts, and all from 3 up in every child.
_LOCK_DESCRIPTOR = 3
# What a process gets from the environment of whoever ran orchctl first: never that caller's tokens.
INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "USER", "LOGNAME", "SHELL")


def ensure_running(layout: Layout) -> None:
    """Start supervisord unless it runs. The caller holds the state lock; Unreachable when it does not start."""
    if layout.daemon_stopping.exists():
        stop(layout)
    if is_running(layout):
        return
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    packages = {str(Path(orchctl.__file__).parents[1]), str(Path(__file__).parents[1])}
    environment["PYTHONPATH"] = os.pathsep.join(sorted(packages))
    try:
        done = subprocess.run(
            [sys.executable, "-m", "orchctl_local.daemon"],
            cwd=layout.root,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            timeout=START_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Unreachable(f"supervisord did not start in {layout.root}: {error}") from error
    if done.returncode:
        last = done.stderr.decode(errors="replace").strip().rpartition("\n")[2]
        raise Unreachable(f"supervisord did not start in {layout.root}: {last}", hint="see supervisord.log there")


def stop(layout: Layout) -> None:
    """Stop supervisord, with everything it runs, and wait for it. The caller holds the state lock."""
    if pid := holder(layout):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + STOP_TIMEOUT_S
    while is_running(layout):
        if time.monotonic() > end:
            raise Unreachable(f"supervisord in {layout.root} does not end", hint="see supervisord.log there")
        _nudge(layout)
        time.sleep(_POLL_S)
    layout.daemon_stopping.unlink(missing_ok=True)


def _nudge(layout: Layout) -> None:
    """Connect to its socket: supervisord looks at a signal only when something else ends its wait of up to a second.

    The path goes over a descriptor where that exists, because a socket's address has room for some 104 bytes only.
    """
    directory = os.open(layout.root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        through = f"/proc/self/fd/{directory}" if sys.platform == "linux" else str(layout.root)
        with socket.socket(socket.AF_UNIX) as client, contextlib.suppress(OSError):
            client.settimeout(1)
            client.connect(f"{through}/supervisor.sock")
    finally:
        os.close(directory)


def main() -> None:
    """Become supervisord in the working directory. The first process ends when the second one answers."""
    os.umask(0o077)
    layout = Layout(Path.cwd())
    descriptor = os.open(layout.daemon_lock, os.O_RDWR | os.O_CREAT, 0o600)
    if descriptor != _LOCK_DESCRIPTOR:
        os.dup2(descriptor, _LOCK_DESCRIPTOR, inheritable=False)
        os.close(descriptor)
    if not _lock_patiently():
        return
    os.ftruncate(_LOCK_DESCRIPTOR, 0)
    prepare(layout)
    # An advisory lock belongs to the open file, which the child shares.
    if child := os.fork():
        os._exit(0 if _answers(child) else 1)
    os.pwrite(_LOCK_DESCRIPTOR, new_life().encode(), 0)
    nothing = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(nothing, standard)
    supervise()


def _lock_patiently() -> bool:
    """Whoever asks whether a daemon lives shares the lock for a moment; only a daemon keeps it."""
    for _ in range(_LOCK_TRIES):
        if try_lock(_LOCK_DESCRIPTOR):
            return True
        time.sleep(_POLL_S)
    return False


def _answers(child: int) -> bool:
    """Connect to its socket, which also ends the second of idling with which supervisord starts its main loop."""
    while os.waitpid(child, os.WNOHANG) == (0, 0):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            if client.connect_ex("supervisor.sock") == 0:
                return True
        time.sleep(_POLL_S)
    return False


def prepare(layout: Layout) -> None:
    """Files that supervisord needs; whatever a killed one left is gone first."""
    layout.daemon_stopping.unlink(missing_ok=True)
    (layout.root / "supervisor.sock").unlink(missing_ok=True)
    for left in layout.programs.glob("*.conf"):
        remove(left)
    (layout.root / "launch").write_text(launch_script(sys.executable, str(Path(__file__).with_name("launcher.py"))))
    (layout.root / "keep").write_text(keep_script(sys.executable))
    (layout.root / "supervisord.conf").write_text(main_config())


def supervise() -> None:
    """supervisord's own main loop, with time-stamped output and exits noted as files.

    Both are replaced classes, because supervisor has no setting for them: its XML-RPC interface does
    not tell which signal ended a process, and its logs have no times (4.3.0).
    """
    from supervisor import dispatchers, process
    from supervisor.options import ServerOptions
    from supervisor.supervisord import Supervisor

    class TimedOutput(dispatchers.POutputDispatcher):  # type: ignore[misc]
        """Puts the epoch time in milliseconds before each line."""

        line_open = False

        def _log(self, data: bytes) -> None:
            if data and self.process.config.name != KEEPER:
                stamp = b"%d " % (time.time() * 1000)
                stamped = (b"" if self.line_open else stamp) + re.sub(rb"\n(?!\Z)", b"\n" + stamp, data)
                self.line_open = not data.endswith(b"\n")
                data = stamped
            super()._log(data)

    class NotedProcess(process.Subprocess):  # type: ignore[misc]
        """Writes the wait status to ``exit`` beside the output."""

        def finish(self, pid: int, status: int) -> Any:
            if self.config.name != KEEPER:
                directory = os.path.dirname(self.config.stdout_logfile)
                try:
                    with open(os.path.join(directory, "exit"), "w") as file:
                        file.write(str(os.waitstatus_to_exitcode(status)))
                except OSError as error:
                    self.config.options.logger.warn(f"cannot note the exit of {self.config.name}: {error}")
            return super().finish(pid, status)

    dispatchers.POutputDispatcher = TimedOutput
    process.Subprocess = NotedProcess
    options = ServerOptions()
    options.realize(["-n", "-s", "-c", "supervisord.conf"])
    options.first = True
    options.test = False
    for server in options.server_configs:
        # Relative, or a deep directory would exceed the ~104 bytes of a socket's address.
        server["file"] = "supervisor.sock"
    Supervisor(options).main()


if __name__ == "__main__":
    main()

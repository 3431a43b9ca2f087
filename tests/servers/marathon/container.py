"""One container, started as a script with its plan as JSON (see ``containers.py``). Standard library only.

This process stays outside: it passes SIGTERM on, as ``docker stop`` does, forwards connections, and ends with the status
of process 1. When it is killed everything inside is.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import fcntl
import json
import os
import shutil
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

_NEWNS, _NEWPID, _NEWNET = 0x00020000, 0x20000000, 0x40000000
_BIND, _PRIVATE_BELOW = 0x1000, 0x44000
_DEATH_SIGNAL = 1
_SET_ADDRESS, _SET_MASK, _GET_FLAGS, _SET_FLAGS, _UP = 0x8916, 0x891C, 0x8913, 0x8914, 1
ADDRESS = "172.17.0.2"
"""Inside, next to 127.0.0.1: a program that listens on loopback only is not reached through its host's port."""
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def is_possible() -> bool:
    return sys.platform == "linux" and os.geteuid() == 0


def main(plan: dict[str, Any]) -> int:
    """Exit status of the program, 128 + n for a signal, 127 when it is not there."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})  # until somebody is there to hear it
    listeners = [_listener(port) for port, _ in plan["ports"] or ()]
    _unshare(_NEWNS | (_NEWNET if plan["ports"] is not None else 0))
    if plan["ports"] is not None:
        _bring_up("lo", "127.0.0.1")
        _bring_up("lo:1", ADDRESS)
    _mount("none", "/", _PRIVATE_BELOW)
    root = _own_copy(Path(plan["root"]))
    _unshare(_NEWPID)
    inside = os.fork()
    if not inside:
        _become_first(plan, root)
    numbers = [number for _, number in plan["ports"] or ()]
    return asyncio.run(_attend(inside, dict(zip(listeners, numbers, strict=True))))


def _own_copy(image: Path) -> Path:
    """Of the image, beside the sandbox, which is the working directory; the sandbox is seen in it where Mesos puts it."""
    root = Path.cwd().with_name("rootfs")
    shutil.copytree(image, root, symlinks=True)
    for folder in ("mnt/mesos/sandbox", "proc", "dev"):
        (root / folder).mkdir(parents=True)
    _mount(".", str(root / "mnt/mesos/sandbox"), _BIND)
    _mount("/dev", str(root / "dev"), _BIND)
    return root


def _become_first(plan: dict[str, Any], root: Path) -> None:
    """Process 1: the program, or an init with the program below it."""
    _call("prctl", _DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    os.setsid()
    os.chroot(root)
    os.chdir("/")
    _mount("proc", "/proc", 0, "proc")
    if not plan["init"]:
        _become(plan)
    program = os.fork()
    if not program:
        _become(plan)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(program, signal.SIGTERM))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    while (ended := os.wait()) and ended[0] != program:
        pass  # what nobody waits for is reaped
    os._exit(_status(ended[1]))


def _become(plan: dict[str, Any]) -> None:
    """The program, with the image's own PATH."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    environment = {**os.environ, "PATH": PATH, "HOME": "/root", "MESOS_SANDBOX": "/mnt/mesos/sandbox"}
    try:
        Path(plan["workdir"]).mkdir(parents=True, exist_ok=True)
        os.chdir(plan["workdir"])
        _take_user(plan["user"])
        os.execvpe(plan["argv"][0], plan["argv"], environment)
    except (OSError, LookupError) as error:
        os.write(2, f"{plan['argv'][0]}: {error}\n".encode())
        os._exit(127)


def _take_user(user: str) -> None:
    """``name`` or ``number``, each with ``:group``; KeyError for one that the image does not know."""
    if not user:
        return
    name, _, group = user.partition(":")
    number, own_group = (int(name), 0) if name.isdecimal() else _looked_up("/etc/passwd", name)
    os.setgroups([])
    os.setgid(own_group if not group else int(group) if group.isdecimal() else _looked_up("/etc/group", group)[0])
    os.setuid(number)


def _looked_up(table: str, name: str) -> tuple[int, int]:
    rows = (line.split(":") for line in Path(table).read_text("utf-8").splitlines())
    found = {row[0]: row for row in rows}[name]
    return int(found[2]), int(found[3] or 0)


async def _attend(inside: int, ports: dict[socket.socket, int]) -> int:
    """Forward until process 1 has ended."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def look() -> None:
        pid, status = os.waitpid(inside, os.WNOHANG)
        if pid and not ended.done():
            ended.set_result(_status(status))

    def stop() -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(inside, signal.SIGTERM)

    loop.add_signal_handler(signal.SIGCHLD, look)
    loop.add_signal_handler(signal.SIGTERM, stop)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
    for listener, number in ports.items():
        await asyncio.start_server(_forwarder(number), sock=listener)
    look()  # it may have ended before anybody was there to hear it
    return await ended


def _forwarder(number: int) -> Any:
    """Connections from outside, made again inside: this process is in the container's network, its listener is not."""

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(ADDRESS, number)
            await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))
        writer.close()

    return forward


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while piece := await reader.read(1 << 16):
            writer.write(piece)
            await writer.drain()
        writer.write_eof()


def _listener(port: int) -> socket.socket:
    return socket.create_server(("0.0.0.0", port))


def _status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _bring_up(name: str, address: str) -> None:
    """An address of the loopback interface, as ``ip addr add`` gives one; an alias has a number behind its name."""
    with socket.socket() as probe:
        for request, text in ((_SET_ADDRESS, address), (_SET_MASK, "255.0.0.0")):
            where = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(text))
            fcntl.ioctl(probe, request, struct.pack("16s16s", name.encode(), where))
        shown = fcntl.ioctl(probe, _GET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
        flags = struct.unpack("16sH14x", shown)[1]
        fcntl.ioctl(probe, _SET_FLAGS, struct.pack("16sH14x", name.encode(), flags | _UP))


def _unshare(flags: int) -> None:
    _call("unshare", flags)


def _mount(source: str, target: str, flags: int, kind: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), flags, None)


def _call(name: str, *arguments: Any) -> None:
    """OSError when the kernel refuses."""
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments):
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main(json.loads(sys.argv[1])))

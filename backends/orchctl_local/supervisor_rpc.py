"""The keeper's line to supervisord: XML-RPC on the socket in the working directory, every call with a time-out."""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchctl_local.supervisor_config import KEEPER, Program, program_config

TIMEOUT_S = 10.0
_ALREADY_ADDED, _BAD_NAME = 90, 10
_ENDED = ("STOPPED", "EXITED", "FATAL", "BACKOFF", "UNKNOWN")


@dataclass(frozen=True, slots=True)
class Seen:
    """A program as supervisord knows it; ``error`` is why it could not even be forked."""

    ended: bool
    pid: int
    error: str = ""


class _Connection(http.client.HTTPConnection):
    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_S)
        self.sock.connect(self.host)


class _Transport(xmlrpc.client.Transport):
    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        if self._connection is None or host != self._connection[0]:
            self._connection = host, _Connection("supervisor.sock")
        connection: http.client.HTTPConnection = self._connection[1]
        return connection

    _connection: Any = None


class SupervisorRpc:
    """``start`` and ``remove`` are idempotent: what is already so is left so."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._rpc: Any = xmlrpc.client.ServerProxy("http://local", transport=_Transport()).supervisor

    def seen(self) -> Mapping[str, Seen]:
        """Every program by name, the keeper excepted."""
        return {
            info["group"]: Seen(
                # One that was added a moment ago is "STOPPED" until supervisord's next round starts it.
                info["statename"] in _ENDED and info["start"] != 0,
                info["pid"],
                "" if info["pid"] else info["spawnerr"],
            )
            for info in self._rpc.getAllProcessInfo()
            if info["group"] != KEEPER
        }

    def start(self, programs: Sequence[Program]) -> None:
        """Add programs; supervisord starts them at once."""
        if not programs:
            return
        for program in programs:
            (self._programs / f"{program.name}.conf").write_text(program_config(program))
        try:
            self._rpc.reloadConfig()
        except xmlrpc.client.Fault:
            # One program that supervisor cannot read would keep every other one from starting.
            for program in programs:
                (self._programs / f"{program.name}.conf").unlink(missing_ok=True)
            raise
        for program in programs:
            self._call(self._rpc.addProcessGroup, program.name, ignore=_ALREADY_ADDED)

    def stop(self, name: str) -> None:
        """Send the stop signal; supervisord kills after the grace period."""
        self._call(self._rpc.stopProcessGroup, name, False, ignore=_BAD_NAME)

    def remove(self, name: str) -> None:
        """Forget a program that has ended."""
        (self._programs / f"{name}.conf").unlink(missing_ok=True)
        self._call(self._rpc.removeProcessGroup, name, ignore=_BAD_NAME)

    def shutdown(self) -> None:
        self._rpc.shutdown()

    @staticmethod
    def _call(method: Any, *arguments: Any, ignore: int) -> None:
        try:
            method(*arguments)
        except xmlrpc.client.Fault as fault:
            if fault.faultCode != ignore:
                raise

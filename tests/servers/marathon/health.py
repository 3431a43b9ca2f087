"""Health and readiness checks, really performed.

Mesos' own checks (MESOS_*, COMMAND) run where the task runs and so go to its loopback; Marathon's (HTTP, HTTPS, TCP)
and readiness checks come from outside, to host and port.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.servers.marathon.instances import Task
from tests.servers.marathon.processes import declared_ports, effective_ports


@dataclass(frozen=True)
class Result:
    """``cause`` "" = it passed."""

    cause: str = ""
    response: dict[str, Any] = field(default_factory=dict)
    """Readiness only: status, contentType and body."""


@dataclass(frozen=True)
class Target:
    """All a check needs, taken while the server's lock is held; performing it must not hold the lock."""

    check: Mapping[str, Any]
    host: str
    port: int
    environment: Mapping[str, str]
    directory: str

    @property
    def is_by_mesos(self) -> bool:
        return is_by_mesos(self.check)


def is_by_mesos(check: Mapping[str, Any]) -> bool:
    protocol = str(check["protocol"])
    return protocol == "COMMAND" or protocol.startswith("MESOS_")


def target_of(check: Mapping[str, Any], task: Task) -> Target:
    app = task.release.app
    if "portName" in check:
        port = port_named(app, task, check["portName"])
    elif "port" in check:
        port = check["port"]
    else:
        ports = effective_ports(app, task.ports)
        index = check.get("portIndex", 0)
        port = ports[index] if index < len(ports) else 0
    loopback = task.container_address or "127.0.0.1"
    host = loopback if is_by_mesos(check) else task.address if task.container_address else task.agent.host
    process = task.process
    environment = process.environment if process else {}
    return Target(check, host, port, environment, str(process.sandbox) if process else ".")


def port_named(app: Mapping[str, Any], task: Task, name: str) -> int:
    """0 when there is no such port."""
    pairs = zip(declared_ports(app), effective_ports(app, task.ports), strict=True)
    return next((port for declared, port in pairs if declared.get("name") == name), 0)


def perform(target: Target) -> Result:
    """Blocks for at most the check's time-out."""
    protocol = target.check["protocol"].removeprefix("MESOS_")
    if protocol == "COMMAND":
        return _run(target)
    if protocol == "TCP":
        return _connect(target)
    return _get(target, secure=protocol == "HTTPS")


def _run(target: Target) -> Result:
    command = ["/bin/sh", "-c", target.check["command"]["value"]]
    try:
        done = subprocess.run(
            command,
            env=dict(target.environment),
            cwd=target.directory,
            capture_output=True,
            timeout=target.check["timeoutSeconds"] or None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Result(f"Command timed out after {target.check['timeoutSeconds']}secs")
    except OSError as error:  # its task is over, and its sandbox gone
        return Result(f"Command could not be started: {error}")
    return Result() if done.returncode == 0 else Result(f"Command returned exited with status {done.returncode}")


def _connect(target: Target) -> Result:
    try:
        socket.create_connection((target.host, target.port), target.check["timeoutSeconds"] or None).close()
    except OSError as error:
        return Result(_cause(target, error))
    return Result()


def _connection(target: Target, *, secure: bool) -> http.client.HTTPConnection:
    timeout = target.check["timeoutSeconds"] or None
    if not secure:
        return http.client.HTTPConnection(target.host, target.port, timeout=timeout)
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection(target.host, target.port, timeout=timeout, context=context)


def _get(target: Target, *, secure: bool) -> Result:
    check = target.check
    connection = _connection(target, secure=secure)
    path = urllib.parse.quote(check.get("path", "/") or "/", safe="/?&=%:@!$'()*+,;~.-_")
    try:
        connection.request("GET", path if path.startswith("/") else f"/{path}")
        answer = connection.getresponse()
        body = answer.read(65536).decode(errors="replace")
    except (OSError, http.client.HTTPException) as error:
        return Result(_cause(target, error))
    finally:
        connection.close()
    shown = {"status": answer.status, "contentType": answer.getheader("Content-Type") or "", "body": body}
    accepted = check.get("httpStatusCodesForReady") or range(200, 400)
    return Result("" if answer.status in accepted else f"{answer.status} {answer.reason}", shown)


def _cause(target: Target, error: Exception) -> str:
    """Marathon's own HTTP client words a refused connection like this (08-deployments/558)."""
    if isinstance(error, ConnectionRefusedError) and target.check["protocol"] in ("HTTP", "HTTPS"):
        return (
            f"Tcp command [Connect({target.host}/<unresolved>:{target.port},None,List(),Some(10 seconds),true)] "
            "failed because of java.net.ConnectException: Connection refused"
        )
    if isinstance(error, ConnectionRefusedError):
        return "ConnectException: Connection refused (Connection refused)"
    return f"{type(error).__name__}: {error}"

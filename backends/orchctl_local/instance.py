"""The directory of one process: what it is started with, its files and its output."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from orchctl.core.environment import expand, port_environment
from orchctl.core.rollout import FailureKind, Problem
from orchctl.core.service import SecretRef, Service
from orchctl.core.units import format_bytes, format_cpu
from orchctl_local import ports
from orchctl_local.daemon import INHERITED
from orchctl_local.layout import Layout, confined
from orchctl_local.processes import MARK
from orchctl_local.secrets import value_of
from orchctl_local.supervisor_config import Program

_TAIL_BYTES = 4096
_PORT_WORDS = (b"address already in use", b"eaddrinuse", b"address in use")


class CannotStart(Exception):
    """The process cannot even be tried; ``problem`` says why."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.message)
        self.problem = problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """Everything one process is started with."""

    program: Program
    environment: Mapping[str, str]
    directory: Path
    """Its working directory."""


def refuse_too_large(service: Service) -> None:
    """CannotStart when one instance alone reserves more than this machine has; nothing is really set aside."""
    resources = service.resources
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cpus = os.cpu_count() or 1
    text = ""
    if (resources.memory_bytes or 0) > memory:
        text = f"it reserves {format_bytes(resources.memory_bytes or 0)} of memory, this machine has {memory >> 20}Mi"
    elif (resources.cpu_millis or 0) > cpus * 1000:
        text = f"it reserves {format_cpu(resources.cpu_millis or 0)} CPUs, this machine has {cpus}"
    if text:
        raise CannotStart(Problem(kind=FailureKind.UNSCHEDULABLE, message=text))


def choose_ports(service: Service, taken: set[int]) -> dict[str, int]:
    """A free number for every port, added to ``taken``."""
    chosen: dict[str, int] = {}
    for port in service.ports:
        number = port.published or ports.free_port(port.protocol, {*taken, *chosen.values()})
        if not number or not ports.is_free(number, port.protocol):
            message = f"port {number} of this machine is taken by another process" if number else "no free port is left"
            raise CannotStart(Problem(kind=FailureKind.PORT_TAKEN, message=message))
        chosen[port.name] = number
    taken.update(chosen.values())
    return chosen


def prepare(layout: Layout, service: Service, *, instance: str, numbers: Mapping[str, int], secrets_dir: str) -> Launch:
    """Write the instance's directory; CannotStart when a secret is missing or a file cannot be made."""
    home = layout.instances(service.namespace, service.name) / instance
    run = home / "run"

    def secret(ref: SecretRef, where: str) -> bytes:
        value = value_of(ref, layout=layout, namespace=service.namespace, name=service.name, secrets_dir=secrets_dir)
        if value is None:
            label = f"{ref.name}/{ref.key}" if ref.key else ref.name
            raise CannotStart(Problem(kind=FailureKind.CONFIG, message=f"{where}: there is no secret {label}"))
        return value

    try:
        run.mkdir(parents=True, mode=0o700)
        for target, file in service.files.items():
            content = secret(file.secret, f"files[{target}]") if file.secret else file.content or b""
            _write_file(run, target, content, 0o400 if file.secret and file.mode == "0444" else int(file.mode, 8))
        own = {k: secret(v, f"env.{k}") if isinstance(v, SecretRef) else v.encode() for k, v in service.env.items()}
        environment = _environment(service, numbers, {k: os.fsdecode(v) for k, v in own.items()}, instance, run)
        directory = Path(service.working_dir) if service.working_dir else run
        launch = {"command": command_of(service, environment), "environment": environment, "directory": str(directory)}
        descriptor = os.open(home / "launch.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w") as stream:
            json.dump(launch, stream)
    except OSError as error:
        raise CannotStart(Problem(kind=FailureKind.CONFIG, message=f"cannot prepare {instance}: {error}")) from error
    program = Program(
        name=f"{service.namespace}.{instance}",
        directory=str(home.relative_to(layout.root)),
        stop_signal=service.stop.signal,
        grace_ms=service.stop.grace_ms,
    )
    return Launch(program=program, environment=environment, directory=directory)


def resume(layout: Layout, service: Service, instance: str) -> tuple[dict[str, str], Path]:
    """Environment and working directory of a process that an earlier keeper started."""
    try:
        launch = json.loads((layout.instances(service.namespace, service.name) / instance / "launch.json").read_bytes())
        return launch["environment"], Path(launch["directory"])
    except (OSError, ValueError, KeyError):
        return {}, layout.root


def command_of(service: Service, environment: Mapping[str, str]) -> list[str]:
    """``backends.local`` over the service's own words, with ``$(NAME)`` replaced."""
    options = service.options("local")
    words = [*options.get("command", service.command), *options.get("args", service.args)]
    return expand([str(word) for word in words], environment)


def launched_ms(home: Path) -> int | None:
    """When the command of this directory began, in milliseconds of this boot's monotonic clock; None = not yet."""
    try:
        return int((home / "launched").read_text())
    except (OSError, ValueError):
        return None


def end_of(home: Path, *, unknown: str = "") -> Problem | None:
    """Why the process of this directory ended; None = exit code 0."""
    try:
        failed = json.loads((home / "launch-failed.json").read_bytes())
        kind = FailureKind.IMAGE if failed["code"] == 127 else FailureKind.CONFIG
        return Problem(kind=kind, message=str(failed["message"]), exit_code=failed["code"])
    except (OSError, ValueError, KeyError):
        pass
    try:
        code = int((home / "exit").read_text())
    except (OSError, ValueError):
        return Problem(kind=FailureKind.CRASHED, message=unknown or "the process is gone")
    if code == 0:
        return None
    if code < 0:
        return Problem(kind=FailureKind.CRASHED, message=f"killed by signal {-code}", exit_code=128 - code)
    if any(word in _tail(home / "stderr.log").lower() for word in _PORT_WORDS):
        return Problem(kind=FailureKind.PORT_TAKEN, message="its port was taken", exit_code=code, transient=True)
    return Problem(kind=FailureKind.CRASHED, message=f"exit code {code}", exit_code=code)


def _environment(
    service: Service, numbers: Mapping[str, int], own: Mapping[str, str], instance: str, run: Path
) -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    marks = {
        "ORCHCTL_NAMESPACE": service.namespace,
        "ORCHCTL_SERVICE": service.name,
        "ORCHCTL_INSTANCE": instance,
        MARK: str(run),
    }
    extra = {str(k): str(v) for k, v in service.options("local").get("env", {}).items()}
    return {**inherited, **port_environment(service, numbers), **own, **extra, **marks}


def _write_file(run: Path, target: str, content: bytes, mode: int) -> None:
    relative = confined(target)
    if relative is None:
        raise OSError(f"{target} leaves the instance's directory")
    path = run / relative
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_bytes(content)
    path.chmod(mode)


def _tail(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
            return file.read()
    except OSError:
        return b""

"""A task's process: what it runs, in which environment, in which folder."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.marathon import containers
from tests.servers.marathon.definition import uses_host_network
from tests.servers.marathon.instances import Instance, Task

Images = Mapping[str, Sequence[str] | Path | None]
"""What an image is: argv, a root file system, or nothing but a name that is known."""


class NoImage(Exception):
    """The image cannot be had; the text is what Mesos says."""


class TaskProcess:
    """A process in a session of its own, its output in ``stdout`` and ``stderr`` of the sandbox."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str], sandbox: Path) -> None:
        sandbox.mkdir(parents=True, exist_ok=True)
        with (sandbox / "stdout").open("ab") as out, (sandbox / "stderr").open("ab") as err:
            self._process = subprocess.Popen(
                command,
                env=dict(environment),
                cwd=sandbox,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )
        self.sandbox, self.environment = sandbox, environment
        self._was_told = False

    @property
    def pid(self) -> int:
        return self._process.pid

    def poll(self) -> int | None:
        """Exit status, negative for a signal; None while it runs. Nothing of its session survives it."""
        if self._process.returncode is None and self._has_ended():
            # Before it is reaped: as long as it is a zombie, nobody else can have its number.
            self.kill()
            self._process.wait()
        return self._process.returncode

    def _has_ended(self) -> bool:
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def terminate(self) -> None:
        """SIGTERM, once."""
        if not self._was_told:
            self._was_told = True
            self._signal_session(signal.SIGTERM)

    def kill(self) -> None:
        self._signal_session(signal.SIGKILL)

    def end(self) -> None:
        """Kill and reap."""
        if self._process.returncode is None:
            self.kill()
            self._process.wait()

    def _signal_session(self, signum: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signum)


def message_of(status: int) -> str:
    """How Mesos' executor words an exit status, as in "Command exited with status 1"."""
    if status < 0:
        return f"Command terminated with signal {signal.strsignal(-status)}"
    return f"Command exited with status {status}"


def command_of(app: Mapping[str, Any], images: Images, ports: Sequence[int]) -> list[str]:
    """argv of the process; NoImage when the container's image is not in ``images``. ``ports``: of the host."""
    entry = _entry_point(app, images)
    if isinstance(entry, Path):
        return containers.command(app, entry, ports)
    if "cmd" in app:
        return ["/bin/sh", "-c", str(app["cmd"])]
    return [*entry, *app.get("args", [])] or ["/bin/sh", "-c", "echo 'no command specified' >&2; exit 125"]


def _entry_point(app: Mapping[str, Any], images: Images) -> Sequence[str] | Path:
    container = app.get("container") or {}
    image = (container.get("docker") or {}).get("image")
    if image is None:
        return []
    if image not in images:
        raise NoImage(_pull_failure(container["type"], image))
    entrypoint = next((p["value"] for p in container["docker"].get("parameters", ()) if p["key"] == "entrypoint"), "")
    found = images[image]
    return found if isinstance(found, Path) else [entrypoint] if entrypoint else found or []


def _pull_failure(kind: str, image: str) -> str:
    if kind == "MESOS":
        what = f"Failed to pull image '{image}': "
        return f"Failed to launch container: {what}Unexpected HTTP response '404 Not Found' when trying to get the manifest"
    name = image.partition(":")[0]
    return (
        f"Failed to launch container: Failed to run 'docker -H unix:///var/run/docker.sock pull {image}': exited with "
        f"status 1; stderr='Error response from daemon: pull access denied for {name}, repository does not exist or may "
        "require 'docker login': denied: requested access to the resource is denied\n'"
    )


def environment_of(instance: Instance, task: Task, sandbox: Path) -> dict[str, str]:
    """What Marathon and Mesos give a task, and two things of our own, since there is no container.

    ``LISTEN_HOST`` and ``LISTEN_PORT<index>`` (also ``LISTEN_PORT_<NAME>``) are where the program has to listen so
    that ``host:ports[index]`` of the task reaches it: the host port with host and bridge networking, the container
    port on an address of the task's own with container networking.
    """
    app = task.release.app
    given = {key: value for key, value in app.get("env", {}).items() if isinstance(value, str)}
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        **_application(task),
        **port_environment(app, task.ports),
        "HOST": task.agent.host,
        **given,  # what the app says wins (TaskBuilder.commandInfo)
        **_listen(app, task),
        "MESOS_TASK_ID": task.id,
        "MESOS_SANDBOX": str(sandbox),
        "MESOS_DIRECTORY": str(sandbox),
        "MESOS_AGENT_ENDPOINT": f"{task.agent.host}:5051",
    }


def _application(task: Task) -> dict[str, str]:
    app = task.release.app
    named = {_label_name(key): value for key, value in app["labels"].items() if len(value) <= 512}
    found = {
        "MARATHON_APP_ID": app["id"],
        "MARATHON_APP_VERSION": task.release.version,
        "MARATHON_APP_RESOURCE_CPUS": str(float(app["cpus"])),
        "MARATHON_APP_RESOURCE_MEM": str(float(app["mem"])),
        "MARATHON_APP_RESOURCE_DISK": str(float(app["disk"])),
        "MARATHON_APP_RESOURCE_GPUS": str(app["gpus"]),
        "MARATHON_APP_LABELS": " ".join(named),
        **{f"MARATHON_APP_LABEL_{key}": value for key, value in named.items()},
    }
    image = ((app.get("container") or {}).get("docker") or {}).get("image")
    return found | ({"MARATHON_APP_DOCKER_IMAGE": image} if image else {})


def _label_name(text: str) -> str:
    return re.sub(r"[^A-Z0-9_]+", "_", text.upper()).strip("_")


def declared_ports(app: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Port definitions or mappings, in order."""
    if uses_host_network(app):
        return list(app.get("portDefinitions", []))
    return list((app.get("container") or {}).get("portMappings", []))


def effective_ports(app: Mapping[str, Any], ports: Sequence[int]) -> list[int]:
    """The port by which each declared one is reached: a host port, or the container's where none is mapped."""
    assigned = iter(ports)
    declared = declared_ports(app)
    if uses_host_network(app):
        return list(ports)
    return [next(assigned) if "hostPort" in one else one["containerPort"] for one in declared]


def port_environment(app: Mapping[str, Any], ports: Sequence[int]) -> dict[str, str]:
    """``PORT0``, ``PORT_<declared number>``, ``PORT_<NAME>``, ``PORT``, ``PORTS``; all hold effective ports.

    A name is made upper case and nothing else (EnvironmentHelper.portsToEnv): ``http-api`` gives ``PORT_HTTP-API``.
    """
    effective, found = effective_ports(app, ports), {}
    for index, (declared, port) in enumerate(zip(declared_ports(app), effective, strict=True)):
        found[f"PORT{index}"] = str(port)
        number = declared.get("containerPort", declared.get("port", 0)) or port
        found[f"PORT_{number}"] = str(port)
        if "name" in declared:
            found[f"PORT_{declared['name'].upper()}"] = str(port)
    if effective:
        found |= {"PORT": str(effective[0]), "PORTS": ",".join(map(str, effective))}
    return found


def _listen(app: Mapping[str, Any], task: Task) -> dict[str, str]:
    own = bool(task.container_address)
    found = {"LISTEN_HOST": task.address if own else task.agent.host}
    effective = effective_ports(app, task.ports)
    for index, (declared, port) in enumerate(zip(declared_ports(app), effective, strict=True)):
        found[f"LISTEN_PORT{index}"] = str(port)
        if "name" in declared:
            found[f"LISTEN_PORT_{re.sub('[^A-Z0-9_]', '_', declared['name'].upper())}"] = str(port)
    return found

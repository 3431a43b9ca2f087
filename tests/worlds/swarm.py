"""A real one-node swarm, looked at through its own API and never through the adapter."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.core.service import (
    Amount,
    Expose,
    Health,
    Port,
    Probe,
    ProbeKind,
    Resources,
    Rollout,
    Service,
    Stop,
)
from orchctl.testing.world import Behaviour, Truth, World
from tests.rounds import LOAD, PATIENCE, RACES
from tests.servers.api import Api, ApiError
from tests.servers.dockerd import Swarm
from tests.servers.image import IMAGE, MISSING
from tests.servers.waiting import until
from tests.worlds.proxy import CountingProxy

NAMESPACE = "test"
SERVE = 'printf %s "$GREETING" > /www/index.html; httpd -f -p "$PORT_HTTP" -h /www & wait'
# The first process of a container does not hear SIGTERM without a trap: each stop would take all of its grace.
_HEARS = 'trap "exit 0" TERM; '
_SCRIPTS = {
    Behaviour.CRASH: "echo 'boom: cannot start' >&2; exit 7",
    Behaviour.CRASH_LATER: f"({SERVE}) & sleep 1; exit 7",
    Behaviour.NEVER_READY: f"{_HEARS}sleep 3600 & wait",
}
_USUAL_START_S = 0.6
"""On two cores with nothing else to do (2026-11)."""
_START_DEADLINE_MS = 60_000
_NEVER_READY_DEADLINE_MS = 3_000


class SwarmWorld(World):
    """``swarm`` runs and outlives the world; one world at a time uses it."""

    name = "swarm"
    load_rounds, race_rounds = LOAD, RACES
    unschedulable_s = float(PATIENCE)
    drain_ms = 2_000  # what the engine gives every task, whatever the spec says

    def __init__(self, swarm: Swarm, state_dir: Path) -> None:
        self.swarm = swarm
        self.api: Api = swarm.api
        self.proxy = CountingProxy(swarm.root / f"proxy-{id(self)}.sock", swarm.manager.socket)
        self.backend = load("swarm")
        settings = {"host": f"unix://{self.proxy.path}"}
        self.context = Context(
            name="swarm", backend="swarm", state_dir=state_dir, namespace=NAMESPACE, settings=settings
        )

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        late = behaviour is Behaviour.CRASH_LATER
        deadline = _NEVER_READY_DEADLINE_MS if behaviour is Behaviour.NEVER_READY else _START_DEADLINE_MS
        probe = Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=200, timeout_ms=10_000)
        service = Service(
            name=name,
            namespace=NAMESPACE,
            image=MISSING if behaviour is Behaviour.MISSING_IMAGE else IMAGE,
            command=("/bin/sh", "-c"),
            args=(_SCRIPTS.get(behaviour, _HEARS + SERVE),),
            replicas=2,
            env={"GREETING": greeting},
            ports=(Port(name="http", port=8080, expose=Expose.HOST),),
            health=Health(ready=probe, start_deadline_ms=deadline),
            rollout=Rollout(
                max_surge=Amount(1),
                max_unavailable=Amount(0),
                min_ready_ms=2_000 if late else 300,
                deadline_ms=180_000,
            ),
            stop=Stop(grace_ms=2_000),
            backends={"swarm": {"resolve_image": "never"}},
        )
        if behaviour is Behaviour.UNSCHEDULABLE:
            # Not by a constraint: the swarm holds those of the new definition against the old tasks too.
            return replace(service, resources=Resources(memory_bytes=1 << 50))
        return service

    def truth(self, name: str) -> Truth:
        full = f"{NAMESPACE}_{name}"
        services = {s["Spec"]["Name"] for s in self.api.get("/services")}
        containers, running = self._at_one_time(full)
        left = [f"service {full}"] if full in services else []
        left += [f"container {i}" for i in containers]
        for kind in ("configs", "secrets"):
            left += [f"{kind} {o['Spec']['Name']}" for o in self.api.get(f"/{kind}") if _belongs(o, name)]
        if not any(s.startswith(f"{NAMESPACE}_") for s in services):
            left += [f"network {n['Name']}" for n in self.api.get("/networks") if n["Name"] == f"{NAMESPACE}_default"]
        return Truth(exists=full in services, running=running, leftovers=tuple(left))

    def _at_one_time(self, full: str) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
        """Task by container, and the environment of those that run: two lists, which belong together when the first one has
        not changed meanwhile."""
        containers = self._containers(full)
        while True:
            running = self._running(containers)
            if (now := self._containers(full)) == containers:
                return containers, running
            containers = now

    def _containers(self, full: str) -> dict[str, str]:
        """Task by container, those in their time of grace included."""
        listed = self.api.get("/containers/json", filters={"label": [f"com.docker.swarm.service.name={full}"]})
        return {c["Id"]: c["Labels"]["com.docker.swarm.task.id"] for c in listed}

    def _running(self, containers: dict[str, str]) -> dict[str, dict[str, str]]:
        """Environment by container. One that was told to stop is on its way out: the engine gives it two seconds
        before the signal, and no rollout policy of any orchestrator counts it."""
        wanted = {t["ID"] for t in self.api.get("/tasks", filters={"desired-state": ["running"]})}
        found: dict[str, dict[str, str]] = {}
        for identity, task in containers.items():
            with contextlib.suppress(ApiError):  # it ended between the two looks
                config = self.api.get(f"/containers/{identity}/json")["Config"]
                if task in wanted:
                    found[identity] = dict(e.split("=", 1) for e in config["Env"])
        return found

    def pace(self) -> float:
        """By one container of the tests' image that is started, runs to its end and is removed."""
        started = time.monotonic()
        made = self.api.post("/containers/create", {"Image": IMAGE, "Cmd": ["true"]})["Id"]
        self.api.post(f"/containers/{made}/start")
        self.api.post(f"/containers/{made}/wait")
        self.api.delete(f"/containers/{made}")
        return max(1.0, (time.monotonic() - started) / _USUAL_START_S)

    def writes(self) -> int:
        return self.proxy.writes

    def requests(self) -> int:
        return len(self.proxy.requests)

    def foreign(self, name: str) -> None:
        container = {"Image": IMAGE, "Command": ["sleep", "3600"], "Init": True}
        self.api.post("/services/create", {"Name": f"{NAMESPACE}_{name}", "TaskTemplate": {"ContainerSpec": container}})

    def tamper(self, name: str) -> None:
        def change(container: dict[str, Any]) -> None:
            kept = [e for e in container["Env"] if not e.startswith("GREETING=")]
            container["Env"] = [*kept, "GREETING=tampered"]

        self.edit(name, change)

    def edit(self, name: str, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the ContainerSpec by hand; tried again while the swarm itself moves the version on."""

        def once() -> bool:
            service = self._service(name)
            change(service["Spec"]["TaskTemplate"]["ContainerSpec"])
            version = str(service["Version"]["Index"])
            try:
                self.api.post(f"/services/{service['ID']}/update", service["Spec"], version=version)
            except ApiError as error:
                if "out of sequence" in error.message:
                    return False
                raise
            return True

        until("the edit by hand", once)

    def kill_instance(self, name: str) -> None:
        victim = next(iter(self._running(self._containers(f"{NAMESPACE}_{name}"))))
        self.api.post(f"/containers/{victim}/kill", signal="KILL")

    def _service(self, name: str) -> dict[str, Any]:
        full = f"{NAMESPACE}_{name}"
        return next(s for s in self.api.get("/services") if s["Spec"]["Name"] == full)

    def clean(self) -> None:
        """The engine gives every container two seconds before it stops it; tests do not wait for that."""
        for service in self.api.get("/services"):
            self._delete(f"/services/{service['ID']}")
        until("no containers", self._no_containers, every=0.1)
        for kind in ("configs", "secrets"):
            for found in self.api.get(f"/{kind}"):
                until(f"{kind} removed", lambda k=kind, f=found: self._delete(f"/{k}/{f['ID']}"))
        for network in self.api.get("/networks", filters={"scope": ["swarm"]}):
            if network["Name"] != "ingress":
                until("network removed", lambda n=network: self._delete(f"/networks/{n['Id']}"))

    def close(self) -> None:
        self.proxy.close()

    def _no_containers(self) -> bool:
        found = self.api.get("/containers/json", all="1")
        for container in found:
            self._delete(f"/containers/{container['Id']}", force="1")
        return not found

    def _delete(self, path: str, **query: str) -> bool:
        try:
            self.api.delete(path, **query)
        except ApiError as error:
            return error.status == 404
        return True


def _belongs(found: dict[str, Any], name: str) -> bool:
    labels = found["Spec"].get("Labels") or {}
    mine = labels.get("orchctl.dev/namespace") == NAMESPACE and labels.get("orchctl.dev/name") == name
    return mine or labels.get("orchctl.dev/key", "").startswith(f"{NAMESPACE}/{name}/")

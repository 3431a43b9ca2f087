"""A Marathon, looked at through its own API and never through the adapter.

Ours has a simulated Mesos that runs real processes. Any other is named by ORCHCTL_TEST_MARATHON_URL (and its Mesos
master by ORCHCTL_TEST_MESOS_URL, where tasks are processes); one whose Mesos is simulated too goes by the label
``simulate``, which says the same as the command does.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.core.service import Amount, Health, Port, Probe, ProbeKind, Resources, Rollout, Service, Stop
from orchctl.testing.world import Behaviour, Truth, World
from orchctl_marathon.client import Reading
from tests.pace import slowness
from tests.rounds import LOAD, PATIENCE, RACES
from tests.servers.consul.agent import Consul
from tests.servers.consul.front import Front, forwarding
from tests.servers.marathon import Marathon
from tests.servers.waiting import until
from tests.worlds.consul import Records, in_consul

GIVEN = "ORCHCTL_TEST_MARATHON_URL"
# On somebody's own Marathon nothing is removed that could be theirs.
NAMESPACE = "orchctl-test" if os.environ.get(GIVEN) else "test"
IMAGE, MISSING = "greeter:1", "127.0.0.1:1/missing:1"
HASTE = 5.0
"""A service is asked every fifth of a second, where Marathon knows whole seconds only."""
_LEDGER = "orchctl"
_RUNNING = ("TASK_RUNNING",)

# Without site packages and http.server, a process answers after some 20 ms. After SIGTERM it serves for as long as a
# client may hold a stale address where DRAIN says so: Marathon has no other way (see stop.drain in claims.py).
_SERVER = """
import os, signal, socket, sys, time
own = os.environ.get("LISTEN_HOST", "")
host = own if own != os.environ["HOST"] else ""
listener = socket.create_server((host, int(os.environ.get("LISTEN_PORT0") or os.environ["PORT_HTTP"])))
end = time.monotonic() + float(sys.argv[1])
code = 7
def leave(*_):
    global end, code
    end, code = min(end, time.monotonic() + float(os.environ.get("DRAIN", "0"))), 0
    if not os.environ.get("DRAIN"):
        os._exit(0)
signal.signal(signal.SIGTERM, leave)
body = os.environ.get("GREETING", "").encode()
while (left := end - time.monotonic()) > 0:
    listener.settimeout(min(left, 0.2))
    try:
        connection, _ = listener.accept()
    except TimeoutError:
        continue
    with connection:
        connection.settimeout(2)
        connection.recv(4096)
        connection.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: %d\\r\\nConnection: close\\r\\n\\r\\n" % len(body) + body)
sys.exit(code)
"""
_CRASH = "import sys; sys.stderr.write('boom: cannot start\\n'); sys.exit(7)"
_PYTHON = (sys.executable, "-I", "-S", "-c")
_COMMANDS = {
    Behaviour.GOOD: (*_PYTHON, _SERVER, "3600"),
    Behaviour.CRASH: (*_PYTHON, _CRASH),
    Behaviour.CRASH_LATER: (*_PYTHON, _SERVER, "1"),
    Behaviour.NEVER_READY: (*_PYTHON, "import signal; signal.pause()"),
}
_SIMULATED = {
    Behaviour.CRASH: {"simulate": "fail"},
    Behaviour.CRASH_LATER: {"simulate": "crash", "simulate_after": "1"},
    Behaviour.NEVER_READY: {"simulate": "unhealthy"},
}
_TOO_MUCH = 1_000_000
"""Millicores that no agent has."""


_THEIRS: dict[str, frozenset[str]] = {}
"""Groups of records that a Marathon had when the tests began, by its address."""


def images() -> dict[str, list[str] | None]:
    """What the images of the tests run on our simulated agents."""
    return {IMAGE: [*_COMMANDS[Behaviour.GOOD]]}


class Api:
    """As much of Marathon's API as the truth needs."""

    def __init__(self, url: str) -> None:
        self._url = url

    def send(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Parsed answer, None for 404; OSError for every other refusal."""
        address = f"{self._url}{path}" + (f"?{'&'.join(f'{k}={v}' for k, v in query.items())}" if query else "")
        data = None if body is None else json.dumps(body).encode()
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        try:
            request = urllib.request.Request(address, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=60) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            if error.code == 404:
                return None
            raise OSError(f"{method} {path}: {error.code} {error.read()[:300]!r}") from error
        return json.loads(content) if content.strip() else {}


class MarathonWorld(World):
    """``server`` None: the one at ``url``, which nobody here has started."""

    name = "marathon"
    load_rounds, race_rounds = LOAD, RACES
    unschedulable_s = float(PATIENCE)

    def __init__(self, server: Marathon | None, url: str, mesos: str, state_dir: Path) -> None:
        self.server, self.api = server, Api(url)
        self.backend = load("marathon")
        settings: dict[str, Any] = {"urls": [url]} | ({"mesos": mesos} if mesos else {})
        self.context = Context(
            name="marathon", backend="marathon", state_dir=state_dir, namespace=NAMESPACE, settings=settings
        )
        # A simulated Mesos ends a task as its label says: with 1, and without any output.
        self.without_processes = "" if server or mesos else "the tasks of this Marathon may have no processes"
        self._sent: list[str] = []
        self._environments: dict[tuple[str, str], dict[str, str]] = {}

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        late, never = behaviour is Behaviour.CRASH_LATER, behaviour is Behaviour.NEVER_READY
        service = Service(
            name=name,
            namespace=NAMESPACE,
            command=_COMMANDS.get(behaviour, _COMMANDS[Behaviour.GOOD]),
            labels=_SIMULATED.get(behaviour, {}) if self.without_processes else {},
            replicas=2,
            env={"GREETING": greeting},
            ports=(Port(name="http", port=8080),),
            resources=Resources(cpu_millis=10, memory_bytes=16 << 20),
            health=Health(
                ready=Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=1_000, timeout_ms=10_000),
                start_deadline_ms=3_000 if never else 60_000,
            ),
            rollout=Rollout(
                max_surge=Amount(1),
                max_unavailable=Amount(0),
                min_ready_ms=2_000 if late else 200,
                deadline_ms=180_000,
            ),
            stop=Stop(grace_ms=2_000),
        )
        if behaviour is Behaviour.UNSCHEDULABLE:
            return replace(service, resources=replace(service.resources, cpu_millis=_TOO_MUCH))
        return self._unpullable(service) if behaviour is Behaviour.MISSING_IMAGE else service

    def _unpullable(self, service: Service) -> Service:
        if self.server is None:
            pytest.skip("a simulated Mesos pulls no images, and a real one would ask a registry that is not ours")
        return replace(service, image=MISSING)

    def with_image(self, service: Service) -> Service:
        """The same service in a container: its image does what the command did."""
        return replace(service, image=IMAGE, command=())

    def truth(self, name: str) -> Truth:
        path = f"/{NAMESPACE}/{name}"
        app = self._app(path)
        tasks = [t for t in self.api.send("GET", "/v2/tasks")["tasks"] if t["appId"] == path]
        left = [f"app {path}"] if app else []
        left += [f"task {t['id']}" for t in tasks]
        left += [f"record {i}" for i in self._ids(_LEDGER) if i.startswith(f"/{_LEDGER}{path}/")]
        group = self._group(NAMESPACE)
        left += [f"group /{NAMESPACE}"] if group is not None and not list(_apps(group)) else []
        running = {t["id"]: self._environment(path, t["version"]) for t in tasks if t["state"] in _RUNNING}
        return Truth(exists=app is not None, running=running, leftovers=tuple(left))

    def _environment(self, path: str, version: str) -> dict[str, str]:
        """Of the definition that a task was launched under; a version never changes."""
        if (path, version) not in self._environments:
            app = self.api.send("GET", f"/v2/apps/{path}/versions/{version}") or self._app(path) or {}
            self._environments[path, version] = app.get("env", {})
        return self._environments[path, version]

    def pace(self) -> float:
        return slowness()

    def writes(self) -> int:
        return sum(method != "GET" for method in self._sent)

    def requests(self) -> int:
        return len(self._sent)

    @contextlib.contextmanager
    def counting(self) -> Iterator[None]:
        """The adapter's requests alone: the truth asks the same server."""
        send = Reading._request

        def counted(reading: Reading, method: str, *args: Any, **kwargs: Any) -> Any:
            self._sent.append(method)
            return send(reading, method, *args, **kwargs)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Reading, "_request", counted)
            yield

    def foreign(self, name: str) -> None:
        app = {"id": f"/{NAMESPACE}/{name}", "cmd": "sleep 3600", "cpus": 0.01, "mem": 16}
        self.api.send("POST", "/v2/apps", app)
        until("no deployment", self._is_idle)

    def tamper(self, name: str) -> None:
        path = f"/{NAMESPACE}/{name}"
        app = self._app(path)
        assert app is not None
        self.api.send("PATCH", f"/v2/apps/{path}", {"env": {**app["env"], "GREETING": "tampered"}}, force="true")
        until("no deployment", self._is_idle)

    def kill_instance(self, name: str) -> None:
        """Returns when Marathon knows: until then everything looks as before."""
        path = f"/{NAMESPACE}/{name}"
        victim = self._running_ids(path)[0]
        if self.server:
            self.server.kill_task(victim)
        else:
            self.api.send("POST", "/v2/tasks/delete", {"ids": [victim]})
        until("the end of the task", lambda: victim not in self._running_ids(path))

    def _running_ids(self, path: str) -> list[str]:
        return [
            t["id"] for t in self.api.send("GET", "/v2/tasks")["tasks"] if t["appId"] == path and t["state"] in _RUNNING
        ]

    def reachable(self, service: Service) -> Service:
        """Where Marathon has no drain, the program itself serves on after its stop signal."""
        if self.without_processes:
            pytest.skip(f"{self.without_processes}: name its Mesos by ORCHCTL_TEST_MESOS_URL")
        return replace(
            service,
            env={**service.env, "DRAIN": str(1 + self.drain_ms / 1000)},
            stop=replace(service.stop, grace_ms=self.drain_ms + 3_000),
        )

    def clean(self) -> None:
        for group in (NAMESPACE, *self._ledgers()):
            until(f"group {group} removed", lambda g=group: self._remove(g), every=0.1)
        until("no task", self._has_no_tasks)

    def _ledgers(self) -> list[str]:
        """All records on a server of ours; on another's those that were not there before the tests."""
        if self.server:
            return [_LEDGER]
        here = {g["id"].removeprefix("/") for g in (self._group(_LEDGER) or {}).get("groups", ())}
        return sorted(here - _THEIRS.setdefault(self.context.settings["urls"][0], frozenset(here)))

    def _remove(self, group: str) -> bool:
        if self._group(group) is None:
            return True
        self.api.send("DELETE", f"/v2/groups/{group}", force="true")
        return self._is_idle()

    def _has_no_tasks(self) -> bool:
        return not [t for t in self.api.send("GET", "/v2/tasks")["tasks"] if t["appId"].startswith(f"/{NAMESPACE}/")]

    def _is_idle(self) -> bool:
        return not self.api.send("GET", "/v2/deployments")

    def _app(self, path: str) -> dict[str, Any] | None:
        found = self.api.send("GET", f"/v2/apps/{path}")
        return found["app"] if found else None

    def _group(self, name: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self.api.send("GET", f"/v2/groups/{name}")
        return found

    def _ids(self, group: str) -> list[str]:
        return [a["id"] for a in _apps(self._group(group) or {})]


class MarathonWorldInConsul(MarathonWorld):
    """Records and leases in a real Consul; Marathon has the apps alone."""

    name = "marathon, records in consul"

    def __init__(self, server: Marathon | None, url: str, mesos: str, state_dir: Path, consul: Consul) -> None:
        super().__init__(server, url, mesos, state_dir)
        self.front = Front(forwarding(consul.api))
        self.context = in_consul(self.context, self.front.url)
        self.records = Records(consul.api, self.context.cluster, self.front)

    def truth(self, name: str) -> Truth:
        found = super().truth(name)
        return replace(found, leftovers=(*found.leftovers, *self.records.of(NAMESPACE, name)))

    def writes(self) -> int:
        return super().writes() + self.front.writes

    def requests(self) -> int:
        return super().requests() + len(self.front.requests)

    def clean(self) -> None:
        super().clean()
        self.records.clean()

    def close(self) -> None:
        self.clean()
        self.front.close()


def _apps(group: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from group.get("apps", ())
    for inner in group.get("groups", ()):
        yield from _apps(inner)

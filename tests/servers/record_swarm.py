"""Records what a real engine shows into tests/golden/swarm: ``python -m tests.servers.record_swarm``."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.core.backend import Connection
from orchctl.core.service import Amount, Health, Placement, Requirement, Resources, Rollout, Service, Volume, VolumeKind
from orchctl.testing.world import Behaviour
from tests.servers.dockerd import Swarm
from tests.servers.test_swarm_engine import Free, put
from tests.servers.waiting import until
from tests.unit.swarm.golden import FOLDER
from tests.unit.swarm.sample import FULL
from tests.worlds.swarm import NAMESPACE, SwarmWorld

Json = dict[str, Any]


class Recorder:
    def __init__(self, world: SwarmWorld, connection: Connection) -> None:
        self.world, self.connection = world, connection

    def put(self, service: Service) -> None:
        put(self.connection, service)

    def when(self, condition: Callable[[Json], bool], namespace: str = NAMESPACE) -> Json:
        """The first look at which ``condition`` holds."""

        def look() -> Json | None:
            seen = self._look(namespace)
            return seen if condition(seen) else None

        found = until("the state to record", look, every=0.03)
        assert found
        return found

    def save(self, name: str, seen: Json) -> None:
        for node in seen["nodes"]:
            node["Description"] = {"Hostname": node["Description"]["Hostname"]}
        for task in seen["tasks"]:
            for attachment in task.get("NetworksAttachments") or ():
                attachment["Network"] = {"Spec": {"Name": attachment["Network"]["Spec"]["Name"]}}
        (FOLDER / f"{name}.json").write_text(json.dumps(seen, indent=1, sort_keys=True) + "\n", "utf-8")
        print(name)

    def first(self, name: str, service: Service, condition: Callable[[Json], bool]) -> None:
        """A deploy where nothing was."""
        self.put(service)
        self.save(f"first_{name}", self.when(condition))
        self.world.clean()

    def paused(self, name: str, behaviour: Behaviour) -> None:
        """A bad update of a good service."""
        self.put(self.world.service())
        self.when(all_run)
        self.put(self.world.service(behaviour, greeting="bad"))
        self.save(f"paused_{name}", self.when(lambda s: update_state(s) == "paused"))
        self.world.clean()

    def _look(self, namespace: str) -> Json:
        api = self.world.api
        service = next((s for s in api.get("/services") if s["Spec"]["Name"] == f"{namespace}_web"), None)
        tasks = api.get("/tasks", filters={"label": [f"com.docker.stack.namespace={namespace}"]})
        mine = [t for t in tasks if service is None or t["ServiceID"] == service["ID"]]
        return {"service": service, "tasks": mine, "nodes": api.get("/nodes")}


def states(seen: Json) -> list[tuple[str, str]]:
    return [(t["Status"]["State"], t["DesiredState"]) for t in seen["tasks"]]


def all_run(seen: Json) -> bool:
    return bool(seen["tasks"]) and set(states(seen)) == {("running", "running")}


def has_error(seen: Json) -> bool:
    return any(t["Status"].get("Err") for t in seen["tasks"])


def failed(count: int) -> Callable[[Json], bool]:
    return lambda seen: sum(state == "failed" for state, _ in states(seen)) >= count


def update_state(seen: Json) -> str:
    return str((seen["service"].get("UpdateStatus") or {}).get("State", ""))


def life(recorder: Recorder) -> None:
    world = recorder.world
    put(recorder.connection, FULL, KEY=b"hush")
    live = recorder.when(all_run, FULL.namespace)
    networks = world.api.get("/networks", filters={"scope": ["swarm"]})
    live["networks"] = {n["Id"]: n["Name"] for n in networks if n["Name"] != "ingress"}
    recorder.save("live", live)
    world.clean()
    recorder.put(world.service())
    recorder.save("running", recorder.when(all_run))
    recorder.put(world.service(greeting="two"))
    recorder.save("updating", recorder.when(lambda s: ("starting", "running") in states(s)))
    recorder.save("completed", recorder.when(lambda s: update_state(s) == "completed"))
    recorder.when(lambda s: {state for state, _ in states(s)} == {"running", "shutdown"})
    writer, reader = recorder.connection.writer(Free()), recorder.connection.reader
    writer.delete(NAMESPACE, "web", expect=reader.live(NAMESPACE)["web"].expect)
    recorder.save("removed", recorder.when(lambda s: s["service"] is None and ("running", "remove") in states(s)))
    world.clean()


def troubles(recorder: Recorder) -> None:
    world, good = recorder.world, recorder.world.service()
    recorder.first("crash_loop", world.service(Behaviour.CRASH), failed(5))
    recorder.first("missing_image", world.service(Behaviour.MISSING_IMAGE), has_error)
    nowhere = Placement(require=(Requirement(key="zone", values=("nowhere",)),))
    recorder.first("unschedulable", replace(good, placement=nowhere), has_error)
    recorder.first("unhealthy", world.service(Behaviour.NEVER_READY), failed(1))
    fixed = (replace(good.ports[0], published=18080),)
    stop_first = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
    recorder.first("port_taken", replace(good, ports=fixed, rollout=stop_first), has_error)
    one = replace(good, replicas=1, health=Health())
    limit = Resources(memory_limit_bytes=8 << 20)
    recorder.first("out_of_memory", replace(one, args=("tail /dev/zero",), resources=limit), failed(1))
    absent = {"/x": Volume(kind=VolumeKind.HOST, name="/absent")}
    recorder.first("bad_mount", replace(one, volumes=absent), has_error)
    recorder.first("bad_command", replace(one, command=("/absent",)), has_error)
    recorder.paused("crash", Behaviour.CRASH)
    recorder.paused("missing_image", Behaviour.MISSING_IMAGE)
    recorder.paused("unhealthy", Behaviour.NEVER_READY)


def doubled(recorder: Recorder) -> None:
    """Two tasks in one slot, left by the update of a crash loop: the engine does that now and then only."""
    for _ in range(50):
        recorder.put(recorder.world.service(Behaviour.CRASH))
        recorder.when(failed(2))
        recorder.put(recorder.world.service(greeting="two"))
        recorder.when(lambda s: update_state(s) == "completed")
        last = recorder.when(lambda s: {("running", "running")} == {(i, w) for i, w in states(s) if w != "shutdown"})
        if len([w for _, w in states(last) if w == "running"]) > 2:
            recorder.save("doubled", last)
            return
        recorder.world.clean()
    raise SystemExit("the engine never left two tasks in one slot")


def main() -> None:
    with Swarm() as swarm:
        world = SwarmWorld(swarm, Path(tempfile.mkdtemp()))
        with world.backend.connect(world.context) as connection:
            recorder = Recorder(world, connection)
            life(recorder)
            troubles(recorder)
            doubled(recorder)
        world.close()


if __name__ == "__main__":
    main()

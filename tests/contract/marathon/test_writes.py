"""What is sent to Marathon, what it restarts, and what a delete leaves alone."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import Event, Outcome, OutcomeState
from orchctl.core.service import Amount, File, Service
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from tests.servers.marathon import Marathon
from tests.worlds.marathon import MarathonWorld

pytestmark = pytest.mark.world_marathon

WEB = "/test/web"


def tasks(server: Marathon) -> set[str]:
    return {t.id for t in server.tasks(WEB)}


def writes_of(server: Marathon, action: Callable[[], object]) -> list[str]:
    """Methods and paths of the changes that ``action`` sends for the app itself."""
    before = len(server.requests)
    action()
    sent = [r for r in server.requests[before:] if r.method != "GET"]
    return [f"{r.method} {r.path}" for r in sent if "orchctl" not in r.path and r.path != "/v2/apps"]


def test_an_unchanged_deploy_writes_nothing_at_all(world: MarathonWorld, server: Marathon) -> None:
    Driver(world).deploy(world.service())
    before, kept = server.writes(), tasks(server)
    assert Driver(world).deploy(world.service()).state is OutcomeState.UNCHANGED
    assert server.writes() == before
    assert tasks(server) == kept


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("how", ["scale", "deploy"])
def test_a_count_alone_is_one_patch_and_restarts_nothing(
    world: MarathonWorld, server: Marathon, how: str, count: int
) -> None:
    Driver(world).deploy(world.service())
    before = tasks(server)

    def act() -> Outcome:
        if how == "scale":
            return Driver(world).scale("web", str(count))
        return Driver(world).deploy(world.service().sized(count))

    assert writes_of(server, act) == [f"PATCH /v2/apps{WEB}"]
    after = tasks(server)
    assert len(after) == count
    assert after < before or after > before
    assert Driver(world).plan(world.service().sized(count)).plan.is_empty


def test_three_with_one_unavailable_keep_two(world: MarathonWorld, server: Marathon) -> None:
    def three(greeting: str) -> Service:
        service = world.service(greeting=greeting).sized(3)
        return replace(service, rollout=replace(service.rollout, max_surge=Amount(0), max_unavailable=Amount(1)))

    Driver(world).deploy(three("one"))
    counts, over = [3], threading.Event()

    def sample() -> None:
        while not over.wait(0.01):
            with server.engine.lock:
                found = server.engine.of_app(WEB)
                counts.append(sum(one.is_healthy() and one.task is not None and not one.task.kill_at for one in found))

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    assert Driver(world).deploy(three("two")).state is OutcomeState.CONVERGED
    over.set()
    thread.join()
    assert len(counts) > 20
    assert min(counts) == 2


@pytest.mark.parametrize("with_image", [False, True], ids=["process", "image"])
def test_service_ports_stay_while_the_rest_is_replaced(
    world: MarathonWorld, server: Marathon, with_image: bool
) -> None:
    def made(greeting: str) -> Service:
        service = world.service(greeting=greeting).sized(1)
        return world.with_image(service) if with_image else service

    def assigned() -> int:
        app: dict[str, Any] = server.apps()[WEB]
        found = app["container"]["portMappings"][0]["servicePort"] if with_image else app["portDefinitions"][0]["port"]
        assert isinstance(found, int)
        return found

    Driver(world).deploy(made("one"))
    before = assigned()
    assert before >= 10000
    assert writes_of(server, lambda: Driver(world).deploy(made("two"))) == [f"PUT /v2/apps{WEB}"]
    assert assigned() == before
    assert server.apps()[WEB]["env"]["GREETING"] == "two"


def test_what_the_spec_does_not_have_any_more_is_gone(world: MarathonWorld, server: Marathon) -> None:
    service = world.service().sized(1)
    port = replace(service.ports[0], name="extra", port=9099)
    more = replace(
        service,
        env={**service.env, "EXTRA": "1"},
        labels={"team": "checkout"},
        ports=(*service.ports, port),
        files={"/etc/motd": File(content=b"hello")},
    )
    Driver(world).deploy(more)
    app = server.apps()[WEB]
    assert "EXTRA" in app["env"]
    assert app["labels"]["team"] == "checkout"
    assert [p["name"] for p in app["portDefinitions"]] == ["http", "extra"]
    Driver(world).deploy(service)
    app = server.apps()[WEB]
    assert set(app["env"]) == {"GREETING"}
    assert "team" not in app["labels"]
    assert [p["name"] for p in app["portDefinitions"]] == ["http"]
    assert Driver(world).plan(service).plan.is_empty


class TestDelete:
    def test_only_what_is_ours_goes(self, world: MarathonWorld, server: Marathon) -> None:
        foreign = {"cmd": "sleep 3600", "cpus": 0.01, "mem": 16}
        for path in ("/test/theirs", "/elsewhere/web", "/orchctl/notes"):
            world.api.send("POST", "/v2/apps", {"id": path, **foreign})
            server.wait_deployed()
        Driver(world).deploy(world.service())
        assert Driver(world).delete("web").state is OutcomeState.DELETED
        assert server.tasks(WEB) == []
        assert set(server.apps()) == {"/test/theirs", "/elsewhere/web", "/orchctl/notes"}
        assert len(server.tasks()) == 3
        for group in ("elsewhere", "orchctl"):
            world.api.send("DELETE", f"/v2/groups/{group}", force="true")
        server.wait_deployed()

    def test_an_empty_group_of_ours_goes_and_so_do_those_of_the_records(
        self, world: MarathonWorld, server: Marathon
    ) -> None:
        Driver(world).deploy(world.service().sized(1))
        Driver(world).delete("web")
        assert server.apps() == {}
        with server.engine.lock:
            assert server.engine.store.root.all_groups() == {"/"}

    def test_the_other_service_of_the_namespace_keeps_its_records(self, world: MarathonWorld) -> None:
        Driver(world).deploy(world.service().sized(1))
        Driver(world).deploy(world.service(name="api").sized(1))
        Driver(world).delete("web")
        assert world.truth("web").leftovers == ()
        assert [r.revision.number for r in Driver(world).history("api")] == [1]
        assert Driver(world).deploy(world.service(name="api").sized(1)).state is OutcomeState.UNCHANGED

    def test_an_app_made_in_the_group_at_that_moment_stays(self, world: MarathonWorld, server: Marathon) -> None:
        """Between the end of our app and the removal of its group."""
        made: list[Any] = []

        def make(event: Event) -> None:
            if event.text == "removing what was generated":
                app = {"id": "/test/late", "cmd": "sleep 3600", "cpus": 0.01, "mem": 16}
                made.append(world.api.send("POST", "/v2/apps", app))

        Driver(world).deploy(world.service().sized(1))
        assert Driver(world, on_event=make).delete("web").state is OutcomeState.DELETED
        assert len(made) == 1
        server.wait_deployed()
        assert set(server.apps()) == {"/test/late"}
        assert len(server.tasks("/test/late")) == 1


def test_an_app_that_is_too_large_is_refused_before_anything_of_it_is_sent(
    world: MarathonWorld, server: Marathon
) -> None:
    """1.1 MB ended the process of a real Marathon's leader."""
    Driver(world).deploy(world.service())
    before, kept = server.apps()[WEB], tasks(server)
    service = world.service()
    large = replace(service, env={**service.env, "BIG": "x" * 300_000})  # it stands in the app twice

    def act() -> None:
        with pytest.raises(UsageError, match="bytes") as caught:
            Driver(world).deploy(large)
        assert caught.value.exit_code == 2

    assert writes_of(server, act) == []
    assert server.apps()[WEB] == before
    assert tasks(server) == kept
    assert Driver(world).deploy(world.service(greeting="two")).state is OutcomeState.CONVERGED

"""Whatever answers at Marathon's address: the right error and exit code, no traceback, and no write lost or sent twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchctl.core import stores
from orchctl.core.backend import Connection
from orchctl.core.context import Context
from orchctl.core.plan import Plan
from orchctl.core.registry import load
from orchctl.core.rollout import Handle
from orchctl.errors import OrchctlError, Unreachable
from orchctl_marathon import store as ledger
from orchctl_marathon.progress import template_of
from tests.servers.marathon.front import Front, Strike
from tests.servers.marathon.messages import Request, Response, answer
from tests.servers.mutants import VALUES, changed, places
from tests.unit.marathon.sample import FULL, live, process

pytestmark = pytest.mark.world_marathon


# What is shown of a service, replaced value by value.

TASK = {
    "id": "shop_web.instance-4c8d1dd4-0001._app.1",
    "appId": "/shop/web",
    "host": "127.0.0.1",
    "slaveId": "S0",
    "ports": [31000, 31001],
    "ipAddresses": [{"ipAddress": "10.0.0.1", "protocol": "IPv4"}],
    "state": "TASK_RUNNING",
    "version": "2026-11-23T07:05:50.085Z",
    "stagedAt": "2026-11-23T07:05:51.085Z",
    "healthCheckResults": [{"alive": True, "consecutiveFailures": 0, "firstSuccess": "2026-11-23T07:05:52.085Z"}],
}
FAILURE = {
    "taskId": TASK["id"],
    "state": "TASK_FAILED",
    "message": "Command exited with status 7",
    "version": TASK["version"],
    "slaveId": "S0",
}
READY = {"taskId": TASK["id"], "name": "ready", "ready": True}
PROCESS = process(labels={"team": "checkout"}, env={"A": "1"})


def shown(service: Any) -> dict[str, Any]:
    more = {
        "tasks": [TASK],
        "deployments": [{"id": "d1"}],
        "lastTaskFailure": FAILURE,
        "readinessCheckResults": [READY],
    }
    return live(service, **more)


def answers(service: Any) -> dict[str, Any]:
    """By path: everything that the adapter reads."""
    app = shown(service)
    key = "shop/web/lease"
    entry = ledger._app(key, b"body", {"token": "t"}) | {"version": TASK["version"]}
    held = {"id": "/orchctl/shop/web", "apps": [entry], "groups": [], "pods": []}
    reasons = [{"reason": "InsufficientCpus", "declined": 1, "processed": 2}]
    item = {
        "count": 1,
        "delay": {"timeLeftSeconds": 3, "overdue": False},
        "app": {"id": "/shop/web"},
        "processedOffersSummary": {"rejectSummaryLastOffers": reasons},
    }
    deployment = {"id": "d1", "version": app["version"], "affectedApps": ["/shop/web"], "affectedPods": []}
    return {
        "/v2/info": {"version": "1.8.248", "leader": "127.0.0.1:1", "frameworkId": "f"},
        "/v2/apps/shop/web": {"app": app},
        "/v2/groups/shop": {"id": "/shop", "apps": [app], "groups": [], "pods": []},
        "/v2/queue": {"queue": [item]},
        "/v2/deployments": [deployment],
        "/v2/tasks": {"tasks": [TASK]},
        f"/v2/apps/orchctl/{key}": {"app": entry},
        "/v2/groups/orchctl/shop/web": held,
        "/v2/groups/orchctl/shop": {"id": "/orchctl/shop", "apps": [], "groups": [held], "pods": []},
    }


def serving(table: dict[str, Any]) -> Strike:
    def strike(request: Request) -> Response:
        if request.method != "GET":
            return answer({"version": "2026-11-23T08:00:00.000Z", "deploymentId": "d2"})
        if request.path not in table:
            return answer({"message": "does not exist"}, 404)
        return answer(table[request.path])

    return strike


def connected(url: str, folder: Path) -> Connection:
    context = Context(name="t", backend="marathon", state_dir=folder, namespace="shop", settings={"urls": [url]})
    return stores.connect(load("marathon"), context)


class Free:
    def check(self) -> None:
        """The lease is ours."""


def looks(connection: Connection, path: str, app: dict[str, Any]) -> list[Callable[[], object]]:
    """Whatever asks for ``path``."""
    reader: Any = connection.reader
    store = connection.store
    handle = Handle(backend="marathon", namespace="shop", service="web", template_hash=template_of(app), replicas=3)
    one = [
        lambda: reader.look("shop", ["web"]),
        lambda: reader._look_at(handle),  # as ``poll``, without listening to events
        lambda: reader.endpoints("shop", "web"),
    ]
    asked = {
        "/v2/info": [lambda: list(connection.checks("shop"))],
        "/v2/apps/shop/web": one,
        "/v2/groups/shop": [lambda: reader.look("shop")],
        "/v2/queue": one[:2],
        "/v2/deployments": [lambda: reader._leaving("/shop/web")],
        "/v2/tasks": [lambda: reader._leaving("/shop/web")],
        "/v2/apps/orchctl/shop/web/lease": [lambda: store.get("shop/web/lease")],
        "/v2/groups/orchctl/shop/web": [lambda: store.list("shop/web/")],
        "/v2/groups/orchctl/shop": [lambda: store.list("shop/")],
    }
    return asked[path]


def acts(connection: Connection, service: Any, expect: str) -> list[Callable[[], object]]:
    writer = connection.writer(Free())
    plan = Plan(service=service, backend="marathon", context="t", template_hash="x", spec_hash="y", expect=expect)
    handle = Handle(backend="marathon", namespace="shop", service="web", template_hash="", replicas=3)
    return [
        lambda: writer.apply(plan, revision=2, secrets={}),
        lambda: writer.scale("shop", "web", 5, expect=expect),
        lambda: writer.restart("shop", "web", expect=expect),
        lambda: writer.delete("shop", "web", expect=expect),
        lambda: writer.pause(handle),
        lambda: writer.prune("shop", "web", ()),
    ]


PLACES = [(PROCESS, path) for path in sorted(answers(PROCESS))] + [(FULL, "/v2/apps/shop/web")]


@pytest.mark.parametrize(("service", "path"), PLACES, ids=lambda p: p if isinstance(p, str) else "")
def test_a_value_of_another_type_is_an_error_of_ours_or_no_harm(
    front: Front, tmp_path: Path, service: Any, path: str
) -> None:
    """Every value of an answer in turn; nothing but errors of ours may come out, and each is that of no Marathon."""
    table = answers(service)
    refused = 0
    connection = connected(front.url, tmp_path)
    for number, place in enumerate(places(table[path])):
        for value in (
            VALUES[number % 5],
            VALUES[(number + 2) % 5],
        ):  # each with another two, since most places are alike
            mutant = table | {path: changed(table[path], place, value)}
            front.strike = serving(mutant)
            connection._reading._info = {}  # type: ignore[attr-defined]
            for look in looks(connection, path, table["/v2/apps/shop/web"]["app"]):
                try:
                    look()
                except OrchctlError as error:
                    assert error.exit_code in (2, 4, 9), (place, value, error)
                    assert type(error).__name__ != "BackendBug", (place, value, error)
                    refused += isinstance(error, Unreachable)
                except Exception as error:
                    raise AssertionError(f"{path} {place} = {value!r}: {error!r}") from error
    assert refused > 3, "wrong types at these places are noticed"
    connection.close()


@pytest.mark.parametrize("path", ["/v2/apps/shop/web", "/v2/deployments", "/v2/groups/shop", "/v2/queue"])
def test_what_a_write_reads_first_may_be_of_any_type(front: Front, tmp_path: Path, path: str) -> None:
    table = answers(PROCESS)
    expect = table["/v2/apps/shop/web"]["app"]["version"]
    connection = connected(front.url, tmp_path)
    for number, place in enumerate(places(table[path])):
        for value in VALUES[number % 5 : number % 5 + 1]:
            front.strike = serving(table | {path: changed(table[path], place, value)})
            for act in acts(connection, PROCESS, expect):
                try:
                    act()
                except OrchctlError as error:
                    assert error.exit_code in (2, 4, 5, 9), (place, value, error)
                except Exception as error:
                    raise AssertionError(f"{path} {place} = {value!r}: {error!r}") from error
    connection.close()


def test_an_app_that_answers_under_another_id_is_not_taken_for_ours(front: Front, tmp_path: Path) -> None:
    table = answers(PROCESS)
    table["/v2/apps/shop/web"]["app"]["id"] = "/shop/other"
    front.strike = serving(table)
    with connected(front.url, tmp_path) as connection, pytest.raises(Unreachable, match="not what Marathon"):
        connection.reader.live("shop", ["web"])


@pytest.mark.parametrize("kept", [{"enforceRole": True}, {"dependencies": ["/db"]}, {"apps": [{"id": "/shop/x"}]}, {}])
def test_a_group_that_is_more_than_empty_is_not_removed(front: Front, tmp_path: Path, kept: dict[str, Any]) -> None:
    """Somebody has set a role for its apps (1.9 and newer), or an order: that would be gone with it."""
    empty = {"id": "/shop", "apps": [], "groups": [], "pods": [], "dependencies": []}
    front.strike = serving({"/v2/groups/shop": empty | kept})
    with connected(front.url, tmp_path) as connection:
        connection.writer(Free()).prune("shop", "web", ())
    assert [r.method for r in front.seen] == (["GET"] if kept else ["GET", "DELETE"])


# A write whose answer cannot be read: looked at again, and sent again only when it did not arrive.

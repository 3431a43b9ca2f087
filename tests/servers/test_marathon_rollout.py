"""Deployments of our Marathon where no recorded exchange says it all: capacity, order, going back, locks, offers."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.servers.marathon import Agent, Marathon
from tests.servers.marathon.client import Client
from tests.servers.marathon.rollout import capacity
from tests.servers.marathon.store import Release

APP = {"cmd": "sleep 100", "cpus": 0.1, "mem": 32}


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon(processes=False) as server:
        yield server


@pytest.fixture
def client(marathon: Marathon) -> Client:
    return Client(marathon.url)


def deployed(marathon: Marathon, client: Client, **fields: Any) -> set[str]:
    """Create ``/web``; ids of its tasks."""
    assert client.post("/v2/apps", {"id": "/web", **APP, **fields}).status == 201
    marathon.settle()
    return {one.id for one in marathon.tasks("/web")}


def release(instances: int, healthy: float, over: float, **more: Any) -> Release:
    strategy = {"minimumHealthCapacity": healthy, "maximumOverCapacity": over}
    return Release({"id": "/web", "instances": instances, "upgradeStrategy": strategy, **more}, "", "", "")


@pytest.mark.parametrize(
    ("wanted", "healthy", "over", "counted", "at_once", "highest"),
    [
        (2, 1, 1, 2, 0, 4),
        (4, 0.5, 0, 4, 2, 4),
        (3, 0.5, 0.5, 3, 1, 4),
        (3, 1, 0, 3, 0, 4),  # nothing could move: one more is allowed
        (1, 1, 1, 2, 1, 2),
        (5, 0, 0, 5, 5, 5),
    ],
)
def test_capacity_follows_the_upgrade_strategy(
    wanted: int, healthy: float, over: float, counted: int, at_once: int, highest: int
) -> None:
    assert capacity(release(wanted, healthy, over), counted) == (at_once, highest)


def test_capacity_of_a_resident_app_goes_one_below() -> None:
    volumes = {"volumes": [{"containerPath": "data", "persistent": {"size": 1}}]}
    assert capacity(release(2, 1, 0, container=volumes), 2) == (1, 2)


def test_rolling_replacement_never_leaves_its_bounds(marathon: Marathon, client: Client) -> None:
    strategy = {"minimumHealthCapacity": 0.5, "maximumOverCapacity": 0.25}
    deployed(marathon, client, instances=4, upgradeStrategy=strategy)
    start = len(marathon.events())
    client.put("/v2/apps//web", {"cmd": "sleep 200"})
    marathon.wait_deployed()
    running, present = 4, 4
    for event in marathon.events()[start:]:
        if event["eventType"] != "instance_changed_event":
            continue
        started, ended = event["condition"] == "Running", event["condition"] == "Killed"
        present += event["condition"] == "Provisioned"
        running += started and event["runSpecVersion"] == marathon.apps()["/web"]["version"]
        running, present = running - ended, present - ended
        assert running >= 2
        assert present <= 5
    assert running == present == 4


def test_old_tasks_wait_until_the_new_ones_are_healthy(marathon: Marathon, client: Client) -> None:
    check = {"protocol": "MESOS_TCP", "portIndex": 0, "gracePeriodSeconds": 60}
    old = deployed(marathon, client, instances=2, healthChecks=[check])
    client.put("/v2/apps//web", {"labels": {"simulate": "lateHealthy", "simulate_after": "30"}})
    marathon.settle()
    assert old < {one.id for one in marathon.tasks("/web")}
    marathon.advance(31)
    marathon.wait_deployed()
    assert not old & {one.id for one in marathon.tasks("/web")}


def test_scaling_keeps_tasks_and_takes_the_youngest_first(marathon: Marathon, client: Client) -> None:
    first = deployed(marathon, client, instances=2)
    client.patch("/v2/apps//web", {"instances": 3})
    marathon.settle()
    assert first < {one.id for one in marathon.tasks("/web")}
    client.put("/v2/apps//web", {"instances": 2})
    marathon.settle()
    assert {one.id for one in marathon.tasks("/web")} == first


def test_a_full_put_of_the_live_definition_restarts_nothing(marathon: Marathon, client: Client) -> None:
    client.post("/v2/apps", {"id": "/first", **APP, "instances": 0})
    old = deployed(marathon, client, instances=2, labels={"a": "b"})
    version = marathon.apps()["/web"]["version"]
    client.delete("/v2/apps//first")  # leaves a lower service port free, which must not be taken
    marathon.settle()
    answer = client.put("/v2/apps//web?partialUpdate=false", {**APP, "instances": 2, "labels": {"a": "b"}})
    marathon.settle()
    assert answer.body["version"] != version == marathon.apps()["/web"]["version"]
    assert {one.id for one in marathon.tasks("/web")} == old


GOING_BACK = ("revert", "full PUT", "version", "cancel, then version")


@pytest.mark.parametrize("way", GOING_BACK)
def test_every_way_back_restarts_every_old_task_but_keeps_the_capacity(
    marathon: Marathon, client: Client, way: str
) -> None:
    old = deployed(marathon, client, instances=3)
    version = marathon.apps()["/web"]["version"]
    client.put("/v2/apps//web", {"labels": {"simulate": "fail"}})
    marathon.settle()
    deployment, start = marathon.deployments()[0]["id"], len(marathon.events())
    if way == "revert":
        client.delete(f"/v2/deployments/{deployment}")
    elif way == "full PUT":
        client.put("/v2/apps//web?partialUpdate=false&force=true", {**APP, "instances": 3})
    elif way == "version":
        client.put("/v2/apps//web?force=true", {"version": version})
    else:
        assert client.delete(f"/v2/deployments/{deployment}?force=true").status == 202
        client.put("/v2/apps//web", {"version": version})
    marathon.wait_deployed()
    assert len(marathon.tasks("/web")) == 3
    assert not old & {one.id for one in marathon.tasks("/web")}
    changes = [
        one["condition"] for one in marathon.events("instance_changed_event") if one in marathon.events()[start:]
    ]
    assert changes.index("Running") < changes.index("Killed")


def test_a_cancelled_deployment_leaves_the_old_tasks_and_the_new_definition(marathon: Marathon, client: Client) -> None:
    old = deployed(marathon, client, instances=3)
    client.put("/v2/apps//web", {"labels": {"simulate": "fail"}})
    marathon.settle()
    client.delete(f"/v2/deployments/{marathon.deployments()[0]['id']}?force=true")
    marathon.settle()
    assert {one.id for one in marathon.tasks("/web")} == old
    assert marathon.apps()["/web"]["labels"] == {"simulate": "fail"}
    assert client.get("/v2/apps//web").body["app"]["deployments"] == []


def test_back_off_grows_to_its_limit_and_can_be_reset(marathon: Marathon, client: Client) -> None:
    times = {"backoffSeconds": 10, "backoffFactor": 2, "maxLaunchDelaySeconds": 30}
    deployed(marathon, client, labels={"simulate": "fail"}, **times)
    seen = []
    for _ in range(3):
        delay = client.get("/v2/queue").body["queue"][0]["delay"]
        assert delay["overdue"] is False
        seen.append(delay["timeLeftSeconds"])
        marathon.advance(seen[-1] + 1)
        marathon.settle()
    assert [round(one, -1) for one in seen] == [10, 20, 30]
    assert client.delete("/v2/queue//web/delay").status == 204
    marathon.settle()
    assert client.get("/v2/queue").body["queue"][0]["delay"]["timeLeftSeconds"] in (9, 10)


def test_one_of_many_creators_wins(marathon: Marathon, client: Client) -> None:
    lock = {"id": "/lock", "cmd": "true", "instances": 0, "cpus": 0.001, "mem": 0, "portDefinitions": []}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.post("/v2/apps", lock), range(8)))
    assert sorted(one.status for one in answers) == [201] + [409] * 7
    assert all("deployments" not in one.body for one in answers if one.status == 409)
    assert marathon.deployments() == []
    assert client.delete("/v2/apps//lock").status == 200
    assert client.post("/v2/apps", lock).status == 201


def test_a_foreign_deployment_locks_and_lets_go(marathon: Marathon, client: Client) -> None:
    deployed(marathon, client)
    with marathon.foreign_deployment("/web") as deployment:
        answer = client.put("/v2/apps//web", {"instances": 2})
        assert (answer.status, answer.body["deployments"]) == (409, [{"id": deployment}])
        assert client.post("/v2/apps", {"id": "/other", **APP, "instances": 0}).status == 201
    marathon.wait_deployed()
    assert client.put("/v2/apps//web", {"instances": 2}).status == 200


def reasons(client: Client) -> set[str]:
    summary = client.get("/v2/queue").body["queue"][0]["processedOffersSummary"]
    return {one["reason"] for one in summary["rejectSummaryLastOffers"] if one["declined"]}


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"cpus": 3}, "InsufficientCpus"),
        ({"mem": 2000}, "InsufficientMemory"),
        ({"disk": 2000}, "InsufficientDisk"),
        ({"constraints": [["rack", "LIKE", "z"]]}, "UnfulfilledConstraint"),
        ({"constraints": [["zone", "UNIQUE"]]}, "UnfulfilledConstraint"),
        ({"acceptedResourceRoles": ["prod"]}, "UnfulfilledRole"),
    ],
)
def test_the_queue_says_why_nothing_is_launched(fields: dict[str, Any], reason: str) -> None:
    agent = Agent(cpus=2, mem=1000, disk=1000, attributes={"rack": "a"})
    with Marathon(processes=False, agents=[agent]) as marathon:
        client = Client(marathon.url)
        deployed(marathon, client, **fields)
        assert reasons(client) == {reason}
        assert client.get("/v2/queue").body["queue"][0]["delay"] == {"timeLeftSeconds": 0, "overdue": True}


def test_offers_shrink_as_agents_fill_up() -> None:
    with Marathon(processes=False, agents=[Agent(cpus=0.3)]) as marathon:
        client = Client(marathon.url)
        assert len(deployed(marathon, client, instances=5)) == 3
        assert reasons(client) == {"InsufficientCpus"}
        assert client.get("/v2/queue").body["queue"][0]["count"] == 2


@pytest.mark.parametrize(
    ("constraint", "hosts"),
    [
        (["hostname", "UNIQUE"], [1, 1, 1]),
        (["hostname", "CLUSTER", "127.0.0.2"], [0, 4, 0]),
        (["rack", "GROUP_BY", "3"], [2, 1, 1]),
        (["rack", "MAX_PER", "1"], [1, 1, 1]),
        (["rack", "UNLIKE", "rack-[01]"], [0, 0, 4]),
        (["rack", "IS", "rack-1"], [0, 4, 0]),
    ],
)
def test_constraints_decide_where_tasks_go(
    marathon: Marathon, client: Client, constraint: list[str], hosts: list[int]
) -> None:
    deployed(marathon, client, instances=4, constraints=[constraint])
    found = [one.host for one in marathon.tasks("/web")]
    assert sorted(found.count(f"127.0.0.{number}") for number in (1, 2, 3)) == sorted(hosts)


def test_a_lost_agent_is_replaced_at_once_and_surplus_goes_when_it_returns(marathon: Marathon, client: Client) -> None:
    away = {"inactiveAfterSeconds": 10, "expungeAfterSeconds": 600}
    old = deployed(marathon, client, constraints=[["hostname", "LIKE", r"127\.0\.0\.[12]"]], unreachableStrategy=away)
    marathon.lose_agent(marathon.tasks("/web")[0].host)
    marathon.settle()
    assert [one.state for one in marathon.tasks("/web")] == ["TASK_UNREACHABLE"]
    assert client.get("/v2/apps//web").body["app"]["tasksRunning"] == 0
    marathon.advance(11)
    marathon.settle()
    assert len(marathon.tasks("/web")) == 2
    for agent in ("127.0.0.1", "127.0.0.2"):
        marathon.find_agent(agent)
    marathon.settle()
    assert {one.id for one in marathon.tasks("/web")} == old


def test_a_lost_task_fails_and_is_launched_again(marathon: Marathon, client: Client) -> None:
    (old,) = deployed(marathon, client)
    marathon.lose_task(old)
    assert client.get("/v2/apps//web").body["app"]["lastTaskFailure"]["state"] == "TASK_LOST"
    marathon.advance(2)
    marathon.settle()
    assert [one.id for one in marathon.tasks("/web")] == [old.replace("._app.1", "._app.2")]


def test_min_revive_makes_placement_wait() -> None:
    with Marathon(processes=False, min_revive=30) as marathon:
        client = Client(marathon.url)
        deployed(marathon, client)
        client.patch("/v2/apps//web", {"instances": 2})
        marathon.advance(5)
        marathon.settle()
        assert len(marathon.tasks("/web")) == 1
        marathon.advance(30)
        marathon.wait_deployed()
        assert len(marathon.tasks("/web")) == 2


def test_every_write_is_counted_and_every_request_listed(marathon: Marathon, client: Client) -> None:
    deployed(marathon, client)
    client.get("/v2/apps?label=a==b")
    client.delete("/v2/apps//nope")
    assert marathon.writes() == 2
    assert [(one.method, one.path, one.query, one.status) for one in marathon.requests] == [
        ("POST", "/v2/apps", "", 201),
        ("GET", "/v2/apps", "label=a==b", 200),
        ("DELETE", "/v2/apps//nope", "", 404),
    ]


@pytest.mark.parametrize(
    ("version", "known"), [("1.8.248", set()), ("1.9.109", {"role"}), ("1.11.24", {"role", "resourceLimits"})]
)
def test_later_fields_are_ignored_by_earlier_versions(version: str, known: set[str]) -> None:
    with Marathon(processes=False, version=version) as marathon:
        client = Client(marathon.url)
        body = {"id": "/web", **APP, "instances": 0, "role": "*", "resourceLimits": {"cpus": "unlimited", "mem": 64}}
        assert {"role", "resourceLimits"} & client.post("/v2/apps", body).body.keys() == known
        assert client.get("/v2/info").body["version"] == version

"""Entries in a real catalog, without a deploy: what a directory asks of Consul, and what Consul answers."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from orchctl.catalog.directory import ConsulDirectory
from orchctl.core.catalogs import Listing
from orchctl.core.endpoint import Endpoint
from orchctl.errors import UsageError
from tests.servers.consul.agent import Consul
from tests.servers.consul.front import Answered, Asked, Front, forwarding, once
from tests.unit.catalog.support import target_of

pytestmark = pytest.mark.world_consul


@pytest.fixture
def front(consul: Consul) -> Iterator[Front]:
    with Front(forwarding(consul.api)) as front:
        yield front


@pytest.fixture
def name() -> str:
    return f"web-{os.urandom(4).hex()}"


@pytest.fixture
def directory(front: Front, name: str) -> Iterator[ConsulDirectory]:
    with ConsulDirectory(target_of(front.url), name) as directory:
        yield directory
        directory.publish(("test", "web"), ())


def at(name: str, host: str) -> list[Listing]:
    endpoint = Endpoint(service="web", instance="", host=host, port=80, port_name="http")
    return [Listing(name=name, endpoint=endpoint)]


def test_a_change_wakes_who_waits_for_it(directory: ConsulDirectory, name: str) -> None:
    before = directory.changed(name, index=0, wait_s=1)
    assert (before.found, before.index > 0) == ((), True)
    directory.publish(("test", "web"), at(name, "10.0.0.1"))
    seen = directory.changed(name, index=before.index, wait_s=60)
    assert [found.endpoint.host for found in seen.found] == ["10.0.0.1"]
    assert seen.index > before.index
    assert directory.changed(name, index=seen.index, wait_s=1).found == seen.found


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_what_consul_will_not_take_is_told_at_once_in_its_words(
    directory: ConsulDirectory, front: Front, name: str, host: str
) -> None:
    with pytest.raises(UsageError, match="refused the request: Invalid service address"):
        directory.publish(("test", "web"), at(name, host))
    assert front.writes == 1


@pytest.mark.parametrize("kind", ["node", "service", "check"])
def test_what_somebody_changes_meanwhile_is_looked_at_again(
    directory: ConsulDirectory, front: Front, consul: Consul, name: str, kind: str
) -> None:
    """Each of the three has an index of its own, and Consul says of each that it is stale."""
    directory.publish(("test", "web"), at(name, "10.0.0.1"))

    def quicker(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        [row] = consul.api.get(f"/v1/health/service/{name}")
        consul.api.put("/v1/txn", [_touched(row, kind)])
        return carry_out()

    front.strike = once(quicker)
    added = [*at(name, "10.0.0.1"), *at(name, "10.0.0.2")] if kind == "node" else at(name, "10.0.0.2")
    writes = front.writes
    assert directory.publish(("test", "web"), added)
    assert front.writes - writes == 2
    found = sorted(f"{entry.endpoint.host}" for entry in directory.find(name))
    assert found == (["10.0.0.1", "10.0.0.2"] if kind == "node" else ["10.0.0.2"])


def _touched(row: dict[str, Any], kind: str) -> dict[str, Any]:
    """A step that changes what is asked for, and nothing of what we write."""
    node, service, [check] = row["Node"], row["Service"], row["Checks"]
    if kind == "node":
        kept = {key: node[key] for key in ("Node", "Address")} | {"Meta": node["Meta"] | {"theirs": "1"}}
        return {"Node": {"Verb": "set", "Node": kept}}
    if kind == "service":
        kept = {key: service[key] for key in ("ID", "Service", "Address", "Meta", "Tags")} | {"Port": 99}
        return {"Service": {"Verb": "set", "Node": node["Node"], "Service": kept}}
    kept = {key: check[key] for key in ("Node", "CheckID", "Name", "Notes", "ServiceID", "ServiceName", "Definition")}
    return {"Check": {"Verb": "set", "Check": kept | {"Status": "critical", "Output": "found by another"}}}

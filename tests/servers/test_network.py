"""Networks of test nodes: beside what others have, and beside what dead runs left."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.servers import ledger, network, packages
from tests.servers.absence import absent
from tests.servers.network import Network, ip

pytestmark = [pytest.mark.world_swarm, pytest.mark.xdist_group("network")]


@pytest.fixture(autouse=True)
def _possible() -> None:
    try:
        packages.need("ip")
    except packages.Unavailable as reason:
        absent("swarm", reason)


@pytest.fixture
def one() -> Iterator[Network]:
    try:
        network = Network()
    except packages.Unavailable as reason:
        absent("swarm", reason)
    yield network
    network.close()


def names_of(tag: str) -> set[str]:
    links = [found["ifname"] for found in json.loads(ip("-j", "link", "show"))]
    spaces = [line.split()[0] for line in ip("netns").splitlines()]
    return {name for name in (*links, *spaces) if name.startswith(tag)}


def test_of_two_nodes_the_machine_itself_sees_one_cable(one: Network) -> None:
    spaces = [one.join(number)[0] for number in range(2)]
    assert names_of(one.tag) == {one.link, one.switch, *spaces}
    [link] = json.loads(ip("-j", "-d", "link", "show", one.link))
    assert link["linkinfo"]["info_kind"] == "veth"
    assert "master" not in link


@pytest.mark.parametrize("left", ["space", "link"])
def test_a_name_that_a_dead_run_left_is_left_alone_and_another_one_taken(
    monkeypatch: pytest.MonkeyPatch, left: str
) -> None:
    taken, free = (network._drawn() for _ in range(2))
    if left == "space":
        ip("netns", "add", f"{taken}s")
    else:
        ip("link", "add", f"{taken}l", "type", "bridge")
    drawn = iter([taken, taken, free])
    monkeypatch.setattr(network, "_drawn", lambda: next(drawn))
    try:
        made = Network()
        assert (made.tag, len(names_of(taken))) == (free, 1)
        assert not names_of(taken) & (ledger.held("space") | ledger.held("link"))
        made.close()
        assert (len(names_of(taken)), names_of(free)) == (1, set())
    finally:
        network.remove(f"{taken}l", [f"{taken}s"])


def test_what_fails_where_networks_can_be_made_is_no_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network, "_drawn", lambda: "a-name-that-is-too-long-for-a-link")
    with pytest.raises(RuntimeError, match="link add a-name"):
        Network()
    assert names_of("a-name") == set()


def test_addresses_of_interfaces_routes_and_living_runs_are_left_alone(one: Network) -> None:
    """A run in another namespace is only seen in the ledger."""
    free = int(network._free_prefix().split(".")[2])
    ledger.note("prefix", f"10.99.{free}")
    try:
        ip("route", "add", f"10.98.{free + 1}.0/24", "dev", one.link)
        other = Network()
        other.close()
        assert other.prefix not in {one.prefix, f"10.99.{free}", f"10.99.{free + 1}"}
    finally:
        ledger.forget("prefix", f"10.99.{free}")

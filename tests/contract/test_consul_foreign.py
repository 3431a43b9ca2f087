"""Somebody else writes to the same catalog."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import Outcome
from orchctl.core.service import Registration
from orchctl.errors import NotFound, OrchctlError
from orchctl.testing.driver import Driver
from tests.servers.consul.api import Api
from tests.servers.consul.front import Answered, Asked
from tests.worlds.catalog import Entries, ListedFakeWorld, listed

pytestmark = pytest.mark.world_consul


@pytest.fixture
def world(listed_world: ListedFakeWorld) -> ListedFakeWorld:
    return listed_world


class Foreign:
    """Somebody else in the same catalog: entries of his own, some under our names, and what he knows about them."""

    def __init__(self, api: Api, names: list[str], seed: int) -> None:
        self.api, self.names, self.random = api, names, random.Random(seed)
        self.known: dict[tuple[str, str], dict[str, Any]] = {}
        self.node = f"theirs-{names[0]}"
        self.changes = 0

    def step(self) -> None:
        """Registers, changes or removes one."""
        identity = f"x{self.random.randrange(12)}"
        if (self.node, identity) in self.known and self.random.random() < 0.4:
            self.api.put("/v1/catalog/deregister", {"Node": self.node, "ServiceID": identity})
            del self.known[self.node, identity]
        else:
            service = self._service(identity)
            self.api.put("/v1/catalog/register", {"Node": self.node, "Address": "10.1.1.1", "Service": service})
            self.known[self.node, identity] = service
        self.changes += 1

    def settle_on(self, node: str) -> None:
        """An entry of his on a node of ours."""
        service = self._service(f"guest{self.random.randrange(3)}")
        self.api.put("/v1/txn", [{"Service": {"Verb": "set", "Node": node, "Service": service}}])
        self.known[node, service["ID"]] = service

    def _service(self, identity: str) -> dict[str, Any]:
        meta = {"round": str(self.random.randrange(10**6))}
        name = self.random.choice([*self.names, f"other-{self.node}"])
        return {"ID": identity, "Service": name, "Address": "10.2.2.2", "Port": 99, "Meta": meta}

    def differences(self, entries: Entries) -> list[str]:
        """What is not as he left it, and what is not his."""
        there = {
            (node, service["ID"]): {key: service[key] for key in ("ID", "Service", "Address", "Port", "Meta")}
            for node, found in entries.everything().items()
            if node == self.node or node in {n for n, _ in self.known} or set(self.names) & _names(found)
            for service in found["Services"] or ()
        }
        return [str(place) for place in {*there, *self.known} if there.get(place) != self.known.get(place)]


def _names(node: dict[str, Any]) -> set[str]:
    return {service["Service"] for service in node["Services"] or ()}


def test_500_random_operations_beside_a_foreign_writer(world: ListedFakeWorld) -> None:
    """Under our very names, on his node and on ours: nothing of his is changed, and in the end nothing of ours is left."""
    chance, names = random.Random(7), ["a", "b", "c"]
    foreign = Foreign(world.entries.api, [f"{n}-{world.context.cluster}" for n in names], seed=8)
    turn, is_over = threading.Semaphore(0), threading.Event()

    def write() -> None:
        while turn.acquire() and not is_over.is_set():
            foreign.step()

    def beside(_asked: Asked, carry_out: Callable[[], Answered]) -> Answered:
        """He writes while a request of ours is under way."""
        if len(world.front.requests) % 4 == 0:
            turn.release()
        return carry_out()

    world.front.strike = beside
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write)
        try:
            refusals = [operate(world, chance, chance.choice(names), foreign) for _ in range(500)]
        finally:
            is_over.set()
            turn.release()
    writing.result()
    assert foreign.changes > 500
    # What does not fit is refused, and nothing else: a bystander takes no operation from anybody.
    assert {type(r) for r in refusals if r} <= {NotFound}, refusals
    assert refusals.count(None) > 350
    for name in names:
        with suppress(OrchctlError):
            Driver(world).delete(name)
    Driver(world).collect()
    assert foreign.differences(world.entries) == []
    guests = {node for node, _ in foreign.known}
    assert {*world.entries.nodes(world.context.cluster)} <= guests
    world.entries.api.put("/v1/catalog/deregister", {"Node": foreign.node})


def operate(
    world: ListedFakeWorld, chance: random.Random, name: str, foreign: Foreign
) -> OrchctlError | Outcome | None:
    """One operation; one that does not fit (there is no such service) is one, too. Returns why it did not go well."""
    driver = Driver(world)
    service = listed(world, name, shared=True, tags=(f"t{chance.randrange(3)}",))
    greeting = f"g{chance.randrange(5)}"

    def replaced() -> object:
        with suppress(KeyError, IndexError):  # there is none
            world.kill_instance(name)
        world.clock.sleep(2)
        return driver.sync()

    def hosting() -> object:
        return [foreign.settle_on(node) for node in world.entries.nodes(world.context.cluster)]

    actions: list[Callable[[], object]] = [
        lambda: driver.deploy(replace(service, env={"GREETING": greeting})),
        lambda: driver.deploy(replace(service, register=Registration(enabled=False))),
        lambda: driver.scale(name, str(chance.randrange(4))),
        lambda: driver.restart(name),
        lambda: driver.rollback(name),
        lambda: driver.delete(name),
        driver.sync,
        driver.collect,
        replaced,
        hosting,
    ]
    action = chance.choices(actions, [6, 1, 3, 1, 1, 2, 3, 2, 2, 1])[0]
    try:
        result = action()
    except OrchctlError as error:
        return error
    outcomes = result if isinstance(result, list) else [result]
    return next((o for o in outcomes if isinstance(o, Outcome) and o.exit_code), None)

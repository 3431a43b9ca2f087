"""What a deploy changes about the registration stands in the plan, and restarts nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.plan import Op
from orchctl.core.rollout import OutcomeState
from orchctl.core.service import Address, Registration
from orchctl.testing.driver import Driver
from tests.worlds.fake import FakeWorld

NAMED = Registration(name="shop-web", tags=("blue",), address=Address.INSTANCE)


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def changes(
    driver: Driver, world: FakeWorld, register: Registration | None
) -> list[tuple[str, Op, object, object, bool]]:
    plan = driver.plan(replace(world.service(), register=register)).plan
    return [(c.path, c.op, c.before, c.after, c.restarts) for c in plan.changes]


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (None, Registration(), (Op.ADD, None, True)),
        (Registration(), Registration(enabled=False), (Op.UPDATE, True, False)),
        (Registration(), NAMED, (Op.UPDATE, True, {"name": "shop-web", "tags": ["blue"], "address": "instance"})),
        (NAMED, None, (Op.REMOVE, {"name": "shop-web", "tags": ["blue"], "address": "instance"}, None)),
    ],
    ids=["new", "switched off", "named", "gone"],
)
def test_it_is_a_change_that_restarts_nothing(
    world: FakeWorld,
    driver: Driver,
    before: Registration | None,
    after: Registration | None,
    expected: tuple[object, ...],
) -> None:
    driver.deploy(replace(world.service(), register=before))
    assert changes(driver, world, before) == []
    assert changes(driver, world, after) == [("register", *expected, False)]
    running = set(world.truth("web").running)
    outcome = driver.deploy(replace(world.service(), register=after))
    assert (outcome.state, outcome.revision) == (OutcomeState.CONVERGED, 2)
    assert set(world.truth("web").running) == running
    assert changes(driver, world, after) == []

"""The contract guard."""

from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.plan import Policy
from orchctl.core.rollout import OutcomeState
from orchctl.engine.needs import satisfies
from orchctl.errors import Conflict
from orchctl.testing.driver import Driver
from tests.worlds.fake import FakeWorld


@pytest.mark.parametrize(
    ("version", "constraint", "holds"),
    [
        ("2.3", ">=2,<3", True),
        ("3.0", ">=2,<3", False),
        ("2", "=2.0", True),
        ("2.10", ">2.9", True),
        ("2.0.1", "<=2", False),
        ("2.3", "!=2.3", False),
        ("1", "*", True),
        ("1", "", True),
        ("1.2", "1.2", True),
        ("1.2", "nonsense", False),
    ],
)
def test_constraints(version: str, constraint: str, holds: bool) -> None:
    assert satisfies(version, constraint) is holds


@pytest.fixture
def world(tmp_path: Path) -> FakeWorld:
    return FakeWorld(tmp_path)


def test_a_running_provider_of_another_version_is_a_conflict_and_nothing_is_sent(
    world: FakeWorld, driver: Driver
) -> None:
    driver.deploy(replace(world.service(name="db"), provides={"db": "3.1"}))
    writes = world.writes()
    with pytest.raises(Conflict, match=r"'web' needs db >=2,<3, but db provides 3\.1"):
        driver.deploy(replace(world.service(), needs={"db": ">=2,<3"}))
    assert world.writes() == writes


def test_what_is_deployed_together_counts_with_what_it_will_provide(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(replace(world.service(name="db"), provides={"db": "1"}))
    db = replace(world.service(name="db"), provides={"db": "2.1"})
    web = replace(world.service(), needs={"db": ">=2,<3"})
    assert [o.state for o in driver.deploy_all([web, db])] == [OutcomeState.CONVERGED] * 2


@pytest.mark.parametrize("constraint", ["*", ">=2"])
def test_a_need_that_runs_nowhere_is_told(world: FakeWorld, driver: Driver, constraint: str) -> None:
    service = replace(world.service(), needs={"db": constraint})
    [issue] = driver.plan(service).plan.issues
    assert (issue.path, issue.policy) == ("needs.db", Policy.WARN)
    assert "db does not run in namespace test" in issue.message
    driver.deploy(world.service(name="db"))
    assert not any("does not run" in i.message for i in driver.plan(service).plan.issues)


def test_a_provider_that_does_not_say_its_version_is_told(world: FakeWorld, driver: Driver) -> None:
    driver.deploy(world.service(name="db"))
    issues = driver.plan(replace(world.service(), needs={"db": ">=2"})).plan.issues
    assert [i.path for i in issues] == ["needs.db"]

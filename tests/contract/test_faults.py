"""A fault at every request of every operation; then the same command again.

Whatever strikes, the re-run converges, the third run writes nothing, the history has no gap, nobody holds
the lease, and the exit code of the struck run was true.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.errors import OrchctlError
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl.testing.fake_cluster import Fault, FaultKind, Killed
from orchctl.testing.world import Behaviour
from tests.rounds import FULL
from tests.worlds.fake import FakeWorld

Operation = Callable[[Driver, FakeWorld], Outcome]

MOST_REQUESTS = 80


def deploy_new(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.deploy(world.service(greeting="two"))


def deploy_update(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.deploy(world.service(greeting="two"))


def deploy_bad(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.deploy(world.service(Behaviour.CRASH, greeting="bad"))


def scale(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.scale("web", "4")


def rollback(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.rollback("web", to=1)


def restart(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.restart("web")


def delete(driver: Driver, world: FakeWorld) -> Outcome:
    return driver.delete("web")


PREPARED: dict[Operation, tuple[str, ...]] = {
    deploy_new: (),
    deploy_update: ("one",),
    deploy_bad: ("one",),
    scale: ("one",),
    rollback: ("one", "zero"),
    restart: ("one",),
    delete: ("one",),
}


def prepared(tmp_path: Path, operation: Operation) -> tuple[FakeWorld, Driver]:
    world = FakeWorld(tmp_path)
    driver = Driver(world)
    for greeting in PREPARED[operation]:
        driver.deploy(world.service(greeting=greeting))
    return world, driver


def requests_of(tmp_path: Path, operation: Operation) -> int:
    world, driver = prepared(tmp_path, operation)
    before = world.requests()
    operation(driver, world)
    return min(MOST_REQUESTS, world.requests() - before)


def struck(driver: Driver, world: FakeWorld, operation: Operation, fault: Fault) -> Outcome | BaseException:
    world.cluster.set_fault(fault)
    try:
        return operation(driver, world)
    except (OrchctlError, Killed) as error:
        return error
    finally:
        world.cluster.set_fault(None)


@pytest.mark.parametrize("kind", list(FaultKind))
@pytest.mark.parametrize("operation", list(PREPARED), ids=lambda o: o.__name__)
def test_the_same_command_again_converges(tmp_path: Path, operation: Operation, kind: FaultKind) -> None:
    for at in range(requests_of(tmp_path / "count", operation)):
        try_one(tmp_path / str(at), operation, Fault(kind, at))


LASTING = (3, 1_000) if FULL else (3,)


@pytest.mark.parametrize("times", LASTING)
@pytest.mark.parametrize("kind", [FaultKind.UNREACHABLE, FaultKind.AUTH, FaultKind.LOST_BEFORE, FaultKind.BUMPED])
@pytest.mark.parametrize("operation", list(PREPARED), ids=lambda o: o.__name__)
def test_one_method_that_fails_for_long_is_no_reason_to_lie(
    tmp_path: Path, operation: Operation, kind: FaultKind, times: int
) -> None:
    """Everything else works meanwhile. A soak begins at each of the method's requests, the gate at the first."""
    for only, count in methods_of(tmp_path / "count", operation).items():
        for at in range(count if FULL else 1):
            try_one(tmp_path / f"{only}{at}", operation, Fault(kind, at, times, only))


def methods_of(tmp_path: Path, operation: Operation) -> Counter[str]:
    """How often each method is called."""
    world, driver = prepared(tmp_path, operation)
    before = len(world.cluster.log)
    operation(driver, world)
    return Counter(name.partition(" ")[0] for name in world.cluster.log[before:])


def try_one(tmp_path: Path, operation: Operation, fault: Fault) -> None:
    world, driver = prepared(tmp_path, operation)
    before = frozenset(world.truth("web").running)
    first = struck(driver, world, operation, fault)
    # A lease that cannot be taken away expires by itself: no reason to say that the deletion failed.
    if isinstance(first, Outcome) and first.exit_code == 0 and fault.only != "delete":
        check_end_state(world, operation, before)
    if operation is restart and isinstance(first, Outcome):
        assert world.cluster.definitions["test", "web"].epoch == 1, "restarted once, or not at all"
    again(world, operation)
    check_end_state(world, operation, before)
    check_quiet(world, operation)


def again(world: FakeWorld, operation: Operation) -> None:
    try:
        outcome = operation(Driver(world), world)
    except OrchctlError as error:
        assert operation is delete, f"{type(error).__name__}: {error}"
        assert error.exit_code == 4  # the struck run had already finished it
        return
    if operation is deploy_bad:
        assert outcome.state is OutcomeState.ROLLED_BACK
    else:
        assert outcome.exit_code == 0


def check_end_state(world: FakeWorld, operation: Operation, before: frozenset[str]) -> None:
    """``before``: the instances that ran when the operation began."""
    truth = world.truth("web")
    if operation is delete:
        assert (truth.exists, truth.leftovers) == (False, ())
        return
    expected = {deploy_new: ["two"] * 2, deploy_update: ["two"] * 2, scale: ["one"] * 4}.get(operation, ["one"] * 2)
    assert greetings(truth) == expected
    if operation is scale:
        assert before < set(truth.running)
    elif operation is not deploy_bad:
        assert not before & set(truth.running)
    history = Driver(world).history("web")
    numbers = [r.revision.number for r in history]
    assert numbers == list(range(len(numbers), 0, -1))
    assert [r.status for r in history].count(RevisionStatus.DEPLOYED) == 1
    assert RevisionStatus.PENDING not in [r.status for r in history]
    deployed = next(r for r in history if r.status is RevisionStatus.DEPLOYED)
    assert deployed.revision.service.env["GREETING"] == expected[0]


def check_quiet(world: FakeWorld, operation: Operation) -> None:
    """A third run writes nothing, and the next deployer is not kept waiting beyond the lease's life."""
    if operation in (deploy_new, deploy_update):
        writes = world.writes()
        assert operation(Driver(world), world).state is OutcomeState.UNCHANGED
        assert world.writes() == writes
    started = world.clock.now()
    assert Driver(world).deploy(world.service(greeting="next")).state is OutcomeState.CONVERGED
    assert world.clock.now() - started <= 90

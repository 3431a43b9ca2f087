"""Order and exit codes of several services."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.plan import one_namespace
from orchctl.engine.session import Session
from orchctl.engine.waves import exit_code, side_by_side, waves
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from tests.worlds.fake import FakeWorld


def service(name: str, *needs: str) -> Service:
    return Service(name=name, namespace="n", needs=dict.fromkeys(needs, "*"))


def names(groups: list[list[Service]]) -> list[list[str]]:
    return [[s.name for s in group] for group in groups]


def test_waves_follow_needs_and_ignore_what_is_not_asked_for() -> None:
    services = [service("web", "api", "cdn"), service("api", "db"), service("db"), service("mail")]
    assert names(waves(services)) == [["db", "mail"], ["api"], ["web"]]
    assert names(waves(services, reverse=True)) == [["web"], ["api"], ["db", "mail"]]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=20))
def test_every_need_comes_in_an_earlier_wave(edges: list[tuple[int, int]]) -> None:
    needs = {n: sorted({f"s{b}" for a, b in edges if a == n and b < n}) for n in range(10)}
    groups = names(waves([service(f"s{n}", *needs[n]) for n in range(10)]))
    wave_of = {name: i for i, group in enumerate(groups) for name in group}
    assert len(wave_of) == 10
    assert all(wave_of[need] < wave_of[f"s{n}"] for n in range(10) for need in needs[n])


def test_services_of_several_namespaces_are_refused() -> None:
    with pytest.raises(UsageError, match="several namespaces: a, b"):
        one_namespace([Service(name="x", namespace="b"), Service(name="y", namespace="a")])


def outcome(code: int, state: OutcomeState = OutcomeState.CONVERGED) -> Outcome:
    return Outcome(service="x", state=state, exit_code=code)


def test_exit_codes_of_several() -> None:
    skipped = outcome(0, OutcomeState.NOT_STARTED)
    assert exit_code([outcome(0), outcome(0)]) == 0
    assert exit_code([outcome(8)]) == 8
    assert exit_code([outcome(7), outcome(7)]) == 7
    assert exit_code([outcome(0), outcome(8)]) == 11
    assert exit_code([outcome(7), skipped]) == 11
    assert exit_code([outcome(0), outcome(130)]) == 130


def test_a_bug_at_one_service_leaves_the_outcomes_of_the_others(tmp_path: Path) -> None:
    world = FakeWorld(tmp_path)

    def work(_session: Session, service: Service) -> Outcome:
        if service.name == "bad":
            raise KeyError("no such field")
        return Outcome(service=service.name, state=OutcomeState.CONVERGED)

    with world.backend.connect(world.context) as connection:
        session = Driver(world)._session(connection)
        outcomes = side_by_side(session, [service("good"), service("bad")], work)
        assert outcomes["good"].state is OutcomeState.CONVERGED
        assert (outcomes["bad"].state, outcomes["bad"].exit_code) == (OutcomeState.FAILED, 1)
        assert "KeyError: 'no such field'" in outcomes["bad"].message
        with pytest.raises(KeyError):  # alone, it is told with its traceback
            side_by_side(session, [service("bad")], work)

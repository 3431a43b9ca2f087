"""One verb on several services: wave after wave, side by side within a wave."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.session import Session
from orchctl.engine.waves import is_stopping, side_by_side

Work = Callable[[Session, Service], Outcome]


def run_all(session: Session, waves: Sequence[Sequence[Service]], work: Work) -> list[Outcome]:
    """Outcomes in the order of the waves; the error of a single service is raised, a failure stops later waves."""
    services = [service for wave in waves for service in wave]
    if len(services) == 1:
        return [work(session, services[0])]
    outcomes: list[Outcome] = []
    for wave in waves:
        if any(is_stopping(o) for o in outcomes):
            outcomes += [_not_started(session, service) for service in wave]
        else:
            done = side_by_side(session, wave, work)
            outcomes += [done[service.name] for service in wave]
    return outcomes


def _not_started(session: Session, service: Service) -> Outcome:
    return Outcome(
        service=service.name,
        state=OutcomeState.NOT_STARTED,
        duration_ms=session.elapsed_ms(),
        message="not started: an earlier service failed",
    )

"""Several services in one command: ordered by ``needs``, side by side where nothing forbids it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from graphlib import CycleError, TopologicalSorter

from orchctl.core import stores
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.core.service import Service
from orchctl.engine.deploy import deploy, is_done, refuse_older_build, tell_warnings
from orchctl.engine.plan import Planned, one_namespace, plan_services
from orchctl.engine.refresh import refreshed
from orchctl.engine.rollout import DeployOptions
from orchctl.engine.session import Session
from orchctl.engine.verdict import is_ready
from orchctl.errors import OrchctlError, PartialFailure, UsageError

Work = Callable[[Session, Service], Outcome]

WORKERS = 8
_GOOD = (OutcomeState.UNCHANGED, OutcomeState.CONVERGED, OutcomeState.DELETED)


def waves(services: Sequence[Service], *, reverse: bool = False) -> list[list[Service]]:
    """Groups that may run side by side, in order; UsageError shows a cycle as a path.

    A need that is not among ``services`` orders nothing: it is expected to run already.
    """
    one_namespace(services)
    by_name = {s.name: s for s in services}
    sorter = TopologicalSorter({s.name: [n for n in s.needs if n in by_name] for s in services})
    try:
        sorter.prepare()
    except CycleError as error:
        path = " -> ".join(reversed(error.args[1]))
        raise UsageError(
            f"the services need each other in a circle: {path}", hint="remove one of these needs"
        ) from None
    found: list[list[Service]] = []
    while sorter.is_active():
        ready = sorter.get_ready()
        found.append([by_name[n] for n in sorted(ready)])
        sorter.done(*ready)
    return found[::-1] if reverse else found


def deploy_services(session: Session, services: Sequence[Service], options: DeployOptions) -> list[Outcome]:
    """Deploy all, wave after wave; a failure stops the waves after it. Outcomes in the order of ``services``.

    One look finds what is unchanged; only the rest is worked on. Errors of one of several services become
    its Outcome; the error of a single service is raised.
    """
    ordered = waves(services)
    if len(services) == 1:
        return [deploy(session, services[0], options)]
    planned = {p.plan.service.name: p for p in plan_services(session, services, strict=options.strict)}
    for one in planned.values():
        refuse_older_build(one, options)
    known = {n: _unchanged(session, p) for n, p in _ready(session, planned, options).items()}

    def work(own: Session, service: Service) -> Outcome:
        return deploy(own, service, options, before=planned[service.name])

    outcomes = {o.service: o for o in run_all(session, ordered, work, known)}
    unchanged = [s for s in services if s.name in known]
    done = refreshed(session, unchanged, [outcomes[s.name] for s in unchanged], options.limits)
    outcomes |= {outcome.service: outcome for outcome in done}
    return [outcomes[s.name] for s in services]


def run_all(
    session: Session, ordered: Sequence[Sequence[Service]], work: Work, known: Mapping[str, Outcome] | None = None
) -> list[Outcome]:
    """Any verb on the waves of ``waves``, side by side within a wave; outcomes in their order. ``known`` are outcomes of services
    with which nothing is to be done. The error of a single service is raised; a failure stops later waves."""
    services = [service for wave in ordered for service in wave]
    outcomes = dict(known or {})
    if len(services) == 1 and not outcomes:
        return [work(session, services[0])]
    for wave in ordered:
        waiting = [service for service in wave if service.name not in outcomes]
        if any(is_stopping(o) for o in outcomes.values()):
            outcomes |= {service.name: _not_started(session, service.name) for service in waiting}
        else:
            outcomes |= side_by_side(session, waiting, work)
    return [outcomes[service.name] for service in services]


def is_stopping(outcome: Outcome) -> bool:
    """Nothing that needs it may follow. What runs, and could only not be registered, stops nobody."""
    return bool(outcome.exit_code) and outcome.state not in _GOOD


def side_by_side(session: Session, services: Sequence[Service], work: Work) -> dict[str, Outcome]:
    """Run ``work`` for each, at most eight at once, each worker on a Connection of its own."""
    if not services:
        return {}
    with _worker_sessions(session) as own_session, ThreadPoolExecutor(min(WORKERS, len(services))) as pool:

        def guarded(service: Service) -> Outcome:
            try:
                return work(own_session(), service)
            except OrchctlError as error:
                return outcome_of(error, service.name, session.elapsed_ms())

        futures = {s.name: pool.submit(guarded, s) for s in services}
        return {name: _result(future, name, session, alone=len(futures) == 1) for name, future in futures.items()}


def _result(future: Future[Outcome], name: str, session: Session, *, alone: bool) -> Outcome:
    """A bug in the work on one service does not take the outcomes of the others with it."""
    error = future.exception()
    if alone or not isinstance(error, Exception):
        return future.result()
    bug = OrchctlError(
        f"{type(error).__name__}: {error}", hint=f"this is a bug, please report it; asked for alone, {name} shows where"
    )
    return outcome_of(bug, name, session.elapsed_ms())


def outcome_of(error: OrchctlError, service: str, duration_ms: int) -> Outcome:
    """An error as the Outcome of one of several services."""
    state = OutcomeState.IN_PROGRESS if error.exit_code == 6 or error.exit_code > 128 else OutcomeState.FAILED
    return Outcome(
        service=service,
        state=state,
        exit_code=error.exit_code,
        error_code=error.code,
        message=str(error),
        hint=error.hint,
        duration_ms=duration_ms,
    )


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """0 when all are; a signal's code when one was interrupted; the common code when all failed alike; else 11."""
    codes = [o.exit_code for o in outcomes if o.state is not OutcomeState.NOT_STARTED]
    if interrupted := [c for c in codes if c > 128]:
        return interrupted[0]
    if len(outcomes) > 1 and any(codes) and (len(codes) < len(outcomes) or len(set(codes)) > 1):
        return PartialFailure.exit_code
    return codes[0] if codes else 0


@contextmanager
def _worker_sessions(session: Session) -> Iterator[Callable[[], Session]]:
    """A Session per thread, each Connection opened once and closed at the end."""
    local, lock, stack = threading.local(), threading.Lock(), ExitStack()

    def own() -> Session:
        if not hasattr(local, "session"):
            connection = stores.connect(session.backend, session.context)
            with lock:
                stack.enter_context(connection)
            local.session = replace(session, connection=connection)
        found: Session = local.session
        return found

    with stack:
        yield own


def _ready(session: Session, planned: Mapping[str, Planned], options: DeployOptions) -> dict[str, Planned]:
    """Those with which nothing is to be done, by one look for all: nothing to send, and every instance ready."""
    done = {n: p for n, p in planned.items() if is_done(p, options)}
    looks = session.reader.progress(one_namespace([p.plan.service for p in done.values()]), [*done]) if done else {}
    services = {n: p.plan.service for n, p in done.items() if n in looks}
    return {n: done[n] for n, s in services.items() if is_ready(s, looks[n], replicas=s.replicas or 0)}


def _unchanged(session: Session, planned: Planned) -> Outcome:
    tell_warnings(session, planned)
    return Outcome(
        service=planned.plan.service.name,
        state=OutcomeState.UNCHANGED,
        revision=planned.plan.base_revision,
        duration_ms=session.elapsed_ms(),
    )


def _not_started(session: Session, name: str) -> Outcome:
    return Outcome(
        service=name,
        state=OutcomeState.NOT_STARTED,
        duration_ms=session.elapsed_ms(),
        message="not started: an earlier service failed",
    )

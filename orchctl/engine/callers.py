"""Who may call a service: the spec's ``allow``, carried out beside the backend by the context's mesh.

Grants come before the new instances serve, refusals after they do: a caller that both the old and the new spec allow is
never cut off, and a deploy that fails has refused nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from orchctl.core.backend import Live
from orchctl.core.mesh import Mesh, Rule
from orchctl.core.plan import Change, Issue, Op, Policy
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.service import Service
from orchctl.engine.operation import Operation
from orchctl.engine.session import Session
from orchctl.errors import Conflict, ForeignObject, OutcomeUnknown, StalePlan, Unreachable, UsageError

PATH = "allow"
PROXY_S = 10.0
"""How long after its instances are ready a proxy of the service may take to be registered."""
_LOOK_S = 0.25
_ALSO_OTHERS = "(others)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Calls:
    """What a plan found: ``wanted`` as written (None = the rule goes), ``rule`` as it stands. ``is_new``: nothing runs yet."""

    wanted: tuple[str, ...] | None
    rule: Rule | None
    is_new: bool
    issues: tuple[Issue, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """What the deploy does to the rule, as a change of the spec's field; nothing restarts because of it."""
        before, after = _shown(self.rule), None if self.wanted is None else list(self.wanted)
        if before == after:
            return ()
        op = Op.ADD if before is None else Op.REMOVE if after is None else Op.UPDATE
        return (Change(path=PATH, op=op, before=before, after=after),)

    @property
    def notes(self) -> tuple[str, ...]:
        """The change in words."""
        if not self.changes:
            return ()
        if self.wanted is None:
            return ("who may call: not managed any more; what else the mesh has, and its default, decide",)
        return (f"who may call: {', '.join(self.wanted) or 'nobody'}{'; nobody else' if self.wanted else ''}",)


def look(session: Session, service: Service, live: Live | None, records: Sequence[Recorded], *, starts: bool) -> Calls:
    """What has to happen to the rule of ``service`` (its count is definite). ForeignObject when it is not ours.

    ``starts``: the deploy starts instances, which may bring their proxies with them.
    """
    mesh, is_new = session.connection.mesh, live is None
    if service.allow is None and not _was_managed(records):
        return Calls(wanted=None, rule=None, is_new=is_new)
    if mesh is None:
        return Calls(wanted=service.allow, rule=None, is_new=is_new, issues=(_no_mesh(session, service),))
    rule = mesh.rule(service.namespace, service.name)
    if rule is not None and rule.owner:
        if service.allow is not None:
            raise ForeignObject(
                f"{mesh.words} already says who may call {service.name!r}, by {rule.owner}",
                hint="remove that rule first, or leave allow out of the spec and this to its owner",
            )
        rule = None
    issues = () if service.allow is None else tuple(_unenforced(mesh, service, starts=starts))
    return Calls(wanted=service.allow, rule=rule, is_new=is_new, issues=issues)


def admit(op: Operation, calls: Calls) -> None:
    """Before anything new serves: let call whom the spec allows. A service that does not run yet has its whole rule now."""
    wanted, rule = calls.wanted, calls.rule
    if wanted is None or _stands(rule, _admitted(calls)):
        return
    mesh = _mesh(op)
    if calls.is_new:
        _write(op, lambda: mesh.settle(op.namespace, op.name, wanted, rule), _admitted(calls))
    else:
        _write(op, lambda: mesh.admit(op.namespace, op.name, wanted, rule), _admitted(calls))
    op.step("admit", f"may call: {', '.join(wanted) or 'nobody'}", {"callers": list(wanted)})


def settle(op: Operation, calls: Calls, *, revision: int) -> None:
    """After the new instances serve: whom the spec does not allow is refused from now on.

    Conflict when somebody else changed the rule since it was planned.
    """
    if not _needs_settling(calls):
        return
    try:
        _settle(op, calls)
    except Unreachable as error:
        text = f"revision {revision} of {op.name!r} runs, but who may call it is not settled: {error}"
        raise type(error)(text, hint="run the same command again; it goes on from here") from error


def is_settled(calls: Calls) -> bool:
    """Is ``admit`` all that the deploy has to do?"""
    return not _needs_settling(calls)


def unenforced(op: Operation, calls: Calls, service: Service) -> str:
    """Why nothing enforces the rule although the instances are ready, "" = a proxy does. Waits a little for one."""
    if calls.wanted is None or not service.replicas:
        return ""
    mesh, clock = _mesh(op), op.session.clock
    until = clock.now() + PROXY_S
    while not mesh.has_proxy(op.name):
        if clock.now() >= until:
            return f"nothing enforces who may call it: {_no_proxy(mesh, op.name)}"
        clock.sleep(_LOOK_S)
    return ""


def forget(op: Operation) -> None:
    """With a service that is gone goes its rule; one that is not ours stays."""
    mesh = op.session.connection.mesh
    rule = mesh.rule(op.namespace, op.name) if mesh else None
    if mesh is None or rule is None or rule.owner:
        return
    _write(op, lambda: mesh.remove(op.name, rule), None)
    op.step("unmanage", "nothing says any more who may call it")


def refuse_to_leave_a_rule(session: Session, name: str, records: Sequence[Recorded]) -> None:
    """UsageError before a delete that could not remove what a deploy has written."""
    if session.connection.mesh is None and _was_managed(records):
        raise UsageError(
            f"service {name!r} was deployed with allow, and its rule cannot be removed: {_without_mesh(session)}",
            hint="give the context the catalog with mesh = true again, or deploy without allow there first",
        )


def _was_managed(records: Sequence[Recorded]) -> bool:
    """Was a rule written by the last good deploy, or by one that failed since?"""
    for recorded in records:
        if recorded.revision.service.allow is not None:
            return True
        if recorded.status is RevisionStatus.DEPLOYED:
            return False
    return False


def _no_mesh(session: Session, service: Service) -> Issue:
    reason = _without_mesh(session)
    if service.allow is None:
        reason = f"the rule of an earlier deploy cannot be removed: {reason}"
    else:
        reason = f"nothing would enforce it: {reason}"
    return Issue(path=PATH, policy=Policy.REJECT, message=reason)


def _without_mesh(session: Session) -> str:
    return f"context {session.context.name!r} has no catalog with mesh = true"


def _unenforced(mesh: Mesh, service: Service, *, starts: bool) -> Iterator[Issue]:
    if obstacle := mesh.obstacle():
        yield Issue(path=PATH, policy=Policy.REJECT, message=f"nothing would enforce it: {obstacle}")
    elif service.replicas and not mesh.has_proxy(service.name):
        if starts:
            text = f"{_no_proxy(mesh, service.name)}; the deploy fails unless its instances bring one"
            yield Issue(path=PATH, policy=Policy.WARN, message=text)
        else:
            text = f"nothing would enforce it: {_no_proxy(mesh, service.name)}, and no new instance brings one"
            yield Issue(path=PATH, policy=Policy.REJECT, message=text)


def _no_proxy(mesh: Mesh, name: str) -> str:
    return f"no Connect proxy for {name!r} is registered in {mesh.words}"


def _shown(rule: Rule | None) -> list[str] | None:
    if rule is None:
        return None
    return list(rule.callers) if rule.only else [*rule.callers, _ALSO_OTHERS]


@dataclass(frozen=True, slots=True)
class _Expected:
    callers: tuple[str, ...]
    only: bool


def _admitted(calls: Calls) -> _Expected | None:
    """What stands once ``admit`` is done."""
    rule, wanted = calls.rule, calls.wanted
    if wanted is not None and calls.is_new:
        return _Expected(wanted, only=True)
    if wanted is None or (rule is None and not wanted):
        return None if rule is None else _Expected(rule.callers, rule.only)
    return _Expected(tuple(sorted({*wanted, *(rule.callers if rule else ())})), bool(rule and rule.only))


def _settled(calls: Calls) -> _Expected | None:
    return None if calls.wanted is None else _Expected(calls.wanted, only=True)


def _needs_settling(calls: Calls) -> bool:
    return _admitted(calls) != _settled(calls)


def _stands(rule: Rule | None, expected: _Expected | None) -> bool:
    if rule is None or expected is None:
        return rule is None and expected is None
    return not rule.owner and (rule.callers, rule.only) == (expected.callers, expected.only)


def _settle(op: Operation, calls: Calls) -> None:
    mesh, wanted = _mesh(op), calls.wanted
    rule = mesh.rule(op.namespace, op.name)
    if _stands(rule, _settled(calls)):
        return
    if not _stands(rule, _admitted(calls)):
        raise _moved(op)
    if wanted is not None:
        _write(op, lambda: mesh.settle(op.namespace, op.name, wanted, rule), _settled(calls))
        op.step("settle", f"nobody else may call: {', '.join(wanted) or 'nobody'}", {"callers": list(wanted)})
    elif rule is not None:
        _write(op, lambda: mesh.remove(op.name, rule), None)
        op.step("unmanage", "nothing says any more who may call it")


def _write(op: Operation, send: Callable[[], None], wanted: _Expected | None) -> None:
    """Once; read back when the answer was lost. Conflict when somebody else was quicker."""
    op.fence()
    try:
        send()
    except StalePlan as stale:
        raise _moved(op) from stale
    except OutcomeUnknown:
        if not _stands(_mesh(op).rule(op.namespace, op.name), wanted):
            raise


def _moved(op: Operation) -> Conflict:
    return Conflict(
        f"who may call {op.name!r} was changed in {_mesh(op).words} by somebody else since it was read",
        hint="look at the difference with: orchctl plan",
    )


def _mesh(op: Operation) -> Mesh:
    mesh = op.session.connection.mesh
    assert mesh is not None, "a rule is planned in a mesh only"
    return mesh

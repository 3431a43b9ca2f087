"""The catalog against what runs: one look at each, and writes for what differs alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from orchctl.core.catalogs import Dead, Directory, Listed, Owner, Published, Stray, open_directory
from orchctl.core.revision import Recorded
from orchctl.core.rollout import Outcome, OutcomeState
from orchctl.engine.history import load_namespace
from orchctl.engine.lease import LeaseInfo
from orchctl.engine.operation import Limits, Operation, operation
from orchctl.engine.publish import current_spec, listings
from orchctl.engine.session import Session
from orchctl.engine.waves import outcome_of
from orchctl.errors import Interrupted, NotFound, OrchctlError


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What stands where, at one moment. ``names``: services that run."""

    listed: Mapping[Owner, Listed]
    names: frozenset[str]
    records: Mapping[str, Sequence[Recorded]]
    leases: Mapping[str, LeaseInfo]


def sync(session: Session, namespace: str, names: Sequence[str], limits: Limits) -> list[Outcome]:
    """Publish what runs and withdraw what is gone, of ``names`` or of the whole namespace, sorted by name.

    A service that a deployer holds is left to him, who publishes it at his end. What was named is compared entry by entry,
    the rest by the fingerprints in one listing. NotFound when a name neither runs nor is listed.
    """
    with open_directory(session.context) as directory:
        look = _look(session, directory, namespace, names)
        listed = {service for where, service in look.listed if where == namespace}
        chosen = sorted({*names} or {*look.names, *listed})
        for name in chosen:
            if name not in look.names and name not in listed:
                raise NotFound(
                    f"there is no service {name!r} in namespace {namespace!r}, and nothing of it in the catalog",
                    hint="see what there is: orchctl status",
                )
        return [
            _guarded(session, name, partial(_one, session, directory, look, (namespace, name), names, limits))
            for name in chosen
        ]


def _look(session: Session, directory: Directory, namespace: str, names: Sequence[str]) -> _Look:
    """The catalog first: what is published meanwhile has another index than the one that was read."""
    listed = directory.listed()
    live = session.reader.live(namespace, names)
    records, leases = load_namespace(session.store, namespace)
    return _Look(
        listed=listed,
        names=frozenset(name for name, definition in live.items() if definition.owned),
        records=records,
        leases=leases,
    )


def _guarded(session: Session, name: str, action: Callable[[], Outcome]) -> Outcome:
    """One service's error is its outcome: the others are published all the same."""
    try:
        return action()
    except Interrupted:
        raise
    except OrchctlError as error:
        return outcome_of(error, name, session.elapsed_ms())


def _one(
    session: Session, directory: Directory, look: _Look, owner: Owner, named: Sequence[str], limits: Limits
) -> Outcome:
    namespace, name = owner
    if holder := look.leases.get(name):
        return _outcome(session, name, OutcomeState.UNCHANGED, f"left to {holder}")
    spec = current_spec(look.records.get(name, ())) if name in look.names else None
    wanted = listings(session, spec, look.records[name]) if spec else []
    if name not in named and not directory.differs(look.listed.get(owner, Listed()), owner, wanted):
        return _outcome(session, name, OutcomeState.UNCHANGED, "")
    with operation(session, namespace, name, "sync", limits) as op:
        done = _publish(op)
    state = OutcomeState.CONVERGED if done else OutcomeState.UNCHANGED
    return _outcome(session, name, state, str(done) if done else "")


def _publish(op: Operation) -> Published:
    """Looks again: what we saw without the lease may have changed."""
    live = op.live()
    if live is not None and live.owned:
        return op.publisher.publish(is_listed=True)
    done = op.publisher.withdraw()
    if not op.records.newest_first():  # deleted: nothing of it stays, not even the lease
        op.lease.remove()
    return done


def _outcome(session: Session, name: str, state: OutcomeState, message: str) -> Outcome:
    return Outcome(service=name, state=state, message=message, duration_ms=session.elapsed_ms())


def dead(session: Session, directory: Directory, only: str = "") -> list[Dead]:
    """Entries of services that do not run any more, in every namespace of the cluster, and nodes without entries; of one
    namespace its entries alone."""
    found, stray = [], directory.stray()
    for namespace in sorted({where for where, _ in stray if only in ("", where)}):
        names = sorted(service for where, service in stray if where == namespace)
        live = session.reader.live(namespace, names)
        gone = [name for name in names if name not in live or not live[name].owned]
        found += [Dead(namespace=namespace, service=name, entries=stray[namespace, name]) for name in gone]
    nodes = () if only else directory.nodes_without_entries()
    return [*found, *([Dead(entries=tuple(Stray(place=node) for node in nodes))] if nodes else [])]


def bury(
    session: Session, directory: Directory, found: Sequence[Dead], limits: Limits, *, with_nodes: bool = True
) -> int:
    """Remove what is dead and still is when its turn comes; how many entries and nodes that were."""
    count = sum(_bury_one(session, directory, one, limits) for one in found if one.service)
    return count + (directory.remove_nodes(directory.nodes_without_entries()) if with_nodes else 0)


def _bury_one(session: Session, directory: Directory, one: Dead, limits: Limits) -> int:
    owner, names = (one.namespace, one.service), {entry.name for entry in one.entries}
    try:
        with operation(session, *owner, "gc", limits) as op:
            live = op.live()
            done = directory.publish(owner, (), names=names) if live is None or not live.owned else Published()
            if not op.records.newest_first():
                op.lease.remove()
    except NotFound:  # the namespace is gone, and with it everybody who could deploy there
        done = directory.publish(owner, (), names=names)
    return done.removed

"""What runs, published in the context's catalog: after a wait, with every look where instances themselves are listed, and
by ``sync``.

A catalog is beside the rollout: what goes wrong there is told and makes the command end with 11 (PartialFailure), and
never changes what is said about the rollout itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from orchctl.core.catalogs import Directory, Listing, Published, open_directory
from orchctl.core.codec import to_plain
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.core.plan import Change, Issue, Op, Policy
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.rollout import EventKind, Outcome, Progress
from orchctl.core.service import Address, Probe, ProbeKind, Registration, Service
from orchctl.engine.discover import endpoints_of
from orchctl.engine.history import Records, newest_with
from orchctl.engine.session import Session
from orchctl.errors import Interrupted, NotFound, OrchctlError, PartialFailure, UsageError

LISTED = "listed"
"""Key of a record's metadata: it was deployed where it is listed. A context may say something else later."""
_ASKABLE = (ProbeKind.HTTP, ProbeKind.TCP)


def registration_of(service: Service, context: Context) -> Registration | None:
    """What holds for a service in a context, its address decided; None = it is not registered there."""
    written = service.register or Registration(enabled=context.register)
    if context.catalog is None or not written.enabled:
        return None
    return replace(written, name=written.name or service.name, address=written.address or context.register_address)


def names_of(service: Service, context: Context) -> list[str]:
    """What the service is called in the catalog, port by port; the first port has the name itself, so that the name alone
    always leads to the same port."""
    how = registration_of(service, context)
    if how is None:
        return []
    return [how.name, *(f"{how.name}-{port.name}" for port in service.ports[1:])]


def current_spec(records: Sequence[Recorded]) -> Service | None:
    """Of what runs: the deployed revision, or the newest where none ever was."""
    good = newest_with(records, RevisionStatus.DEPLOYED)
    return good.revision.service if good else records[0].revision.service if records else None


def was_registered(records: Sequence[Recorded], context: Context) -> bool:
    """Is there anything to be expected in the catalog?"""
    return any(LISTED in r.extra or registration_of(r.revision.service, context) for r in records)


def catalog_issues(service: Service, context: Context) -> list[Issue]:
    """What a plan tells of a registration that nobody carries out."""
    if service.register is None or not service.register.enabled or context.catalog is not None:
        return []
    text = f"context {context.name!r} has no catalog, so the service is registered nowhere"
    return [Issue(path="register", policy=Policy.WARN, message=text)]


def registration_changes(service: Service, records: Sequence[Recorded]) -> tuple[Change, ...]:
    """What a deploy changes about the registration, as a change of the spec's field; nothing restarts because of it."""
    current = current_spec(records)
    before, after = _shown(current.register if current else None), _shown(service.register)
    if before == after:
        return ()
    op = Op.ADD if before is None else Op.REMOVE if after is None else Op.UPDATE
    return (Change(path="register", op=op, before=before, after=after),)


def _shown(written: Registration | None) -> Any:
    """As it is written: true, false, or what it says."""
    if written is None:
        return None
    said = {name: value for name, value in to_plain(written).items() if name != "enabled"}
    return said or written.enabled


def listings(session: Session, service: Service, records: Sequence[Recorded]) -> list[Listing]:
    """What is to stand in the catalog now; nothing for a service that is not there or not registered.

    UsageError when the spec asks for the addresses of the service as a whole and it has none.
    """
    how = registration_of(service, session.context)
    if how is None:
        return []
    try:
        found = endpoints_of(session, service.namespace, service.name, records)
    except NotFound:
        return []
    chosen = [e for e in found if bool(e.instance) is (how.address is Address.INSTANCE)]
    if found and not chosen and how.address is Address.SERVICE and service.register is not None:
        raise _no_address(session, service.name)
    good = newest_with(records, RevisionStatus.DEPLOYED)
    present = good.revision.number if good else 0
    return [_listing(service, how, e if e.instance else replace(e, revision=present)) for e in chosen]


def _no_address(session: Session, name: str) -> UsageError:
    return UsageError(
        f"service {name!r} has no address as a whole on {session.backend.name} that could be registered",
        hint="expose a port (cluster, external), or list each instance (register: {address: instance}) and keep"
        " them fresh with: orchctl sync --watch",
    )


def _listing(service: Service, how: Registration, endpoint: Endpoint) -> Listing:
    first = service.ports[0].name if service.ports else endpoint.port_name
    name = how.name if endpoint.port_name == first else f"{how.name}-{endpoint.port_name}"
    return Listing(name=name, endpoint=endpoint, tags=how.tags, probe=_probe(service, endpoint))


def _probe(service: Service, endpoint: Endpoint) -> Probe | None:
    ready = service.health.ready
    return ready if ready and ready.kind in _ASKABLE and ready.port == endpoint.port_name else None


def _is_loopback(host: str) -> bool:
    return host.startswith("127.") or host in ("::1", "localhost")


class Publisher:
    """Publishes one service while its lease is held. Opens the catalog when there is something to say to it."""

    def __init__(self, session: Session, namespace: str, name: str) -> None:
        self._session = session
        self._owner = (namespace, name)
        self._directory: Directory | None = None
        self._seen: frozenset[object] = frozenset()

    def saw(self, service: Service, progress: Progress) -> None:
        """A look at a rollout. Where instances are listed, those that came, went or changed are published at once: an
        instance that is being drained must not be found any more. What goes wrong is told, and tried again at the next
        change and at the end."""
        how = registration_of(service, self._session.context)
        now = frozenset((i.id, i.state, i.ready) for i in progress.instances)
        if how is None or how.address is not Address.INSTANCE or now == self._seen:
            return
        self._seen = now
        try:
            self.publish(service)
        except Interrupted:
            raise
        except OrchctlError as error:
            self._session.tell(EventKind.PROBLEM, self._owner[1], f"not registered yet: {error}")

    def publish(self, service: Service | None = None, *, is_listed: bool = False) -> Published:
        """What runs now, as ``service`` says, or the record of what runs. ``is_listed``: something was seen in the catalog,
        whatever the records say."""
        records = self._records()
        spec = service or current_spec(records)
        if spec is None or self._session.context.catalog is None:
            return Published()
        how = registration_of(spec, self._session.context)
        if how is None:
            is_listed = is_listed or was_registered(records, self._session.context)
            return self.withdraw() if is_listed else Published()
        wanted = listings(self._session, spec, records)
        if not wanted and spec.ports and how.address is Address.SERVICE:
            self._session.tell(EventKind.STEP, self._owner[1], "not registered: it has no address as a whole")
        # Where something stays listed, names that a new token may not see any more are none of this deploy's.
        names = () if wanted else self._names(records)
        return self._say(self._open().publish(self._owner, wanted, shared=how.shared, names=names), wanted)

    def withdraw(self) -> Published:
        """Everything that is listed for the service."""
        return self._say(self._open().publish(self._owner, (), names=self._names(self._records())))

    def withdrawn_first(self) -> bool:
        """Before instances are stopped, so that nobody finds them any more: is nothing listed? What goes wrong is told;
        a service is not kept because of its catalog."""
        if not was_registered(self._records(), self._session.context):
            return True
        try:
            self.withdraw()
        except Interrupted:
            raise
        except OrchctlError as error:
            self._session.tell(EventKind.PROBLEM, self._owner[1], f"still registered, going on: {error}")
            return False
        return True

    def after(self, outcome: Outcome, service: Service | None = None) -> Outcome:
        """``outcome``, and what runs is published."""
        return told(outcome, lambda: self.publish(service))

    def close(self) -> None:
        if self._directory is not None:
            self._directory.close()

    def _names(self, records: Sequence[Recorded]) -> set[str]:
        """All that it was ever called: what is asked for by name is refused to a token that may not see it, and not taken
        for absent."""
        listing = replace(self._session.context, register=True)
        return {name for r in records for name in names_of(r.revision.service, listing)}

    def _records(self) -> Sequence[Recorded]:
        if self._session.context.catalog is None:
            return ()
        return Records(self._session.store, *self._owner).newest_first()

    def _open(self) -> Directory:
        if self._directory is None:
            self._directory = open_directory(self._session.context)
        return self._directory

    def _say(self, done: Published, wanted: Sequence[Listing] = ()) -> Published:
        if done:
            here = "; only this machine reaches 127.0.0.1" if any(_is_loopback(w.endpoint.host) for w in wanted) else ""
            words = self._open().words
            self._session.tell(EventKind.STEP, self._owner[1], f"registered in {words}: {done}{here}")
        return done


def told(outcome: Outcome, publish: Callable[[], object]) -> Outcome:
    """``outcome`` with what went wrong in the catalog: exit 11 when everything else is good, else it is only said."""
    try:
        publish()
    except Interrupted:
        raise
    except OrchctlError as error:
        text = f"the catalog is not up to date: {error}"
        message = f"{outcome.message}; {text}" if outcome.message else text
        if outcome.exit_code:
            return replace(outcome, message=message)
        hint = error.hint or f"when the catalog answers again: orchctl sync {outcome.service}"
        return replace(outcome, exit_code=PartialFailure.exit_code, error_code=error.code, message=message, hint=hint)
    return outcome

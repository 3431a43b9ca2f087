"""What would change: the resolved spec against the live definition and the records.

Reads only. One look at the backend serves any number of services.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from orchctl.core.backend import Live, Secrets
from orchctl.core.capability import refuse
from orchctl.core.diff import diff
from orchctl.core.document import spec_hash, template_hash
from orchctl.core.file_lines import with_lines
from orchctl.core.plan import Change, Issue, Op, Plan
from orchctl.core.revision import Recorded, RevisionStatus
from orchctl.core.service import SecretRef, Service
from orchctl.engine import callers
from orchctl.engine.callers import Calls
from orchctl.engine.counts import OUTSIDE
from orchctl.engine.history import Records, load_namespace
from orchctl.engine.needs import guard
from orchctl.engine.publish import catalog_issues, registration_changes
from orchctl.engine.session import Session
from orchctl.errors import ForeignObject, UsageError
from orchctl.secrets.resolve import resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A plan with what it was made from. ``secrets`` never leaves memory. ``stands``: the backend has this definition."""

    plan: Plan
    live: Live | None
    records: Sequence[Recorded]
    stands: bool
    calls: Calls
    secrets: Secrets = field(default_factory=dict, repr=False)

    @property
    def newest(self) -> Recorded | None:
        return self.records[0] if self.records else None

    @property
    def is_unchanged(self) -> bool:
        """The backend already runs exactly this, and the newest record says that it was deployed."""
        newest = self.newest
        return (
            self.plan.is_empty
            and newest is not None
            and newest.status is RevisionStatus.DEPLOYED
            and newest.revision.template_hash == self.plan.template_hash
            and newest.revision.spec_hash == self.plan.spec_hash
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """One look: definitions by name, those of its needs included, and the service's records, newest first."""

    live: Mapping[str, Live]
    records: Sequence[Recorded]


def check_all(session: Session, services: Sequence[Service], *, strict: bool) -> dict[str, tuple[Issue, ...]]:
    """Every service's issues by name. UnsupportedFeature when any must be refused."""
    found: dict[str, tuple[Issue, ...]] = {}
    for service in services:
        issues = (*session.backend.check(service), *session.connection.refusals(service))
        issues += tuple(catalog_issues(service, session.context))
        refuse(service, session.backend.name, issues, strict=strict)
        found[service.name] = issues
    return found


def plan_services(session: Session, services: Sequence[Service], *, strict: bool = False) -> list[Planned]:
    """Plans in the order given. UsageError when the services are not of one namespace."""
    namespace = one_namespace(services)
    issues = check_all(session, services, strict=strict)
    live = session.reader.live(namespace, sorted({n for s in services for n in (s.name, *s.needs)}))
    records, _ = load_namespace(session.store, namespace)
    plans = []
    for service in services:
        told = [*issues[service.name], *guard(service, together=services, live=live)]
        there, recorded = live.get(service.name), records.get(service.name, [])
        plans.append(plan_against(session, service, there, recorded, issues=told, strict=strict))
    return plans


def one_namespace(services: Sequence[Service]) -> str:
    """Needs, looks and results go by name within one namespace, so a command works on one."""
    namespaces = sorted({s.namespace for s in services})
    if len(namespaces) != 1:
        raise UsageError(
            f"the services are of several namespaces: {', '.join(namespaces)}",
            hint="run the command once for each, or put them into one with -n NAMESPACE",
        )
    return namespaces[0]


def look(session: Session, service: Service, records: Sequence[Recorded] | None = None) -> Seen:
    """What a plan of ``service`` is made from; ``records`` where they were read already."""
    live = session.reader.live(service.namespace, [service.name, *service.needs])
    if records is None:
        records = Records(session.store, service.namespace, service.name).newest_first()
    return Seen(live=live, records=records)


def plan_one(session: Session, service: Service, *, strict: bool = False, seen: Seen | None = None) -> Planned:
    """The plan of one service, from a fresh look or from ``seen``."""
    issues = check_all(session, [service], strict=strict)[service.name]
    seen = seen or look(session, service)
    told = [*issues, *guard(service, together=(), live=seen.live)]
    return plan_against(session, service, seen.live.get(service.name), seen.records, issues=told, strict=strict)


def plan_against(
    session: Session,
    written: Service,
    live: Live | None,
    records: Sequence[Recorded],
    *,
    issues: Sequence[Issue] = (),
    strict: bool = False,
) -> Planned:
    """The plan of ``written`` against one look at the backend; ForeignObject when the object is not ours."""
    backend = session.backend
    if live is not None and not live.owned:
        raise ForeignObject(
            f"{backend.name} already has an object for {written.name!r} in namespace {written.namespace!r} "
            "that was not made by orchctl",
            hint="rename the service, use another namespace, or remove the object first",
        )
    held = _check_store_secrets(session, written)
    resolved, values = resolve(written, environ=os.environ, state_dir=session.context.state_dir, held=held)
    pinned = replace(resolved, image_digest=_digest(session, resolved, records))
    replicas = wanted_replicas(pinned, live)
    sized = pinned.sized(replicas)
    hashed = template_hash(pinned, backend.name)
    changes = diff(live.document if live else {}, backend.project(sized.on_backend()), restarts=backend.restarts)
    changes = with_lines((*changes, *_hidden(live, changes, hashed)), sized, (r.revision.service for r in records))
    starts = live is None or live.template_hash != hashed or live.replicas < replicas
    calls = callers.look(session, sized, live, records, starts=starts)
    beside = (*calls.changes, *registration_changes(written, records))
    refuse(written, f"context {session.context.name!r}", calls.issues, strict=strict)
    plan = Plan(
        service=sized,
        written_replicas=written.replicas,
        backend=backend.name,
        context=session.context.name,
        template_hash=hashed,
        spec_hash=spec_hash(pinned),
        expect=live.expect if live else "",
        base_revision=records[0].revision.number if records else 0,
        changes=(*beside, *(changes if live else _creation(changes))),
        issues=(*issues, *calls.issues),
        notes=(*_scale_notes(live, replicas, records), *_secret_notes(written, held), *calls.notes),
    )
    stands = live is not None and not changes
    return Planned(plan=plan, live=live, records=records, stands=stands, calls=calls, secrets=values)


def _hidden(live: Live | None, changes: Sequence[Change], hashed: str) -> tuple[Change, ...]:
    """What the document cannot show and the template is made of all the same: without a change nothing would be sent, and
    the new template would be waited for in vain."""
    if live is None or live.template_hash == hashed or any(c.restarts for c in changes):
        return ()
    return (Change(path="template", op=Op.UPDATE, before=live.template_hash, after=hashed, restarts=True),)


def wanted_replicas(service: Service, live: Live | None) -> int:
    """The count to send (engine.md section 2): as written, or the live count inside the bounds."""
    if service.replicas is not None:
        return service.replicas
    if service.scaling is not None:
        count = live.replicas if live else service.scaling.min
        return max(service.scaling.min, min(service.scaling.max, count))
    return live.replicas if live else 1


def _creation(changes: Sequence[Change]) -> tuple[Change, ...]:
    """Nothing runs yet, so nothing restarts."""
    return tuple(replace(c, restarts=False) for c in changes)


def _digest(session: Session, service: Service, records: Sequence[Recorded]) -> str:
    """What the image is pinned to: asked once per image reference, and each time for one that is meant to move.

    A tag is pinned when it first appears in the spec and stays so until the reference changes; ``latest``, or no tag
    at all, says "whatever is newest", so it is asked for at every deploy.
    """
    if not service.image or "@" in service.image:
        return ""
    if service.image_digest:  # a kept revision: rolled back to exactly what ran
        return service.image_digest
    tag = service.image.rpartition("/")[2].partition(":")[2]
    if tag not in ("", "latest"):
        for recorded in records:
            if recorded.revision.service.image == service.image and recorded.revision.service.image_digest:
                return recorded.revision.service.image_digest
        newest = records[0] if records else None
        if newest and newest.status is RevisionStatus.DEPLOYED and newest.revision.service.image == service.image:
            return ""  # it runs unpinned, as this backend or this registry allows
    return session.reader.pin(service)


def _check_store_secrets(session: Session, service: Service) -> set[SecretRef]:
    """The versions of providers' values, named by a kept revision, that the backend still has."""
    asked = {ref for _, ref in service.secret_refs() if ref.version or not ref.source}
    if not asked:
        return set()
    gone = set(session.reader.missing_secrets(service))
    if missing := {ref for ref in gone if not ref.source}:
        names = ", ".join(sorted(f"{m.name}/{m.key}" if m.key else m.name for m in missing))
        raise UsageError(
            f"service {service.name!r} refers to secrets that {session.backend.name} does not have: {names}",
            hint="create them there first, or use a provider: env:NAME, file:PATH or exec:COMMAND",
        )
    return {ref for ref in asked if ref.source} - gone


def _secret_notes(written: Service, held: Collection[SecretRef]) -> Iterator[str]:
    for path, ref in written.secret_refs():
        if ref.version and ref not in held:
            yield f"{path}: the value that this revision had is not kept any more, so {ref.source}:{ref.name} was asked"


def _scale_notes(live: Live | None, replicas: int, records: Sequence[Recorded]) -> tuple[str, ...]:
    newest = records[0] if records else None
    if live is None or newest is None or live.replicas == replicas:
        return ()
    if newest.replicas_override == live.replicas:
        return (f"replicas {live.replicas} -> {replicas}: scaled by hand, {newest.override_by}",)
    return (f"replicas {live.replicas} -> {replicas}: {OUTSIDE}",) if live.replicas != newest.revision.replicas else ()

"""Revisions: numbered records of deploys, kept in the backend's Store.

Body (never changes): the Revision as canonical JSON, gzipped. Metadata (changed by compare-and-set):
status, the count set by hand since, how it ended. Numbers are 1, 2, 3 ... without gaps: create-if-absent
makes a clash visible instead of overwriting.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from orchctl.core.codec import canonical_json, from_plain, to_plain
from orchctl.core.revision import NOTED_SOURCE, Recorded, Revision, RevisionStatus
from orchctl.core.service import Service
from orchctl.core.store import Entry, Store
from orchctl.engine.clock import Clock, patiently
from orchctl.engine.lease import LeaseInfo, info_of
from orchctl.errors import AlreadyExists, Conflict, NotFound, OutcomeUnknown, StalePlan, UsageError

KEPT_REVISIONS = 10
_MAX_PLAIN_BYTES = 4 << 20  # what a record may unpack to; a hostile store must not fill our memory
_NOTE_CHARS = 1000
_PATIENCE_S = 15.0
"""How long the store may be away when the end of a rollout is to be recorded."""


class Records:
    """One service's revisions."""

    def __init__(self, store: Store, namespace: str, name: str, clock: Clock | None = None) -> None:
        """``clock`` None: nothing is changed, or not again when the store is away."""
        self._clock = clock
        self._store = store
        self._namespace = namespace
        self._name = name

    def newest_first(self) -> list[Recorded]:
        """All of them, in one request."""
        return _decode_all(self._store.list(f"{self._namespace}/{self._name}/r/"))

    def create(self, revision: Revision, extra: Mapping[str, str]) -> Recorded:
        """Write it as pending; Conflict when that number exists (somebody else was quicker).

        ``extra`` must hold ``token``: it tells our own entry when the answer to the write was lost.
        """
        key, body = self._key(revision.number), _encode(revision, self._store.max_body_bytes)
        meta = {"status": RevisionStatus.PENDING.value, **extra}
        try:
            return _decode(self._store.create(key, body, meta))
        except AlreadyExists:
            raise Conflict(
                f"revision {revision.number} of {self._name!r} was recorded by somebody else meanwhile",
                hint="run the same command again",
            ) from None
        except OutcomeUnknown:
            found = self._store.get(key)
            if found is None or found.meta.get("token") != extra["token"]:
                raise
            return _decode(found)

    def mark(
        self, recorded: Recorded, status: RevisionStatus, note: str = "", *, extra: Mapping[str, str] | None = None
    ) -> Recorded:
        """Change the status, and remember ``extra``; a record that is gone stays gone."""
        kept = {"status": status.value, "note": single_line(note) or recorded.note}
        return self._change(recorded, {**kept, **(extra or {})})

    def note_scale(self, recorded: Recorded, replicas: int, by: str) -> Recorded:
        """Remember a count set by hand; information for people, the live count is the truth."""
        return self._change(recorded, {"override": str(replicas), "override_by": by})

    def note_source(self, recorded: Recorded, number: int) -> Recorded:
        """Remember that a newer build deployed the same."""
        return self.note(recorded, {NOTED_SOURCE: str(number)})

    def note(self, recorded: Recorded, extra: Mapping[str, str]) -> Recorded:
        """Remember ``extra`` beside the record; "" forgets."""
        return self._change(recorded, extra)

    def prune(self, keep: int = KEPT_REVISIONS) -> list[Recorded]:
        """Remove the oldest beyond ``keep``, never one that is deployed or pending; returns what is left, newest first.

        Oldest first, so that a kill half-way leaves no gap.
        """
        records = self.newest_first()
        for old in records[: keep - 1 : -1]:
            if old.status not in (RevisionStatus.DEPLOYED, RevisionStatus.PENDING):
                self._store.delete(self._key(old.revision.number), expect=old.version)
                records.remove(old)
        return records

    def remove_all(self) -> None:
        """For ``delete``: oldest first, so that a kill half-way leaves a history without a gap at its end."""
        for recorded in reversed(self.newest_first()):
            self._store.delete(self._key(recorded.revision.number), expect=recorded.version)

    def _change(self, recorded: Recorded, change: Mapping[str, str]) -> Recorded:
        meta = {k: v for k, v in {**_meta_of(recorded), **change}.items() if v}
        key = self._key(recorded.revision.number)

        def attempt() -> Entry:
            try:
                return self._store.update(key, meta, expect=recorded.version)
            except (OutcomeUnknown, StalePlan):  # of this attempt, or of one before it
                found = self._store.get(key)
                if found is None or dict(found.meta) != meta:
                    raise
                return found

        entry = patiently(attempt, self._clock, _PATIENCE_S) if self._clock else attempt()
        return _recorded(replace(entry, body=b""), recorded.revision)

    def _key(self, number: int) -> str:
        return f"{self._namespace}/{self._name}/r/{number:08d}"


def load_namespace(store: Store, namespace: str) -> tuple[dict[str, list[Recorded]], dict[str, LeaseInfo]]:
    """Every service's revisions (newest first) and held leases, in one request."""
    grouped: dict[str, list[Entry]] = {}
    leases: dict[str, LeaseInfo] = {}
    for entry in store.list(f"{namespace}/"):
        _, name, kind, *_ = [*entry.key.split("/"), "", ""]
        if kind == "r":
            grouped.setdefault(name, []).append(entry)
        elif kind == "lease" and (info := info_of(entry)):
            leases[name] = info
    return {name: _decode_all(entries) for name, entries in grouped.items()}, leases


def newest_with(records: Sequence[Recorded], *statuses: RevisionStatus) -> Recorded | None:
    """The newest revision with one of the statuses."""
    return next((r for r in records if r.status in statuses), None)


def numbered(records: Sequence[Recorded], number: int) -> Recorded:
    """That revision; NotFound names the ones that are kept."""
    for recorded in records:
        if recorded.revision.number == number:
            return recorded
    kept = ", ".join(str(r.revision.number) for r in records) or "none"
    raise NotFound(f"there is no revision {number}", hint=f"kept revisions: {kept}")


def _encode(revision: Revision, limit: int) -> bytes:
    """The body, at most ``limit`` bytes and never more than is read back; the audit copy of the native objects goes first
    when it is too large."""
    for candidate in (revision, replace(revision, rendered="")):
        text = canonical_json(to_plain(candidate)).encode("utf-8")
        body = gzip.compress(text, mtime=0)
        if len(body) <= limit and len(text) <= _MAX_PLAIN_BYTES:
            return body
    size, most = (len(body), limit) if len(body) > limit else (len(text), _MAX_PLAIN_BYTES)
    raise UsageError(
        f"the record of {revision.service.name!r} would be {size} bytes, more than the {most} that are kept",
        hint="move large files out of the spec, for instance into the image or a volume",
    )


def _decode_all(entries: Sequence[Entry]) -> list[Recorded]:
    """Newest first. A deployed revision older than the newest deployed one *is* superseded, whether or not the
    deployer lived long enough to note it."""
    records = sorted((_decode(e) for e in entries), key=lambda r: -r.revision.number)
    deployed = newest_with(records, RevisionStatus.DEPLOYED)
    return [
        replace(r, status=RevisionStatus.SUPERSEDED) if r.status is RevisionStatus.DEPLOYED and r is not deployed else r
        for r in records
    ]


def _decode(entry: Entry) -> Recorded:
    """A record that cannot be read keeps its number and is shown as failed: it must not block the next deploy."""
    namespace, name, _, number, *_ = [*entry.key.split("/"), "", "", ""]
    try:
        text = zlib.decompressobj(wbits=31).decompress(entry.body, _MAX_PLAIN_BYTES)
        revision = from_plain(Revision, json.loads(text))
        return _recorded(entry, revision)
    except (ValueError, zlib.error) as error:
        revision = Revision(
            number=int(number) if number.isdigit() else 0,
            service=Service(name=name, namespace=namespace),
            template_hash="",
            spec_hash="",
            replicas=0,
            created_at="",
            created_by="",
        )
        broken = Recorded(revision=revision, status=RevisionStatus.FAILED, version=entry.version)
        return replace(broken, note=f"the record cannot be read: {error}")


def _recorded(entry: Entry, revision: Revision) -> Recorded:
    meta = dict(entry.meta)
    override = meta.pop("override", "")
    return Recorded(
        revision=revision,
        status=RevisionStatus(meta.pop("status", "")),
        version=entry.version,
        replicas_override=int(override) if override.isdigit() else None,
        override_by=meta.pop("override_by", ""),
        note=meta.pop("note", ""),
        extra=meta,
    )


def _meta_of(recorded: Recorded) -> dict[str, str]:
    meta = {**recorded.extra, "status": recorded.status.value, "note": recorded.note}
    if recorded.replicas_override is not None:
        meta |= {"override": str(recorded.replicas_override), "override_by": recorded.override_by}
    return {k: v for k, v in meta.items() if v}


def single_line(text: str) -> str:
    """Store metadata is single lines; a note is a summary, the whole story is in the evidence."""
    return " ".join(text.split())[:_NOTE_CHARS]

"""Release records and leases as apps without instances: what Marathon itself can keep.

An entry is an app below /orchctl whose labels hold the body (base64) and the meta. It starts no task; its deployment
is over at once, also while others run. Creating is atomic (409 for the second); changing is not: Marathon has no
compare-and-set, so the version is compared just before (``fenced`` False, see engine/lease.py for what that means).
"""

from __future__ import annotations

import base64
import binascii
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, Locked, NotFound, StalePlan, Unreachable, attempt
from orchctl_marathon.answers import is_app
from orchctl_marathon.client import Reading, Writing
from orchctl_marathon.names import LEDGER, MANAGED_BY, OURS

T = TypeVar("T")
Json = Mapping[str, Any]

KEY = OURS + "key"
BODY = OURS + "body"
META = OURS + "meta."
_LOCKED_S, _LOCKED_LOOK_S = 10.0, 0.1
"""An entry's own last change is a deployment, too: over within a tenth of a second on an idle Marathon."""


class LedgerStore(Store):
    fenced = False

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._writing = Writing(reading, lambda: None)  # leases live here: there is no fence yet to ask

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        try:
            made = self._writing.create(_app(key, body, meta))
        except AlreadyExists:
            raise AlreadyExists(f"{key} exists already") from None
        except Locked as locked:
            if not locked.by:  # as many deployments run as Marathon allows
                raise
            raise AlreadyExists(f"{key} is just being removed") from None
        return Entry(key=key, body=body, meta=dict(meta), version=str(made.get("version", "")))

    def get(self, key: str) -> Entry | None:
        path = f"/v2/apps{_id(key)}"
        found = attempt(lambda: self._reading.get(path), NotFound)
        if found is None:
            return None
        if not is_app(found.get("app")):
            raise self._reading.not_marathon(path)
        entry = _entry(found["app"])
        return entry if entry and entry.key == key else None

    def list(self, prefix: str) -> Sequence[Entry]:
        complete = prefix.rpartition("/")[0]
        apps = list(_apps_of(self._group(complete, "group.groups", "group.apps")))
        if not all(is_app(a) for a in apps):
            raise self._reading.not_marathon(_place(complete))
        found = (_entry(a) for a in apps)
        return sorted((e for e in found if e and e.key.startswith(prefix)), key=lambda e: e.key)

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        def once() -> Entry:
            entry = self._unmoved(key, expect)
            if entry is None:
                raise NotFound(f"{key} is gone")
            if dict(entry.meta) == dict(meta):
                return entry  # Marathon would answer with a version that it does not keep
            answer = self._writing.patch(f"/v2/apps{_id(key)}", {"labels": _labels(key, entry.body, meta)})
            return Entry(key=key, body=entry.body, meta=dict(meta), version=str(answer.get("version", "")))

        return _when_free(once)

    def delete(self, key: str, *, expect: str) -> None:
        """The last entry goes in one request with the groups that were made for it: as long as a lease is there, who
        waits for it cannot make it anew, and so cannot lose it with its group."""

        def once() -> None:
            if self._unmoved(key, expect) is not None:
                path = self._alone_in(key)
                attempt(lambda: self._writing.delete(path, {"force": "false"}), NotFound)

        _when_free(once)

    def _alone_in(self, key: str) -> str:
        """The topmost group that has this entry and nothing else in it; the entry where there is none.

        Marathon removes a group that is not empty, too, and knows no condition: what somebody makes for another service,
        and what is done, between this look and the removal is lost. While its deployment runs it locks the group.
        """
        namespace, service, _ = key.split("/", 2)
        found = f"/v2/apps{_id(key)}"
        for path in (f"{namespace}/{service}", namespace, ""):
            group = self._group(path, "group.groups", "group.apps", "group.pods")
            if [one.get("id") if isinstance(one, Mapping) else None for one in _holds(group)] != [_id(key)]:
                break
            found = _place(path)
        return found

    def _unmoved(self, key: str, expect: str) -> Entry | None:
        entry = self.get(key)
        if entry is not None and entry.version != expect:
            raise StalePlan(f"{key} was changed by somebody else since it was read")
        return entry

    def _group(self, path: str, *embed: str) -> Json:
        """{} when it is not there."""
        place = _place(path)
        found: Json | None = attempt(lambda: self._reading.get(place, {"embed": embed}), NotFound)
        if found is not None and not _is_group(found):
            raise self._reading.not_marathon(place)
        return found or {}


def _when_free(action: Callable[[], T]) -> T:
    until = time.monotonic() + _LOCKED_S
    while True:
        try:
            return action()
        except Locked as locked:
            if time.monotonic() >= until:  # who gives a lease back at its end must not fail for it
                raise Unreachable(f"orchctl's record could not be written: {locked}") from locked
        time.sleep(_LOCKED_LOOK_S)


def _id(key: str) -> str:
    return f"{LEDGER}/{key}"


def _app(key: str, body: bytes, meta: Mapping[str, str]) -> dict[str, Any]:
    """As small as Marathon takes one; a command of one letter would be refused."""
    return {
        "id": _id(key),
        "cmd": "true",
        "instances": 0,
        "cpus": 0.001,
        "mem": 0,
        "portDefinitions": [],
        "labels": _labels(key, body, meta),
    }


def _labels(key: str, body: bytes, meta: Mapping[str, str]) -> dict[str, str]:
    encoded = base64.b64encode(body).decode("ascii")
    return {KEY: key, MANAGED_BY: "orchctl", BODY: encoded} | {META + name: value for name, value in meta.items()}


def _entry(app: Json) -> Entry | None:
    """None for an app that is no entry: it only stands below our group."""
    labels = app.get("labels") or {}
    try:
        body = base64.b64decode(str(labels.get(BODY, "-")), validate=True)
    except (binascii.Error, ValueError):
        return None
    if KEY not in labels or app.get("id") != _id(labels[KEY]):
        return None
    meta = {name.removeprefix(META): str(value) for name, value in labels.items() if name.startswith(META)}
    return Entry(key=str(labels[KEY]), body=body, meta=meta, version=str(app.get("version", "")))


def _place(path: str) -> str:
    return f"/v2/groups{LEDGER}/{path}" if path else f"/v2/groups{LEDGER}"


def _is_group(found: Any) -> bool:
    """With what was asked for: its apps and groups, at every depth."""
    return (
        isinstance(found, Mapping)
        and isinstance(found.get("id"), str)
        and isinstance(found.get("apps"), list)
        and isinstance(found.get("groups"), list)
        and all(_is_group(inner) for inner in found["groups"])
    )


def _apps_of(group: Json) -> Iterator[Json]:
    yield from group.get("apps", ())
    for inner in group.get("groups", ()):
        yield from _apps_of(inner)


def _holds(group: Json) -> Iterator[Any]:
    """Whatever is in it, at any depth."""
    yield from group.get("apps") or ()
    yield from group.get("pods") or ()
    for inner in group.get("groups") or ():
        yield from _holds(inner)

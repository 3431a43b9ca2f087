"""Release records and leases as Swarm configs.

A config's data never changes; its labels may, under the engine's own version check: body and meta
of an entry fall on them exactly. The engine refuses empty data, so one byte precedes every body.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, NotFound, OutcomeUnknown, StalePlan, Unreachable, attempt
from orchctl_swarm.client import Reading, Writing
from orchctl_swarm.names import MANAGED_BY, OURS, store_name

KEY = OURS + "key"
STORE_NAMESPACE = OURS + "store.namespace"
STORE_SERVICE = OURS + "store.service"
META = OURS + "meta."
_FORMAT = b"1"


class ConfigStore(Store):
    """Two requests for a create or an update: the engine does not answer with the new version."""

    fenced = True

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._writing = Writing(reading, lambda: None)  # leases live here: there is no fence yet to ask

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        spec = {
            "Name": store_name(key),
            "Labels": _labels(key, meta),
            "Data": base64.b64encode(_FORMAT + body).decode("ascii"),
        }
        try:
            made = self._writing.create("/configs/create", spec)
        except AlreadyExists:
            raise AlreadyExists(f"{key} exists already") from None
        return self._after(key, f"/configs/{made}", body, meta)

    def get(self, key: str) -> Entry | None:
        found = attempt(lambda: self._reading.get(f"/configs/{store_name(key)}"), NotFound)
        entry = _entry(found) if found else None
        return entry if entry and entry.key == key else None

    def list(self, prefix: str) -> Sequence[Entry]:
        namespace, _, rest = prefix.partition("/")
        service, complete, _ = rest.partition("/")
        wanted = [f"{STORE_NAMESPACE}={namespace}"] + ([f"{STORE_SERVICE}={service}"] if complete else [])
        if "/" not in prefix:
            wanted = [KEY]
        found = (_entry(c) for c in self._reading.get("/configs", filters={"label": wanted}))
        return sorted((e for e in found if e and e.key.startswith(prefix)), key=lambda e: e.key)

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        identity, index = _parts(expect)
        spec = {"Name": store_name(key), "Labels": _labels(key, meta)}
        try:
            self._writing.post(f"/configs/{identity}/update", spec, version=index)
        except NotFound:
            if self.get(key) is None:
                raise NotFound(f"{key} is gone") from None
            raise _moved(key) from None
        except StalePlan:
            raise _moved(key) from None
        return self._after(key, f"/configs/{identity}", None, meta)

    def delete(self, key: str, *, expect: str) -> None:
        """The engine has no conditional delete: the version is compared just before."""
        entry = self.get(key)
        if entry is None:
            return
        if entry.version != expect:
            raise _moved(key)
        attempt(lambda: self._writing.delete(f"/configs/{_parts(expect)[0]}"), NotFound)

    def _after(self, key: str, path: str, body: bytes | None, meta: Mapping[str, str]) -> Entry:
        """The entry as just written; StalePlan if somebody has rewritten it since."""
        try:
            entry = _entry(self._reading.get(path))
        except NotFound:
            entry = None
        except Unreachable as error:
            raise OutcomeUnknown(f"{key} was written, but could not be read back: {error}") from error
        if entry is None or dict(entry.meta) != dict(meta) or (body is not None and entry.body != body):
            raise _moved(key)
        return entry


def _moved(key: str) -> StalePlan:
    return StalePlan(f"{key} was changed by somebody else since it was read")


def _labels(key: str, meta: Mapping[str, str]) -> dict[str, str]:
    namespace, _, rest = key.partition("/")
    where = {KEY: key, STORE_NAMESPACE: namespace, STORE_SERVICE: rest.partition("/")[0], MANAGED_BY: "orchctl"}
    return where | {META + name: value for name, value in meta.items()}


def _parts(version: str) -> tuple[str, str]:
    identity, _, index = version.partition("/")
    return identity, index


def _entry(config: Mapping[str, Any]) -> Entry | None:
    """None for a config that is no entry: it only has our name or label."""
    spec = config["Spec"]
    labels = spec.get("Labels") or {}
    try:
        data = base64.b64decode(spec.get("Data") or "", validate=True)
    except (binascii.Error, ValueError):
        return None
    if KEY not in labels or not data.startswith(_FORMAT):
        return None
    return Entry(
        key=labels[KEY],
        body=data[len(_FORMAT) :],
        meta={name[len(META) :]: value for name, value in labels.items() if name.startswith(META)},
        version=f"{config['ID']}/{config['Version']['Index']}",
    )

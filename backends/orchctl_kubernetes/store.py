"""Release records as Secrets, the lease as a coordination.k8s.io Lease.

Both carry their key and metadata as annotations; every change names the resourceVersion it was based on, so the API
server itself does the compare-and-set. Records are Secrets and not ConfigMaps because a spec may hold what should not
be read by everybody who may read ConfigMaps.
"""

from __future__ import annotations

import base64
import binascii
import datetime
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.codec import canonical_json
from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, NotFound, StalePlan, attempt
from orchctl_kubernetes.client import Json, Reading, Writing
from orchctl_kubernetes.names import MANAGED_BY
from orchctl_kubernetes.namespaces import in_namespace
from orchctl_kubernetes.resources import LEASES, SECRETS, Resource

KEY = "orchctl.dev/key"
META = "orchctl.dev/meta"
BODY = "orchctl.dev/body"
STORE = "orchctl.dev/store"
SERVICE = "orchctl.dev/store.service"
SECRET_TYPE = "orchctl.dev/entry.v1"
_LEASE = "lease"
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LONGEST_NAME = 253


class ObjectStore(Store):
    """One request for each method; ``list`` over a whole namespace takes two (records and leases)."""

    fenced = True

    def __init__(self, reading: Reading, *, create_namespace: bool) -> None:
        self._reading = reading
        self._writing = Writing(reading, lambda: None)  # leases live here: there is no fence yet to ask
        self._create_namespace = create_namespace

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        namespace, service, resource = _place(key)
        metadata: Json = {
            "name": object_name(key),
            "namespace": namespace,
            "labels": {MANAGED_BY: "orchctl", STORE: "entry", SERVICE: service},
            "annotations": {KEY: key, META: canonical_json(dict(meta))},
        }
        made = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": metadata}
        if resource is LEASES:
            made["spec"] = _lease_spec(meta)
            metadata["annotations"] |= {BODY: _encoded(body)} if body else {}
        else:
            made |= {"type": SECRET_TYPE, "data": {"body": _encoded(body)}}

        def send() -> Json:
            return self._writing.create(resource.path(namespace), made)

        try:
            answer = in_namespace(send, self._writing, create=self._create_namespace)
        except AlreadyExists:
            raise AlreadyExists(f"{key} exists already") from None
        return _sure(key, answer)

    def get(self, key: str) -> Entry | None:
        namespace, _, resource = _place(key)
        found = attempt(lambda: self._reading.get(resource.path(namespace, object_name(key))), NotFound)
        entry = _entry(found) if found else None
        return entry if entry and entry.key == key else None

    def list(self, prefix: str) -> Sequence[Entry]:
        namespace, complete, rest = prefix.partition("/")
        service, of_service, rest = rest.partition("/")
        labels = {STORE: "entry"} | ({SERVICE: service} if of_service else {})
        kinds = [k for k in (SECRETS, LEASES) if k is SECRETS or _LEASE.startswith(rest)]
        found: list[Json] = []
        for resource in kinds:
            path = resource.path(namespace) if complete else f"/{resource.root}/{resource.plural}"
            found += self._reading.list(path, labels=labels)
        entries = (_entry(o) for o in found)
        return sorted((e for e in entries if e and e.key.startswith(prefix)), key=lambda e: e.key)

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        namespace, _, resource = _place(key)
        uid, version = _parts(expect)
        metadata = {"uid": uid, "resourceVersion": version, "annotations": {META: canonical_json(dict(meta))}}
        body: Json = {"metadata": metadata} | ({"spec": _lease_spec(meta)} if resource is LEASES else {})
        try:
            answer = self._writing.merge(resource.path(namespace, object_name(key)), body)
        except NotFound:
            raise NotFound(f"{key} is gone") from None
        except StalePlan:
            raise _moved(key) from None
        return _sure(key, answer)

    def delete(self, key: str, *, expect: str) -> None:
        namespace, _, resource = _place(key)
        uid, version = _parts(expect)
        try:
            self._writing.delete(resource.path(namespace, object_name(key)), uid=uid, version=version)
        except NotFound:
            return
        except StalePlan:
            raise _moved(key) from None


def object_name(key: str) -> str:
    """``shop/web/r/3`` -> ``orchctl.web.r.3``; a key that makes no name is hashed."""
    readable = "orchctl." + key.partition("/")[2].replace("/", ".")
    if _NAME.fullmatch(readable) and len(readable) <= _LONGEST_NAME:
        return readable
    return f"orchctl.{hashlib.sha256(key.encode()).hexdigest()[:32]}"


def is_entry(found: Mapping[str, Any]) -> bool:
    """Does this Secret or Lease hold an entry of the store?"""
    return KEY in ((found.get("metadata") or {}).get("annotations") or {})


def _place(key: str) -> tuple[str, str, Resource]:
    """(namespace, service, kind of object) of a key."""
    namespace, _, rest = key.partition("/")
    service, _, what = rest.partition("/")
    return namespace, service, LEASES if what == _LEASE else SECRETS


def _lease_spec(meta: Mapping[str, str]) -> Json:
    """What ``kubectl get lease`` shows. Decided is by the metadata: clocks of different machines are not compared."""
    if not meta.get("token"):
        return {"holderIdentity": None, "leaseDurationSeconds": None, "renewTime": None}
    ttl = meta.get("ttl_ms", "")
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "holderIdentity": f"{meta.get('user', '?')}@{meta.get('host', '?')}/{meta.get('pid', '?')}"[:253],
        "leaseDurationSeconds": max(1, int(ttl) // 1000) if ttl.isdecimal() else 60,
        "renewTime": now,
    }


def _encoded(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")


def _moved(key: str) -> StalePlan:
    return StalePlan(f"{key} was changed by somebody else since it was read")


def _parts(version: str) -> tuple[str, str]:
    uid, _, number = version.partition("/")
    return uid, number


def _sure(key: str, answer: Json) -> Entry:
    entry = _entry(answer)
    if entry is None:
        raise _moved(key)
    return entry


def _entry(found: Json) -> Entry | None:
    """None for an object that is no entry, or whose annotations somebody has spoilt."""
    metadata = found.get("metadata") or {}
    annotations = metadata.get("annotations") or {}
    try:
        meta = json.loads(annotations[META])
        encoded = (found.get("data") or {}).get("body") or annotations.get(BODY) or ""
        return Entry(
            key=annotations[KEY],
            body=base64.b64decode(encoded, validate=True),
            meta={str(k): str(v) for k, v in meta.items()},
            version=f"{metadata['uid']}/{metadata['resourceVersion']}",
        )
    except (KeyError, ValueError, TypeError, AttributeError, binascii.Error):
        return None

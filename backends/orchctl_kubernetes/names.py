"""Names and labels of everything orchctl makes in a namespace."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

from orchctl.core.codec import canonical_json
from orchctl.core.document import file_document
from orchctl.core.service import SecretRef, Service

FIELD_MANAGER = "orchctl"
MANAGED_BY = "app.kubernetes.io/managed-by"
APP_NAME = "app.kubernetes.io/name"
OURS = "orchctl.dev/"
NAMESPACE = OURS + "namespace"
NAME = OURS + "name"
TEMPLATE = OURS + "template"
INTENT = OURS + "intent"
REVISION = OURS + "revision"
RESTARTED = OURS + "restarted-at"


def owner_labels(namespace: str, name: str) -> dict[str, str]:
    """What says that an object is ours, and whose."""
    return {APP_NAME: name, MANAGED_BY: "orchctl", NAMESPACE: namespace, NAME: name}


def selector(namespace: str, name: str) -> dict[str, str]:
    """Which pods are the service's: constant for ever, since a Deployment's selector cannot be changed."""
    return {NAMESPACE: namespace, NAME: name}


def is_ours(labels: dict[str, str] | None, namespace: str, name: str = "") -> bool:
    """Made by orchctl, for this namespace (and this service, when ``name`` is given)."""
    found = labels or {}
    mine = found.get(MANAGED_BY) == "orchctl" and found.get(NAMESPACE) == namespace
    return mine and (not name or found.get(NAME) == name)


def is_reserved(label: str) -> bool:
    """A label that a spec may not set, because orchctl or Kubernetes itself writes it."""
    return label.startswith((OURS, "deployment.kubernetes.io/")) or label in (MANAGED_BY, APP_NAME)


def digests_of(service: Service) -> dict[str, str]:
    """Content digest by path of every file that is not a secret."""
    return {path: file_document(f)["content"] for path, f in service.files.items() if f.secret is None}


def provider_refs(service: Service) -> list[SecretRef]:
    """The secrets whose values orchctl brings, each once, in a fixed order."""
    return sorted({r for _, r in service.secret_refs() if r.source}, key=lambda r: (r.source, r.name, r.key, r.version))


def config_map_name(service: Service, digests: Mapping[str, str]) -> str:
    """Content-hashed: a ConfigMap that pods refer to is never changed, another content is another ConfigMap."""
    return f"{service.name}-files-{_digest(dict(digests))}"


def secret_name(service: Service) -> str:
    """Of the Secret made for the providers' values; another version of one value is another Secret."""
    identity = [[r.source, r.name, r.key, r.version] for r in provider_refs(service)]
    return f"{service.name}-secrets-{_digest(identity)}"


def secret_key(ref: SecretRef) -> str:
    """The entry of a value in the Secret made for it."""
    return _entry(ref.key or ref.name, canonical_json([ref.source, ref.name, ref.key]))


def file_key(path: str) -> str:
    """The entry of a file in its ConfigMap."""
    return _entry(path.rpartition("/")[2], path)


def volume_of(claim: str) -> str:
    """A pod's own name of a volume: a label, where names of claims and Secrets may be longer and have dots."""
    return f"{re.sub('[^a-z0-9-]', '-', claim.lower())[:40].strip('-') or 'v'}-{_digest(claim)[:8]}"


def nodes_service_name(name: str) -> str:
    return f"{name}-nodes"


def external_service_name(name: str) -> str:
    return f"{name}-external"


def may_be_made_by(kind: str, found: str, name: str) -> bool:
    """Is ``found`` a name that orchctl gives to an object of that kind for the service ``name``? A label alone is easily
    copied with an object."""
    if kind in ("ConfigMap", "Secret"):
        word = "files" if kind == "ConfigMap" else "secrets"
        return re.fullmatch(rf"{re.escape(name)}-{word}-[0-9a-f]{{16}}", found) is not None
    names = (name, nodes_service_name(name), external_service_name(name)) if kind == "Service" else (name,)
    return found in names


def _entry(readable: str, identity: str) -> str:
    """Readable where the alphabet of entries allows, and unique."""
    return f"{re.sub('[^a-zA-Z0-9_.-]', '-', readable)[:100]}-{_digest(identity)[:8]}"


def _digest(value: object) -> str:
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:16]

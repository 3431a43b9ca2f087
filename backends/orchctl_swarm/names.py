"""Names and labels of everything orchctl makes in a swarm."""

from __future__ import annotations

import hashlib
import re

from orchctl.core.codec import canonical_json
from orchctl.core.document import file_document
from orchctl.core.service import SecretRef, Service

MANAGED_BY = "app.kubernetes.io/managed-by"
APP_NAME = "app.kubernetes.io/name"
STACK = "com.docker.stack.namespace"
OURS = "orchctl.dev/"
NAMESPACE = OURS + "namespace"
NAME = OURS + "name"
REVISION = OURS + "revision"
TEMPLATE = OURS + "template"
INTENT = OURS + "intent"
PAUSED = OURS + "paused"

# The engine allows 64 characters for configs and secrets; 16 hex digits and a dot are ours.
_READABLE = 47


def service_name(namespace: str, name: str) -> str:
    """As ``docker stack`` names services, so that ``docker stack ls`` and ``services`` show them."""
    return f"{namespace}_{name}"


def network_name(namespace: str) -> str:
    return f"{namespace}_default"


def volume_name(namespace: str, name: str) -> str:
    return f"{namespace}_{name}"


def owner_labels(namespace: str, name: str = "") -> dict[str, str]:
    """What says that an object is ours, and whose."""
    labels = {STACK: namespace, MANAGED_BY: "orchctl", NAMESPACE: namespace}
    return labels | {NAME: name, APP_NAME: name} if name else labels


def is_ours(labels: dict[str, str] | None, namespace: str, name: str = "") -> bool:
    """Made by orchctl, for this namespace (and this service, when ``name`` is given)."""
    found = labels or {}
    mine = found.get(MANAGED_BY) == "orchctl" and found.get(NAMESPACE) == namespace
    return mine and (not name or found.get(NAME) == name)


def is_reserved(label: str) -> bool:
    """A label that a spec may not set, because orchctl or the engine reads it."""
    return label.startswith((OURS, "com.docker.")) or label in (MANAGED_BY, APP_NAME)


def config_name(service: Service, content_digest: str) -> str:
    """Content-hashed: a config's data can never change, so other content is another config."""
    return _hashed(service_name(service.namespace, service.name), content_digest)


def secret_name(service: Service, ref: SecretRef) -> str:
    """The swarm secret behind a reference: the user's own, or the one made for this version of a provider's value."""
    if not ref.source:
        return f"{ref.name}.{ref.key}" if ref.key else ref.name
    return _hashed(
        service_name(service.namespace, service.name), canonical_json([ref.source, ref.name, ref.key, ref.version])
    )


def digests_of(service: Service) -> dict[str, str]:
    """Content digest by path of every file that is not a secret."""
    return {path: file_document(f)["content"] for path, f in service.files.items() if f.secret is None}


def store_name(key: str) -> str:
    """The config that holds the store's entry ``key``."""
    return _hashed("orchctl." + key.replace("/", "."), key)


def _hashed(readable: str, identity: str) -> str:
    """``readable`` cut to fit, plus 16 hex digits over all of it and ``identity``."""
    digest = hashlib.sha256(f"{readable}\0{identity}".encode()).hexdigest()[:16]
    return f"{re.sub('[^a-zA-Z0-9._-]', '-', readable)[:_READABLE]}.{digest}"

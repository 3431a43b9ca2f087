"""Names and labels of everything orchctl makes in a Marathon."""

from __future__ import annotations

from collections.abc import Mapping

from orchctl.core.service import Service

MANAGED_BY = "app.kubernetes.io/managed-by"
OURS = "orchctl.dev/"
NAMESPACE = OURS + "namespace"
NAME = OURS + "name"
TEMPLATE = OURS + "template"
INTENT = OURS + "intent"

LEDGER = "/orchctl"
"""The group of the apps that hold release records and leases."""

LOAD_BALANCER_GROUP = "HAPROXY_GROUP"
"""The label by which marathon-lb finds the apps it publishes."""


def app_id(namespace: str, name: str) -> str:
    return f"/{namespace}/{name}"


def group_id(namespace: str) -> str:
    return f"/{namespace}"


def owner_labels(namespace: str, name: str) -> dict[str, str]:
    """What says that an app is ours, and whose."""
    return {MANAGED_BY: "orchctl", NAMESPACE: namespace, NAME: name}


def is_ours(labels: Mapping[str, str] | None, namespace: str, name: str) -> bool:
    """Made by orchctl, for this service."""
    found = labels or {}
    return all(found.get(k) == v for k, v in owner_labels(namespace, name).items())


def is_reserved(label: str) -> bool:
    """A label that a spec may not set, because orchctl reads it."""
    return label.startswith(OURS) or label == MANAGED_BY


def volume_name(service: Service, name: str) -> str:
    return f"{service.namespace}_{name}"


def dns_name(namespace: str, name: str, domain: str) -> str:
    """Mesos-DNS turns the path of an app round: /shop/web is web-shop."""
    return f"{name}-{namespace}.{domain}"

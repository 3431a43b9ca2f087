"""The ``backends.kubernetes`` block of a spec: what only Kubernetes has."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.core import options
from orchctl.core.options import Check, flag, is_count, one_of, read_options
from orchctl.core.plan import Issue
from orchctl.core.service import Service

ACCESS_MODES = ("ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod", "ReadOnlyMany")
PULL_POLICIES = ("Always", "IfNotPresent", "Never")
_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_BUDGET = ("min_available", "max_unavailable")
_AMOUNT = re.compile(r"\d{1,3}%")


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """``node_labels``: the cluster's own name of a label that ``placement`` uses (zone: topology.kubernetes.io/zone).
    ``disruption_budget``: ``min_available`` or ``max_unavailable``, a count or a percentage. ``security_context`` and
    ``pod_security_context``, ``tolerations``: in Kubernetes' words. ``storage_class`` and ``access_mode``: of claims
    that are made. ``patch``: JSON merge patch on the finished Deployment, ``service_patch`` on the main Service.
    """

    service_account: str = ""
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: str = ""
    headless: bool = False
    node_labels: Mapping[str, str] = field(default_factory=dict)
    disruption_budget: Mapping[str, int | str] = field(default_factory=dict)
    security_context: Mapping[str, Any] = field(default_factory=dict)
    pod_security_context: Mapping[str, Any] = field(default_factory=dict)
    tolerations: tuple[Mapping[str, Any], ...] = ()
    priority_class: str = ""
    storage_class: str = ""
    access_mode: str = "ReadWriteOnce"
    patch: Mapping[str, Any] = field(default_factory=dict)
    service_patch: Mapping[str, Any] = field(default_factory=dict)


def options_of(service: Service) -> Options:
    return read_options(service, "kubernetes", Options)


def check_options(service: Service) -> Iterator[Issue]:
    """A REJECT for every option that is unknown or not of its type."""
    return options.check_options(service, "kubernetes", "Kubernetes", _CHECKS)


def is_readable(service: Service) -> bool:
    """Can ``options_of`` read it, whoever has written it?"""
    return not any(_CHECKS[n](value) for n, value in service.options("kubernetes").items() if n in _CHECKS)


def _name(value: Any) -> str:
    return "" if isinstance(value, str) and _NAME.fullmatch(value) else "must be the name of an object"


def _names(value: Any) -> str:
    good = isinstance(value, (list, tuple)) and all(not _name(v) for v in value)
    return "" if good else "must be a list of names of objects"


def _mapping(value: Any) -> str:
    return "" if isinstance(value, Mapping) else "must be a mapping, in Kubernetes' words"


def _mappings(value: Any) -> str:
    good = isinstance(value, (list, tuple)) and all(isinstance(v, Mapping) for v in value)
    return "" if good else "must be a list of mappings, in Kubernetes' words"


def _node_labels(value: Any) -> str:
    good = isinstance(value, Mapping) and all(isinstance(v, str) and v for v in value.values())
    return "" if good else "must map labels of the spec to labels of the nodes"


def _budget(value: Any) -> str:
    if not isinstance(value, Mapping) or len(value) != 1 or next(iter(value)) not in _BUDGET:
        return f"must have exactly one of {', '.join(_BUDGET)}"
    amount = next(iter(value.values()))
    percentage = isinstance(amount, str) and _AMOUNT.fullmatch(amount)
    return "" if is_count(amount) or percentage else "must be a count such as 1, or a percentage such as 25%"


# Identity, count and the labels that tie pods to their service are orchctl's own: a patch to them would break
# ownership, conflict detection and scale.
_GUARDED: tuple[tuple[str, ...], ...] = (
    ("apiVersion",),
    ("kind",),
    ("metadata", "name"),
    ("metadata", "namespace"),
    ("spec", "replicas"),
    ("spec", "selector"),
    ("spec", "paused"),
)
_SHARED = (("metadata", "labels"), ("metadata", "annotations"), ("spec", "template", "metadata", "labels"))
_OURS = ("orchctl.dev/", "app.kubernetes.io/managed-by", "app.kubernetes.io/name")


def _patch(value: Any) -> str:
    if not isinstance(value, Mapping):
        return "must be a mapping: a JSON merge patch"
    touched = [".".join(path) for path in _GUARDED if _at(value, path) is not _UNTOUCHED]
    touched += [".".join(path) for path in _SHARED if _takes_ours(_at(value, path))]
    return f"may not change {', '.join(touched)}" if touched else ""


_UNTOUCHED = object()


def _at(value: Any, path: tuple[str, ...]) -> Any:
    """What the patch puts at ``path``: None also when it replaces or removes something above."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        if key not in value:
            return _UNTOUCHED
        value = value[key]
    return value


def _takes_ours(value: Any) -> bool:
    if value is _UNTOUCHED:
        return False
    return not isinstance(value, Mapping) or any(str(key).startswith(_OURS) for key in value)


_CHECKS: Mapping[str, Check] = {
    "service_account": _name,
    "image_pull_secrets": _names,
    "image_pull_policy": one_of(*PULL_POLICIES),
    "headless": flag,
    "node_labels": _node_labels,
    "disruption_budget": _budget,
    "security_context": _mapping,
    "pod_security_context": _mapping,
    "tolerations": _mappings,
    "priority_class": _name,
    "storage_class": _name,
    "access_mode": one_of(*ACCESS_MODES),
    "patch": _patch,
    "service_patch": _patch,
}

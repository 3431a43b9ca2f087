"""Shapes of what Marathon answers, in every place that the adapter reads: whatever is at the address may answer. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Shape = type | list[Any] | dict[str, Any] | Callable[[Any], bool]
"""A type; a list of such; a mapping with some keys; or a question. What is absent or null fits everything."""


def is_app(found: Any) -> bool:
    """Has an id, and every other field that is there is of its type."""
    return isinstance(found, dict) and bool(found.get("id")) and _fits(found, _APP)


def is_queue_item(found: Any) -> bool:
    """Of ``/v2/queue``."""
    return isinstance(found, dict) and _fits(found, _ITEM)


def is_deployment(found: Any) -> bool:
    """Of ``/v2/deployments``."""
    return isinstance(found, dict) and bool(found.get("id")) and _fits(found, _DEPLOYMENT)


def is_task(found: Any) -> bool:
    """Of ``/v2/tasks``."""
    return isinstance(found, dict) and bool(found.get("id")) and _fits(found, _TASK)


def is_update(found: Any) -> bool:
    """What answers a change of an app: a version and a deployment, also when nothing changes."""
    return isinstance(found, dict) and all(
        found.get(k) and isinstance(found[k], str) for k in ("version", "deploymentId")
    )


def _fits(value: Any, shape: Shape) -> bool:
    if value is None:
        return True
    if isinstance(shape, list):
        return isinstance(value, list) and all(v is not None and _fits(v, shape[0]) for v in value)
    if isinstance(shape, dict):
        return isinstance(value, dict) and all(_fits(value.get(key), inner) for key, inner in shape.items())
    return isinstance(value, shape) if isinstance(shape, type) else shape(value)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_texts(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _are_results(value: Any) -> bool:
    """One that is not there yet may be null."""
    return isinstance(value, list) and all(_fits(v, _RESULT) for v in value)


_RESULT: Shape = {"firstSuccess": str, "consecutiveFailures": _is_count, "lastFailureCause": str}
_TASK: Shape = {
    "id": str,
    "appId": str,
    "state": str,
    "version": str,
    "host": str,
    "slaveId": str,
    "ports": [_is_count],
    "ipAddresses": [dict],
    "healthCheckResults": _are_results,
}
_PORT: Shape = {"name": str, "protocol": str, "port": _is_count, "containerPort": _is_count, "servicePort": _is_count}
_APP: Shape = {
    "id": str,
    "version": str,
    "versionInfo": {"lastConfigChangeAt": str},
    "instances": _is_count,
    "labels": _are_texts,
    "env": dict,
    "container": {"docker": {"image": str}, "portMappings": [_PORT], "volumes": [dict]},
    "portDefinitions": [_PORT],
    "networks": [dict],
    "healthChecks": [dict],
    "readinessChecks": [dict],
    "upgradeStrategy": dict,
    "tasks": [_TASK],
    "deployments": [{"id": str}],
    "lastTaskFailure": {"taskId": str, "state": str, "message": str, "version": str, "slaveId": str},
    "readinessCheckResults": [dict],
}
_ITEM: Shape = {
    "count": _is_count,
    "delay": dict,
    "app": {"id": str, "version": str, "versionInfo": {"lastConfigChangeAt": str}},
    "processedOffersSummary": {
        "rejectSummaryLastOffers": [{"reason": str, "declined": _is_count, "processed": _is_count}]
    },
}
_DEPLOYMENT: Shape = {"id": str, "version": str, "affectedApps": [str], "affectedPods": [str]}

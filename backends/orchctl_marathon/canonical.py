"""An app in a form in which two that mean the same are equal. Pure.

An app as read differs from the app as sent: Marathon adds what it knows of tasks, fills in defaults, and assigns
service ports (seen on 1.8.248). A plain comparison would report drift on every app.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Any

from orchctl.core.document import content_digest
from orchctl_marathon.command import file_variable
from orchctl_marathon.names import INTENT, TEMPLATE

Json = Mapping[str, Any]

SERVED = (
    "deployments",
    "instances",
    "lastTaskFailure",
    "ports",
    "readinessCheckResults",
    "storeUrls",
    "taskStats",
    "tasks",
    "tasksHealthy",
    "tasksRunning",
    "tasksStaged",
    "tasksUnhealthy",
    "uris",
    "version",
    "versionInfo",
)
"""What Marathon says about an app beside its definition, and the count, which is compared by itself."""

_UNSEEN_LABELS = (INTENT, TEMPLATE)
_DEFAULTS = {"role": "*", "acceptedResourceRoles": ["*"]}
_SETS = ("acceptedResourceRoles", "constraints", "dependencies")
_FILE_PREFIX = file_variable(0).removesuffix("0")


def canonical(app: Json, live: Json) -> dict[str, Any]:
    """``app`` without what Marathon adds. Service ports that it did not ask for are those of ``live``.

    Lists with names are mappings here, contents of files are digests, and empty values are left out.
    """
    plain: dict[str, Any] = json.loads(json.dumps({k: v for k, v in app.items() if k not in SERVED}))
    for key in _SETS:
        plain[key] = _sorted_set(plain.get(key))
    for key, default in _DEFAULTS.items():
        if plain.get(key) == default:
            del plain[key]
    ports = plain.get("portDefinitions")
    if isinstance(ports, list):
        plain["portDefinitions"] = _ports(ports, _dicts(live.get("portDefinitions")), "port")
    _container(plain, live)
    for key in ("healthChecks", "readinessChecks"):
        plain[key] = {str(n): _check(check) for n, check in enumerate(_dicts(plain.get(key)))}
    plain["labels"] = {k: v for k, v in _mapping(plain.get("labels")).items() if k not in _UNSEEN_LABELS}
    plain["env"] = {k: _digested(k, v) for k, v in _mapping(plain.get("env")).items()}
    strategy = _mapping(plain.get("upgradeStrategy"))
    plain["upgradeStrategy"] = {k: round(v, 9) if isinstance(v, float) else v for k, v in strategy.items()}
    result: dict[str, Any] = _without_nothing(plain)
    return result


def without_defaults_of_the_cluster(found: dict[str, Any], written: Json) -> dict[str, Any]:
    """The live app ``found`` (canonical), without what Marathon put where ``written`` says nothing.

    Since 1.9 it writes a role into every app: that of --mesos_role, or of the group that enforces one.
    """
    return found if written.get("role") else {k: v for k, v in found.items() if k != "role"}


def carry_service_ports(wanted: dict[str, Any], live: Json) -> dict[str, Any]:
    """``wanted`` with the service ports that ``live`` was given: sent as 0 they would change."""
    container = dict(_mapping(wanted.get("container")))
    result = dict(wanted)
    if isinstance(wanted.get("portDefinitions"), list):
        result["portDefinitions"] = _carried(wanted["portDefinitions"], _dicts(live.get("portDefinitions")), "port")
    if isinstance(container.get("portMappings"), list):
        theirs = _dicts(_mapping(live.get("container")).get("portMappings"))
        container["portMappings"] = _carried(container["portMappings"], theirs, "servicePort")
        result["container"] = container
    return result


def _check(check: Json) -> Json:
    codes = "httpStatusCodesForReady"
    return {**check, codes: _sorted_set(check[codes])} if codes in check else check


def _sorted_set(value: Any) -> Any:
    """Marathon keeps some lists as sets: five or more elements come back in the order of their hashes, and each once."""
    if not isinstance(value, list):
        return value
    return [json.loads(text) for text in sorted({json.dumps(one, sort_keys=True) for one in value})]


def _container(plain: dict[str, Any], live: Json) -> None:
    container = plain.get("container")
    if not isinstance(container, dict):
        return
    if isinstance(container.get("portMappings"), list):
        theirs = _dicts(_mapping(live.get("container")).get("portMappings"))
        container["portMappings"] = _ports(container["portMappings"], theirs, "servicePort")
    docker = container.get("docker")
    if isinstance(docker, dict):
        docker["parameters"] = [f"{p.get('key')}={p.get('value')}" for p in _dicts(docker.get("parameters"))]
    container["volumes"] = {str(v.get("containerPath")): v for v in _dicts(container.get("volumes"))}


def _ports(ports: list[Any], live: list[Json], key: str) -> dict[str, Any]:
    return {f"{n}-{p.get('name', '')}": p for n, p in enumerate(_carried(_dicts(ports), live, key))}


def _carried(ports: list[Any], live: list[Json], key: str) -> list[Any]:
    """A number of 0 replaced by that of the live port of the same name."""
    assigned = {p.get("name"): p.get(key) for p in live}
    return [p | {key: assigned.get(p.get("name"), 0) or 0} if not p.get(key) else p for p in ports]


def _digested(name: str, value: Any) -> Any:
    """The content of a file as documents show it; what somebody else has put there stays as it is."""
    if not name.startswith(_FILE_PREFIX) or not isinstance(value, str):
        return value
    try:
        return content_digest(base64.b64decode(value, validate=True))
    except (binascii.Error, ValueError):
        return value


def _dicts(value: Any) -> list[Any]:
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def _mapping(value: Any) -> Json:
    return value if isinstance(value, Mapping) else {}


_KEEP_EMPTY = ("env", "labels")  # an empty text there is not an absent one


def _without_nothing(value: Any) -> Any:
    """Without entries that say nothing, at every depth: Marathon shows some defaults and leaves others out."""
    if not isinstance(value, dict):
        return value
    cleaned = {k: v if k in _KEEP_EMPTY else _without_nothing(v) for k, v in value.items()}
    return {k: v for k, v in cleaned.items() if v is not None and v not in ("", [], {}) and v != 0}

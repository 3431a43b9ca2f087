"""Types and ranges of request bodies: everything the server calls "Invalid JSON" with a list of details.

A ``Check`` takes a value and its path and returns what is wrong with it. The order of the tables is the order in
which the real server reports several errors (07-invalid/416, 417).
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from tests.servers.marathon.errors import Detail, detail

Check = Callable[[Any, str], list[Detail]]

SEGMENT = r"(([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])\.)*([a-z0-9]|[a-z0-9][a-z0-9\-]*[a-z0-9])|(\.|\.\.)"
"""One part of an id. The whole is checked part by part: one expression for all of it backtracks without end."""


def string(*, minimum: int = 0) -> Check:
    def check(value: Any, path: str) -> list[Detail]:
        if not isinstance(value, str):
            return [detail(path, "error.expected.jsstring")]
        return [detail(path, "error.minLength")] if len(value) < minimum else []

    return check


def is_path(name: str) -> bool:
    return all(not part or re.fullmatch(SEGMENT, part) for part in name.split("/"))


def identifier(value: Any, path: str) -> list[Detail]:
    found = string(minimum=1)(value, path)
    return found or ([] if is_path(value) else [detail(path, "error.pattern")])


def number(*, minimum: float | None = None, maximum: float | None = None, whole: bool = False) -> Check:
    def check(value: Any, path: str) -> list[Detail]:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return [detail(path, "error.expected.jsnumber")]
        if whole and value != int(value):
            return [detail(path, "error.expected.int")]
        if minimum is not None and value < minimum:
            return [detail(path, "error.min")]
        return [detail(path, "error.max")] if maximum is not None and value > maximum else []

    return check


def integer(*, minimum: float | None = None, maximum: float | None = None) -> Check:
    return number(minimum=minimum, maximum=maximum, whole=True)


def boolean(value: Any, path: str) -> list[Detail]:
    return [] if isinstance(value, bool) else [detail(path, "error.expected.jsboolean")]


def one_of(*literals: str) -> Check:
    def check(value: Any, path: str) -> list[Detail]:
        return [] if value in literals else [detail(path, "error.unknown.enum.literal")]

    return check


def list_of(check: Check) -> Check:
    def each(value: Any, path: str) -> list[Detail]:
        if not isinstance(value, list):
            return [detail(path, "error.expected.jsarray")]
        return [problem for index, one in enumerate(value) for problem in check(one, f"{path}({index})")]

    return each


def map_of(check: Check) -> Check:
    def each(value: Any, path: str) -> list[Detail]:
        if not isinstance(value, dict):
            return [detail(path, "error.expected.jsobject")]
        return [problem for key, one in value.items() for problem in check(one, f"{path}/{key}")]

    return each


def fields(table: Mapping[str, Check], *required: str) -> Check:
    """An object; unknown keys are ignored and ``null`` counts as absent, as the real server has it."""

    def check(value: Any, path: str) -> list[Detail]:
        if not isinstance(value, dict):
            return [detail(path, "error.expected.jsobject")]
        problems: list[Detail] = []
        for key, inner in table.items():
            if value.get(key) is not None:
                problems += inner(value[key], f"{path}/{key}")
            elif key in required:
                shown = json.dumps(value, separators=(",", ":"))
                problems.append(detail(f"{path}/{key}", f"'{key}' is undefined on object: {shown}"))
        return problems

    return check


def _environment_value(value: Any, path: str) -> list[Detail]:
    return [] if isinstance(value, str | dict) else [detail(path, "error.expected.jsobject")]


def _unreachable(value: Any, path: str) -> list[Detail]:
    if value == "disabled":
        return []
    table = {"inactiveAfterSeconds": integer(minimum=0), "expungeAfterSeconds": integer(minimum=0)}
    return fields(table)(value, path)


def _resource_limit(value: Any, path: str) -> list[Detail]:
    return [] if value == "unlimited" else number(minimum=0)(value, path)


_PROTOCOL = one_of("tcp", "udp", "udp,tcp", "tcp,udp")
_PORT = integer(minimum=0, maximum=65535)
_LABELS = map_of(string())
_SECONDS = integer(minimum=0)

_PORT_DEFINITION = fields({"port": _PORT, "labels": _LABELS, "name": string(), "protocol": _PROTOCOL})
_PORT_MAPPING = fields(
    {
        "containerPort": _PORT,
        "hostPort": _PORT,
        "labels": _LABELS,
        "name": string(),
        "protocol": _PROTOCOL,
        "servicePort": _PORT,
        "networkNames": list_of(string()),
    }
)
_DOCKER = fields(
    {
        "credential": fields({"principal": string()}),
        "forcePullImage": boolean,
        "image": string(minimum=1),
        "network": one_of("BRIDGE", "HOST", "NONE", "USER"),
        "parameters": list_of(fields({"key": string(), "value": string()}, "key", "value")),
        "portMappings": list_of(_PORT_MAPPING),
        "privileged": boolean,
        "pullConfig": fields({"secret": string()}),
    },
    "image",
)
_VOLUME = fields(
    {
        "containerPath": string(minimum=1),
        "hostPath": string(minimum=1),
        "persistent": fields({"type": one_of("root", "path", "mount"), "size": integer(minimum=0)}),
        "external": fields({"name": string(), "provider": string()}),
        "secret": string(),
        "mode": one_of("RO", "RW"),
    },
    "containerPath",
)
_CONTAINER = fields(
    {
        "type": one_of("MESOS", "DOCKER"),
        "docker": _DOCKER,
        "volumes": list_of(_VOLUME),
        "portMappings": list_of(_PORT_MAPPING),
    }
)
_HEALTH_CHECK = fields(
    {
        "command": fields({"value": string()}, "value"),
        "gracePeriodSeconds": _SECONDS,
        "ignoreHttp1xx": boolean,
        "intervalSeconds": _SECONDS,
        "maxConsecutiveFailures": integer(minimum=0),
        "path": string(),
        "port": _PORT,
        "portIndex": integer(minimum=0),
        "protocol": one_of("HTTP", "HTTPS", "TCP", "COMMAND", "MESOS_TCP", "MESOS_HTTP", "MESOS_HTTPS"),
        "ipProtocol": one_of("IPv4", "IPv6"),
        "timeoutSeconds": _SECONDS,
        "delaySeconds": _SECONDS,
    }
)
_READINESS = fields(
    {
        "name": string(minimum=1),
        "protocol": one_of("HTTP", "HTTPS"),
        "path": string(),
        "portName": string(),
        "intervalSeconds": integer(minimum=1),
        "timeoutSeconds": integer(minimum=1),
        "httpStatusCodesForReady": list_of(integer(minimum=100, maximum=999)),
        "preserveLastResponse": boolean,
    }
)
_FETCH = fields(
    {"uri": string(), "extract": boolean, "executable": boolean, "cache": boolean, "destPath": string()}, "uri"
)
_UPGRADE = fields(
    {
        "maximumOverCapacity": number(minimum=0, maximum=1),
        "minimumHealthCapacity": number(minimum=0, maximum=1),
    },
    "maximumOverCapacity",
    "minimumHealthCapacity",
)
_NETWORK = fields(
    {"name": string(minimum=1), "mode": one_of("container", "container/bridge", "host"), "labels": _LABELS}
)

APP: dict[str, Check] = {
    "id": identifier,
    "acceptedResourceRoles": list_of(string()),
    "args": list_of(string()),
    "backoffFactor": number(minimum=1),
    "backoffSeconds": _SECONDS,
    "cmd": string(minimum=1),
    "constraints": list_of(list_of(string())),
    "container": _CONTAINER,
    "cpus": number(minimum=0),
    "dependencies": list_of(string()),
    "disk": number(minimum=0),
    "env": map_of(_environment_value),
    "executor": string(),
    "fetch": list_of(_FETCH),
    "healthChecks": list_of(_HEALTH_CHECK),
    "instances": integer(minimum=0),
    "labels": _LABELS,
    "maxLaunchDelaySeconds": _SECONDS,
    "mem": number(minimum=0),
    "gpus": integer(minimum=0),
    "networks": list_of(_NETWORK),
    "ports": list_of(_PORT),
    "portDefinitions": list_of(_PORT_DEFINITION),
    "readinessChecks": list_of(_READINESS),
    "requirePorts": boolean,
    "resourceLimits": fields({"cpus": _resource_limit, "mem": _resource_limit}),
    "role": string(minimum=1),
    "secrets": map_of(fields({"source": string(minimum=1)}, "source")),
    "taskKillGracePeriodSeconds": _SECONDS,
    "upgradeStrategy": _UPGRADE,
    "uris": list_of(string()),
    "user": string(),
    "version": string(),
    "killSelection": one_of("YOUNGEST_FIRST", "OLDEST_FIRST"),
    "unreachableStrategy": _unreachable,
}
"""An app as it is sent; ``id`` is demanded by ``app_problems``."""


def table_of(version: tuple[int, ...]) -> dict[str, Check]:
    """Fields that a server of this version knows; others are unknown to it, hence ignored."""
    since = {"role": (1, 9), "resourceLimits": (1, 10)}
    return {key: check for key, check in APP.items() if since.get(key, (0,)) <= version}


def app_problems(body: Any, table: Mapping[str, Check], *, path: str = "", update: bool = False) -> list[Detail]:
    """Problems of a whole app, or with ``update`` of a partial one, where nothing is required."""
    if not isinstance(body, dict):
        # An update that is no object has no fields, hence changes nothing (07-invalid/433).
        shown = json.dumps(body, separators=(",", ":"))
        return [] if update else [detail(f"{path}/id", f"{shown} is not an object")]
    return fields(table, *(() if update else ("id",)))(body, path)

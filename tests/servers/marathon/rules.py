"""Rules between the fields of an app: everything the server calls "Object is not valid"."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from tests.servers.marathon.definition import App, service_ports
from tests.servers.marathon.errors import Detail, detail
from tests.servers.marathon.schema import SEGMENT, is_path

RESERVED = ("restart", "tasks", "versions")
COMMAND_OR_CONTAINER = "AppDefinition must either contain one of 'cmd' or 'args', and/or a 'container'."


def problems(app: App, features: Collection[str]) -> list[Detail]:
    """Of a complete definition; ``features`` are those switched on with --enable_features."""
    rules: tuple[Callable[[App], list[Detail]], ...] = (
        _identifier, _command, _container, _ports, _networks, _constraints, _health, _dependencies, _unreachable,
        _fetch, _roles, _environment,
    )  # fmt: skip
    found = [problem for rule in rules for problem in rule(app)]
    return found + _features(app, features)


def _identifier(app: App) -> list[Detail]:
    path = app["id"]
    if path == "/":
        return [detail("/id", "Path must contain at least one path element"), detail("/", "must not be root")]
    if path.rsplit("/", 1)[-1] in RESERVED:
        words = ", ".join(RESERVED)
        return [detail("/id", f"must not end with any of the following reserved keywords: {words}")]
    return []


def _command(app: App) -> list[Detail]:
    if "cmd" in app and "args" in app:
        return [detail("/", COMMAND_OR_CONTAINER)]
    if "cmd" not in app and "args" not in app and "container" not in app:
        return [detail("/", COMMAND_OR_CONTAINER)]
    # One character is refused with this text since 1.5 (07-invalid/358).
    return [detail("/", "must not be an empty string")] if len(app.get("cmd", "..")) < 2 else []


def _container(app: App) -> list[Detail]:
    container = app.get("container", {})
    missing = container.get("type") == "DOCKER" and "docker" not in container
    return [detail("/container/docker", "not defined")] if missing else []


def _ports(app: App) -> list[Detail]:
    definitions = app.get("portDefinitions", [])
    ports = [one["port"] for one in definitions if one["port"]]
    names = [one["name"] for one in definitions if "name" in one]
    found = []
    if len(ports) != len(set(ports)):
        found.append("Ports must be unique.")
    if len(names) != len(set(names)):
        found.append("Port names must be unique.")
    return [detail("/portDefinitions", *found)] if found else []


def _networks(app: App) -> list[Detail]:
    unnamed = any(one.get("mode", "container") == "container" and "name" not in one for one in app["networks"])
    text = "Network name must be specified when container network is selected."
    return [detail("/networks", text)] if unnamed else []


def _constraints(app: App) -> list[Detail]:
    found = [problem for one in app.get("constraints", []) if (problem := _constraint(one))]
    return [detail("/constraints", *found)] if found else []


def _constraint(constraint: list[str]) -> str:
    if len(constraint) not in (2, 3):
        return "Each constraint must have either 2 or 3 fields"
    operator, value = constraint[1], constraint[2] if len(constraint) == 3 else ""
    if operator not in ("UNIQUE", "CLUSTER", "GROUP_BY", "LIKE", "MAX_PER", "UNLIKE", "IS"):
        return "operator must be one of the following UNIQUE, CLUSTER, GROUP_BY, LIKE, MAX_PER, UNLIKE or IS"
    return _constraint_value(operator, value)


def _constraint_value(operator: str, value: str) -> str:
    if operator == "UNIQUE" and value:
        return "UNIQUE does not accept a value"
    if operator == "GROUP_BY" and value and not value.isdigit():
        return "GROUP BY must define an integer value or else no value at all"
    if operator == "MAX_PER" and not value.isdigit():
        return "MAX_PER requires an integer value"
    if operator in ("LIKE", "UNLIKE"):
        return _expression(value)
    return ""


def _expression(value: str) -> str:
    if not value:
        return "LIKE and UNLIKE require a non-empty, regular expression value"
    try:
        re.compile(value)
    except re.error:
        return "is not a valid regular expression"
    return ""


def _health(app: App) -> list[Detail]:
    checks, found = app.get("healthChecks", []), []
    text = "Health check port indices must address an element of the ports array or container port mappings."
    for index, check in enumerate(checks):
        if (
            check["protocol"] != "COMMAND"
            and "port" not in check
            and check.get("portIndex", 0) >= len(service_ports(app))
        ):
            found.append(detail(f"/healthChecks({index})", text))
    if sum(check["protocol"].startswith("MESOS_") or check["protocol"] == "COMMAND" for check in checks) > 1:
        found.append(detail("/", "AppDefinition can contain at most one Mesos health check"))
    return found


def _dependencies(app: App) -> list[Detail]:
    found = []
    for index, path in enumerate(app.get("dependencies", [])):
        if not is_path(path):
            found.append(detail(f"/dependencies({index})", f"must fully match regular expression '^{SEGMENT}$'"))
    return found


def _unreachable(app: App) -> list[Detail]:
    strategy = app["unreachableStrategy"]
    if strategy == "disabled":
        return []
    inactive, expunge = strategy.get("inactiveAfterSeconds", 0), strategy.get("expungeAfterSeconds", 0)
    text = f"inactiveAfterSeconds ({inactive}) must be less or equal to expungeAfterSeconds, which is {expunge}"
    return [detail("/unreachableStrategy/inactiveAfterSeconds", text)] if inactive > expunge else []


def _fetch(app: App) -> list[Detail]:
    return [
        detail(f"/fetch({index})/uri", "URI has invalid syntax.")
        for index, one in enumerate(app.get("fetch", []))
        if not _is_uri(one["uri"])
    ]


def _is_uri(text: str) -> bool:
    return not text.startswith(":") and bool(urlsplit(text).path or urlsplit(text).netloc)


def _roles(app: App) -> list[Detail]:
    return [detail("/acceptedResourceRoles", "must not be empty")] if app.get("acceptedResourceRoles") == [] else []


def _environment(app: App) -> list[Detail]:
    return [
        detail(f"/env/keys({index})", "must not be empty") for index, key in enumerate(app.get("env", {})) if not key
    ]


def _features(app: Mapping[str, Any], features: Collection[str]) -> list[Detail]:
    found = []
    if app.get("gpus") and app.get("container", {}).get("type") == "DOCKER":
        found.append(detail("/", "GPU resources only work with the Mesos containerizer"))
    if app.get("gpus") and "gpu_resources" not in features:
        text = "Feature gpu_resources is not enabled. Enable with --enable_features gpu_resources)"
        found.append(detail("/", text))
    if "secrets" in features:
        return found
    if app.get("secrets"):
        found.append(detail("/secrets", "Feature secrets is not enabled. Enable with --enable_features secrets)"))
    if any(isinstance(value, dict) for value in app.get("env", {}).values()):
        text = "use of secret-references in the environment requires the secrets feature to be enabled"
        found.append(detail("/env", text))
    return found

"""An app's definition: old spellings made new, defaults filled in, keys in the order of the real server's answers."""

from __future__ import annotations

import copy
import json
import posixpath
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

App = dict[str, Any]
"""A complete definition, without ``version`` and ``versionInfo`` (those are in ``store.Release``)."""

ORDER = (
    "id",
    "acceptedResourceRoles",
    "args",
    "backoffFactor",
    "backoffSeconds",
    "cmd",
    "constraints",
    "container",
    "cpus",
    "dependencies",
    "disk",
    "env",
    "executor",
    "fetch",
    "healthChecks",
    "instances",
    "labels",
    "maxLaunchDelaySeconds",
    "mem",
    "gpus",
    "networks",
    "portDefinitions",
    "readinessChecks",
    "residency",
    "requirePorts",
    "resourceLimits",
    "role",
    "secrets",
    "taskKillGracePeriodSeconds",
    "upgradeStrategy",
    "user",
    "version",
    "versionInfo",
    "killSelection",
    "unreachableStrategy",
)

OMITTED_WHEN_EMPTY = (
    "args",
    "constraints",
    "dependencies",
    "env",
    "fetch",
    "healthChecks",
    "readinessChecks",
    "secrets",
)

_SETS = ("acceptedResourceRoles", "constraints", "dependencies")

_HEALTH_DEFAULTS = {
    "gracePeriodSeconds": 300,
    "intervalSeconds": 60,
    "maxConsecutiveFailures": 3,
    "protocol": "HTTP",
    "ipProtocol": "IPv4",
    "timeoutSeconds": 20,
    "delaySeconds": 15,
}
_HEALTH_ORDER = (
    "command",
    "gracePeriodSeconds",
    "ignoreHttp1xx",
    "intervalSeconds",
    "maxConsecutiveFailures",
    "path",
    "port",
    "portIndex",
    "protocol",
    "ipProtocol",
    "timeoutSeconds",
    "delaySeconds",
)
_READINESS_DEFAULTS = {
    "name": "readinessCheck",
    "protocol": "HTTP",
    "path": "/",
    "portName": "http-api",
    "intervalSeconds": 30,
    "timeoutSeconds": 10,
    "httpStatusCodesForReady": [200],
    "preserveLastResponse": False,
}
_APP_DEFAULTS: dict[str, Any] = {
    "backoffFactor": 1.15,
    "backoffSeconds": 1,
    "cpus": 1,
    "disk": 0,
    "executor": "",
    "instances": 1,
    "labels": {},
    "maxLaunchDelaySeconds": 300,
    "mem": 128,
    "gpus": 0,
    "requirePorts": False,
    "killSelection": "YOUNGEST_FIRST",
}


def path_of(name: str, base: str = "/") -> str:
    """Absolute path of an id as it was sent: relative to ``base``, with dots resolved ("/a/../b" is "/b")."""
    return "/" + posixpath.normpath(posixpath.join(base, name)).strip("/")


def modern(body: Mapping[str, Any]) -> App:
    """The same definition in the spelling of 1.5 and later; ``null`` means absent."""
    app = {key: copy.deepcopy(value) for key, value in body.items() if value is not None}
    ports, uris = app.pop("ports", None), app.pop("uris", None)
    if ports is not None:
        app.setdefault("portDefinitions", [{"port": port} for port in ports])
    if uris is not None:
        app.setdefault("fetch", [{"uri": uri} for uri in uris])
    container = app.get("container")
    if isinstance(container, dict) and isinstance(container.get("docker"), dict):
        _lift_docker_network(app, container)
    return app


def _lift_docker_network(app: App, container: App) -> None:
    docker = container["docker"]
    network, mappings = docker.pop("network", None), docker.pop("portMappings", None)
    if mappings is not None:
        container.setdefault("portMappings", mappings)
    if network in ("BRIDGE", "HOST"):
        app.setdefault("networks", [{"mode": "container/bridge" if network == "BRIDGE" else "host"}])


def complete(app: App, *, default_ports: bool = True) -> App:
    """``app`` (modern) with every default; ``default_ports`` False leaves an absent list of ports empty.

    ``PUT /v2/apps`` with a list makes apps without a port (10-sse lightweight.raw.txt, app /m1), every other way of
    creating one invents a port called "default".
    """
    full: App = copy.deepcopy(_APP_DEFAULTS) | {
        k: v for k, v in app.items() if k in ORDER and not k.startswith("version")
    }
    full["networks"] = full.get("networks") or [{"mode": "host"}]
    _complete_container(full)
    if uses_host_network(full):
        _complete_port_definitions(full, default_ports)
    else:
        full.pop("portDefinitions", None)
    full["healthChecks"] = [_complete_health(check) for check in full.get("healthChecks", [])]
    full["readinessChecks"] = [_complete_readiness(check) for check in full.get("readinessChecks", [])]
    full["fetch"] = [
        {"uri": "", "extract": True, "executable": False, "cache": False} | one for one in full.get("fetch", [])
    ]
    for key in _SETS:
        if key in full:
            full[key] = _as_set(full[key])
    _complete_strategies(full)
    return ordered(full)


def _as_set(values: Sequence[Any]) -> list[Any]:
    """Each once. Scala's sets keep the order of up to four elements, and hash more."""
    texts = list(dict.fromkeys(json.dumps(one, sort_keys=True) for one in values))
    in_order = texts if len(texts) <= 4 else sorted(texts, key=lambda text: zlib.crc32(text.encode()))
    return [json.loads(text) for text in in_order]


def _complete_container(full: App) -> None:
    container = full.get("container")
    if container is None:
        return
    kind = container.get("type", "MESOS")
    done: App = {"type": kind}
    if "docker" in container:
        defaults = {"forcePullImage": False, "image": "", "parameters": [], "privileged": False}
        done["docker"] = defaults | container["docker"]
    done["volumes"] = [_complete_volume(volume) for volume in container.get("volumes", [])]
    if not uses_host_network(full) and "portMappings" in container:
        done["portMappings"] = [_complete_mapping(one, full["networks"]) for one in container["portMappings"]]
    full["container"] = done


def _complete_volume(volume: Mapping[str, Any]) -> App:
    order = ("containerPath", "hostPath", "persistent", "external", "secret", "mode")
    done = {key: volume[key] for key in order if key in volume}
    if "persistent" in done:
        done["persistent"] = {"type": "root"} | done["persistent"] | {"constraints": []}
    return done


def _complete_mapping(mapping: Mapping[str, Any], networks: list[App]) -> App:
    bridge = networks[0]["mode"] == "container/bridge"
    defaults: App = {"containerPort": 0, "labels": {}, "protocol": "tcp", "servicePort": 0}
    if bridge:
        defaults["hostPort"] = 0
    merged = defaults | dict(mapping)
    order = ("containerPort", "hostPort", "labels", "name", "protocol", "servicePort", "networkNames")
    return {key: merged[key] for key in order if key in merged}


def _complete_port_definitions(full: App, default_ports: bool) -> None:
    if "portDefinitions" not in full:
        full["portDefinitions"] = [{"port": 0, "name": "default"}] if default_ports else []
    order = ("port", "labels", "name", "protocol")
    filled = ({"port": 0, "protocol": "tcp"} | one for one in full["portDefinitions"])
    full["portDefinitions"] = [{key: one[key] for key in order if key in one and one[key] != {}} for one in filled]


def _complete_health(check: Mapping[str, Any]) -> App:
    merged: App = _HEALTH_DEFAULTS | dict(check)
    if merged["protocol"] in ("HTTP", "HTTPS"):
        merged.setdefault("ignoreHttp1xx", False)
    return {key: merged[key] for key in _HEALTH_ORDER if key in merged}


def _complete_readiness(check: Mapping[str, Any]) -> App:
    merged = _READINESS_DEFAULTS | dict(check)
    return merged | {"httpStatusCodesForReady": _as_set(merged["httpStatusCodesForReady"])}


def _complete_strategies(full: App) -> None:
    resident = is_resident(full)
    if resident:
        full.setdefault("residency", {"relaunchEscalationTimeoutSeconds": 3600, "taskLostBehavior": "WAIT_FOREVER"})
    over, healthy = (0, 0.5) if resident else (1, 1)
    full.setdefault("upgradeStrategy", {"maximumOverCapacity": over, "minimumHealthCapacity": healthy})
    full["upgradeStrategy"] = {key: full["upgradeStrategy"][key] for key in sorted(full["upgradeStrategy"])}
    default = "disabled" if resident else {"inactiveAfterSeconds": 0, "expungeAfterSeconds": 0}
    full.setdefault("unreachableStrategy", default)


def is_resident(app: Mapping[str, Any]) -> bool:
    return any("persistent" in volume for volume in (app.get("container") or {}).get("volumes", []))


def uses_host_network(app: Mapping[str, Any]) -> bool:
    return all(one.get("mode", "container") == "host" for one in app.get("networks", []))


def ordered(app: Mapping[str, Any]) -> App:
    """Keys as the real server prints them, empty optional lists left out, whole numbers without a fraction."""
    shown = {key: _plain(app[key]) for key in ORDER if key in app}
    return {key: value for key, value in shown.items() if value or key not in OMITTED_WHEN_EMPTY}


def _plain(value: Any) -> Any:
    if isinstance(value, float) and value == int(value):
        return int(value)
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def service_ports(app: Mapping[str, Any]) -> list[int]:
    """In the order of the tasks' ``ports``."""
    if uses_host_network(app):
        return [one["port"] for one in app.get("portDefinitions", [])]
    return [one["servicePort"] for one in (app.get("container") or {}).get("portMappings", [])]


def is_upgrade(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Anything but the number of instances differs: every task is replaced."""
    return {**old, "instances": 0} != {**new, "instances": 0}

"""Probes -> Marathon's health and readiness checks. Pure.

Checks are made by Mesos on the agent (MESOS_HTTP, MESOS_TCP, COMMAND), never by Marathon itself; every time is sent,
because the defaults (a minute between checks, five minutes of grace) hide failures.
"""

from __future__ import annotations

import base64
import re
from typing import Any

from orchctl.core.service import Probe, ProbeKind, Service
from orchctl_marathon.command import check_line, is_process
from orchctl_marathon.options import options_of

READY_NAME = "ready"
_READ_TWICE = re.compile(r'["$`\\]')


def liveness_of(service: Service) -> Probe | None:
    """The probe behind the health check: it decides when an instance counts, and later when it is replaced."""
    health = service.health
    return health.live if health.live and _has_readiness_check(service) else health.ready or health.live


def readiness_of(service: Service) -> Probe | None:
    """The probe behind the readiness check, which Marathon asks only while it deploys; over HTTP only."""
    return service.health.ready if _has_readiness_check(service) else None


def _has_readiness_check(service: Service) -> bool:
    ready, live = service.health.ready, service.health.live
    return bool(ready and live and ready != live and ready.kind is ProbeKind.HTTP)


def health_checks(service: Service) -> list[dict[str, Any]]:
    probe = liveness_of(service)
    return [_health_check(service, probe)] if probe else []


def readiness_checks(service: Service) -> list[dict[str, Any]]:
    """Marathon wants the time-out below the interval, and takes 200 alone for ready unless told otherwise."""
    probe = readiness_of(service)
    if probe is None:
        return []
    interval = max(2, seconds(probe.interval_ms))
    return [
        {
            "name": READY_NAME,
            "protocol": "HTTP",
            "path": probe.path,
            "portName": probe.port,
            "intervalSeconds": interval,
            "timeoutSeconds": min(interval - 1, max(1, seconds(probe.timeout_ms))),
            "httpStatusCodesForReady": list(range(200, 400)),
            "preserveLastResponse": False,
        }
    ]


def seconds(ms: int) -> int:
    """Whole seconds, rounded up."""
    return -(-ms // 1_000)


def _health_check(service: Service, probe: Probe) -> dict[str, Any]:
    times = {
        "gracePeriodSeconds": seconds(service.health.start_deadline_ms),
        "intervalSeconds": max(1, seconds(probe.interval_ms)),
        "timeoutSeconds": max(1, seconds(probe.timeout_ms)),
        "maxConsecutiveFailures": probe.failures,
        "delaySeconds": 0,
    }
    if probe.kind is ProbeKind.EXEC:
        return {"protocol": "COMMAND", "command": {"value": _command(service, probe)}, **times}
    index = [p.name for p in service.ports].index(probe.port)
    where = {"portIndex": index, "ipProtocol": "IPv4", **times}
    if probe.kind is ProbeKind.TCP:
        return {"protocol": "MESOS_TCP", **where}
    return {"protocol": "MESOS_HTTP", "path": probe.path, **where}


def is_encoded(service: Service, probe: Probe) -> bool:
    """Sent in base64, since two kinds of Mesos would read the plain line differently."""
    if probe.kind is not ProbeKind.EXEC or is_process(service) or options_of(service).containerizer != "docker":
        return False
    return bool(_READ_TWICE.search(check_line(service, probe.command)))


def _command(service: Service, probe: Probe) -> str:
    """Mesos runs the text by ``sh -c`` for processes and for its own containers.

    For Docker's, older agents put it between the double quotes of a second shell line, which they run themselves
    (MESOS-4812; newer ones hand it over as it is): there a quote ends the text, and ``$(...)`` runs on the agent, outside
    the container (mesosphere/marathon#5136). Escaping for one kind breaks the other, so such a line travels in base64,
    which no shell changes. The first command fails where the image has no base64: sh alone would read nothing, and pass.
    """
    line = check_line(service, probe.command)
    if not is_encoded(service, probe):
        return line
    encoded = base64.b64encode(line.encode()).decode("ascii")
    return f"echo Cg== | base64 -d && echo {encoded} | base64 -d | sh"

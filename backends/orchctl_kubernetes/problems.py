"""What a pod's status means. The reasons are the kubelet's and the scheduler's. Pure.

Whatever is missing, or is not of the documented shape, counts as absent.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl.core.rollout import FailureKind, Problem

Json = Mapping[str, Any]

_IMAGE = ("ErrImagePull", "ImagePullBackOff", "ImageInspectError", "RegistryUnavailable", "SignatureValidationFailed")
_IMAGE_FINAL = ("InvalidImageName", "ErrImageNeverPull")
_CONFIG = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError", "PostStartHookError")
_NO_SUCH_IMAGE = re.compile(
    r"not ?found|denied|unauthorized|forbidden|manifest unknown|does not exist|invalid|no match for platform",
    re.IGNORECASE,
)
_NO_SUCH_THING = re.compile(
    r"not found|couldn't find key|non-?existent|references non|no such file|permission denied|not a directory"
    r"|is not a directory|executable file|runAsNonRoot|will run as root|invalid",
    re.IGNORECASE,
)
_ADMISSION = (
    "UnexpectedAdmissionError",
    "NodeAffinity",
    "TaintToleration",
    "PodOSNotSupported",
    "TopologyAffinityError",
)
_NO_FREE_PORT = "didn't have free ports"
_FROM_OUTSIDE = {137: "SIGKILL", 143: "SIGTERM"}
_GOING_ON = ("SuccessfulAttachVolume", "SuccessfulMountVolume", "Pulling", "Pulled", "Created", "Started")
_NODE_COMING, _NO_NODE_COMING = ("TriggeredScaleUp", "Nominated"), "NotTriggerScaleUp"
_QUOTA = "exceeded quota"
_MOUNTING = ("FailedMount", "FailedAttachVolume", "FailedMapVolume")
_PAST_MOMENT = "object has been modified|timed? ?out|deadline exceeded|connection refused|failed calling webhook"
_ADDRESS = re.compile(r"\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]+\]")
_RESTARTING = ("liveness probe", "startup probe failed")
_MAY_PASS = re.compile(_PAST_MOMENT + "|internal error|try again|no such host|EOF", re.IGNORECASE)


def part(value: object, *keys: str) -> Json:
    """The mapping below ``keys``, an empty one where there is none."""
    # Parsed JSON has no other mappings. Asking for any Mapping makes this 2.7 times as slow, and it is called 50 times
    # for each pod: 60 ms of a status of 3,000 (measured 2026-11).
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def parts(value: object, key: str) -> list[Json]:
    """The mappings in the list under ``key``."""
    found = value.get(key) if isinstance(value, dict) else None
    return [i for i in found if isinstance(i, dict)] if isinstance(found, list) else []


def text(value: Json, key: str) -> str:
    found = value.get(key)
    return found if isinstance(found, str) else ""


def number(value: Json, key: str, default: int = 0) -> int:
    found = value.get(key)
    return found if isinstance(found, int) and not isinstance(found, bool) else default


def condition(found: Json, kind: str) -> Json:
    """The status condition of that type."""
    return next((c for c in parts(part(found, "status"), "conditions") if c.get("type") == kind), {})


def problem_of(pod: Json, container_name: str) -> Problem | None:
    """The trouble that ``pod`` reports, None when it reports none."""
    found = trouble(pod, container_name)
    return found[0] if found else None


def trouble(pod: Json, container_name: str) -> tuple[Problem, str] | None:
    """The problem, and the name of the container that has it ("" = the pod as a whole)."""
    if problem := _of_pod(pod):
        return problem, ""
    for status, is_init in _containers(pod, container_name):
        problem = _of_container(pod, status, is_init=is_init)
        if problem and text(status, "name") == container_name:
            return problem, container_name
        if problem:
            name = text(status, "name")
            told = f"container {name}: {problem.message}"
            return _with_message(problem, told), name
    if problem := _of_node(pod):
        return problem, ""
    return None


def is_finished(pod: Json) -> bool:
    """Its containers ended for good; a ReplicaSet has put another in its place, or is about to."""
    return text(part(pod, "status"), "phase") in ("Failed", "Succeeded")


def is_lost(pod: Json) -> bool:
    """Its node does not answer: what the pod says is old."""
    ready = condition(pod, "Ready")
    reasons = (text(part(pod, "status"), "reason"), text(ready, "reason"))
    return any(r in ("NodeLost", "NodeStatusUnknown") for r in reasons)


def status_of(pod: Json, container_name: str) -> Json:
    statuses = parts(part(pod, "status"), "containerStatuses")
    return next((s for s in statuses if s.get("name") == container_name), {})


def is_of_quota(problem: Problem) -> bool:
    """Pods that are being stopped count against a quota until they are gone."""
    return problem.kind is FailureKind.REFUSED and _QUOTA in problem.message


def refused(found: Json) -> Problem | None:
    """A ReplicaFailure condition: pods that may not be made. Quotas, admission and pod security say no for good;
    a webhook that does not answer may do so later."""
    if found.get("status") != "True" or text(found, "reason") == "FailedDelete":
        return None
    message = text(found, "message") or text(found, "reason") or "pods cannot be created"
    return Problem(kind=FailureKind.REFUSED, message=message, transient=bool(_MAY_PASS.search(message)))


def problem_of_events(events: Sequence[Json], *, has_process: bool = False) -> Problem | None:
    """Why a pod that has a node is not ready, by its events; the newest that says why is told.

    What was overcome since is no reason any more: a node was found, a volume attached, a Secret made a moment later. A
    readiness check that fails is told when nothing else is: it is the cause only when it was never good in time.
    """
    overcome, unready = has_process, None
    for event in sorted(events, key=_moment, reverse=True):
        reason, message = text(event, "reason"), text(event, "message")
        overcome = overcome or reason in _GOING_ON
        if event.get("type") == "Normal" and reason != "Killing":
            continue
        if (reason in _MOUNTING or reason == "FailedCreatePodSandBox") and not overcome:
            transient = not (reason in _MOUNTING and _NO_SUCH_THING.search(message))
            return Problem(kind=FailureKind.CONFIG, message=message or reason, transient=transient)
        if any(words in message.lower() for words in _RESTARTING):
            return _unhealthy(message)
        if "readiness probe failed" in message.lower():
            unready = unready or _unhealthy(message)
    return unready


def _unhealthy(message: str) -> Problem:
    """The kubelet's words without the pod's own address, by which the same cause would be another one for each pod."""
    return Problem(kind=FailureKind.UNHEALTHY, message=_ADDRESS.sub("POD", message))


def is_node_coming(events: Sequence[Json]) -> bool:
    """Something makes a node for a pod that has none: the cluster autoscaler, or Karpenter."""
    said = [
        text(e, "reason") for e in sorted(events, key=_moment) if text(e, "reason") in (*_NODE_COMING, _NO_NODE_COMING)
    ]
    return bool(said) and said[-1] in _NODE_COMING


def _moment(event: Json) -> str:
    series = part(event, "series")
    stamps = [text(series, "lastObservedTime"), text(event, "lastTimestamp"), text(event, "eventTime")]
    return next((s for s in stamps if s), "") or text(part(event, "metadata"), "creationTimestamp")


def _unscheduled(message: str) -> Problem:
    taken = _NO_FREE_PORT in message and "Insufficient" not in message
    kind = FailureKind.PORT_TAKEN if taken else FailureKind.UNSCHEDULABLE
    return Problem(kind=kind, message=message, transient=True)


def _of_pod(pod: Json) -> Problem | None:
    status = part(pod, "status")
    if is_finished(pod) and (reason := text(status, "reason")):
        return _of_failed(reason, text(status, "message"))
    scheduled = condition(pod, "PodScheduled")
    promised = text(status, "nominatedNodeName")  # others are being moved away for it
    if scheduled.get("status") == "False" and not text(part(pod, "spec"), "nodeName") and not promised:
        return _unscheduled(text(scheduled, "message") or text(scheduled, "reason") or "not placed on a node")
    return None


def _of_failed(reason: str, message: str) -> Problem:
    told = f"{reason}: {message}" if message else reason
    if reason == "NodePorts":
        return Problem(kind=FailureKind.PORT_TAKEN, message=told, transient=True)
    if reason.startswith("OutOf") or reason in _ADMISSION:
        return Problem(kind=FailureKind.UNSCHEDULABLE, message=told, transient=True)
    memory = reason == "Evicted" and "memory" in message.lower()
    kind = FailureKind.OUT_OF_MEMORY if memory else FailureKind.CRASHED
    return Problem(kind=kind, message=told, transient=True)


def _of_node(pod: Json) -> Problem | None:
    if not is_lost(pod):
        return None
    node = text(part(pod, "spec"), "nodeName")
    message = text(part(pod, "status"), "message") or f"its node {node} does not answer"
    return Problem(kind=FailureKind.UNHEALTHY, message=message, transient=True)


def _containers(pod: Json, container_name: str) -> Iterator[tuple[Json, bool]]:
    """The service's own container, then those that somebody added."""
    status = part(pod, "status")
    yield status_of(pod, container_name), False
    yield from ((s, True) for s in parts(status, "initContainerStatuses"))
    yield from ((s, False) for s in parts(status, "containerStatuses") if s.get("name") != container_name)


def _of_container(pod: Json, status: Json, *, is_init: bool) -> Problem | None:
    waiting, ended = part(status, "state", "waiting"), part(status, "state", "terminated")
    before = part(status, "lastState", "terminated")
    if waiting and (problem := _of_waiting(waiting)):
        return problem
    if ended:
        done = is_init and number(ended, "exitCode") == 0
        return None if done else _of_ended(pod, status, ended)
    if before and not status.get("ready"):
        return _of_ended(pod, status, before)
    return None


def _of_waiting(waiting: Json) -> Problem | None:
    reason, message = text(waiting, "reason"), text(waiting, "message")
    told = f"{reason}: {message}" if message else reason
    if reason in _IMAGE_FINAL:
        return Problem(kind=FailureKind.IMAGE, message=told)
    if reason in _IMAGE:
        return Problem(kind=FailureKind.IMAGE, message=told, transient=not _NO_SUCH_IMAGE.search(message))
    if reason in _CONFIG:
        return Problem(kind=FailureKind.CONFIG, message=told, transient=not _NO_SUCH_THING.search(message))
    return None


def _of_ended(pod: Json, status: Json, ended: Json) -> Problem:
    """A run that is over. A process that has a liveness check and was stopped by a signal that is not the
    kernel's for memory was stopped by the kubelet: the pod itself does not say more."""
    code, reason, message = number(ended, "exitCode"), text(ended, "reason"), text(ended, "message")
    if reason in ("StartError", "ContainerCannotRun"):
        transient = not _NO_SUCH_THING.search(message)
        return Problem(kind=FailureKind.CONFIG, message=message or reason, exit_code=code, transient=transient)
    if reason == "OOMKilled":
        told = f"out of memory: the kernel killed the process (exit code {code})"
        return Problem(kind=FailureKind.OUT_OF_MEMORY, message=told, exit_code=code)
    if code in _FROM_OUTSIDE and _is_checked(pod, text(status, "name")):
        told = f"stopped with {_FROM_OUTSIDE[code]} (exit code {code}), as after a failed liveness check"
        return Problem(kind=FailureKind.UNHEALTHY, message=told, exit_code=code)
    told = f"the process ended (exit code {code})"
    return Problem(kind=FailureKind.CRASHED, message=f"{told}: {message}" if message else told, exit_code=code)


def _is_checked(pod: Json, name: str) -> bool:
    found = next((c for c in parts(part(pod, "spec"), "containers") if c.get("name") == name), {})
    return bool(found.get("livenessProbe") or found.get("startupProbe"))


def _with_message(problem: Problem, message: str) -> Problem:
    return Problem(kind=problem.kind, message=message, exit_code=problem.exit_code, transient=problem.transient)

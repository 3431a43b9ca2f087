"""What a task's error text means. The texts are the engine's and the scheduler's, as seen on 20.10."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from orchctl.core.rollout import FailureKind, Problem

# First match wins.
_TEXTS: tuple[tuple[str, FailureKind], ...] = (
    (r"unhealthy container", FailureKind.UNHEALTHY),
    (r"host-mode port already in use|port is already allocated|address already in use", FailureKind.PORT_TAKEN),
    (r"no suitable node|no longer meets|max replicas per node", FailureKind.UNSCHEDULABLE),
    (
        r"no such image|pull access denied|manifest unknown|manifest for .* not found|repository does not exist|unauthorized:",
        FailureKind.IMAGE,
    ),
    (r"\boom\b|oomkilled|out of memory", FailureKind.OUT_OF_MEMORY),
    (
        r"executable file not found|invalid mount|oci runtime|starting container failed|secret|config|network .* not found",
        FailureKind.CONFIG,
    ),
)
# Not the digits of a registry's port, and not the letters of an image's name.
_TRANSIENT = re.compile(
    r"time-?out|TLS handshake|connection reset|(?-i:\bEOF\b)|too many requests|(?<!:)\b50[0234]\b", re.IGNORECASE
)
_EXIT_CODE = re.compile(r"non-zero exit \((\d+)\)")
_KILLED = 137


def problem_of(task: Mapping[str, Any]) -> Problem | None:
    """The trouble that ``task`` reports, None when it reports none.

    A task killed by signal 9 under a memory limit is taken for out of memory: the swarm does not
    pass on what the kernel knew.
    """
    status = task.get("Status") or {}
    text = str(status.get("Err") or "")
    code = exit_code(task)
    state = status.get("State")
    if not text and state == "complete":
        return Problem(kind=FailureKind.CRASHED, message="the process ended (exit code 0)", exit_code=0)
    if not text and state not in ("failed", "rejected", "orphaned"):
        return None
    kind = _kind(text, state)
    if kind is FailureKind.CRASHED and code == _KILLED and _memory_limit(task):
        kind = FailureKind.OUT_OF_MEMORY
    transient = kind is FailureKind.IMAGE and bool(_TRANSIENT.search(text))
    return Problem(kind=kind, message=text or str(status.get("Message") or state), exit_code=code, transient=transient)


def exit_code(task: Mapping[str, Any]) -> int | None:
    """Of the task's process, None while there is none to speak of."""
    status = task.get("Status") or {}
    if match := _EXIT_CODE.search(str(status.get("Err") or "")):
        return int(match[1])
    if status.get("State") in ("failed", "complete"):
        return int((status.get("ContainerStatus") or {}).get("ExitCode") or 0)
    return None


def _kind(text: str, state: object) -> FailureKind:
    for pattern, kind in _TEXTS:
        if re.search(pattern, text, re.IGNORECASE):
            return kind
    if state == "pending":
        return FailureKind.UNSCHEDULABLE
    return FailureKind.CONFIG if state == "rejected" else FailureKind.CRASHED


def _memory_limit(task: Mapping[str, Any]) -> int:
    resources = ((task.get("Spec") or {}).get("Resources") or {}).get("Limits") or {}
    return int(resources.get("MemoryBytes") or 0)

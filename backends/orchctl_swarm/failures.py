"""Answers and exceptions of the engine's API -> errors of orchctl. One table, one place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchctl.core.transport import causes, certificate_refused, client_certificate_refused, never_connected, reason
from orchctl.errors import (
    AlreadyExists,
    AuthRefused,
    Conflict,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    import requests

OUT_OF_SEQUENCE = "update out of sequence"
_NAME_TAKEN = "name conflicts with an existing object"  # a 500 when two networks are made at the same time
_GONE = re.compile(r"\bnetwork \S+ not found")  # a 500 when two remove it at the same time (docker/for-linux#531)
_NOT_A_MANAGER = ("not a swarm manager", "This node is not part of a swarm")
_IN_USE = ("is in use by", "has active endpoints", "in use by task")
_TOO_LARGE = ("too large", "larger than max")
_NO_LEADER = ("does not have a leader", "context deadline exceeded", "no leader", "lost quorum", "raft")


def from_answer(status: int, message: str, *, where: str, write: bool) -> OrchctlError:
    """The error that an answer of 400 and more means. A stale write is a 500 with a text, not a 409. Any other 5xx, of the
    engine or of a proxy before it, may come after the write was carried out."""
    text = f"{where}: {message}"
    if OUT_OF_SEQUENCE in message:
        return StalePlan("the object was changed by somebody else since it was read", hint="run the command again")
    if any(t in message for t in _IN_USE):
        return Conflict(text)
    if any(t in message for t in _TOO_LARGE):
        return UsageError(f"{where} refused the request: {message}")
    if status in (401, 403):
        return AuthRefused(text, hint="the engine's authorisation refused this user or certificate")
    if status == 503 and any(t in message for t in _NOT_A_MANAGER):
        return UsageError(
            f"{where} is no swarm manager",
            hint="name a manager in the context's host, or make this node one: docker swarm init",
        )
    if status == 404 or (status >= 500 and _GONE.search(message)):
        return NotFound(text)
    if status == 409 or _NAME_TAKEN in message:
        return AlreadyExists(text)
    if status == 400 and "HTTP request to an HTTPS server" in message:
        return Unreachable(text, hint="this address speaks TLS: set tls in the context")
    if write and status >= 500 and not any(t in message for t in _NO_LEADER[:1]):
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    if status in (502, 503, 504) or (status == 500 and any(t in message for t in _NO_LEADER)):
        return Unreachable(text, hint="the managers may have lost their majority: docker node ls on another manager")
    if status >= 500:
        return Unreachable(text)
    return UsageError(f"{where} refused the request: {message}")


def from_transport(error: requests.exceptions.RequestException, *, where: str, write: bool) -> OrchctlError:
    """The error that a broken connection means; a write that may have arrived is OutcomeUnknown."""
    import requests.exceptions as kinds

    text = f"{where}: {reason(error)}"
    if isinstance(causes(error)[-1], PermissionError):
        return AuthRefused(text, hint="this user may not open the socket; is it in the group docker?")
    if client_certificate_refused(error):
        return AuthRefused(f"{where}: the engine refused our client certificate", hint="check tls.cert and tls.key")
    if isinstance(error, kinds.SSLError) and (not write or certificate_refused(error)):
        return Unreachable(text, hint="is tls.ca the authority that signed this engine's certificate?")
    if never_connected(error):
        return Unreachable(text, hint="is the engine running, and is this its address?")
    if write:
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    return Unreachable(text)

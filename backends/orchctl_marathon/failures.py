"""Answers and exceptions of Marathon's API -> errors of orchctl. One table, one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchctl.core.transport import certificate_refused, client_certificate_refused, never_connected, reason
from orchctl.errors import (
    AlreadyExists,
    AuthRefused,
    Locked,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    Unreachable,
    UsageError,
)

if TYPE_CHECKING:
    import requests

_TOO_MANY = "running deployments"
_NO_URL = "URI not found"
_MOST_DETAILS = 5


class NoLeader(Unreachable):
    """This server cannot act; another one of the set may."""


def from_answer(status: int, body: object, *, where: str, write: bool) -> OrchctlError:
    """The error that an answer of 400 and more means. ``body``: parsed JSON, or text.

    409 has two meanings, told apart by the key ``deployments``; an unknown URL is a 500, not a 404.
    """
    message = message_of(body) or f"HTTP {status}"
    text = f"{where}: {message}"
    if status == 401:
        return AuthRefused(
            f"{where} wants other credentials (401)", hint="set auth in the context, see docs/reference/configuration"
        )
    if status == 409 or (status == 403 and _TOO_MANY in message):
        locking = deployments_of(body)
        if locking or status == 403:
            return Locked(text, by=locking)
        return AlreadyExists(text)
    if status == 403:
        return AuthRefused(text, hint="this user may not do that; Marathon's authorisation decides")
    if status == 404:
        return NotFound(text)
    if status == 500 and _NO_URL in message:
        return Unreachable(text, hint="is the base path of the address right, and is this a Marathon?")
    if status in (408, 429):  # of a proxy, which has not passed it on
        return Unreachable(text)
    if status in (502, 503, 504):
        kind = OutcomeUnknown if write and status != 503 else NoLeader
        return kind(text, hint="has Marathon lost its leader? its other servers are asked as well when urls has them")
    if status >= 500:
        return OutcomeUnknown(text, hint="run the command again") if write else Unreachable(text)
    return UsageError(f"{where} refused the request: {message}")


def from_mesos(status: int, body: object, *, where: str) -> OrchctlError:
    """The same of a master or agent of Mesos, whose errors are bare or a text."""
    message = message_of(body) or f"HTTP {status}"
    if status == 307:
        return Unreachable(f"{where}: this master does not lead", hint="list all masters in mesos, with their ports")
    if status in (401, 403):
        hint = "orchctl sends Mesos no credentials: those of the context are Marathon's"
        return AuthRefused(f"{where} wants credentials ({status})", hint=hint)
    if status == 404:  # said without JSON
        return NotFound(f"{where}: not there: {message}")
    return Unreachable(f"{where}: {message}") if status >= 500 else UsageError(f"{where} refused: {message}")


def message_of(body: object) -> str:
    """Marathon's own words: ``details`` is a text or a list of paths with errors."""
    if not isinstance(body, Mapping):
        return "" if body is None else str(body).strip()[:300]
    message, details = str(body.get("message", "")).strip(), body.get("details")
    if isinstance(details, list):
        listed = [_detail(d) for d in details[:_MOST_DETAILS]]
        more = f" (and {len(details) - _MOST_DETAILS} more)" if len(details) > _MOST_DETAILS else ""
        return f"{message}: {'; '.join(listed)}{more}"
    return f"{message}: {details}" if details else message


def deployments_of(body: object) -> tuple[str, ...]:
    """Ids of the deployments that lock an app, () in every other answer."""
    listed = body.get("deployments") if isinstance(body, Mapping) else None
    if not isinstance(listed, list):
        return ()
    return tuple(str(d["id"]) for d in listed if isinstance(d, Mapping) and d.get("id"))


def _detail(detail: Any) -> str:
    if not isinstance(detail, Mapping):
        return str(detail)
    errors = detail.get("errors")
    words = ", ".join(str(e) for e in errors) if isinstance(errors, list) else str(errors)
    return f"{detail.get('path', '')}: {words}"


def from_transport(
    error: requests.exceptions.RequestException, *, where: str, write: bool, server: str = "Marathon"
) -> OrchctlError:
    """The error that a broken connection means; a write that may have arrived is OutcomeUnknown."""
    import requests.exceptions as kinds

    text = f"{where}: {reason(error)}"
    if client_certificate_refused(error):
        hint = f"orchctl sends none to {server}; set auth in the context, and let the server ask for that"
        return AuthRefused(f"{where} wants a client certificate", hint=hint)
    if isinstance(error, kinds.SSLError) and (not write or certificate_refused(error)):
        return Unreachable(text, hint="is ca the authority that signed this server's certificate?")
    if isinstance(error, (kinds.InvalidURL, kinds.InvalidHeader, kinds.InvalidSchema)):
        return UsageError(text)
    if never_connected(error):
        return NoLeader(text, hint=f"is {server} running, and can it be reached at this address from here?")
    if write:
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    return Unreachable(text)

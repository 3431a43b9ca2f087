"""Consul's answers and broken connections -> errors of orchctl. One table, one place."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from orchctl.core.transport import certificate_refused, client_certificate_refused, never_connected, reason
from orchctl.errors import AuthRefused, OrchctlError, OutcomeUnknown, Unreachable, UsageError

if TYPE_CHECKING:
    import requests

_LACKS = re.compile(r"lacks permission '(?P<resource>[a-z]+):(?P<access>[a-z]+)' on \\?\"(?P<name>[^\"\\]*)\\?\"")
# Said before anything is carried out (1.20, rpc.go and rate/handler.go); every other 5xx may come after the write.
_NOT_CARRIED_OUT = ("No cluster leader", "No path to datacenter", "rate limit exceeded")
_MOST_TEXT = 300


def from_answer(status: int, text: str, *, where: str, write: bool) -> OrchctlError:
    """The error that a status of 300 and more means; ``text`` is the answer's body."""
    said = f"{where}: {_line(text) or f'HTTP {status}'}"
    if 300 <= status < 400:
        return Unreachable(f"{where}: answered with a redirection ({status}), which is not followed", hint=_ADDRESS)
    if status in (401, 403):
        return refused(text, where=where)
    if status == 429 or any(t in text for t in _NOT_CARRIED_OUT):
        return Unreachable(said)
    if status >= 500:
        lost = OutcomeUnknown(f"{said} (the request may have been carried out)", hint="run the command again")
        return lost if write else Unreachable(said)
    if "HTTP request to an HTTPS server" in text:
        return Unreachable(said, hint="this address speaks TLS: write https in the catalog's address")
    return UsageError(f"{where} refused the request: {_line(text) or f'HTTP {status}'}")


def refused(text: str, *, where: str) -> AuthRefused:
    """The token may not do that; the hint is the rule that is missing, where Consul names it (1.20 does)."""
    said = f"{where}: {_line(text)}"
    if found := _LACKS.search(text):
        return AuthRefused(said, hint=f"the token's policy needs: {rule(**found.groupdict())}")
    if "ACL not found" in text:
        return AuthRefused(said, hint="Consul does not know the token in token_file; it may have been deleted")
    if "anonymous" in text:
        return AuthRefused(said, hint="name the file with a token: token_file")
    return AuthRefused(said)


def rule(resource: str, name: str, access: str) -> str:
    """In Consul's own policy language, where intentions are a right on the service that is called (1.20: the refusal names
    a resource ``intention``, which no policy knows)."""
    if resource == "intention":
        return f'service "{name}" {{ policy = "read" intentions = "{access}" }}'
    return f'{resource} "{name}" {{ policy = "{access}" }}'


_ADDRESS = "is this the address of a Consul agent, and not of something in front of it?"


def from_transport(error: requests.exceptions.RequestException, *, where: str, write: bool) -> OrchctlError:
    """What a broken connection means; a write that may have arrived is OutcomeUnknown."""
    import requests.exceptions as kinds

    text = f"{where}: {reason(error)}"
    if client_certificate_refused(error):
        return AuthRefused(f"{where} wants another client certificate", hint="check cert and key of the catalog")
    if isinstance(error, kinds.SSLError) and (not write or certificate_refused(error)):
        hint = "check ca, cert and key: is ca the authority that signed this agent's certificate, for this address?"
        return Unreachable(text, hint=hint)
    if never_connected(error):
        return Unreachable(text, hint="is Consul running, and is this its address?")
    if write:
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    return Unreachable(text)


def _line(text: str) -> str:
    return " ".join(text.split())[:_MOST_TEXT]

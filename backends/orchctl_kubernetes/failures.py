"""Answers and exceptions of the API -> errors of orchctl. One table, one place."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.transport import certificate_refused, client_certificate_refused, never_connected, reason
from orchctl.errors import (
    AlreadyExists,
    AuthRefused,
    Conflict,
    FieldConflict,
    NotFound,
    OrchctlError,
    OutcomeUnknown,
    StalePlan,
    Unreachable,
    UsageError,
)

_MANAGER = re.compile(r'conflicts? with "(?P<manager>[^"]+)"(?: with subresource "(?P<sub>[^"]+)")?')
_MISSING_RIGHT = re.compile(r'cannot (?P<verb>\w+) resource "(?P<resource>[^"]+)"(?: in API group "(?P<group>[^"]*)")?')
_LONGEST = 1_000


class NotAuthenticated(AuthRefused):
    """401: the request was not even looked at."""


class NamespaceMissing(NotFound):
    """The namespace itself does not exist; ``namespace`` is its name."""

    def __init__(self, namespace: str, where: str) -> None:
        super().__init__(
            f"{where}: there is no namespace {namespace!r}",
            hint="create it (kubectl create namespace), or let orchctl do it: --create-namespace",
        )
        self.namespace = namespace


def from_answer(code: int, status: Mapping[str, Any], *, where: str, write: bool) -> OrchctlError:
    """The error that an answer of 300 and more means; ``status`` is the API's Status object, {} when there was none."""
    message = str(status.get("message") or f"HTTP {code}")[:_LONGEST]
    text = f"{where}: {message}"
    if code < 400:
        return Unreachable(f"{where}: answers with a redirect (HTTP {code}); is this a Kubernetes API server?")
    if code == 401:
        return NotAuthenticated(
            f"{where}: the credentials were refused (401 Unauthorized)",
            hint="is the token or the client certificate still valid? orchctl doctor shows its dates",
        )
    if code == 403:
        return _forbidden(status, message, where)
    if code == 404:
        return _absent(status, text, where)
    if code == 409:
        return _conflict(status, message, where)
    if code in (400, 405, 406, 413, 415, 422):
        return UsageError(f"{where} refused the request: {message}")
    if write and code >= 500 and "webhook" not in message:
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    return Unreachable(text, hint="the API server is there and not well; run the command again")


def _details(status: Mapping[str, Any]) -> Mapping[str, Any]:
    details = status.get("details")
    return details if isinstance(details, Mapping) else {}


def _causes(status: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    causes = _details(status).get("causes")
    return [c for c in causes if isinstance(c, Mapping)] if isinstance(causes, list) else []


def _forbidden(status: Mapping[str, Any], message: str, where: str) -> OrchctlError:
    """Three things share this code: a missing right, a namespace that is going away, and a refusal by quota or admission."""
    if any(c.get("reason") == "NamespaceTerminating" for c in _causes(status)):
        return Conflict(f"{where}: {message}", hint="wait until the namespace is gone, then create it anew")
    if right := _MISSING_RIGHT.search(message):
        resource = f"{right['resource']}.{right['group']}" if right["group"] else right["resource"]
        return AuthRefused(
            f"{where}: {message}",
            hint=f"the right to {right['verb']} {resource} is missing; "
            "orchctl render rbac --backend kubernetes prints a Role with all that is needed",
        )
    return UsageError(f"{where} refused the request: {message}", hint="a quota or an admission rule says no")


def _absent(status: Mapping[str, Any], text: str, where: str) -> OrchctlError:
    details = _details(status)
    if details.get("kind") == "namespaces":
        return NamespaceMissing(str(details.get("name", "")), where)
    return NotFound(text)


def _conflict(status: Mapping[str, Any], message: str, where: str) -> OrchctlError:
    if status.get("reason") == "AlreadyExists":
        return AlreadyExists(f"{where}: {message}")
    fields = [
        (_manager_of(str(c.get("message", ""))), str(c.get("field", "")))
        for c in _causes(status)
        if c.get("reason") == "FieldManagerConflict"
    ]
    if fields:
        return FieldConflict("", "", fields)
    return StalePlan(f"{where}: {message}", hint="run the command again")


def _manager_of(message: str) -> str:
    """``conflict with "kube-controller-manager" with subresource "scale" using apps/v1`` -> who, and through what."""
    match = _MANAGER.search(message)
    if not match:
        return message[:100]
    return f"{match['manager']} ({match['sub']})" if match["sub"] else match["manager"]


def from_transport(error: Exception, *, where: str, write: bool) -> OrchctlError:
    """The error that a broken connection means; a write that may have arrived is OutcomeUnknown."""
    from urllib3 import exceptions as kinds

    text = f"{where}: {reason(error)}"
    if certificate_refused(error):
        return Unreachable(text, hint=_certificate_hint(text))
    if client_certificate_refused(error):
        hint = "is the client certificate in the kubeconfig of this cluster, and still valid? orchctl doctor shows its dates"
        return AuthRefused(f"{where}: the client certificate was refused", hint=hint)
    if never_connected(error):
        return Unreachable(text, hint="is the API server running, and is this its address?")
    if isinstance(error, kinds.LocationValueError) or (isinstance(error, kinds.SSLError) and not write):
        return Unreachable(text, hint="is this the address of an API server that speaks TLS?")
    if write:
        return OutcomeUnknown(f"{text} (the request may have been carried out)", hint="run the command again")
    return Unreachable(text)


def _certificate_hint(text: str) -> str:
    if "expired" in text:
        return "the API server's certificate has ended: whoever runs the cluster must renew it"
    if "mismatch" in text or "not valid for" in text:
        return "the certificate is for another name: use that in the kubeconfig's server, or set tls-server-name"
    return "is certificate-authority in the kubeconfig the one that signed this API server's certificate?"

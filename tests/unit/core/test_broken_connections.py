"""Every backend and the catalog read a broken connection in the same way: only what cannot have been sent is no write."""

from __future__ import annotations

import errno
import ssl
from collections.abc import Callable

import pytest
import requests.exceptions as wrapped
from urllib3 import HTTPConnectionPool
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ProxyError,
    ReadTimeoutError,
    SSLError,
)

from orchctl.catalog import failures as catalog
from orchctl.errors import AuthRefused, OrchctlError, OutcomeUnknown, Unreachable
from orchctl_kubernetes import failures as kubernetes
from orchctl_marathon import failures as marathon
from orchctl_swarm import failures as swarm

POOL = HTTPConnectionPool("test")


def of_requests(error: HTTPError) -> Exception:
    """As requests passes on what urllib3 has raised (its adapters.py)."""
    if isinstance(error, SSLError):
        return wrapped.SSLError(MaxRetryError(POOL, "/", error))
    if isinstance(error, ReadTimeoutError):
        return wrapped.ReadTimeout(error)
    if isinstance(error, ProxyError):
        return wrapped.ProxyError(MaxRetryError(POOL, "/", error))
    if isinstance(error, NewConnectionError):
        return wrapped.ConnectionError(MaxRetryError(POOL, "/", error))
    return wrapped.ConnectionError(error)


Reading = Callable[[HTTPError, bool], OrchctlError]
EVERY: dict[str, Reading] = {
    "swarm": lambda e, write: swarm.from_transport(of_requests(e), where="here", write=write),  # type: ignore[arg-type]
    "marathon": lambda e, write: marathon.from_transport(of_requests(e), where="here", write=write),  # type: ignore[arg-type]
    "catalog": lambda e, write: catalog.from_transport(of_requests(e), where="here", write=write),  # type: ignore[arg-type]
    "kubernetes": lambda e, write: kubernetes.from_transport(e, where="here", write=write),
}


def tls(kind: type[ssl.SSLError], reason: str) -> HTTPError:
    inner = kind(1, f"[SSL: {reason}] as OpenSSL words it")
    inner.reason = reason
    return SSLError(inner)


LATE: dict[str, HTTPError] = {
    "reset": ProtocolError("Connection aborted.", ConnectionResetError(errno.ECONNRESET, "Connection reset by peer")),
    "no route": ProtocolError("Connection aborted.", OSError(errno.EHOSTUNREACH, "No route to host")),
    "no network": ProtocolError("Connection aborted.", OSError(errno.ENETUNREACH, "Network is unreachable")),
    "silence": ReadTimeoutError(POOL, "/", "Read timed out."),
    "end of TLS": tls(ssl.SSLEOFError, "UNEXPECTED_EOF_WHILE_READING"),
    "garbage in TLS": tls(ssl.SSLError, "DECRYPTION_FAILED_OR_BAD_RECORD_MAC"),
}
"""After the request may have been sent."""

EARLY: dict[str, HTTPError] = {
    "refused": NewConnectionError(HTTPConnection("test"), "Failed to establish a new connection: Connection refused"),
    "proxy": ProxyError("Unable to connect to proxy", OSError("Tunnel connection failed: 403 Forbidden")),
    "their certificate": tls(ssl.SSLCertVerificationError, "CERTIFICATE_VERIFY_FAILED"),
}
"""Nothing was sent."""


@pytest.mark.parametrize("read", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("error", LATE.values(), ids=LATE)
def test_a_write_that_may_have_arrived_has_an_unknown_outcome(read: Reading, error: HTTPError) -> None:
    assert isinstance(read(error, True), OutcomeUnknown)
    assert isinstance(read(error, False), Unreachable)
    assert not isinstance(read(error, False), OutcomeUnknown)


@pytest.mark.parametrize("read", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("error", EARLY.values(), ids=EARLY)
@pytest.mark.parametrize("write", [True, False])
def test_what_was_never_sent_is_only_unreachable(read: Reading, error: HTTPError, write: bool) -> None:
    found = read(error, write)
    assert isinstance(found, Unreachable)
    assert not isinstance(found, OutcomeUnknown)
    assert found.hint


@pytest.mark.parametrize("read", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("write", [True, False])
def test_a_refused_client_certificate_is_told_as_that(read: Reading, write: bool) -> None:
    """With TLS 1.3 the server says so after the request was sent, and has not read it."""
    found = read(tls(ssl.SSLError, "TLSV13_ALERT_CERTIFICATE_REQUIRED"), write)
    assert isinstance(found, AuthRefused)
    assert "certificate" in found.message
    assert found.hint


@pytest.mark.parametrize("read", EVERY.values(), ids=EVERY)
@pytest.mark.parametrize("error", [*LATE.values(), *EARLY.values()], ids=[*LATE, *EARLY])
def test_the_reason_stands_on_one_line_after_the_place(read: Reading, error: HTTPError) -> None:
    text = read(error, False).message
    assert text.startswith("here: ")
    assert "\n" not in text
    assert "0x" not in text

"""Why a connection broke, read from the exceptions of requests and urllib3 without importing either.

requests wraps urllib3, which wraps the error of the socket, of the TLS library or of the name service.
"""

from __future__ import annotations

import re

_LONGEST = 200
_BEFORE_SENDING = {"ConnectTimeoutError", "NameResolutionError", "NewConnectionError", "ProxyError"}
"""urllib3 raises the last one while it has no connection to the proxy, or no tunnel through it."""
_CLIENT_CERTIFICATE = re.compile(r"ALERT_(?:\w*CERTIFICATE|UNKNOWN_CA)|alert (?:\w+ )*(?:certificate|unknown ca)")
_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-f]+>:? ?")


def causes(error: BaseException) -> list[BaseException]:
    """``error`` and the reasons inside it, innermost last. Not what was being handled meanwhile (``__context__``): a
    connection refused earlier says nothing about this one."""
    found: list[BaseException] = []
    waiting: list[BaseException] = [error]
    while waiting:
        current = waiting.pop()
        if any(current is known for known in found):
            continue
        found.append(current)
        inner = (getattr(current, "reason", None), *current.args, current.__cause__)
        waiting += [e for e in inner if isinstance(e, BaseException)]
    return found


def reason(error: BaseException) -> str:
    """The innermost reason on one line, without what only a Python programmer could read."""
    inner = causes(error)[-1]
    text = _OBJECT.sub("", str(inner.strerror if isinstance(inner, OSError) and inner.strerror else inner))
    return " ".join(text.split())[:_LONGEST] or type(inner).__name__


def never_connected(error: BaseException) -> bool:
    """Nothing can have been sent.

    urllib3 has names for what happens before there is a connection; on a unix socket the system's own errors come through.
    A host without a route (EHOSTUNREACH) is told of an established connection as well, so by itself it proves nothing.
    """
    found = causes(error)
    names = {kind.__name__ for e in found for kind in type(e).__mro__}
    return bool(names & _BEFORE_SENDING) or any(
        isinstance(e, (ConnectionRefusedError, FileNotFoundError)) for e in found
    )


def certificate_refused(error: BaseException) -> bool:
    """We do not believe the server's certificate: found before anything is sent. Any other failure of TLS may also break
    off an answer, when the request has been carried out."""
    return any(getattr(e, "reason", None) == "CERTIFICATE_VERIFY_FAILED" for e in causes(error))


def client_certificate_refused(error: BaseException) -> bool:
    """The server wants another certificate of ours, or one at all. With TLS 1.3 it says so after a request was sent, and
    reads nothing of it (RFC 8446, 4.4.2.4)."""
    return any(_CLIENT_CERTIFICATE.search(f"{getattr(e, 'reason', '')} {e}") for e in causes(error))

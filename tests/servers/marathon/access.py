"""Who may come in, and the pages that Jetty shows to those who may not."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

from tests.servers.marathon.messages import Request, Response


@dataclass(frozen=True, kw_only=True)
class Access:
    """How a client gets in. ``credentials`` are user and password, ``token`` is for "Authorization: token=..."."""

    credentials: tuple[str, str] | None = None
    token: str | None = None
    base_path: str = ""
    certificate: tuple[Path, Path] | None = None


def unauthorized(access: Access, request: Request) -> Response | None:
    """None when the request may pass. Every path is protected, /ping too (11-auth)."""
    if access.token is not None:
        given = request.headers.get("authorization")
        return None if given == f"token={access.token}" else Response(401, is_bare=True)
    if access.credentials is None:
        return None
    given = request.headers.get("authorization", "")
    if not given.startswith("Basic "):
        return _challenge(request)
    try:
        decoded = base64.b64decode(given.removeprefix("Basic "), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):  # the real one falls over such a header
        headers = {"Cache-Control": "must-revalidate,no-cache,no-store", "Connection": "close"}
        return Response(500, reason="Server Error", headers=headers, is_bare=True)
    return None if decoded == ":".join(access.credentials) else _challenge(request)


def _challenge(request: Request) -> Response:
    headers = {
        "Date": formatdate(usegmt=True),
        "WWW-Authenticate": 'basic realm="null"',
        "Cache-Control": "must-revalidate,no-cache,no-store",
    }
    if "*/*" not in request.headers.get("accept", "*/*") and "text/html" not in request.headers.get("accept", ""):
        return Response(401, headers=headers, is_bare=True)
    response = page(401, "Unauthorized", where=request.path)
    response.headers, response.is_bare = headers, True
    return response


def page(status: int, reason: str, *, where: str = "") -> Response:
    """Jetty's error page."""
    about = f"<p>Problem accessing {where}. Reason:\n<pre>    {reason}</pre></p>\n" if where else f"<p>{reason}</p>\n"
    body = (
        '<html>\n<head>\n<meta http-equiv="Content-Type" content="text/html;charset=utf-8"/>\n'
        f"<title>Error {status} {reason}</title>\n</head>\n<body><h2>HTTP ERROR {status}</h2>\n{about}</body>\n</html>\n"
    )
    return Response(status, body.encode(), "text/html;charset=iso-8859-1")

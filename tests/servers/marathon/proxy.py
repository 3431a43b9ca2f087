"""A standby passes requests on to the leader."""

from __future__ import annotations

import http.client
import urllib.parse
import uuid
from collections.abc import Iterator

from tests.servers.marathon.access import page
from tests.servers.marathon.messages import Request, Response

PROXY_SECONDS = 15.0
"""Longer than an event stream is silent."""


def proxied(request: Request, leader: str) -> Response | Iterator[bytes]:
    """The answer of ``leader`` (a URL), an event stream as it comes; 502 when it cannot be reached."""
    parts = urllib.parse.urlsplit(leader)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=PROXY_SECONDS)
    skipped = ("host", "content-length", "transfer-encoding", "connection")
    headers = {name: value for name, value in request.headers.items() if name not in skipped}
    headers["X-Marathon-Via"] = str(uuid.uuid4())
    try:
        connection.request(request.method, request.target, request.body or None, headers)
        found = connection.getresponse()
        if (found.getheader("Content-Type") or "").startswith("text/event-stream"):
            return _relayed(connection, found)
        content = found.read()
    except (OSError, http.client.HTTPException):
        return page(502, "Connection to leader refused.")
    connection.close()
    own = ("content-length", "content-type", "transfer-encoding")
    kept = {name: value for name, value in found.getheaders() if name.lower() not in own}
    return Response(found.status, content, found.getheader("Content-Type") or "", kept)


def _relayed(connection: http.client.HTTPConnection, found: http.client.HTTPResponse) -> Iterator[bytes]:
    head = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in found.getheaders()), "", ""]
    try:
        yield "\r\n".join(head).encode()
        while part := found.read1(65536):
            yield part
    finally:
        connection.close()

"""Requests and answers, apart from sockets."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.servers.marathon.errors import Refused, invalid_json

JSON = "application/json"
TEXT = "text/plain"


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    """Percent-decoded, below the server's base path."""

    query: Mapping[str, Sequence[str]]
    headers: Mapping[str, str]
    """Names in lower case."""

    body: bytes = b""
    client: str = "127.0.0.1"
    base: str = ""
    """``http://host:port`` of the server."""

    target: str = ""
    """Path and query as they were sent."""

    def flag(self, name: str, *, default: bool = False) -> bool:
        """Only "true" is true and only "false" is false; anything else is the default (07-invalid/436)."""
        value = next(iter(self.query.get(name, ())), "")
        return {"true": True, "false": False}.get(value, default)

    def values(self, name: str) -> list[str]:
        return [*self.query.get(name, ()), *self.query.get(f"{name}[]", ())]

    def accepts(self, kind: str) -> bool:
        """Is ``kind`` asked for by name?"""
        return kind in self.headers.get("accept", "")

    def json(self) -> Any:
        """Raises what the server says about broken JSON; of a doubled key the last value counts."""
        if not self.body.strip():
            text = 'No content to map due to end-of-input\n at [Source: (byte[])""; line: 1, column: 0]'
            raise Refused(400, {"message": "Please specify data in JSON format", "details": text})
        try:
            return json.loads(self.body)
        except ValueError as error:
            raise invalid_json(_complaint(self.body.decode(errors="replace"), error)) from None


def _complaint(text: str, error: ValueError) -> str:
    """In the words of the server's parser, as far as they were recorded."""
    at = getattr(error, "pos", len(text))
    rest = text[at:].strip()
    if not rest or str(error).startswith("Expecting property name"):
        return "Unexpected end-of-input within/between Object entries"
    if token := re.match(r"[A-Za-z]+", rest):
        return f"Unrecognized token '{token[0]}': was expecting ('true', 'false' or 'null')"
    return f"Unexpected character ('{rest[0]}' (code {ord(rest[0])})): expected a valid value"


@dataclass
class Response:
    status: int = 200
    body: bytes = b""
    kind: str = ""
    """Content type; "" = none."""

    headers: dict[str, str] = field(default_factory=dict)
    reason: str | None = None
    """None = the usual phrase."""

    is_bare: bool = False
    """Answered before Marathon's own filters: none of its headers."""


def answer(content: Any, status: int = 200, **headers: str) -> Response:
    """JSON; header names with ``_`` for ``-``."""
    body = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    return Response(status, body, JSON, {name.replace("_", "-"): value for name, value in headers.items()})


def plain(content: str) -> Response:
    return Response(200, content.encode(), TEXT)


def refusal(refused: Refused) -> Response:
    return answer(refused.body, refused.status)

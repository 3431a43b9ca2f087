"""What the API server was asked, from its audit log."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}
# Questions about rights are sent as a POST and change nothing.
_QUESTIONS = {"authorization.k8s.io", "authentication.k8s.io"}


@dataclass(frozen=True, slots=True)
class Request:
    verb: str
    uri: str
    user: str
    agent: str
    group: str = ""
    resource: str = ""
    """With its subresource: ``deployments/scale``."""

    @property
    def is_write(self) -> bool:
        return self.verb in _WRITES and self.group not in _QUESTIONS and "dryRun=All" not in self.uri


class AuditLog:
    """Requests by ``user`` from now on. The server writes one down before it answers, so none is missed."""

    def __init__(self, path: Path, user: str) -> None:
        self._path, self._user = path, user
        self._read = path.stat().st_size if path.exists() else 0
        self._requests: list[Request] = []

    def requests(self) -> list[Request]:
        with self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        whole = new.rpartition(b"\n")[0]
        self._read += len(whole) + 1 if whole else 0
        mark = f'"username":"{self._user}"'.encode()
        events = [json.loads(line) for line in whole.splitlines() if mark in line and b'"RequestReceived"' in line]
        self._requests += [_request(e) for e in events]
        return self._requests

    def writes(self) -> list[Request]:
        return [r for r in self.requests() if r.is_write]


def _request(event: dict[str, Any]) -> Request:
    about = event.get("objectRef") or {}
    user, agent = event["user"]["username"], event.get("userAgent", "")
    resource = "/".join(filter(None, (about.get("resource"), about.get("subresource"))))
    return Request(event["verb"], event["requestURI"], user, agent, about.get("apiGroup", ""), resource)

"""Sends recorded requests to a server of ours and says where the answers differ from the recorded ones."""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATA = Path(__file__).parents[2] / "data" / "marathon"

HEADERS = (
    "Content-Type",
    "Location",
    "Marathon-Deployment-Id",
    "WWW-Authenticate",
    "X-Marathon-Leader",
    "X-Frame-Options",
    "Cache-Control",
)
"""Those that clients look at, or that show which filter of the server made the answer."""

FREE = {
    "averageSeconds", "declined", "frameworkId", "host", "hostname", "http_port", "ipAddress",
    "agentId", "medianSeconds", "processed", "processedOffersCount", "slaveId", "timeLeftSeconds", "unusedOffersCount",
    "id of an offer", "min_revive_offers_interval", "master", "mesos_leader_ui_url", "zk",
}  # fmt: skip
"""Keys whose values depend on chance or on time: only their types are compared."""

VERSIONS = {"version", "lastScalingAt", "lastConfigChangeAt"}
"""Keys whose times are names: the same one here must be the same one there."""

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Exchange:
    group: str
    number: int
    name: str
    request: Mapping[str, Any]
    response: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.number:03d}-{self.name}"

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.response["headers"] if key == name), None)


def exchanges() -> list[Exchange]:
    """All of them, in their order."""
    found = []
    for file in sorted(DATA.glob("[01]*/*.json"), key=lambda one: one.name):
        content = json.loads(file.read_text("utf-8"))
        number, _, name = file.stem.partition("-")
        found.append(Exchange(file.parent.name, int(number), name, content["request"], content["response"]))
    return found


@dataclass
class Names:
    """Which recorded id, version or address is which of ours. One recorded name has one of ours, and the reverse."""

    ours: dict[str, str] = field(default_factory=dict)

    def agree(self, recorded: str, own: str) -> bool:
        if recorded not in self.ours and own not in self.ours.values():
            self.ours[recorded] = own
        return self.ours.get(recorded) == own

    def translate(self, text: str) -> str:
        """``text`` with every known recorded name replaced by ours."""
        for recorded in sorted(self.ours, key=len, reverse=True):
            text = text.replace(recorded, self.ours[recorded])
        return text


@dataclass(frozen=True)
class Reply:
    status: int
    reason: str
    headers: Mapping[str, str]
    body: bytes


def send(url: str, exchange: Exchange, names: Names) -> Reply:
    """The recorded request, with our names in it. A new connection each time: order is all that counts here."""
    parts = urllib.parse.urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
    body = exchange.request["body"]
    if body is not None and not isinstance(body, str):
        body = json.dumps(body)
    try:
        path = names.translate(exchange.request["path"])
        connection.putrequest(exchange.request["method"], path, skip_accept_encoding=True)
        for name, value in exchange.request["headers"].items():
            if name.lower() not in ("host", "content-length"):
                connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Length", str(len(body.encode())))
        connection.endheaders(names.translate(body).encode() if body else None)
        answer = connection.getresponse()
        return Reply(answer.status, answer.reason, dict(answer.getheaders()), answer.read())
    finally:
        connection.close()


def differences(exchange: Exchange, reply: Reply, names: Names) -> list[str]:
    """Empty when ``reply`` is what was recorded, but for names, times and chance."""
    found = []
    if reply.status != exchange.response["status"]:
        found.append(f"status {reply.status}, recorded {exchange.response['status']}: {reply.body[:300]!r}")
        return found
    if reply.reason != exchange.response["reason"]:
        found.append(f"reason {reply.reason!r}, recorded {exchange.response['reason']!r}")
    for name in HEADERS:
        found += [f"header {name}: {one}" for one in _header(exchange.header(name), reply.headers.get(name), names)]
    return found + list(_body(exchange, reply, names))


def _header(recorded: str | None, own: str | None, names: Names) -> Iterator[str]:
    if recorded is None or own is None:
        if recorded != own:
            yield f"{own!r}, recorded {recorded!r}"
        return
    if _UUID.fullmatch(recorded):
        agrees = bool(_UUID.fullmatch(own)) and names.agree(recorded, own)
    else:
        agrees = own == names.translate(recorded)
    if not agrees:
        yield f"{own!r}, recorded {recorded!r}"


def _body(exchange: Exchange, reply: Reply, names: Names) -> Iterator[str]:
    recorded = exchange.response["body"]
    if exchange.header("Content-Type") == "application/json" and not exchange.request["path"].startswith("/metrics"):
        yield from compare(recorded, json.loads(reply.body), names)
    elif exchange.header("Content-Type") == "text/plain" and exchange.request["path"] != "/metrics/prometheus":
        yield from compare(sorted(_lines(recorded)), sorted(_lines(reply.body.decode())), names)
    elif not exchange.request["path"].startswith("/metrics") and (recorded or "") != reply.body.decode():
        yield f"body {reply.body[:200]!r}, recorded {str(recorded)[:200]!r}"


def _lines(text: str) -> list[str]:
    """Tables list apps in no order; where a task was placed is chance."""
    return [re.sub(r"127\.0\.0\.\d:\d+", "ENDPOINT", line) for line in text.splitlines()]


def compare(recorded: Any, own: Any, names: Names, path: str = "", key: str = "") -> Iterator[str]:
    """Differences of two JSON values; ``key`` is the nearest key above them."""
    if _kind(recorded) != _kind(own):
        yield f"{path}: {own!r}, recorded {recorded!r}"
    elif isinstance(recorded, dict):
        yield from _compare_objects(recorded, own, names, path)
    elif isinstance(recorded, list):
        yield from _compare_lists(recorded, own, names, path, key)
    elif not _agree(recorded, own, names, key):
        yield f"{path}: {own!r}, recorded {recorded!r}"


def _kind(value: Any) -> str:
    """1 and 1.0 are the same kind, True and 1 are not."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return type(value).__name__
    return "number"


def _compare_objects(recorded: Mapping[str, Any], own: Mapping[str, Any], names: Names, path: str) -> Iterator[str]:
    if missing := sorted(recorded.keys() - own.keys()):
        yield f"{path}: without {missing}"
    if surplus := sorted(own.keys() - recorded.keys()):
        yield f"{path}: also {surplus}"
    if [one for one in recorded if one in own] != [one for one in own if one in recorded]:
        yield f"{path}: keys in the order {list(own)}, recorded {list(recorded)}"
    for name in recorded:
        if name in own:
            key = "id of an offer" if name == "id" and "resources" in recorded else name
            yield from compare(recorded[name], own[name], names, f"{path}/{name}", key)


def _compare_lists(recorded: list[Any], own: list[Any], names: Names, path: str, key: str) -> Iterator[str]:
    if len(recorded) != len(own):
        yield f"{path}: {len(own)} items, recorded {len(recorded)}"
        return
    if key == "ports":
        yield from (f"{path}: {one!r} is no port" for one in own if not isinstance(one, int))
        return
    pairs = zip(_sorted(recorded, names, translate=True), _sorted(own, names, translate=False), strict=True)
    inner = "version" if key == "versions" or path == "" else key
    for position, (left, right) in enumerate(pairs):
        yield from compare(left, right, names, f"{path}[{position}]", inner)


def _sorted(values: list[Any], names: Names, *, translate: bool) -> list[Any]:
    """The server lists apps, tasks and versions in no order. Tasks that are not known yet are taken by age."""

    def rank(value: Any) -> Any:
        if isinstance(value, dict) and ("taskId" in value or "slaveId" in value):
            name = names.translate(value.get("id", "")) if translate else value.get("id", "")
            known = any(own in name for own in names.ours.values())
            return (value["appId"], known, name if known else "", value.get("state", ""), value.get("stagedAt", ""))
        if isinstance(value, dict):
            return str(value.get("id", "")) if str(value.get("id", "")).startswith("/") else ""
        return str(value) if isinstance(value, str) and not value.startswith("T") else ""

    if values and all(isinstance(one, dict) and ("id" in one or "appId" in one) for one in values):
        return sorted(values, key=rank)
    return sorted(values) if values and all(isinstance(one, str) and _TIME.fullmatch(one) for one in values) else values


def _agree(recorded: Any, own: Any, names: Names, key: str) -> bool:
    if key in FREE:
        return True
    if not isinstance(recorded, str):
        return bool(recorded == own)
    if _TIME.fullmatch(recorded):
        return bool(_TIME.fullmatch(own)) and (key not in VERSIONS or names.agree(recorded, own))
    if _UUID.search(recorded):
        return _same_with_ids(recorded, own, names)
    return _placed(own) == _placed(names.translate(recorded))


def _placed(text: str) -> str:
    """Without the host and port of the task that a message is about."""
    return re.sub(r"127\.0\.0\.\d/<unresolved>:\d+", "ENDPOINT", text)


def _same_with_ids(recorded: str, own: str, names: Names) -> bool:
    left, right = _UUID.findall(recorded), _UUID.findall(own)
    same = len(left) == len(right) and all(names.agree(*pair) for pair in zip(left, right, strict=True))
    return same and _UUID.sub("ID", own) == names.translate(_UUID.sub("ID", recorded))

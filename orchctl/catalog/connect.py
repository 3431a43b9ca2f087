"""What orchctl asks of Consul's mesh: the intentions of one service, and whether anybody enforces them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import quote

from orchctl.catalog import rows
from orchctl.catalog.consul import Consul
from orchctl.catalog.failures import rule
from orchctl.errors import AuthRefused, Unreachable

Json = Mapping[str, Any]

_KIND = "service-intentions"
_HIDDEN = "X-Consul-Results-Filtered-By-ACLs"
_WRITTEN = ("Kind", "Name", "Sources", "Meta")
# What Consul adds at the top of an entry of its own accord (1.20).
_FILLED_IN = ("CreateIndex", "ModifyIndex", "Hash")
_NEVER = 1
"""No entry has this index: Consul's log begins with other things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """The config entry ``service-intentions`` of one service. ``sources`` are as Consul has them; ``index`` moves with
    every change and never comes back, 0 = there is none. ``rest`` is whatever else the entry says, such as ``JWT``: a write
    replaces all of an entry, so what is not sent back is gone."""

    sources: tuple[Json, ...] = ()
    meta: Mapping[str, str] = field(default_factory=dict)
    index: int = 0
    rest: Json = field(default_factory=dict)


class ConnectPort(Protocol):
    """Errors as those of ``ConsulPort``."""

    words: str

    def set_patience(self, seconds: float) -> None: ...

    def intentions(self, name: str) -> Entry | None:
        """Who may call the service ``name``; None when there is no entry. AuthRefused when it may not be read."""

    def write(self, name: str, entry: Entry) -> bool:
        """False when what stands is not at the entry's index any more. An equal one is never refused."""

    def remove(self, name: str, *, index: int) -> bool:
        """False when the entry is not at ``index`` any more. One that is gone is no failure."""

    def may_write(self, name: str) -> None:
        """AuthRefused with the missing rule when not. Changes nothing."""

    def proxies(self, name: str) -> int:
        """How many Connect proxies (and programs that speak Connect themselves) stand for the service."""

    def is_on(self) -> bool:
        """Do the servers run the mesh? Asks for no right."""

    def close(self) -> None: ...


class ConnectClient(Consul):
    """The port over HTTP."""

    def intentions(self, name: str) -> Entry | None:
        with self._read():
            status, found, _ = self._client.http.get(_answer, _path(name), self._asked(), self._headers())
            return None if status == 404 else _entry(name, found)

    def write(self, name: str, entry: Entry) -> bool:
        body = json.dumps(
            {**entry.rest, "Kind": _KIND, "Name": name, "Sources": [*entry.sources], "Meta": {**entry.meta}}
        )
        with self._write():
            where = [*self._where(), ("cas", entry.index)]
            _, done, _ = self._client.http.put(_answer, "/v1/config", where, body, self._headers())
            return _truth(done)

    def remove(self, name: str, *, index: int) -> bool:
        with self._write():
            where = [*self._where(), ("cas", index)]
            _, done, _ = self._client.http.delete(_answer, _path(name), where, headers=self._headers())
            return _truth(done)

    def may_write(self, name: str) -> None:
        """Consul looks at the right before it compares the index (1.20)."""
        self.remove(name, index=_NEVER)

    def proxies(self, name: str) -> int:
        with self._read():
            path = f"/v1/catalog/connect/{quote(name, safe='')}"
            _, found, headers = self._client.http.get(_answer, path, self._asked(), self._headers())
            count = len(rows.items(found, _proxy))
        if not count and headers.get(_HIDDEN) == "true":
            hint = f"{rule('node_prefix', '', 'read')} and {rule('service_prefix', name, 'read')}"
            raise AuthRefused(
                f"{self.words}: the token may not see the proxies of {name!r}", hint=f"the token's policy needs: {hint}"
            )
        return count

    def is_on(self) -> bool:
        try:
            with self._read():
                _, found, _ = self._client.http.get(_answer, "/v1/connect/ca/roots", self._where(), self._headers())
                return bool(rows.text(found["ActiveRootID"]))
        except Unreachable as error:
            if "Connect must be enabled" in str(error):
                return False
            raise

    def _asked(self) -> Sequence[tuple[str, str]]:
        return [*self._where(), ("consistent", "1")]


def _path(name: str) -> str:
    return f"/v1/config/{_KIND}/{quote(name, safe='')}"


def _answer(response: Any) -> tuple[int, Any, Mapping[str, str]]:
    return response.code, None if response.code == 404 else json.loads(response.body), response.headers


def _entry(name: str, found: Json) -> Entry:
    """ValueError for another entry than was asked for."""
    if (found["Kind"], found["Name"]) != (_KIND, name):
        raise ValueError(found["Name"])
    return Entry(
        sources=tuple(rows.items(found["Sources"], _source)),
        meta=rows.texts_by_name(found.get("Meta")),
        index=rows.number(found["ModifyIndex"]),
        rest={key: value for key, value in found.items() if key not in (*_WRITTEN, *_FILLED_IN)},
    )


def _source(value: Any) -> rows.Json:
    source = rows.mapping(value)
    rows.text(source["Name"])
    return source


def _proxy(value: Any) -> rows.Json:
    found = rows.mapping(value)
    rows.text(found["ServiceName"])
    return found


def _truth(value: Any) -> bool:
    if not isinstance(value, bool):
        raise TypeError(value)
    return value

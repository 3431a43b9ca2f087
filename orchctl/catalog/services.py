"""What orchctl asks of Consul's catalog. Every change is a transaction, in which Consul itself compares and sets."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from orchctl.catalog import rows
from orchctl.catalog.consul import Consul, Refused
from orchctl.catalog.failures import refused, rule
from orchctl.catalog.rows import Json, Row
from orchctl.errors import AuthRefused, UsageError

MOST_STEPS = 64
"""Of one transaction, as documented; 1.20 takes 128."""
_HIDDEN = "X-Consul-Results-Filtered-By-ACLs"
_DEFAULT = "X-Consul-Default-ACL-Policy"
_STALE = "index is stale"
"""Every compare-and-set of the catalog that fails says so (1.20, state/txn.go); whatever else is refused stays refused."""


@dataclass(frozen=True, slots=True)
class Answer:
    """``index`` is for the next blocking query, 0 = ask anew. ``is_hidden``: Consul says that there is more, which the token
    may not see. ``is_whole``: it would have said so, and did not; who asks without a token is told nothing (1.20, rpc.go).

    What may not be seen is taken away before a filter is looked at (1.20, catalog_endpoint.go): what a filtered listing
    hides may be of anybody.
    """

    items: list[Json]
    index: int
    is_hidden: bool
    is_whole: bool

    @property
    def is_empty(self) -> bool:
        """There is nothing, and not only nothing that may be seen."""
        return self.is_whole and not self.items


class CatalogClient(Consul):
    """Catalog and health over HTTP; errors as those of ``ConsulPort``. Rows are as ``rows`` says."""

    @property
    def has_token(self) -> bool:
        return self._client.token is not None

    def checks(self, prefix: str) -> Answer:
        """All whose id starts so, in one request."""

        def ours(found: Any) -> Json:
            check = rows.check(found)
            if not check["CheckID"].startswith(prefix):
                raise ValueError(check["CheckID"])
            return check

        return self._list("/v1/health/state/any", {"filter": f'CheckID matches "^{_literal(prefix)}"'}, ours)

    def nodes(self, key: str, value: str) -> Answer:
        """All with that in their metadata, in one request."""

        def ours(found: Any) -> Json:
            node = rows.node(found)
            if node["Meta"][key] != value:
                raise ValueError(node["Node"])
            return node

        return self._list("/v1/catalog/nodes", {"filter": f'Meta["{key}"] == "{value}"'}, ours)

    def services_of(self, node: str) -> Answer:
        """Of one node; nothing when there is no such node."""
        with self._read():
            found, headers = self._ask(f"/v1/catalog/node-services/{quote(node, safe='')}", {})
            services = rows.items(rows.mapping(found)["Services"], rows.service)
            return _answer(services, 0, headers, has_token=self.has_token)

    def entries(self, name: str) -> list[Json]:
        """Every service of that name, with node and checks. AuthRefused when some may not be seen: they could be foreign."""
        return self._all_of(name, {}).items

    def changed(self, name: str, *, index: int, wait_s: int) -> Answer:
        """As soon as ``entries`` differ from what was there at ``index`` (0 = at once), and after ``wait_s`` in any case.
        AuthRefused as there."""
        return self._all_of(name, {"index": str(index), "wait": f"{wait_s}s"} if index else {})

    def change(self, steps: Sequence[Json]) -> list[Json]:
        """All or nothing; what stands there afterwards. Refused when the catalog moved since it was read; OutcomeUnknown
        when the answer is lost; UsageError for what Consul will not take, in its own words."""
        payload = json.dumps(steps)
        with self._write():
            status, answer = self._client.http.put(_status_and_json, "/v1/txn", self._where(), payload, self._headers())
            if status == 200:
                return rows.items(answer["Results"], _result)
            step, reason = rows.number(answer["Errors"][0]["OpIndex"]), rows.text(answer["Errors"][0]["What"])
        if "Permission denied" in reason:
            raise refused(reason, where=self.words)
        if _STALE not in reason:
            raise UsageError(f"{self.words} refused the request: {reason}")
        raise Refused(step, reason)

    def _all_of(self, name: str, query: Mapping[str, str]) -> Answer:
        answer = self._list(f"/v1/health/service/{quote(name, safe='')}", query, rows.entry)
        if answer.is_hidden:
            hint = f"{rule('node_prefix', '', 'read')} and {rule('service_prefix', name, 'read')}"
            raise AuthRefused(
                f"{self.words}: the token may not see all that is called {name!r}",
                hint=f"the token's policy needs: {hint}",
            )
        return answer

    def _list(self, path: str, query: Mapping[str, str], row: Row) -> Answer:
        with self._read():
            found, headers = self._ask(path, query)
            now, before = int(headers.get("X-Consul-Index") or 0), int(query.get("index", 0))
            # Consul's rule for blocking queries: an index that went back, or 0, says nothing about the next one.
            index = now if now >= max(1, before) else 0
            return _answer(rows.items(found, row), index, headers, has_token=self.has_token)

    def _ask(self, path: str, query: Mapping[str, str]) -> tuple[Any, Mapping[str, str]]:
        params = [*self._where(), ("consistent", "1"), *query.items()]
        found: tuple[Any, Mapping[str, str]] = self._client.http.get(_json_and_headers, path, params, self._headers())
        return found


def _answer(items: list[Json], index: int, headers: Mapping[str, str], *, has_token: bool) -> Answer:
    is_hidden, is_told = headers.get(_HIDDEN) == "true", has_token or headers.get(_DEFAULT) != "deny"
    return Answer(items, index, is_hidden, is_told and not is_hidden)


def _result(found: Any) -> Json:
    """One result of a transaction; only nodes are looked at."""
    result = rows.mapping(found)
    if result.get("Node") is not None:
        rows.node(result["Node"])
    return result


def _literal(text: str) -> str:
    """For a regular expression inside a quoted text of Consul's filter language."""
    return "".join(c if c.isalnum() or c in "-_:" else f"[{c}]" for c in text)


def _json_and_headers(response: Any) -> tuple[Any, Mapping[str, str]]:
    """ValueError for 404: Consul has an empty list for what is not there."""
    if response.code != 200:
        raise ValueError(response.code)
    return json.loads(response.body), response.headers


def _status_and_json(response: Any) -> tuple[int, Any]:
    return response.code, json.loads(response.body)

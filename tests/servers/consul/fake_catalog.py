"""The catalog of the Consul in memory: nodes, services and checks, and the transactions that compare and set them.

Texts and rules are those of Consul 1.20, as far as orchctl asks for them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]
_ADDRESSES_OF_NOBODY = ("0.0.0.0", "::")


class Refused(Exception):
    """Why a step cannot be carried out."""


@dataclass
class FakeCatalog:
    """``next_index`` gives the index of a change. ``hidden``: services that the token may neither see nor change;
    ``sees_nodes``: may it see those?"""

    next_index: Callable[[], int]
    rows: dict[tuple[str, str, str], Json] = field(default_factory=dict)
    """(kind, node, id) -> body."""
    hidden: set[str] = field(default_factory=set)
    sees_nodes: bool = True

    def read(self, path: str, query: dict[str, str]) -> tuple[Any, bool] | None:
        """The answer to a GET, and whether something was taken out of it; None = it is not of the catalog.

        As Consul does it, the rights come first and then the filter."""
        wanted = re.findall(r'"([^"]*)"', query.get("filter", ""))
        name = path.rpartition("/")[2]
        if path == "/v1/health/state/any":
            checks, is_hidden = self._visible(self._all("Check"), "ServiceName")
            return [c for c in checks if re.search(wanted[-1], c["CheckID"])], is_hidden
        if path == "/v1/catalog/nodes":
            nodes, is_hidden = self._visible(self._all("Node"), "")
            return [n for n in nodes if n["Meta"].get(wanted[0]) == wanted[1]], is_hidden
        if path.startswith("/v1/catalog/node-services/"):
            services, is_hidden = self._visible(self._of("Service", name), "Service")
            return {"Node": self.rows.get(("Node", name, "")), "Services": services}, is_hidden
        if path.startswith("/v1/health/service/"):
            found = [(key[1], row) for key, row in sorted(self.rows.items()) if row.get("Service") == name]
            services, is_hidden = self._visible([row for _, row in found], "Service")
            return [] if is_hidden else [self._entry(node, row) for node, row in found], is_hidden
        return None

    def _visible(self, rows: list[Json], name: str) -> tuple[list[Json], bool]:
        seen = [row for row in rows if self.sees_nodes and row.get(name) not in self.hidden]
        return seen, len(seen) < len(rows)

    def carry_out(self, kind: str, step: Json) -> Json:
        """One step of a transaction; Refused when its condition does not hold. Of a node Consul asks for no other right."""
        body = dict(step[kind])
        name = body.get("Service", body.get("ServiceName", ""))
        if kind != "Node" and name in self.hidden:
            raise Refused(
                f"Permission denied: token with AccessorID 'x' lacks permission 'service:write' on \"{name}\""
            )
        if kind == "Service" and body.get("Address") in _ADDRESSES_OF_NOBODY:
            raise Refused("Invalid service address")
        node = body["Node"] if kind != "Service" else step["Node"]
        key = (kind, node, {"Node": "", "Service": body.get("ID", ""), "Check": body.get("CheckID", "")}[kind])
        index = body.pop("ModifyIndex", 0)
        before = self.rows.get(key)
        if (before["ModifyIndex"] if before else 0) != index:
            verb = "delete" if step["Verb"] == "delete-cas" else "set"
            raise Refused(f'failed to {verb} {kind.lower()} "{key[2] or node}", index is stale')
        if step["Verb"] == "delete-cas":
            self._delete(key)
            return {}
        is_same = before is not None and {k: v for k, v in before.items() if k != "ModifyIndex"} == body
        self.rows[key] = body | {"ModifyIndex": before["ModifyIndex"] if before and is_same else self.next_index()}
        return {kind: self.rows[key]}

    def _delete(self, key: tuple[str, str, str]) -> None:
        """With what depends on it."""
        kind, node, identity = key
        gone = [k for k in self.rows if k[1] == node] if kind == "Node" else [key]
        if kind == "Service":
            gone += [k for k, row in self.rows.items() if k[:2] == ("Check", node) and row["ServiceID"] == identity]
        for one in gone:
            self.rows.pop(one, None)

    def _entry(self, node: str, service: Json) -> Json:
        checks = [c for c in self._of("Check", node) if c["ServiceID"] == service["ID"]]
        return {"Node": self.rows["Node", node, ""], "Service": service, "Checks": checks}

    def _all(self, kind: str) -> list[Json]:
        return [row for key, row in sorted(self.rows.items()) if key[0] == kind]

    def _of(self, kind: str, node: str) -> list[Json]:
        return [row for key, row in sorted(self.rows.items()) if key[:2] == (kind, node)]

"""Consul as a catalog: publish what is wanted, touch nothing else.

Who owns an entry is read together with its index, and every write is conditional on that index, so what somebody else
made or changed meanwhile is never overwritten. Nodes that have no entries left are removed on the same condition: whoever
adds an entry moves the node's index in the same transaction.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from functools import partial
from typing import TypeVar

from orchctl.catalog import entries as e
from orchctl.catalog.consul import Refused
from orchctl.catalog.dns import Resolver
from orchctl.catalog.entries import Entry
from orchctl.catalog.failures import rule
from orchctl.catalog.rows import Json
from orchctl.catalog.services import MOST_STEPS, Answer, CatalogClient
from orchctl.catalog.shared import cluster_of
from orchctl.catalog.target import Target, resolve
from orchctl.core.catalogs import Directories, Directory, Found, Listed, Listing, Owner, Published, Seen, Stray
from orchctl.core.context import Context
from orchctl.errors import AuthRefused, ForeignObject, OutcomeUnknown, StalePlan

T = TypeVar("T")
_TRIES = 20
_LONGEST_PAUSE_S = 0.02
_LOST = 2
"""How often a write whose answer was lost is looked at and made again: it is idempotent."""


class ConsulDirectories(Directories):
    def open(self, context: Context) -> Directory:
        """Contacts nobody yet."""
        assert context.catalog is not None, "open_directory has looked"
        return ConsulDirectory(resolve(context.catalog, os.environ), cluster_of(context))


class ConsulDirectory(Directory):
    """Requests: ``listed`` 1. ``publish`` that changes nothing: 1, and 1 for each name; a change: 1 more for the nodes, 1
    for each 30 entries, and 1 for each node that lost entries.

    What the token may not see is never taken for what is not there, as far as Consul tells the one from the other. A token
    for some services of many sees a part of every listing, and of what it does not find there it asks by name.
    """

    def __init__(self, target: Target, cluster: str) -> None:
        self.words = target.words
        self._client = CatalogClient(target)
        self._cluster = cluster
        self._dns = Resolver(target)

    def listed(self) -> dict[Owner, Listed]:
        found, is_whole = self._listing()
        if not found and not is_whole:
            nodes = self._nodes()
            if not nodes.items and not nodes.is_whole:
                raise self._unseen()
        return found

    def differs(self, listed: Listed, owner: Owner, wanted: Sequence[Listing]) -> bool:
        made = e.entries(self._cluster, owner, wanted)
        return {(entry.place, entry.fingerprint) for entry in made} != listed.fingerprints

    def publish(
        self, owner: Owner, wanted: Sequence[Listing], *, shared: bool = False, names: Collection[str] = ()
    ) -> Published:
        made = e.entries(self._cluster, owner, wanted)
        found, is_whole = self._listing()
        before = found.get(owner, Listed()).names | {*names}
        if not made and not before and not is_whole and not self._on_nodes()[1]:
            raise self._unseen()
        done: Counter[str] = Counter()
        what = ", ".join(sorted({entry.name for entry in made} | before))
        self._until_it_stands(lambda: self._publish_once(owner, made, before, done, shared=shared), what)
        return Published(added=done["added"], changed=done["changed"], removed=done["removed"])

    def nodes_without_entries(self) -> Sequence[str]:
        return [node for node in self._nodes_by_name() if self._client.services_of(node).is_empty]

    def remove_nodes(self, nodes: Sequence[str]) -> int:
        return sum(self._until_it_stands(partial(self._remove_node, node), node) for node in nodes)

    def stray(self) -> dict[Owner, tuple[Stray, ...]]:
        found: dict[Owner, list[Stray]] = {}
        there, is_whole = self._on_nodes()
        for node, services in there.items():
            for service in services:
                if owner := e.owner_of(service, self._cluster):
                    found.setdefault(owner, []).append(Stray(place=f"{node}/{service['ID']}", name=service["Service"]))
        if not found and not is_whole:
            raise self._unseen()
        return {owner: tuple(sorted(entries, key=lambda s: s.place)) for owner, entries in found.items()}

    def find(self, name: str) -> Sequence[Found]:
        return tuple(map(e.found, self._client.entries(name)))

    def changed(self, name: str, *, index: int, wait_s: int) -> Seen:
        answer = self._client.changed(name, index=index, wait_s=wait_s)
        return Seen(index=answer.index, found=tuple(map(e.found, answer.items)))

    def dns_names(self, name: str) -> Sequence[str]:
        return self._dns.names(name)

    def resolve(self, name: str) -> Sequence[tuple[str, str]]:
        return self._dns.ask(name)

    def close(self) -> None:
        self._client.close()

    def _listing(self) -> tuple[dict[Owner, Listed], bool]:
        """What may be seen, and whether that is everything."""
        grouped: dict[Owner, list[Json]] = {}
        answer = self._client.checks(e.check_prefix(self._cluster))
        for check in answer.items:
            if notes := e.notes_of(check):
                grouped.setdefault((notes.get("namespace", ""), notes.get("service", "")), []).append(check)
        found = {
            owner: Listed(
                fingerprints=frozenset((f"{c['Node']}/{c['ServiceID']}", e.fingerprint_of(c)) for c in checks),
                names=frozenset(c["ServiceName"] for c in checks),
            )
            for owner, checks in grouped.items()
        }
        return found, answer.is_whole

    def _publish_once(
        self, owner: Owner, made: Sequence[Entry], before: frozenset[str], done: Counter[str], *, shared: bool
    ) -> None:
        """One look at the entries, and the writes that follow from it; Refused when they moved meanwhile."""
        there = self._entries_at({entry.name for entry in made} | before)
        if not shared:
            self._refuse_taken(owner, {entry.name for entry in made}, there.values())
        ours = {place: a for place, a in there.items() if e.owner_of(a["Service"], self._cluster) == owner}
        new = [entry for entry in made if entry.place not in ours]
        self._refuse_foreign(new, there)
        moved = [entry for entry in made if entry.place in ours and not _stands(ours[entry.place], entry)]
        gone = [answer for place, answer in ours.items() if place not in {entry.place for entry in made}]
        # At every moment the name leads to something that is ready: good news first, what is gone last.
        self._add(new, done)
        for is_passing in (True, False):
            chosen = [_set(entry, ours[entry.place]) for entry in moved if entry.is_passing is is_passing]
            self._carry_out(chosen, done, "changed")
        self._carry_out([[_delete(answer)] for answer in gone], done, "removed")
        kept = {entry.node for entry in made}
        for node in sorted({answer["Node"]["Node"] for answer in gone} - kept):
            self._remove_node(node)

    def _entries_at(self, names: Iterable[str]) -> dict[str, Json]:
        found = [answer for name in sorted(names) for answer in self._client.entries(name)]
        return {f"{a['Node']['Node']}/{a['Service']['ID']}": a for a in found}

    def _refuse_taken(self, owner: Owner, names: set[str], there: Iterable[Json]) -> None:
        for answer in there:
            service = answer["Service"]
            if service["Service"] in names and not e.is_of(service, owner):
                raise ForeignObject(
                    f"{self.words}: the name {service['Service']!r} is taken by an entry of {_whose(service)}"
                    f" ({service['ID']} on node {answer['Node']['Node']})",
                    hint="choose another name in the spec (register: {name: ...}),"
                    " or say that the name is shared (register: {shared: true})",
                )

    def _refuse_foreign(self, new: Iterable[Entry], there: Mapping[str, Json]) -> None:
        for entry in new:
            if entry.place in there:
                raise ForeignObject(
                    f"{self.words}: the entry {entry.place} is of {_whose(there[entry.place]['Service'])}; it is left alone"
                )

    def _nodes(self) -> Answer:
        return self._client.nodes(e.NODE_CLUSTER, self._cluster)

    def _nodes_by_name(self) -> dict[str, Json]:
        return {node["Node"]: node for node in self._nodes().items}

    def _on_nodes(self) -> tuple[dict[str, list[Json]], bool]:
        """What may be seen of every node of ours, and whether that is everything."""
        nodes = self._nodes()
        answers = {node["Node"]: self._client.services_of(node["Node"]) for node in nodes.items}
        is_whole = all(answer.is_whole for answer in (nodes, *answers.values()))
        return {node: answer.items for node, answer in answers.items()}, is_whole

    def _unseen(self) -> AuthRefused:
        """Of an answer in which nothing of ours was left."""
        needed = f"{rule('node_prefix', '', 'read')} and {rule('service_prefix', '', 'read')}, or those of the services"
        hint = f"the token's policy needs: {needed}; orchctl render consul-policy prints them"
        return AuthRefused(
            f"{self.words}: the token may not see what is listed for cluster {self._cluster!r}, if anything is",
            hint=hint if self._client.has_token else "name the file with a token: token_file",
        )

    def _add(self, new: Sequence[Entry], done: Counter[str]) -> None:
        """Every transaction moves the index of the nodes that get entries: see ``_remove_node``."""
        nodes = self._nodes_by_name() if new else {}
        while new:
            batch = _first(new)
            firsts = {entry.node: entry for entry in reversed(batch)}
            bodies = [e.node_body(self._cluster, firsts[name], nodes.get(name)) for name in sorted(firsts)]
            steps = [{"Node": {"Verb": "cas", "Node": body}} for body in bodies]
            steps += [step for entry in batch for step in _set(entry, None)]
            try:
                results = self._client.change(steps)
            except Refused as refused:
                self._refuse_foreign_node(bodies[refused.step] if refused.step < len(bodies) else None)
                raise
            nodes |= {r["Node"]["Node"]: r["Node"] for r in results if r.get("Node")}
            done["added"] += len(batch)
            new = new[len(batch) :]

    def _refuse_foreign_node(self, body: Json | None) -> None:
        if body is not None and not body["ModifyIndex"] and body["Node"] not in self._nodes_by_name():
            raise ForeignObject(
                f"{self.words}: there is a node {body['Node']!r} that was not made for cluster {self._cluster!r}",
                hint="two clusters whose names differ in signs alone share it: call one of them otherwise (cluster = ...)",
            )

    def _carry_out(self, groups: Sequence[Sequence[Json]], done: Counter[str], what: str) -> None:
        """Groups of at most two steps, as few transactions as hold them."""
        most = MOST_STEPS // 2
        for start in range(0, len(groups), most):
            part = groups[start : start + most]
            self._client.change([step for group in part for step in group])
            done[what] += len(part)

    def _remove_node(self, name: str) -> bool:
        """When it is ours and has no entries. Who adds one moves the index, so Consul refuses in between.

        With a node goes whatever is on it, and the right to write nodes is all that Consul asks for (1.20, vetNodeTxnOp):
        an entry that the token may not see would not even be refused.
        """
        node = self._nodes_by_name().get(name)
        if node is None or not self._client.services_of(name).is_empty:
            return False
        self._client.change(
            [{"Node": {"Verb": "delete-cas", "Node": {"Node": name, "ModifyIndex": node["ModifyIndex"]}}}]
        )
        return True

    def _until_it_stands(self, action: Callable[[], T], what: str) -> T:
        """Again from a new look when somebody else was quicker, and when an answer was lost."""
        lost = 0
        for attempt in range(_TRIES):
            try:
                return action()
            except Refused:
                time.sleep(random.uniform(0, _LONGEST_PAUSE_S * attempt))
            except OutcomeUnknown:
                lost += 1
                if lost > _LOST:
                    raise
        raise StalePlan(
            f"{self.words}: {what} keeps changing; gave up after {_TRIES} attempts",
            hint="see who else writes there, then run the same command again",
        )


def _first(new: Sequence[Entry]) -> Sequence[Entry]:
    """As many as fit into one transaction with their nodes."""
    nodes: set[str] = set()
    for count, entry in enumerate(new):
        nodes.add(entry.node)
        if len(nodes) + 2 * (count + 1) > MOST_STEPS:
            return new[:count]
    return new


def _set(entry: Entry, before: Json | None) -> list[Json]:
    """Both, also when one of them is the same: then its condition is all that counts."""
    service = entry.service | {"ModifyIndex": before["Service"]["ModifyIndex"] if before else 0}
    check = entry.check | {"ModifyIndex": next((c["ModifyIndex"] for c in _own_checks(before, entry)), 0)}
    return [
        {"Service": {"Verb": "cas", "Node": entry.node, "Service": service}},
        {"Check": {"Verb": "cas", "Check": check}},
    ]


def _delete(answer: Json) -> Json:
    """With its checks."""
    service = {key: answer["Service"][key] for key in ("ID", "Service", "ModifyIndex")}
    return {"Service": {"Verb": "delete-cas", "Node": answer["Node"]["Node"], "Service": service}}


def _stands(answer: Json, entry: Entry) -> bool:
    fingerprints = {e.fingerprint_of(check) for check in _own_checks(answer, entry)}
    return entry.fingerprint in fingerprints and e.is_same(answer["Service"], entry.service)


def _own_checks(answer: Json | None, entry: Entry) -> list[Json]:
    checks = (answer or {}).get("Checks") or ()
    return [check for check in checks if check["CheckID"] == entry.check["CheckID"]]


def _whose(service: Json) -> str:
    meta = service.get("Meta") or {}
    if meta.get("managed_by") != e.OWNER:
        return "somebody else"
    place = f"namespace {meta.get('orchctl_namespace')}, cluster {meta.get('orchctl_cluster')}"
    return f"orchctl's service {meta.get('orchctl_service')!r} ({place})"

"""Objects behind the stand-in server: identities, versions and preconditions, and no more of the API than that."""

from __future__ import annotations

import copy
import itertools
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from orchctl.core.context import Context
from orchctl.core.patch import merge_patch
from orchctl_kubernetes.client import Reading
from orchctl_kubernetes.target import resolve
from tests.unit.kubernetes.api_server import Answer, Server, kubeconfig, refusal, running
from tests.unit.kubernetes.living import managed
from tests.unit.kubernetes.observed import Raw

Interference = Callable[[], Answer | None]
"""Runs just before a write; an answer is given instead of carrying it out."""

_MADE = ("POST", "PATCH", "DELETE")


class Cluster:
    """``objects`` by path. ``before``: what happens before the next writes, each once, None = nothing."""

    def __init__(self, server: Server, *namespaces: str) -> None:
        self.server = server
        self.namespaces = set(namespaces)
        self.objects: dict[str, Raw] = {}
        self.before: list[Interference | None] = []
        self._count = itertools.count(1)
        server.reply = self._reply

    @property
    def writes(self) -> list[tuple[str, str, Raw]]:
        """(method, path without query, body) of every change asked for so far."""
        seen = [(m, p.partition("?")[0], body) for m, p, _, body in self.server.seen if m in _MADE]
        return [(m, path, json.loads(body)) for m, path, body in seen]

    @property
    def queries(self) -> list[dict[str, str]]:
        """What each of ``writes`` has after the question mark."""
        seen = [parse_qs(p.partition("?")[2]) for m, p, _, _ in self.server.seen if m in _MADE]
        return [{k: v[0] for k, v in query.items()} for query in seen]

    def put(self, path: str, body: Raw) -> Raw:
        """``body`` is there now, by somebody's hand, as another version; with its identity when it had one."""
        found = copy.deepcopy(body)
        uid = self.objects.get(path, {}).get("metadata", {}).get("uid") or f"u-{next(self._count)}"
        found["metadata"] = {"uid": uid, **found["metadata"], "resourceVersion": str(next(self._count))}
        self.objects[path] = found
        return found

    def change(self, path: str, patch: Raw) -> None:
        self.put(path, merge_patch(self.objects[path], patch))

    def _reply(self, method: str, address: str) -> Answer:
        path, _, query = address.partition("?")
        if method == "GET":
            return self._read(path, {k: v[0] for k, v in parse_qs(query).items()})
        interference = self.before.pop(0) if self.before else None
        if interference and (answer := interference()):
            return answer
        _, _, headers, content = self.server.seen[-1]
        body = json.loads(content)
        if method == "POST":
            return self._create(path, body)
        if method == "DELETE":
            return self._delete(path, body)
        return self._patch(path, body, "apply" in headers["Content-Type"])

    def _read(self, path: str, query: dict[str, str]) -> Answer:
        if path in self.objects:
            return 200, self.objects[path]
        if _is_object(path):
            return _absent(path)
        wanted = [part.partition("=") for part in query.get("labelSelector", "").split(",") if part]
        prefix, plural = path.rpartition("/")[0], path.rpartition("/")[2]
        found = [o for p, o in self.objects.items() if f"/{plural}/" in p and p.startswith(prefix)]
        return 200, {"items": [o for o in found if all(_labels(o).get(k) == v for k, _, v in wanted)]}

    def _create(self, collection: str, body: Raw) -> Answer:
        if collection == "/api/v1/namespaces":
            self.namespaces.add(body["metadata"]["name"])
            return 201, body
        path, namespace = f"{collection}/{body['metadata']['name']}", collection.split("/")[-2]
        if namespace not in self.namespaces:
            return 404, refusal(404, "namespace not found", "NotFound", kind="namespaces", name=namespace)
        if path in self.objects:
            return 409, refusal(409, f"{path} already exists", "AlreadyExists")
        return 201, self.put(path, body)

    def _patch(self, path: str, body: Raw, applied: bool) -> Answer:
        path = path.removesuffix("/scale")
        live = self.objects.get(path)
        if live is None and not applied:
            return _absent(path)
        if live is not None and not _holds(live, body["metadata"]):
            return 409, refusal(409, "the object has been modified", "Conflict")
        changed = merge_patch(live or {}, body)
        if applied:
            manager = self.queries[-1]["fieldManager"]
            others = [m for m in (live or {}).get("metadata", {}).get("managedFields", []) if m["manager"] != manager]
            changed["metadata"]["managedFields"] = [*others, managed(body, manager)]
        return 200, self.put(path, changed)

    def _delete(self, path: str, options: Raw) -> Answer:
        if path not in self.objects:
            return _absent(path)
        if not _holds(self.objects[path], options["preconditions"]):
            return 409, refusal(409, "the precondition failed", "Conflict")
        return 200, self.objects.pop(path)


def _is_object(path: str) -> bool:
    """``.../namespaces/NAMESPACE/PLURAL/NAME``."""
    return len(path.partition("/namespaces/")[2].split("/")) >= 3


def _absent(path: str) -> Answer:
    return 404, refusal(404, f"{path} not found", "NotFound")


def _labels(found: Raw) -> dict[str, str]:
    return found["metadata"].get("labels") or {}


def _holds(live: Raw, conditions: dict[str, Any]) -> bool:
    return all(live["metadata"][k] == conditions[k] for k in ("uid", "resourceVersion") if k in conditions)


@contextmanager
def cluster(*namespaces: str) -> Iterator[Cluster]:
    with running() as server:
        yield Cluster(server, *namespaces)


def connect(found: Cluster, folder: Path) -> Reading:
    settings = {"kubeconfig": str(kubeconfig(folder / "kubeconfig", found.server.url))}
    return Reading(resolve(Context(name="k", backend="kubernetes", state_dir=folder, settings=settings), {}))

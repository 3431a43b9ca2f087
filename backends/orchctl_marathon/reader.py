"""Looking at a Marathon: one request for any number of services."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from orchctl.core.backend import Live, Reader
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.rollout import FailureKind, Handle, Instance, InstanceState, Problem, Progress
from orchctl.core.service import SecretRef, Service
from orchctl.errors import NotFound, attempt
from orchctl_marathon import endpoints, logs, normalise
from orchctl_marathon.answers import is_app, is_queue_item, is_task
from orchctl_marathon.careful import Crowd
from orchctl_marathon.client import Reading
from orchctl_marathon.events import QUIET_S, Ear
from orchctl_marathon.names import NAME, NAMESPACE, app_id, dns_name, is_ours
from orchctl_marathon.progress import (
    Older,
    config_version,
    count_of,
    crowd_of,
    doubtful_versions,
    expect_of,
    needs_queue,
    observe,
    template_of,
)

Json = dict[str, Any]
Apps = dict[str, Json]

_WHOLE = ("group.apps", "group.apps.tasks", "group.apps.counts", "group.apps.deployments")
_EMBEDDED = (*_WHOLE, "group.apps.lastTaskFailure", "group.apps.readiness")
_CHANGED = "changed by somebody else"
"""In place of a template: it is none of ours."""
_MOST_OLDER = 8
"""Former definitions of one app that are asked for; instances of still older ones are rare."""
_CANCELLED_S = 3.0
"""How long a half done rollout without a deployment is looked at before it counts: a new leader may still read its own."""


class MarathonReader(Reader):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._ear = Ear(reading)
        self._seen: tuple[Handle, float, Progress] | None = None
        self._halted_since: dict[str, float] = {}
        self._first_seen: dict[Handle, Json] = {}
        self._definitions: dict[tuple[str, str], Json | None] = {}

    def close(self) -> None:
        self._ear.close()

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        return _lives(namespace, self.apps(namespace, names, embed=("group.apps",)))

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        return self._progresses(self.apps(namespace, names, embed=_EMBEDDED))

    def look(self, namespace: str, names: Sequence[str] = ()) -> tuple[Mapping[str, Live], Mapping[str, Progress]]:
        found = self.apps(namespace, names, embed=_EMBEDDED)
        return _lives(namespace, found), self._progresses(found)

    def apps(self, namespace: str, names: Sequence[str], *, embed: Sequence[str]) -> Apps:
        """Raw apps by name: ours, or those that were asked for."""
        if len(names) == 1:
            found = self.app(namespace, names[0])
            return {names[0]: found} if found else {}
        path = f"/v2/groups/{namespace}"
        listed = attempt(lambda: self._reading.get_list(path, "apps", is_app, {"embed": embed}), NotFound) or []
        by_id = {str(a["id"]): a for a in listed}
        if names:
            return {n: by_id[app_id(namespace, n)] for n in names if app_id(namespace, n) in by_id}
        return {_name(a): a for a in by_id.values() if is_ours(a.get("labels"), namespace, _name(a))}

    def app(self, namespace: str, name: str) -> Json | None:
        """One app with its tasks, deployments and last failure."""
        path = f"/v2/apps{app_id(namespace, name)}"
        answer = attempt(lambda: self._reading.get(path, {"embed": "app.readiness"}), NotFound)
        if answer is None:
            return None
        found = answer.get("app")
        if not isinstance(found, dict) or not is_app(found) or found["id"] != app_id(namespace, name):
            raise self._reading.not_marathon(path)
        return found

    def _progresses(self, found: Apps) -> dict[str, Progress]:
        queue = self._queue() if any(needs_queue(a) for a in found.values()) else []
        return {name: self._observed(a, queue) for name, a in found.items()}

    def _observed(self, app: Json, queue: Sequence[Json]) -> Progress:
        return observe(app, _item_of(app, queue), older=self._older(app, doubtful_versions(app)))

    def _older(self, app: Json, versions: Iterable[str]) -> Older:
        """Former definitions by version, as far as Marathon still has them: each is asked for once, since none changes."""
        found = {v: self._definition(str(app["id"]), v) for v in sorted(versions, reverse=True)[:_MOST_OLDER]}
        return {version: definition for version, definition in found.items() if definition is not None}

    def _definition(self, identity: str, version: str) -> Json | None:
        if (identity, version) not in self._definitions:
            path = f"/v2/apps{identity}/versions/{quote(version, safe=':')}"
            found = attempt(lambda: self._reading.get(path), NotFound)
            if found is not None and not is_app(found):
                raise self._reading.not_marathon(path)
            self._definitions[identity, version] = found
        return self._definitions[identity, version]

    def _queue(self) -> list[Json]:
        """Items of all apps. They tell of back-off and of refused offers, and of nothing else."""
        return self._reading.get_list("/v2/queue", "queue", is_queue_item)

    def crowd(self, app: Json) -> Crowd:
        """How many instances Marathon counts, those in the launch queue included, and how many serve."""
        queue = self._queue() if app.get("deployments") or needs_queue(app) else []
        waiting = sum(i.get("count") or 0 for i in queue if (i.get("app") or {}).get("id") == app["id"])
        return crowd_of(app, {"count": waiting}, self._older(app, doubtful_versions(app)))

    def poll(self, handle: Handle) -> Progress:
        """As seen a moment ago while Marathon says that nothing has happened since."""
        quiet, now = self._ear.is_quiet(app_id(handle.namespace, handle.service)), time.monotonic()
        if quiet and self._seen and self._seen[0] == handle and now - self._seen[1] < QUIET_S:
            return self._seen[2]
        seen = self._look_at(handle)
        self._seen = (handle, now, seen)
        return seen

    def _look_at(self, handle: Handle) -> Progress:
        found = self.app(handle.namespace, handle.service)
        if found is None:
            return observe(None, leaving=self._leaving(app_id(handle.namespace, handle.service)))
        queue = self._queue() if needs_queue(found) else []
        seen = self._judged(handle.service, self._observed(found, queue))
        return seen if self._is_as_first_seen(handle, found) else replace(seen, template_hash=_CHANGED)

    def _is_as_first_seen(self, handle: Handle, app: Json) -> bool:
        """Somebody else may change an app and leave our label of its template in place."""
        now = normalise.what_runs(app)
        return self._first_seen.setdefault(handle, now) == now

    def expect_change(self) -> None:
        """We are about to write: what is seen next is new."""
        self._first_seen.clear()
        self._seen = None

    def _judged(self, name: str, seen: Progress) -> Progress:
        """A rollout whose deployment somebody has cancelled never ends by itself."""
        if not seen.paused:
            self._halted_since.pop(name, None)
            return seen
        since = self._halted_since.setdefault(name, time.monotonic())
        if time.monotonic() - since < _CANCELLED_S:
            return seen
        text = "the deployment was cancelled: no further instance is replaced"
        return replace(seen, verdict=Problem(kind=FailureKind.DEADLINE, message=text))

    def _leaving(self, identity: str) -> list[Instance]:
        """What still stops of an app that is not there any more: its tasks, or the deployment that removes them."""
        deployments = [d for d in self._reading.deployments() if identity in (d.get("affectedApps") or ())]
        if not deployments:
            return []
        tasks = self._reading.get_list("/v2/tasks", "tasks", is_task)
        ids = [str(t["id"]) for t in tasks if t.get("appId") == identity]
        ids = ids or [str(d.get("id")) for d in deployments]
        return [Instance(id=i, current=False, state=InstanceState.STOPPING) for i in ids]

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        app, domain = self._one(namespace, name), self._reading.target.dns_domain
        older = self._older(app, endpoints.old_versions(app))
        return endpoints.endpoints(name, app, dns_name(namespace, name, domain), older)

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        found = self.app(namespace, name)
        if found is None and not instance:
            raise _no_service(namespace, name)
        again = None if instance else lambda: self.app(namespace, name) or {}
        return logs.read(self._reading, found or {}, instance, tail=tail, since_ms=since_ms, follow=follow, again=again)

    def _one(self, namespace: str, name: str) -> Json:
        found = self.app(namespace, name)
        if found is None:
            raise _no_service(namespace, name)
        return found

    def pin(self, service: Service) -> str:  # noqa: ARG002 - Marathon asks no registry
        return ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:  # noqa: ARG002
        """Marathon does not say what its plug-in has."""
        return ()


def _item_of(app: Json, queue: Sequence[Json]) -> Json | None:
    """Of the present definition. Instances of one that was given up may wait beside it until the last of it is gone,
    and what is refused to them says nothing about those that follow."""
    ours = (i for i in queue if (i.get("app") or {}).get("id") == app["id"])
    return next((i for i in ours if config_version(i["app"]) in ("", config_version(app))), None)


def _no_service(namespace: str, name: str) -> NotFound:
    return NotFound(f"there is no service {name!r} in namespace {namespace!r}")


def _name(app: Json) -> str:
    labels = app.get("labels") or {}
    return str(labels.get(NAME, "")) if labels.get(NAMESPACE) else ""


def _lives(namespace: str, found: Apps) -> dict[str, Live]:
    return {name: live_of(namespace, name, a) for name, a in found.items()}


def live_of(namespace: str, name: str, app: Json) -> Live:
    owned = is_ours(app.get("labels"), namespace, name)
    docker = ((app.get("container") or {}).get("docker")) or {}
    count = count_of(app)
    return Live(
        namespace=namespace,
        name=name,
        expect=expect_of(app),
        owned=owned,
        document=normalise.document({**app, "instances": count}) if owned else {},
        template_hash=template_of(app),
        restarts=config_version(app),
        replicas=count,
        image=str(docker.get("image", "")),
    )

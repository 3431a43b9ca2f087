"""Changing a namespace, under a lease: each write asks the fence first and is conditional on what was read.

The Deployment is sent last: with it the new definition stands. Server-side apply removes what is no longer asked for
and names every field that another manager has set.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence

from orchctl.core.backend import Secrets, Writer
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.errors import Conflict, FieldConflict, ForeignObject, NotFound, StalePlan, UsageError, attempt
from orchctl_kubernetes import normalise, translate
from orchctl_kubernetes.client import Json, Reading, Writing
from orchctl_kubernetes.names import FIELD_MANAGER, RESTARTED, REVISION, is_ours
from orchctl_kubernetes.objects import Objects
from orchctl_kubernetes.reader import KubernetesReader, expect_of, template_of, uid_of
from orchctl_kubernetes.resources import AUTOSCALERS, DEPLOYMENTS

_TRIES = 10  # of a write whose object the controllers' status updates move on meanwhile
_HANDOVER = f"{FIELD_MANAGER}-handover"
_AGAIN = " again "
_AUTOSCALER = "kube-controller-manager (scale)"


class KubernetesWriter(Writer):
    def __init__(
        self, reading: Reading, reader: KubernetesReader, check: Callable[[], None], *, force_conflicts: bool
    ) -> None:
        self._reading = reading
        self._reader = reader
        self._force = force_conflicts
        self._writing = Writing(reading, check)
        self._objects = Objects(reading, reader, self._writing, force=force_conflicts)

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        service = plan.service
        *around, deployment = [dict(o.body) for o in translate.render(service)]
        live = self._expected(service.namespace, service.name, plan.expect)
        standing = self._objects.standing(service.namespace, service.name)
        wanted = {(b["kind"], b["metadata"]["name"]) for b in around}
        stale = [o for o in standing if (o["kind"], o["metadata"]["name"]) not in wanted]
        # All looked at before the first is written; a former autoscaler goes first, or it would undo the count.
        pending = self._objects.pending(service, around, standing)
        freed = [o for o in stale if o["kind"] == AUTOSCALERS.kind]
        for found in freed:
            self._objects.remove(found, service.namespace)
        for body in pending:
            self._objects.write(body, secrets, service, standing)
        written = self._put(plan, _noted(deployment, revision, live), live)
        for found in stale:
            if found not in freed:
                self._objects.remove(found, service.namespace)
        return _handle(written)

    def _expected(self, namespace: str, name: str, expect: str) -> Json | None:
        """The live Deployment, None when there must be none; StalePlan when it is not what was read."""
        live = self._reader.deployments(namespace, [name]).get(name)
        if live is not None and not is_ours(live["metadata"].get("labels"), namespace, name):
            raise ForeignObject(
                f"the Deployment {name!r} exists in namespace {namespace!r} and was not made by orchctl",
                hint="rename the service, use another namespace, or remove that Deployment first",
            )
        if live is not None and live["metadata"].get("deletionTimestamp"):
            raise Conflict(f"service {name!r} is still being deleted", hint="run the command again when it is gone")
        if live is None and not expect:
            return None
        if live is None or not expect or self._expect_of(namespace, name, live) != expect:
            raise StalePlan(f"service {name!r} was changed by somebody else since it was read")
        return live

    def _expect_of(self, namespace: str, name: str, live: Json) -> str:
        return expect_of(live, self._reader.others(namespace, [name], [live]).get(name, []))

    def _put(self, plan: Plan, body: Json, live: Json | None) -> Json:
        """Apply the Deployment on exactly the version that was read, again while only its status moves."""
        namespace, name = plan.service.namespace, plan.service.name
        path = DEPLOYMENTS.path(namespace, name)
        for _ in range(_TRIES):
            sent = body
            if live is not None:
                if _autoscaled(plan.service):
                    live = self._hand_over(path, body, live)
                    sent = sent | {"spec": {k: v for k, v in sent["spec"].items() if k != "replicas"}}
                sent = sent | {"metadata": sent["metadata"] | {"resourceVersion": live["metadata"]["resourceVersion"]}}
            try:
                return self._apply(path, sent)
            except StalePlan:
                before = live
                live = self._reader.deployments(namespace, [name]).get(name)
                if live is None or before is None or not _same_definition(before, live):
                    raise
        raise StalePlan(f"service {name!r} keeps changing", hint="run the command again")

    def _apply(self, path: str, body: Json) -> Json:
        """Conflicts with what orchctl itself has set in another way (scale, pause), or with an autoscaler that is no
        more, are none: they are resolved in favour of the spec. The version read makes that exact."""
        try:
            return self._writing.apply(path, body, force=self._force)
        except FieldConflict as conflict:
            others = {manager for manager, _ in conflict.fields if not _is_own(manager)}
            metadata = body["metadata"]
            left = others == {_AUTOSCALER} and not self._scalers_of(metadata["namespace"], metadata["name"])
            if others and not left:
                raise
            return self._writing.apply(path, body, force=True)

    def _hand_over(self, path: str, body: Json, live: Json) -> Json:
        """Before ``replicas`` is left to an autoscaler somebody else must own it: a field that its only owner leaves
        out falls back to 1."""
        if not _applied_count(live):
            return live
        count = {"replicas": normalise.replicas_of(live)}
        metadata = {"name": live["metadata"]["name"], "resourceVersion": live["metadata"]["resourceVersion"]}
        part = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata, "spec": count}
        return self._writing.apply(path, part, manager=_HANDOVER)

    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        if scalers := self._scalers_of(namespace, name):
            raise UsageError(
                f"the HorizontalPodAutoscaler {scalers[0]!r} decides how many replicas {name!r} has",
                hint="change scale.min and scale.max in the spec, and deploy it",
            )

        def resized(live: Json) -> Json:
            metadata = {"resourceVersion": live["metadata"]["resourceVersion"]}
            path = DEPLOYMENTS.path(namespace, name, "scale")
            return self._writing.merge(path, {"metadata": metadata, "spec": {"replicas": replicas}})

        live = self._changed(namespace, name, expect, resized)
        return Handle(
            backend="kubernetes",
            namespace=namespace,
            service=name,
            template_hash=template_of(live),
            replicas=replicas,
            ref=uid_of(live),
        )

    def _scalers_of(self, namespace: str, name: str) -> list[str]:
        found = []
        for scaler in self._reading.list(AUTOSCALERS.path(namespace)):
            target = (scaler.get("spec") or {}).get("scaleTargetRef") or {}
            if (target.get("kind"), target.get("name")) == (DEPLOYMENTS.kind, name):
                found.append(str(scaler["metadata"]["name"]))
        return found

    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        template = {"metadata": {"annotations": {RESTARTED: _moment()}}}

        def restarted(live: Json) -> Json:
            metadata = {"resourceVersion": live["metadata"]["resourceVersion"]}
            body = {"metadata": metadata, "spec": {"template": template, "paused": False}}
            return self._writing.merge(DEPLOYMENTS.path(namespace, name), body)

        self._changed(namespace, name, expect, restarted)
        return _handle(self._present(namespace, name))

    def pause(self, handle: Handle) -> None:
        """Native: the controller starts no further pod until ``paused`` is taken back."""
        for _ in range(_TRIES):
            live = self._reader.deployments(handle.namespace, [handle.service]).get(handle.service)
            if live is None or template_of(live) != handle.template_hash or (live.get("spec") or {}).get("paused"):
                return
            body = {"metadata": {"resourceVersion": live["metadata"]["resourceVersion"]}, "spec": {"paused": True}}
            path = DEPLOYMENTS.path(handle.namespace, handle.service)
            if attempt(lambda path=path, body=body: self._writing.merge(path, body), StalePlan) is not None:  # type: ignore[misc]
                return
        raise StalePlan(f"service {handle.service!r} keeps changing", hint="run the command again")

    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        def removed(live: Json) -> Json:
            version = live["metadata"]["resourceVersion"]
            path = DEPLOYMENTS.path(namespace, name)
            attempt(lambda: self._writing.delete(path, uid=uid_of(live), version=version, foreground=True), NotFound)
            return live

        live = self._changed(namespace, name, expect, removed)
        for found in self._objects.stale(namespace, name, None):
            self._objects.remove(found, namespace)
        return Handle(
            backend="kubernetes", namespace=namespace, service=name, template_hash="", replicas=0, ref=uid_of(live)
        )

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        self._objects.prune(namespace, name, keep)

    def _changed(self, namespace: str, name: str, expect: str, change: Callable[[Json], Json]) -> Json:
        """Carry out ``change`` on the version that was read; returns what it was made on. The controllers move the
        version during a rollout, so a stale one is only a conflict when the definition moved as well."""
        for _ in range(_TRIES):
            live = self._expected(namespace, name, expect)
            if live is None:
                raise StalePlan(f"service {name!r} was removed by somebody else meanwhile")
            if attempt(lambda live=live: change(live), StalePlan) is not None:  # type: ignore[misc]
                return live
        raise StalePlan(f"service {name!r} keeps changing", hint="run the command again")

    def _present(self, namespace: str, name: str) -> Json:
        live = self._reader.deployments(namespace, [name]).get(name)
        if live is None:
            raise StalePlan(f"service {name!r} was removed by somebody else meanwhile")
        return live


def _noted(deployment: Json, revision: int, live: Json | None) -> Json:
    """With the revision, where it restarts nothing, and the restart that was asked for, where it has its place."""
    metadata = dict(deployment["metadata"])
    metadata["annotations"] = {**metadata.get("annotations", {}), REVISION: str(revision)}
    spec = deployment["spec"]
    if mark := _restart_mark(live, template_of(deployment)):
        inner = dict(spec["template"]["metadata"])
        inner["annotations"] = {**inner.get("annotations", {}), RESTARTED: mark}
        spec = spec | {"template": spec["template"] | {"metadata": inner}}
    return deployment | {"metadata": metadata, "spec": spec}


def _restart_mark(live: Json | None, template: str) -> str:
    """When the service was restarted last. It stays through every deploy, so that going back finds the pods that still
    run right as they are. The same template after a pause is tried again with new pods, and only for its own sake."""
    if live is None:
        return ""
    spec = live.get("spec") or {}
    mark = str((spec["template"]["metadata"].get("annotations") or {}).get(RESTARTED, ""))
    asked = mark.partition(_AGAIN)[0]
    if template_of(live) != template:
        return asked
    return f"{asked}{_AGAIN}{_moment()}" if spec.get("paused") else mark


def _moment() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _handle(deployment: Json) -> Handle:
    metadata = deployment.get("metadata") or {}
    return Handle(
        backend="kubernetes",
        namespace=str(metadata.get("namespace", "")),
        service=str(metadata.get("name", "")),
        template_hash=template_of(deployment),
        replicas=normalise.replicas_of(deployment),
        ref=uid_of(deployment),
    )


def _autoscaled(service: Service) -> bool:
    return service.scaling is not None and service.scaling.cpu_percent is not None


def _applied_count(live: Json) -> bool:
    """Is the count ours alone, by an apply of the whole definition?"""
    owners = [m for m in live["metadata"].get("managedFields") or () if _owns_count(m)]
    return [(m.get("manager"), m.get("operation")) for m in owners] == [(FIELD_MANAGER, "Apply")]


def _owns_count(entry: Json) -> bool:
    return "f:replicas" in ((entry.get("fieldsV1") or {}).get("f:spec") or {})


def _is_own(manager: str) -> bool:
    return manager.partition(" ")[0] in (FIELD_MANAGER, _HANDOVER)


def _same_definition(before: Json, after: Json) -> bool:
    return expect_of(before, ()) == expect_of(after, ())

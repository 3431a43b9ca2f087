"""Changing a swarm, under a lease: each write asks the fence first and is conditional on what was read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

from orchctl.core.backend import Secrets, Writer
from orchctl.core.document import template_hash
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.errors import AlreadyExists, ForeignObject, NotFound, StalePlan, UsageError, attempt
from orchctl_swarm import translate
from orchctl_swarm.client import Reading, Writing
from orchctl_swarm.names import PAUSED, REVISION, digests_of, is_ours, service_name
from orchctl_swarm.normalise import replicas_of
from orchctl_swarm.objects import Objects
from orchctl_swarm.placement import constraints_of, none_meets
from orchctl_swarm.progress import template_of
from orchctl_swarm.reader import SwarmReader, expect_of

Json = dict[str, Any]

_TRIES = 5  # of a write whose object the swarm itself moves on meanwhile
_FOR_EVER_NS = 10 * 365 * 24 * 3600 * 10**9


class SwarmWriter(Writer):
    def __init__(self, reading: Reading, reader: SwarmReader, check: Callable[[], None]) -> None:
        self._reading = reading
        self._reader = reader
        self._writing = Writing(reading, check)
        self._objects = Objects(reading, self._writing)

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        service = plan.service
        spec = translate.service_spec(service, digests_of(service))
        if plan.expect:
            self._keep_what_runs(constraints_of(spec))
        self._objects.ensure_network(service.namespace)
        spec["Labels"][REVISION] = str(revision)
        _fill_ids(spec, "Configs", "Config", self._objects.configs(service))
        _fill_ids(spec, "Secrets", "Secret", self._objects.secrets(service, secrets))
        identity = self._objects.with_network(service.namespace, partial(self._put, plan, spec))
        return Handle(
            backend="swarm",
            namespace=service.namespace,
            service=service.name,
            template_hash=template_hash(service, "swarm"),
            replicas=replicas_of(spec),
            ref=identity,
        )

    def _keep_what_runs(self, constraints: Sequence[str]) -> None:
        if none_meets(constraints, self._reading.get("/nodes") if constraints else ()):
            raise UsageError(
                f"no node of this swarm meets the placement {', '.join(constraints)}: "
                "the swarm would stop the running instances and start none",
                hint="label a node (docker node update --label-add KEY=VALUE NODE) or change placement.require",
            )

    def _put(self, plan: Plan, spec: Json) -> str:
        namespace, name = plan.service.namespace, plan.service.name
        if not plan.expect:
            return self._create(plan.service, spec)
        return self._change(namespace, name, plan.expect, lambda live: _replace(live, spec))

    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        def resized(spec: Json) -> Json:
            return spec | {"Mode": {"Replicated": {"Replicas": replicas}}}

        return self._handle(namespace, name, self._change(namespace, name, expect, resized))

    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        def forced(spec: Json) -> Json:
            task = spec["TaskTemplate"]
            return _unpaused(spec) | {"TaskTemplate": task | {"ForceUpdate": int(task.get("ForceUpdate") or 0) + 1}}

        return self._handle(namespace, name, self._change(namespace, name, expect, forced))

    def pause(self, handle: Handle) -> None:
        """Let no further replica be begun.

        The engine pauses by itself on a failure; asked to pause an update that is only slow it can
        not. So the same template is sent with a delay of years after the next replica, new before
        old: what is under way may finish, everything else keeps running.
        """
        for _ in range(_TRIES):
            service = self._reader.services(handle.namespace, [handle.service]).get(handle.service)
            if service is None or (service.get("UpdateStatus") or {}).get("State") != "updating":
                return
            spec = service["Spec"]
            if template_of(spec["TaskTemplate"]) != handle.template_hash:
                return  # somebody's newer rollout
            if PAUSED in (spec.get("Labels") or {}):
                return
            held = {**spec["UpdateConfig"], "Parallelism": 1, "Delay": _FOR_EVER_NS, "Order": "start-first"}
            wanted = spec | {"UpdateConfig": held, "Labels": {**spec["Labels"], PAUSED: "true"}}
            if attempt(partial(self._update, service, wanted), StalePlan) is not None:
                return
        raise StalePlan(f"service {handle.service!r} keeps changing", hint="run the command again")

    def remind(self, handle: Handle, *, expect: str) -> None:
        """The engine's updater looks at every slot of a definition that was written, be it the same."""
        self._change(handle.namespace, handle.service, expect, lambda live: live)

    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        service = self._owned(namespace, name, expect)
        attempt(lambda: self._writing.delete(f"/services/{service['ID']}"), NotFound)
        return Handle(
            backend="swarm", namespace=namespace, service=name, template_hash="", replicas=0, ref=service["ID"]
        )

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        self._objects.prune(namespace, name, keep)
        if not keep and not self._reader.services(namespace):
            self._objects.remove_network(namespace)

    def _create(self, service: Service, spec: Json) -> str:
        headers = self._reading.registry_auth(translate.image_of(spec))
        try:
            return self._writing.create("/services/create", spec, headers=headers)
        except AlreadyExists:
            there = self._reader.services(service.namespace, [service.name]).get(service.name)
            _check_ours(there, service.namespace, service.name)
            raise StalePlan(f"service {service.name!r} was created by somebody else meanwhile") from None

    def _change(self, namespace: str, name: str, expect: str, change: Callable[[Json], Json]) -> str:
        """Write ``change`` of the live spec; its ID. The swarm moves the version by itself during a rollout,
        so a stale one is only a conflict when the definition moved as well."""
        for _ in range(_TRIES):
            service = self._owned(namespace, name, expect)
            if attempt(partial(self._update, service, change(service["Spec"])), StalePlan) is not None:
                return str(service["ID"])
        raise StalePlan(f"service {name!r} keeps changing", hint="run the command again")

    def _owned(self, namespace: str, name: str, expect: str) -> Json:
        service = self._reader.services(namespace, [name]).get(name)
        _check_ours(service, namespace, name)
        if service is None or expect_of(service) != expect:
            raise StalePlan(f"service {name!r} was changed by somebody else since it was read")
        return service

    def _update(self, service: Json, spec: Json) -> bool:
        headers = self._reading.registry_auth(translate.image_of(spec))
        version = str(service["Version"]["Index"])
        # Without credentials of ours the engine keeps those that came with the present spec.
        self._writing.post(
            f"/services/{service['ID']}/update", spec, headers=headers, version=version, registryAuthFrom="spec"
        )
        return True

    def _handle(self, namespace: str, name: str, identity: str) -> Handle:
        service = self._reader.services(namespace, [name]).get(name)
        if service is None:
            raise StalePlan(f"service {name!r} was removed by somebody else meanwhile")
        spec = service["Spec"]
        return Handle(
            backend="swarm",
            namespace=namespace,
            service=name,
            template_hash=template_of(spec["TaskTemplate"]),
            replicas=replicas_of(spec),
            ref=identity,
        )


def _replace(live: Json, spec: Json) -> Json:
    """The new spec with the live restart counter: resetting it would restart every task."""
    counter = int(live["TaskTemplate"].get("ForceUpdate") or 0)
    return spec | {"TaskTemplate": spec["TaskTemplate"] | {"ForceUpdate": counter}}


def _unpaused(spec: Json) -> Json:
    """RollbackConfig holds what UpdateConfig was before ``pause``."""
    labels = dict(spec.get("Labels") or {})
    if labels.pop(PAUSED, None) is None:
        return spec
    return spec | {"Labels": labels, "UpdateConfig": spec["RollbackConfig"]}


def _check_ours(service: Json | None, namespace: str, name: str) -> None:
    if service is not None and not is_ours(service["Spec"].get("Labels"), namespace, name):
        raise ForeignObject(
            f"the service {service_name(namespace, name)} exists and was not made by orchctl",
            hint="rename the service, use another namespace, or remove that service first",
        )


def _fill_ids(spec: Json, kind: str, word: str, ids: Mapping[str, str]) -> None:
    for reference in spec["TaskTemplate"]["ContainerSpec"].get(kind, ()):
        name = reference[f"{word}Name"]
        if name not in ids:
            raise NotFound(f"there is no {word.lower()} {name!r} in the swarm")
        reference[f"{word}ID"] = ids[name]

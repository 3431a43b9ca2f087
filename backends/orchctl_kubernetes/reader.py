"""Looking at a namespace: a fixed number of requests, whatever the number of services."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from orchctl.core.backend import Live, Reader
from orchctl.core.codec import canonical_json
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.rollout import FailureKind, Handle, Instance, InstanceState, Problem, Progress
from orchctl.core.service import SecretRef, Service, VolumeKind
from orchctl.errors import NotFound, attempt
from orchctl_kubernetes import endpoints, logs, normalise
from orchctl_kubernetes.client import Json, Reading
from orchctl_kubernetes.names import (
    MANAGED_BY,
    NAME,
    RESTARTED,
    REVISION,
    TEMPLATE,
    is_ours,
    may_be_made_by,
    secret_key,
    secret_name,
)
from orchctl_kubernetes.options import options_of
from orchctl_kubernetes.problems import is_node_coming, problem_of_events
from orchctl_kubernetes.progress import observe
from orchctl_kubernetes.resources import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    DEPLOYMENTS,
    EVENTS,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    SLICES,
    Resource,
)

_OURS = {MANAGED_BY: "orchctl"}
_SILENT_S = 4.0  # a pod that is being created without a word for so long is asked about by its events
_EVENTS_FRESH_S = 2.0


class KubernetesReader(Reader):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._creating = _Creating(reading)

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        """Deployments and Services; the rarer kinds only where a service has them."""
        return self._lives(namespace, names, self.deployments(namespace, names))

    def look(self, namespace: str, names: Sequence[str] = ()) -> tuple[Mapping[str, Live], Mapping[str, Progress]]:
        found = self.deployments(namespace, names)
        return self._lives(namespace, names, found), self._progresses(namespace, names, found)

    def _lives(self, namespace: str, names: Sequence[str], deployments: Mapping[str, Json]) -> dict[str, Live]:
        found = {n: d for n, d in deployments.items() if not _is_leaving(d)}
        others = self.others(namespace, names, list(found.values())) if found else {}
        return {name: _live(namespace, name, d, others.get(name, [])) for name, d in found.items()}

    def deployments(self, namespace: str, names: Sequence[str] = ()) -> dict[str, Json]:
        """Raw Deployments by name; those asked for by name also when they are not ours."""
        path = DEPLOYMENTS.path(namespace)
        if not names:
            return {_name(d): d for d in self._reading.list(path, labels=_OURS) if _is_of(d, namespace)}
        one = names[0] if len(names) == 1 else ""
        return {_name(d): d for d in self._reading.list(path, name=one) if _name(d) in names}

    def others(self, namespace: str, names: Sequence[str], deployments: Sequence[Json]) -> dict[str, list[Json]]:
        """Our Services, and where any of ``deployments`` wants them autoscalers, budgets and claims, by service."""
        wanted = [normalise.read_intent(d)[0] for d in deployments if _is_of(d, namespace)]
        kinds = [SERVICES]
        kinds += [AUTOSCALERS] if any(s.scaling and s.scaling.cpu_percent for s in wanted) else []
        kinds += [BUDGETS] if any(options_of(s).disruption_budget for s in wanted) else []
        result: dict[str, list[Json]] = defaultdict(list)
        for resource in kinds:
            for found in self.owned(resource, namespace, names):
                result[_service_of(found)].append(found)
        claims = {(s.name, v.name) for s in wanted for v in s.volumes.values() if v.kind is VolumeKind.NAMED}
        by_name = {_name(c): c for c in self._reading.list(CLAIMS.path(namespace))} if claims else {}
        for service, claim in sorted(claims):
            result[service] += [with_kind(by_name[claim], CLAIMS)] if claim in by_name else []
        return result

    def owned(self, resource: Resource, namespace: str, names: Sequence[str] = ()) -> list[Json]:
        """Our objects of one kind, of one service or of all; not those that are being deleted, which a load balancer may
        keep for minutes."""
        labels = _OURS | ({NAME: names[0]} if len(names) == 1 else {})
        listed = self._reading.list(resource.path(namespace), labels=labels)
        return [
            with_kind(o, resource)
            for o in listed
            if _is_of(o, namespace) and _is_named(o, resource) and not _is_leaving(o)
        ]

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        return self._progresses(namespace, names, self.deployments(namespace, names))

    def _progresses(self, namespace: str, names: Sequence[str], deployments: Mapping[str, Json]) -> dict[str, Progress]:
        if not deployments:
            return {}
        labels = _OURS | ({NAME: names[0]} if len(names) == 1 else {})
        sets = _by_service(self._reading.list_metadata(REPLICA_SETS.path(namespace), labels=labels))
        pods = _by_service(self._reading.list(PODS.path(namespace), labels=labels))
        return {n: observe(d, sets[n], pods[n], expect=uid_of(d)) for n, d in deployments.items()}

    def poll(self, handle: Handle) -> Progress:
        namespace, name = handle.namespace, handle.service
        deployment = self.deployments(namespace, [name]).get(name)
        labels = _OURS | {NAME: name}
        sets = self._reading.list_metadata(REPLICA_SETS.path(namespace), labels=labels)
        pods = self._reading.list(PODS.path(namespace), labels=labels)
        seen = observe(deployment, sets, pods, expect=uid_of(deployment) if deployment else "")
        if seen.verdict:  # a refusal: what single pods wait for is not its cause
            return seen
        return replace(seen, instances=tuple(self._creating.explained(namespace, seen.instances)))

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        service = normalise.read_intent(self._one(namespace, name))[0]
        labels = _OURS | {NAME: name}
        pods = self._reading.list(PODS.path(namespace), labels=labels)
        published = self.owned(SERVICES, namespace, [name])
        has_own = any(_name(s) == name for s in published)  # else a Service of that name is somebody else's
        labels = {"kubernetes.io/service-name": name}
        slices = self._reading.list(SLICES.path(namespace), labels=labels) if has_own else []
        return endpoints.endpoints(name, service, slices, published, _nodes(pods), _places(pods))

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        pods = self._pods_of(namespace, name, instance)
        return logs.read(self._reading, namespace, name, pods, instance, tail=tail, since_ms=since_ms, follow=follow)

    def _pods_of(self, namespace: str, name: str, instance: str) -> list[Json]:
        if instance:
            pod, _ = logs.parse_instance(instance)
            return [self._reading.get(PODS.path(namespace, pod))]
        self._one(namespace, name)
        return self._reading.list(PODS.path(namespace), labels=_OURS | {NAME: name})

    def _one(self, namespace: str, name: str) -> Json:
        found = self.deployments(namespace, [name]).get(name)
        if found is None:
            raise NotFound(f"there is no service {name!r} in namespace {namespace!r}")
        return found

    def pin(self, service: Service) -> str:  # noqa: ARG002
        """Kubernetes resolves images on the node that pulls them; an image given by digest is kept as it is."""
        return ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        refs = [r for _, r in service.secret_refs() if r.version or not r.source]

        def place(ref: SecretRef) -> tuple[str, str]:
            return (secret_name(service), secret_key(ref)) if ref.source else (ref.name, ref.key or ref.name)

        keys: dict[str, set[str]] = {}
        for name in sorted({place(r)[0] for r in refs}):
            path = SECRETS.path(service.namespace, name)
            found = attempt(lambda path=path: self._reading.get(path), NotFound)  # type: ignore[misc]
            keys[name] = set((found or {}).get("data") or ())
        return [r for r in refs if place(r)[1] not in keys[place(r)[0]]]


class _Creating:
    """Why a pod is not created: a missing Secret or volume, and a node that is on its way, are told by events alone, so
    they are asked for, but only about pods that have been waiting for a while."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._since: dict[str, float] = {}
        self._asked: dict[str, tuple[float, list[Json]]] = {}

    def explained(self, namespace: str, instances: Sequence[Instance]) -> Iterator[Instance]:
        silent = (InstanceState.PENDING, InstanceState.STARTING)
        now = time.monotonic()
        waiting = {
            i.slot
            for i in instances
            if i.current and (_has_no_place(i) or (not i.problem and i.node and i.state in silent))
        }
        self._since = {pod: self._since.get(pod, now) for pod in waiting}
        for instance in instances:
            pod = instance.slot
            if pod in waiting and now - self._since[pod] >= _SILENT_S and not instance.exits:
                yield replace(instance, problem=self._problem(namespace, instance, now))
            else:
                yield instance

    def _problem(self, namespace: str, instance: Instance, now: float) -> Problem | None:
        events = self._events(namespace, instance.slot, now)
        if _has_no_place(instance):
            return None if is_node_coming(events) else instance.problem
        return problem_of_events(events, has_process=instance.state is InstanceState.STARTING)

    def _events(self, namespace: str, pod: str, now: float) -> Sequence[Json]:
        at, events = self._asked.get(pod, (float("-inf"), []))
        if now - at > _EVENTS_FRESH_S:
            path = EVENTS.path(namespace)
            listed = self._reading.request("GET", path, {"fieldSelector": f"involvedObject.name={pod}"}).get("items")
            events = [e for e in listed or () if isinstance(e, dict)]
            self._asked[pod] = (now, events)
        return events


def _has_no_place(instance: Instance) -> bool:
    return instance.problem is not None and instance.problem.kind is FailureKind.UNSCHEDULABLE and not instance.node


def expect_of(deployment: Json, others: Sequence[Json]) -> str:
    """Identity and definition, not the resourceVersion: that one moves with every step of a rollout.

    Without the count where an autoscaler changes it.
    """
    spec = dict(deployment.get("spec") or {})
    service = normalise.read_intent(deployment)[0]
    if service.scaling and service.scaling.cpu_percent:
        spec.pop("replicas", None)
    metadata = deployment.get("metadata") or {}
    parts: list[Any] = [spec, metadata.get("labels"), _settled_annotations(metadata)]
    parts += sorted(([o["kind"], _name(o), _definition(o)] for o in others), key=lambda p: (p[0], p[1]))
    digest = hashlib.sha256(canonical_json(parts).encode("utf-8")).hexdigest()[:16]
    return f"{metadata.get('uid', '')}/{digest}"


def _definition(found: Json) -> Any:
    """What was asked for; a claim's spec gets its volume only when a pod uses it."""
    spec = dict(found.get("spec") or {})
    spec.pop("volumeName", None)
    return [spec, (found.get("metadata") or {}).get("labels")]


def _settled_annotations(metadata: Mapping[str, Any]) -> dict[str, str]:
    """The Deployment controller counts its own revisions in one."""
    annotations = metadata.get("annotations") or {}
    return {k: v for k, v in annotations.items() if not k.startswith("deployment.kubernetes.io/")}


def uid_of(deployment: Json) -> str:
    return str((deployment.get("metadata") or {}).get("uid", ""))


def with_kind(found: Json, resource: Resource) -> Json:
    """Items of a list do not say what they are."""
    return {"apiVersion": resource.api_version, "kind": resource.kind, **found}


def template_of(deployment: Json) -> str:
    return str((_template(deployment).get("labels") or {}).get(TEMPLATE, ""))


def restarted_at(deployment: Json) -> str:
    return str((_template(deployment).get("annotations") or {}).get(RESTARTED, ""))


def _template(deployment: Json) -> Json:
    return ((deployment.get("spec") or {}).get("template") or {}).get("metadata") or {}


def _live(namespace: str, name: str, deployment: Json, others: Sequence[Json]) -> Live:
    metadata = deployment.get("metadata") or {}
    owned = is_ours(metadata.get("labels"), namespace, name)
    revision = str((metadata.get("annotations") or {}).get(REVISION, ""))
    containers = ((deployment.get("spec") or {}).get("template") or {}).get("spec", {}).get("containers") or [{}]
    return Live(
        namespace=namespace,
        name=name,
        expect=expect_of(deployment, others),
        owned=owned,
        document=normalise.document(deployment, others) if owned else {},
        template_hash=template_of(deployment),
        restarts=restarted_at(deployment),
        revision=int(revision) if owned and revision.isdecimal() else 0,
        replicas=normalise.replicas_of(deployment),
        image=str(next((c.get("image") for c in containers if c.get("name") == name), containers[0].get("image", ""))),
    )


def _is_leaving(found: Json) -> bool:
    """Being deleted: it only waits for what hangs on it."""
    return bool((found.get("metadata") or {}).get("deletionTimestamp"))


def _name(found: Json) -> str:
    return str(found["metadata"]["name"])


def _service_of(found: Json) -> str:
    return str((found["metadata"].get("labels") or {}).get(NAME, ""))


def _is_of(found: Json, namespace: str) -> bool:
    return is_ours(found["metadata"].get("labels"), namespace)


def _is_named(found: Json, resource: Resource) -> bool:
    return may_be_made_by(resource.kind, _name(found), _service_of(found))


def _by_service(found: Sequence[Json]) -> defaultdict[str, list[Json]]:
    result: defaultdict[str, list[Json]] = defaultdict(list)
    for item in found:
        result[_service_of(item)].append(item)
    return result


def _nodes(pods: Sequence[Json]) -> list[Json]:
    """The nodes that run our pods, from the pods themselves: to list nodes is a right of the whole cluster."""
    found = {}
    for pod in pods:
        node, address = (pod.get("spec") or {}).get("nodeName"), (pod.get("status") or {}).get("hostIP")
        if node and address and not _is_leaving(pod):
            status = {
                "addresses": [{"type": "InternalIP", "address": address}],
                "conditions": [{"type": "Ready", "status": "True"}],
            }
            found[str(node)] = {"metadata": {"name": str(node)}, "status": status}
    return [found[name] for name in sorted(found)]


def _places(pods: Sequence[Json]) -> dict[str, Json]:
    return {_name(p): p for p in pods}

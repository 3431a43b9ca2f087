"""Everything around the Deployment: Services, generated ConfigMaps and Secrets, claims, autoscaler, budget."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from orchctl.core.backend import Secrets
from orchctl.core.service import Service
from orchctl.errors import ForeignObject, Locked, NotFound, StalePlan, attempt
from orchctl_kubernetes import normalise, translate
from orchctl_kubernetes.client import Json, Reading, Writing
from orchctl_kubernetes.names import NAME, is_ours
from orchctl_kubernetes.reader import KubernetesReader, uid_of, with_kind
from orchctl_kubernetes.resources import (
    AUTOSCALERS,
    BUDGETS,
    BY_KIND,
    CLAIMS,
    CONFIG_MAPS,
    SECRETS,
    SERVICES,
    Resource,
)
from orchctl_kubernetes.store import is_entry

_IMMUTABLE = ("ConfigMap", "Secret")
_CURRENT = (SERVICES, AUTOSCALERS, BUDGETS)
"""They belong to the definition that stands now; generated objects belong to every kept revision."""


class Objects:
    def __init__(self, reading: Reading, reader: KubernetesReader, writing: Writing, *, force: bool) -> None:
        self._reading = reading
        self._reader = reader
        self._writing = writing
        self._force = force

    def standing(self, namespace: str, name: str) -> list[Json]:
        """Our Services, autoscaler and budget of this service, as they are now."""
        return [o for resource in _CURRENT for o in self._reader.owned(resource, namespace, [name])]

    def pending(self, service: Service, rendered: Sequence[Json], standing: Sequence[Json]) -> list[Json]:
        """Those of ``rendered`` that are missing or different; ForeignObject before anything is written."""
        there = {(o["kind"], o["metadata"]["name"]): o for o in standing}
        result = []
        for body in rendered:
            kind, name = body["kind"], body["metadata"]["name"]
            live = there.get((kind, name)) or self._other(service, BY_KIND[kind], name)
            if live is None or (kind not in _IMMUTABLE and not normalise.stands(body, live)):
                result.append(body)
        return result

    def _other(self, service: Service, resource: Resource, name: str) -> Json | None:
        path = resource.path(service.namespace, name)
        found: Json | None = attempt(lambda: self._reading.get(path), NotFound)
        if found is None:
            return None
        labels = (found.get("metadata") or {}).get("labels")
        # Claims are shared by the services of a namespace, and a user's own claim of that name is meant to be used.
        if resource is not CLAIMS and not is_ours(labels, service.namespace, service.name):
            raise ForeignObject(
                f"the {resource.kind} {name!r} exists in namespace {service.namespace!r} and was not made by orchctl",
                hint="rename the service, use another namespace, or remove that object first",
            )
        if (found.get("metadata") or {}).get("deletionTimestamp"):
            raise Locked(
                f"the {resource.kind} {name!r} is still being deleted", hint="run the command again when it is gone"
            )
        return with_kind(found, resource)

    def write(self, body: Json, secrets: Secrets, service: Service, standing: Sequence[Json]) -> None:
        resource, name = BY_KIND[body["kind"]], body["metadata"]["name"]
        for found in standing:
            same = (found["kind"], found["metadata"]["name"]) == (body["kind"], name)
            if same and normalise.must_be_replaced(body, found):
                self.remove(found, service.namespace)
        sent = body | {"data": _secret_data(service, secrets)} if body["kind"] == "Secret" else body
        self._writing.apply(resource.path(service.namespace, name), sent, force=self._force)

    def remove(self, found: Json, namespace: str) -> None:
        """Exactly this object; one that somebody has replaced meanwhile is not it."""
        path = BY_KIND[found["kind"]].path(namespace, found["metadata"]["name"])
        attempt(lambda: self._writing.delete(path, uid=uid_of(found)), NotFound, StalePlan)

    def stale(self, namespace: str, name: str, service: Service | None) -> list[Json]:
        """Services, autoscalers and budgets of ours that ``service`` (None: no definition) does not ask for."""
        bodies = [o.body for o in translate.render(service)] if service else []
        wanted = {(b["kind"], b["metadata"]["name"]) for b in bodies}
        return [o for o in self.standing(namespace, name) if (o["kind"], o["metadata"]["name"]) not in wanted]

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        kept = {generated for s in keep for generated in translate.generated_names(s)}
        for resource in (CONFIG_MAPS, SECRETS):
            for found in self._reader.owned(resource, namespace, [name]):
                mine = (found["metadata"].get("labels") or {}).get(NAME) == name and not is_entry(found)
                if mine and (resource.kind, found["metadata"]["name"]) not in kept:
                    self.remove(found, namespace)
        deployment = self._reader.deployments(namespace, [name]).get(name)
        intent = normalise.read_intent(deployment)[0] if deployment is not None else None
        for found in self.stale(namespace, name, intent):
            self.remove(found, namespace)


def _secret_data(service: Service, values: Secrets) -> Mapping[str, Any]:
    """The one place where a provider's values are written."""
    if gone := [ref for ref in translate.provider_refs(service) if ref not in values]:
        raise NotFound(f"the kept value of {gone[0].source}:{gone[0].name} was removed", hint="run the command again")
    return {
        translate.secret_key(ref): base64.b64encode(values[ref].reveal()).decode("ascii")
        for ref in translate.provider_refs(service)
    }

"""Looking at a swarm: a fixed number of requests, whatever the number of services."""

from __future__ import annotations

import hashlib
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl.core.backend import Live, Reader
from orchctl.core.codec import canonical_json
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.files import path_part
from orchctl.core.rollout import Handle, Progress
from orchctl.core.service import SecretRef, Service
from orchctl.errors import AuthRefused, NotFound, Unreachable, UsageError
from orchctl_swarm import endpoints, logs, normalise
from orchctl_swarm.client import Reading
from orchctl_swarm.container import image
from orchctl_swarm.names import NAME, NAMESPACE, REVISION, STACK, is_ours, secret_name, service_name
from orchctl_swarm.options import options_of
from orchctl_swarm.progress import Nodes, observe, template_of

Json = dict[str, Any]

# More names than this make a longer address than asking for all services and choosing here.
_NAMES_IN_FILTER = 20
_NODES_FRESH_S = 2.0


class SwarmReader(Reader):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._networks: dict[str, str] = {}
        self._pins: dict[str, str] = {}
        self._nodes: list[Json] = []
        self._nodes_at = float("-inf")

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        return self._lives(namespace, self.services(namespace, names))

    def look(self, namespace: str, names: Sequence[str] = ()) -> tuple[Mapping[str, Live], Mapping[str, Progress]]:
        found = self.services(namespace, names)
        return self._lives(namespace, found), self._progresses(namespace, found)

    def _lives(self, namespace: str, found: Mapping[str, Json]) -> dict[str, Live]:
        joined = {n["Target"] for s in found.values() for n in s["Spec"]["TaskTemplate"].get("Networks") or ()}
        if joined - set(self._networks):
            listed = self._reading.get("/networks", filters={"scope": ["swarm"]})
            self._networks = {n["Id"]: n["Name"] for n in listed}
        return {name: self._live(namespace, name, service) for name, service in found.items()}

    def services(self, namespace: str, names: Sequence[str] = ()) -> dict[str, Json]:
        """Raw services by name. Name filters of the API match prefixes, so equality is judged here."""
        if not names:
            listed = self._reading.get("/services", filters={"label": [f"{STACK}={namespace}"]})
            ours = (s for s in listed if is_ours(s["Spec"].get("Labels"), namespace))
            return {s["Spec"]["Labels"].get(NAME, s["Spec"]["Name"]): s for s in ours}
        wanted = {service_name(namespace, name): name for name in names}
        filters = {"name": sorted(wanted)} if len(wanted) <= _NAMES_IN_FILTER else None
        listed = self._reading.get("/services", filters=filters)
        return {wanted[s["Spec"]["Name"]]: s for s in listed if s["Spec"]["Name"] in wanted}

    def _live(self, namespace: str, name: str, service: Json) -> Live:
        spec = service["Spec"]
        owned = is_ours(spec.get("Labels"), namespace, name)
        revision = str((spec.get("Labels") or {}).get(REVISION, ""))
        return Live(
            namespace=namespace,
            name=name,
            expect=expect_of(service),
            owned=owned,
            document=normalise.document(spec, self._networks) if owned else {},
            template_hash=template_of(spec["TaskTemplate"]),
            restarts=str(spec["TaskTemplate"].get("ForceUpdate") or 0),
            revision=int(revision) if owned and revision.isdecimal() else 0,
            replicas=normalise.replicas_of(spec),
            image=str((spec["TaskTemplate"].get("ContainerSpec") or {}).get("Image", "")),
        )

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        return self._progresses(namespace, self.services(namespace, names))

    def _progresses(self, namespace: str, services: Mapping[str, Json]) -> dict[str, Progress]:
        tasks: dict[str, list[Json]] = defaultdict(list)
        for task in self._tasks([f"{STACK}={namespace}"]) if services else ():
            tasks[task["ServiceID"]].append(task)
        nodes = self._known_nodes()
        return {n: observe(s, tasks[s["ID"]], nodes, expect=expect_of(s)) for n, s in services.items()}

    def poll(self, handle: Handle) -> Progress:
        """Tasks are found by label: those of a removed service can no longer be asked for by its name."""
        service = self.services(handle.namespace, [handle.service]).get(handle.service)
        tasks = self._tasks([f"{NAMESPACE}={handle.namespace}", f"{NAME}={handle.service}"])
        if service:
            tasks = [t for t in tasks if t["ServiceID"] == service["ID"]]
        return observe(service, tasks, self._known_nodes(), expect=expect_of(service) if service else "")

    def _tasks(self, labels: list[str]) -> list[Json]:
        found: list[Json] = self._reading.get("/tasks", filters={"label": labels})
        return found

    def _list_nodes(self) -> list[Json]:
        """Polls come several times a second; nodes do not."""
        if time.monotonic() - self._nodes_at > _NODES_FRESH_S:
            self._nodes = self._reading.get("/nodes")
            self._nodes_at = time.monotonic()
        return self._nodes

    def _known_nodes(self) -> Nodes:
        nodes = self._list_nodes()
        names = {n["ID"]: str((n.get("Description") or {}).get("Hostname", n["ID"])) for n in nodes}
        return Nodes(names, frozenset(n["ID"] for n in nodes if n["Status"]["State"] == "down"))

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        service = self._one(namespace, name)
        tasks = self._reading.get("/tasks", filters={"service": [service["ID"]], "desired-state": ["running"]})
        return endpoints.endpoints(name, service, tasks, self._list_nodes())

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        path = (
            f"/tasks/{path_part(instance)}/logs" if instance else f"/services/{self._one(namespace, name)['ID']}/logs"
        )
        return logs.read(self._reading, path, instance, tail=tail, since_ms=since_ms, follow=follow)

    def _one(self, namespace: str, name: str) -> Json:
        service = self.services(namespace, [name]).get(name)
        if service is None:
            raise NotFound(f"there is no service {name!r} in namespace {namespace!r}")
        return service

    def pin(self, service: Service) -> str:
        """Asked of the registry by the engine, with this user's credentials; once per image and connection.

        A registry that knows no such image, or refuses to say, leaves the reference as it is: the
        rollout then names it. One that cannot be asked at all is an error, because nodes asking it
        one by one could come to run different images.
        """
        name = image(service)
        if not name or "@" in name or options_of(service).resolve_image == "never":
            return ""
        if name not in self._pins:
            self._pins[name] = self._ask_registry(name)
        return self._pins[name]

    def _ask_registry(self, name: str) -> str:
        try:
            answer = self._reading.distribution(name)
        except (NotFound, AuthRefused):
            return ""
        except (Unreachable, UsageError) as error:
            if _is_definite(error.message):
                return ""
            raise Unreachable(
                f"the registry cannot say which image {name} is now: {error.message}",
                hint="give the image by digest, or set backends.swarm.resolve_image to never",
            ) from error
        found = answer.get("Descriptor")
        return str(found.get("digest", "")) if isinstance(found, dict) else ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        found = [f.secret for f in service.files.values() if f.secret]
        refs = [ref for ref in found if ref.version or not ref.source]
        if not refs:
            return []
        names = sorted({secret_name(service, ref) for ref in refs})
        there = {s["Spec"]["Name"] for s in self._reading.get("/secrets", filters={"name": names})}
        return [ref for ref in refs if secret_name(service, ref) not in there]


def expect_of(service: Json) -> str:
    """Identity and definition, not the engine's version index: that one moves with every step of a rollout."""
    digest = hashlib.sha256(canonical_json(service["Spec"]).encode("utf-8")).hexdigest()[:16]
    return f"{service['ID']}/{digest}"


def _is_definite(message: str) -> bool:
    lowered = message.lower()
    return any(t in lowered for t in ("manifest unknown", "not found", "denied", "unauthorized", "name unknown"))

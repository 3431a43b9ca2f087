"""A backend over ``FakeCluster``: for faults and speed; passes the same kit as the real ones.

A spec chooses how its instances behave: ``backends: {fake: {behaviour: crash}}``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from orchctl.core.backend import Backend, Connection, Fence, Live, Reader, Secrets, Writer
from orchctl.core.capability import NATIVE, Claim, Feature, Support, issues_for, refuse
from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.context import Context
from orchctl.core.document import content_digest, document_of, image_reference
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.plan import Issue, NativeObject, Plan, Policy
from orchctl.core.rollout import Handle, Instance, InstanceState, Progress
from orchctl.core.service import Expose, SecretRef, Service
from orchctl.core.store import Entry, Store
from orchctl.errors import AlreadyExists, ForeignObject, NotFound, StalePlan
from orchctl.testing.fake_cluster import Definition, FakeCluster, Replica

CLAIMS: dict[Feature, Claim] = dict.fromkeys(Feature, NATIVE) | {
    Feature.PORT_SCTP: Claim(Support.UNSUPPORTED, "the fake cluster has no SCTP"),
    Feature.HEALTH_GRPC: Claim(Support.NOT_YET, "the fake cluster cannot ask gRPC servers yet"),
    Feature.USER: Claim(Support.WARNED, "the fake cluster runs nothing, so it runs it as nobody"),
    Feature.HEALTH_TCP: Claim(Support.EMULATED, "sent as a command"),
}


class FakeBackend(Backend):
    name: ClassVar[str] = "fake"

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster

    def capabilities(self) -> Mapping[Feature, Claim]:
        return CLAIMS

    def check(self, service: Service) -> Sequence[Issue]:
        issues = issues_for(service, CLAIMS)
        for port in service.ports:
            if port.expose is Expose.HOST and port.published and service.rollout.max_surge.value:
                text = "a fixed host port and max_surge exclude each other; set rollout.max_surge: 0"
                issues.append(Issue(path=f"ports.{port.name}.published", policy=Policy.REJECT, message=text))
        return issues

    def render(self, service: Service) -> Sequence[NativeObject]:
        refuse(service, self.name, self.check(service))
        body = to_plain(self._own(service).sized(service.replicas if service.replicas is not None else 1))
        return [NativeObject(kind="Definition", name=f"{service.namespace}.{service.name}", body=body)]

    def project(self, service: Service) -> Mapping[str, Any]:
        return document_of(self._own(service))

    def restarts(self, path: str) -> bool:
        return path.split(".")[0] not in ("replicas", "labels", "rollout", "scale", "needs", "provides")

    def connect(self, context: Context) -> Connection:
        self.cluster.request("connect")
        return FakeConnection(self.cluster)

    def _own(self, service: Service) -> Service:
        return _without_foreign_options(service, self.name)


class FakeConnection(Connection):
    endpoint = "fake://memory"

    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster
        self._reader = FakeReader(cluster)
        self._store = FakeStore(cluster)

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def store(self) -> Store:
        return self._store

    def writer(self, fence: Fence) -> Writer:
        return FakeWriter(self._cluster, fence)

    def set_patience(self, seconds: float) -> None:
        self.patience_s = seconds

    def close(self) -> None:
        """Nothing is held."""


class FakeReader(Reader):
    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        self._cluster.request("live")
        return {name: _live(namespace, name, d) for name, d in self._select(namespace, names)}

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        self._cluster.request("progress")
        return {n: self._progress(d, self._replicas(namespace, n)) for n, d in self._select(namespace, names)}

    def poll(self, handle: Handle) -> Progress:
        self._cluster.request("poll")
        key = (handle.namespace, handle.service)
        return self._progress(self._cluster.definitions.get(key), self._replicas(*key))

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        self._cluster.request("endpoints")
        definition = self._cluster.definitions.get((namespace, name))
        if definition is None:
            raise NotFound(f"no service {name!r}")
        return [
            Endpoint(
                service=name,
                instance=replica.id,
                host=f"10.0.0.{replica.id[1:]}",
                port=port.port,
                port_name=port.name,
                protocol=port.protocol,
                node="fake",
                ready=replica.ready,
                template_hash=replica.template,
            )
            for replica in self._replicas(namespace, name)
            for port in replica.service.ports
            if not replica.exited
        ]

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        self._cluster.request("logs")
        for replica in self._replicas(namespace, name):
            if instance in ("", replica.id) and replica.exits:
                yield LogLine(instance=replica.id, text="boom: cannot start", stream="stderr")

    def pin(self, service: Service) -> str:
        return ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        refs = [v for v in service.env.values() if isinstance(v, SecretRef)]
        held = [r for r in _provider_refs(service) if _secret_entry(service, r) in self._cluster.entries]
        gone = [r for r in _provider_refs(service) if r.version and r not in held]
        return [*gone, *(r for r in refs if not r.source and r.name == "missing")]

    def _select(self, namespace: str, names: Sequence[str]) -> list[tuple[str, Definition]]:
        found = [(n, d) for (ns, n), d in self._cluster.definitions.items() if ns == namespace]
        return [(n, d) for n, d in found if (n in names if names else d.owned)]

    def _progress(self, definition: Definition | None, replicas: Sequence[Replica]) -> Progress:
        seen = _progress(definition, replicas)
        is_left = len(replicas) > seen.replicas > 0 and all(i.current and i.ready for i in seen.instances)
        return replace(seen, stalled="surplus instances are left running" if is_left else "")

    def _replicas(self, namespace: str, name: str) -> list[Replica]:
        return self._cluster.replicas.get((namespace, name), [])


class FakeWriter(Writer):
    def __init__(self, cluster: FakeCluster, fence: Fence) -> None:
        self._cluster = cluster
        self._fence = fence

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        service = plan.service

        def carry_out() -> None:
            self._refuse_moved(service.namespace, service.name, plan.expect)
            for path, file in service.files.items():
                if file.content is not None:
                    name = f"{service.namespace}/{service.name}/file/{content_digest(file.content)[7:]}"
                    self._cluster.entries.setdefault(name, Entry(key=name, meta={"path": path}, version="0"))
            for ref in _provider_refs(service):
                name = _secret_entry(service, ref)
                if ref in secrets:
                    self._cluster.entries.setdefault(name, Entry(key=name, version="0"))
                elif name not in self._cluster.entries:
                    raise NotFound(f"there is no secret {ref.name!r}")
            own = _without_foreign_options(service, self._cluster.backend)
            self._cluster.define((service.namespace, service.name), own, revision=revision)

        self._write("apply", carry_out)
        return self._handle(service.namespace, service.name)

    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        def carry_out() -> None:
            definition = self._definition(namespace, name, expect)
            definition.replicas, definition.version = replicas, self._cluster.next_version()

        self._write("scale", carry_out)
        return self._handle(namespace, name)

    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        def carry_out() -> None:
            definition = self._definition(namespace, name, expect)
            definition.epoch, definition.version = definition.epoch + 1, self._cluster.next_version()
            definition.paused = False

        self._write("restart", carry_out)
        return self._handle(namespace, name)

    def pause(self, handle: Handle) -> None:
        def carry_out() -> None:
            definition = self._cluster.definitions.get((handle.namespace, handle.service))
            if definition is not None and definition.template == handle.template_hash:
                definition.paused = True

        self._write("pause", carry_out)

    def remind(self, handle: Handle, *, expect: str) -> None:
        def carry_out() -> None:
            self._definition(handle.namespace, handle.service, expect)
            self._cluster.surplus = self._cluster.surplus if self._cluster.deaf else 0

        self._write("remind", carry_out)

    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        def carry_out() -> None:
            self._definition(namespace, name, expect)
            del self._cluster.definitions[namespace, name]

        self._write("delete", carry_out)
        return Handle(backend=self._cluster.backend, namespace=namespace, service=name, template_hash="", replicas=0)

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        used = {content_digest(f.content)[7:] for s in keep for f in s.files.values() if f.content is not None}
        used |= {_secret_entry(s, ref).rpartition("/")[2] for s in keep for ref in _provider_refs(s)}
        prefix = f"{namespace}/{name}/file/"
        stale = [k for k in self._cluster.entries if k.startswith(prefix) and k.removeprefix(prefix) not in used]
        for key in stale:
            self._write("prune", lambda key=key: self._cluster.entries.pop(key, None))

    def _write(self, name: str, carry_out: Any) -> None:
        self._fence.check()
        self._cluster.request(name, carry_out)

    def _refuse_moved(self, namespace: str, name: str, expect: str) -> Definition | None:
        definition = self._cluster.definitions.get((namespace, name))
        if definition is not None and not definition.owned:
            raise ForeignObject(f"{name} is not ours")
        if (str(definition.version) if definition else "") != expect:
            raise StalePlan("the version moved")
        return definition

    def _definition(self, namespace: str, name: str, expect: str) -> Definition:
        definition = self._refuse_moved(namespace, name, expect)
        if definition is None:
            raise StalePlan("it is gone")
        return definition

    def _handle(self, namespace: str, name: str) -> Handle:
        definition = self._cluster.definitions[namespace, name]
        return Handle(
            backend=self._cluster.backend,
            namespace=namespace,
            service=name,
            template_hash=definition.template,
            replicas=definition.replicas,
            ref=f"{namespace}/{name}",
        )


class FakeStore(Store):
    def __init__(self, cluster: FakeCluster) -> None:
        self._cluster = cluster

    def create(self, key: str, body: bytes, meta: Mapping[str, str]) -> Entry:
        def carry_out() -> None:
            if key in self._cluster.entries:
                raise AlreadyExists(key)
            version = str(self._cluster.next_version())
            self._cluster.entries[key] = Entry(key=key, body=body, meta=dict(meta), version=version)

        self._cluster.request(f"create {key}", carry_out)
        return self._cluster.entries[key]

    def get(self, key: str) -> Entry | None:
        self._cluster.request("get")
        return self._cluster.entries.get(key)

    def list(self, prefix: str) -> Sequence[Entry]:
        self._cluster.request("list")
        return [e for k, e in sorted(self._cluster.entries.items()) if k.startswith(prefix) and "/file/" not in k]

    def update(self, key: str, meta: Mapping[str, str], *, expect: str) -> Entry:
        def carry_out() -> None:
            entry = self._cluster.entries.get(key)
            if entry is None:
                raise NotFound(key)
            if entry.version != expect:
                raise StalePlan(key)
            version = str(self._cluster.next_version())
            self._cluster.entries[key] = replace(entry, meta=dict(meta), version=version)

        self._cluster.request(f"update {key}", carry_out)
        return self._cluster.entries[key]

    def delete(self, key: str, *, expect: str) -> None:
        def carry_out() -> None:
            entry = self._cluster.entries.get(key)
            if entry is not None and entry.version != expect:
                raise StalePlan(key)
            self._cluster.entries.pop(key, None)

        self._cluster.request(f"delete {key}", carry_out)


def _provider_refs(service: Service) -> list[SecretRef]:
    return [r for _, r in service.secret_refs() if r.source]


def _secret_entry(service: Service, ref: SecretRef) -> str:
    """Beside the files that were generated for the service, one for each version of a value."""
    return f"{service.namespace}/{service.name}/file/{content_digest(canonical_json(to_plain(ref)).encode())[7:]}"


def _without_foreign_options(service: Service, backend: str) -> Service:
    options = service.options(backend)
    return replace(service, backends={backend: options} if options else {})


def _live(namespace: str, name: str, definition: Definition) -> Live:
    service = definition.service.sized(definition.replicas)
    return Live(
        namespace=namespace,
        name=name,
        expect=str(definition.version),
        owned=definition.owned,
        document=document_of(service),
        template_hash=definition.template,
        restarts=str(definition.epoch),
        revision=definition.revision,
        replicas=definition.replicas,
        image=image_reference(service) or "",
    )


def _progress(definition: Definition | None, replicas: Sequence[Replica]) -> Progress:
    instances = tuple(_instance(definition, r) for r in replicas)
    if definition is None:
        return Progress(template_hash="", replicas=0, instances=instances)
    return Progress(
        template_hash=definition.template,
        expect=str(definition.version),
        replicas=definition.replicas,
        instances=instances,
        paused=definition.paused,
    )


def _instance(definition: Definition | None, replica: Replica) -> Instance:
    return Instance(
        id=replica.id,
        slot=str(replica.slot),
        node="fake",
        template_hash=replica.template,
        current=definition is not None and (replica.template, replica.epoch) == (definition.template, definition.epoch),
        state=_state(replica),
        ready=replica.ready,
        exits=replica.exits,
        problem=replica.problem,
    )


def _state(replica: Replica) -> InstanceState:
    if replica.stopping_since is not None:
        return InstanceState.STOPPING
    if replica.exited:
        return InstanceState.EXITED
    if replica.ready:
        return InstanceState.RUNNING
    return InstanceState.PENDING if replica.problem else InstanceState.STARTING

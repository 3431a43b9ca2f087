"""One open context: glue between the contract and the files; no rules."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from orchctl.core.backend import Connection, Fence, Live, Reader, Secrets, Writer
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle, Progress
from orchctl.core.service import SecretRef, Service
from orchctl.errors import NotFound, UnsupportedFeature
from orchctl_local import claims
from orchctl_local.client import Client, Found
from orchctl_local.failures import file_failures
from orchctl_local.layout import layout_of
from orchctl_local.logs import read_logs
from orchctl_local.model import Desired, secret_digest
from orchctl_local.normalise import image_of, normalise
from orchctl_local.progress import endpoints_of, progress_of
from orchctl_local.secrets import references, store_file
from orchctl_local.store import FileStore
from orchctl_local.translate import desired_of


def open_context(context: Context, secrets_dir: str) -> LocalConnection:
    """The connection, with supervisord running if there is anything to run."""
    client = Client(layout_of(context))
    with file_failures():
        client.ensure_daemon()
    return LocalConnection(client, secrets_dir)


class LocalConnection(Connection):
    """``close`` removes the context's directory when a writer was used and nothing is left in it."""

    def __init__(self, client: Client, secrets_dir: str) -> None:
        self.endpoint = f"this machine, {client.layout.root}"
        self._client = client
        self._secrets_dir = secrets_dir
        self._wrote = False
        self._reader = LocalReader(client, secrets_dir)
        self._store = FileStore(client.layout)

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def store(self) -> FileStore:
        return self._store

    def writer(self, fence: Fence) -> Writer:
        self._wrote = True
        return LocalWriter(self._client, fence, self._secrets_dir)

    def set_patience(self, seconds: float) -> None:
        """Files answer at once."""

    def close(self) -> None:
        if self._wrote or self._store.wrote:
            with file_failures():
                self._client.close_if_empty()


class LocalReader(Reader):
    """Reads files; changes no definition."""

    def __init__(self, client: Client, secrets_dir: str) -> None:
        self._client = client
        self._secrets_dir = secrets_dir
        self._node = socket.gethostname()

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        with file_failures():
            found = self._client.definitions(namespace, names)
        return {name: _live(namespace, name, item) for name, item in found.items()}

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        with file_failures():
            looks = {name: self._look(namespace, name) for name in names or self._client.known(namespace)}
        return {name: look for name, look in looks.items() if look.template_hash or look.instances}

    def poll(self, handle: Handle) -> Progress:
        """Starts a dead supervisord again: a rollout that is waited for needs somebody who carries it out."""
        with file_failures():
            self._client.ensure_daemon()
            return self._look(handle.namespace, handle.service)

    def _look(self, namespace: str, name: str) -> Progress:
        # The status first: what it says of a definition that is read afterwards can only be too old.
        status = self._client.status(namespace, name)
        found = self._client.definition(namespace, name)
        return progress_of(
            found.desired if found else None,
            status,
            expect=found.expect if found else "",
            node=self._node,
            alive=self._client.keeper_alive(),
        )

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        with file_failures():
            status = self._client.status(namespace, name)
            desired = self._desired(namespace, name)
        return endpoints_of(desired, status, node=self._node)

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        home = self._client.layout.instances(namespace, name)
        with file_failures():
            yield from read_logs(home, instance=instance, tail=tail, since_ms=since_ms, follow=follow)

    def pin(self, service: Service) -> str:  # noqa: ARG002 - images are not used here
        return ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        missing = []
        for ref in references(service):
            path = None if ref.source else store_file(ref, self._secrets_dir)
            if not ref.source and (path is None or not path.is_file()) and ref not in missing:
                missing.append(ref)
        return missing

    def _desired(self, namespace: str, name: str) -> Desired:
        found = self._client.definition(namespace, name)
        if found is None or found.desired is None:
            raise NotFound(f"there is no service {name} in {namespace}")
        return found.desired


class LocalWriter(Writer):
    """Writes desired state; the keeper does the rest."""

    def __init__(self, client: Client, fence: Fence, secrets_dir: str) -> None:
        self._client = client
        self._fence = fence
        self._secrets_dir = secrets_dir

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        service = plan.service
        values = {secret_digest(ref): secrets[ref].reveal() for ref in references(service) if ref.source}

        def make(present: Desired | None) -> Desired:
            return replace(
                desired_of(service),
                template_hash=plan.template_hash,
                revision=revision,
                epoch=present.epoch if present else 0,
                secrets_dir=self._secrets_dir,
            )

        return self._change(service.namespace, service.name, plan.expect, make, secrets=values)

    def scale(self, namespace: str, name: str, replicas: int, *, expect: str) -> Handle:
        def make(present: Desired | None) -> Desired:
            desired = _present(present, namespace, name)
            if conflict := claims.fixed_port_conflict(desired.service, replicas):
                raise UnsupportedFeature(name, "local", [("replicas", conflict)])
            return replace(desired, replicas=replicas)

        return self._change(namespace, name, expect, make)

    def restart(self, namespace: str, name: str, *, expect: str) -> Handle:
        def make(present: Desired | None) -> Desired:
            desired = _present(present, namespace, name)
            return replace(desired, epoch=desired.epoch + 1, paused=False)

        return self._change(namespace, name, expect, make)

    def pause(self, handle: Handle) -> None:
        with file_failures():
            found = self._client.definition(handle.namespace, handle.service)
        if found is None or found.desired is None or found.desired.paused:
            return
        if found.desired.template_hash == handle.template_hash:
            self._change(
                handle.namespace,
                handle.service,
                found.expect,
                lambda present: replace(_present(present, handle.namespace, handle.service), paused=True),
            )

    def delete(self, namespace: str, name: str, *, expect: str) -> Handle:
        self._fence.check()
        with file_failures():
            self._client.delete(namespace, name, expect)
        return Handle(backend="local", namespace=namespace, service=name, template_hash="", replicas=0)

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        self._fence.check()
        needed = frozenset(secret_digest(ref) for service in keep for ref in references(service) if ref.source)
        with file_failures():
            self._client.forget(namespace, name, secrets=needed)

    def _change(
        self,
        namespace: str,
        name: str,
        expect: str,
        make: Callable[[Desired | None], Desired],
        *,
        secrets: Mapping[str, bytes] | None = None,
    ) -> Handle:
        self._fence.check()
        with file_failures():
            desired = self._client.change(namespace, name, expect, make, secrets=secrets)
        return Handle(
            backend="local",
            namespace=namespace,
            service=name,
            template_hash=desired.template_hash,
            replicas=desired.replicas,
            ref=str(desired.version),
        )


def _present(present: Desired | None, namespace: str, name: str) -> Desired:
    if present is None:
        raise NotFound(f"there is no service {name} in {namespace}")
    return present


def _live(namespace: str, name: str, found: Found) -> Live:
    desired = found.desired
    if desired is None:
        return Live(namespace=namespace, name=name, expect=found.expect, owned=False)
    return Live(
        namespace=namespace,
        name=name,
        expect=found.expect,
        document=normalise(desired),
        template_hash=desired.template_hash,
        revision=desired.revision,
        replicas=desired.replicas,
        image=image_of(desired),
    )

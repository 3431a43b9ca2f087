"""Writes desired state; the keeper does the rest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from orchctl.core.backend import Fence, Secrets, Writer
from orchctl.core.plan import Plan
from orchctl.core.rollout import Handle
from orchctl.core.service import Service
from orchctl.errors import NotFound, UnsupportedFeature
from orchctl_local import claims
from orchctl_local.client import Client
from orchctl_local.failures import file_failures
from orchctl_local.model import Desired, secret_digest
from orchctl_local.translate import desired_of


class LocalWriter(Writer):
    """Writes desired state; the keeper does the rest."""

    def __init__(self, client: Client, fence: Fence, secrets_dir: str) -> None:
        self._client = client
        self._fence = fence
        self._secrets_dir = secrets_dir

    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        service = plan.service
        values = {secret_digest(ref): secrets[ref].reveal() for _, ref in service.secret_refs() if ref in secrets}

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
        needed = frozenset(secret_digest(ref) for service in keep for _, ref in service.secret_refs() if ref.source)
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
        raise NotFound(f"there is no service {name!r} in namespace {namespace!r}")
    return present

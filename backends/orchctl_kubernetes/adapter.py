"""The Kubernetes backend: glue, no rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchctl.core.backend import Backend, Connection, Fence, Reader, Writer
from orchctl.core.capability import Claim, Feature, refuse
from orchctl.core.context import Allow, Context
from orchctl.core.document import NOT_TEMPLATE
from orchctl.core.plan import Issue, NativeObject
from orchctl.core.service import Service
from orchctl.core.store import Store
from orchctl_kubernetes import access, claims, normalise, translate
from orchctl_kubernetes.client import READ_S, Reading
from orchctl_kubernetes.reader import KubernetesReader
from orchctl_kubernetes.store import ObjectStore
from orchctl_kubernetes.target import resolve
from orchctl_kubernetes.writer import KubernetesWriter

if TYPE_CHECKING:
    from orchctl.core.check import Check

_NATIVE = "backends.kubernetes.native"
_TEMPLATE = ".Deployment.spec.template"


class KubernetesBackend(Backend):
    name = "kubernetes"

    def capabilities(self) -> Mapping[Feature, Claim]:
        return claims.CLAIMS

    def check(self, service: Service) -> Sequence[Issue]:
        return claims.issues(service)

    def render(self, service: Service) -> Sequence[NativeObject]:
        refuse(service, self.name, self.check(service))
        return translate.render(service)

    def project(self, service: Service) -> Mapping[str, Any]:
        *around, deployment = [dict(o.body) for o in self.render(service)]
        return normalise.document(deployment, around)

    def restarts(self, path: str) -> bool:
        if path.startswith(_NATIVE):
            return path.removeprefix(_NATIVE).startswith(_TEMPLATE)
        return path.startswith("backends.kubernetes") or path.partition(".")[0].partition("[")[0] not in NOT_TEMPLATE

    def connect(self, context: Context) -> Connection:
        return KubernetesConnection(Reading(resolve(context, os.environ)), context.allow)

    def access(self, namespace: str) -> Sequence[NativeObject]:
        return access.objects(namespace)


class KubernetesConnection(Connection):
    """Nothing is asked of the API server before the first question: connecting is free."""

    def __init__(self, reading: Reading, allow: frozenset[Allow]) -> None:
        self._reading = reading
        self._allow = allow
        self._reader = KubernetesReader(reading)
        self._store = ObjectStore(reading, create_namespace=Allow.CREATE_NAMESPACE in allow)
        self.endpoint = reading.where

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def store(self) -> Store:
        return self._store

    def writer(self, fence: Fence) -> Writer:
        force = Allow.FORCE_CONFLICTS in self._allow
        return KubernetesWriter(self._reading, self._reader, fence.check, force_conflicts=force)

    def set_patience(self, seconds: float) -> None:
        self._reading.patience_s = min(READ_S, seconds)

    def checks(self, namespace: str) -> Iterator[Check]:
        from orchctl_kubernetes.checks import checks  # with ssl, which offline verbs do without

        return checks(self._reading, namespace)

    def close(self) -> None:
        self._reading.close()

"""The swarm backend: glue, no rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchctl.core.backend import Backend, Connection, Fence, Reader, Writer
from orchctl.core.capability import Claim, Feature, refuse
from orchctl.core.context import Context
from orchctl.core.document import NOT_TEMPLATE
from orchctl.core.plan import Issue, NativeObject
from orchctl.core.service import Service
from orchctl.core.store import Store
from orchctl_swarm import claims, normalise, translate
from orchctl_swarm.client import READ_S, Reading
from orchctl_swarm.reader import SwarmReader
from orchctl_swarm.store import ConfigStore
from orchctl_swarm.target import resolve
from orchctl_swarm.writer import SwarmWriter

if TYPE_CHECKING:
    from orchctl.core.check import Check

_NATIVE = "backends.swarm.native"


class SwarmBackend(Backend):
    name = "swarm"

    def capabilities(self) -> Mapping[Feature, Claim]:
        return claims.CLAIMS

    def check(self, service: Service) -> Sequence[Issue]:
        return claims.issues(service)

    def render(self, service: Service) -> Sequence[NativeObject]:
        refuse(service, self.name, self.check(service))
        return translate.render(service)

    def project(self, service: Service) -> Mapping[str, Any]:
        return normalise.document(self.render(service)[-1].body, {})

    def restarts(self, path: str) -> bool:
        if path.startswith(_NATIVE):
            return path.removeprefix(_NATIVE).lstrip(".[").startswith(("TaskTemplate", "EndpointSpec"))
        return path.startswith("backends.swarm") or path.partition(".")[0].partition("[")[0] not in NOT_TEMPLATE

    def connect(self, context: Context) -> Connection:
        return SwarmConnection(Reading(resolve(context, os.environ)))


class SwarmConnection(Connection):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._reader = SwarmReader(reading)
        self._store = ConfigStore(reading)
        self.endpoint = reading.where

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def store(self) -> Store:
        return self._store

    def writer(self, fence: Fence) -> Writer:
        return SwarmWriter(self._reading, self._reader, fence.check)

    def set_patience(self, seconds: float) -> None:
        self._reading.patience_s = min(READ_S, seconds)

    def checks(self, namespace: str) -> Iterator[Check]:  # noqa: ARG002 - the same for all
        from orchctl_swarm.checks import checks  # with ssl, which offline verbs do without

        return checks(self._reading)

    def close(self) -> None:
        self._reading.close()

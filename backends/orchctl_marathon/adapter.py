"""The marathon backend, offline: glue, no rules."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from orchctl.core.backend import Backend
from orchctl.core.capability import Claim, Feature, refuse
from orchctl.core.plan import Issue, NativeObject
from orchctl.core.service import Service
from orchctl_marathon import claims, normalise, translate

if TYPE_CHECKING:
    from orchctl.core.backend import Connection
    from orchctl.core.context import Context


class MarathonBackend(Backend):
    name = "marathon"

    def capabilities(self) -> Mapping[Feature, Claim]:
        return claims.CLAIMS

    def check(self, service: Service) -> Sequence[Issue]:
        return claims.issues(service)

    def render(self, service: Service) -> Sequence[NativeObject]:
        refuse(service, self.name, self.check(service))
        return translate.render(service)

    def project(self, service: Service) -> Mapping[str, Any]:
        return normalise.document(self.render(service)[-1].body)

    def restarts(self, path: str) -> bool:
        """Everything but the count: Marathon replaces every instance for a label as for an image."""
        return path != "replicas"

    def connect(self, context: Context) -> Connection:
        from orchctl_marathon.connection import opened  # offline verbs do without HTTP

        return opened(context)

"""The local backend: what it knows without asking anybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from orchctl.core.backend import Backend, Connection
from orchctl.errors import ConfigError

if TYPE_CHECKING:
    from orchctl.core.capability import Claim, Feature
    from orchctl.core.context import Context
    from orchctl.core.plan import Issue, NativeObject
    from orchctl.core.service import Service

# Methods import what they alone need: checking takes neither documents nor files, sockets and processes.

SETTINGS = ("state_dir", "secrets_dir")


class LocalBackend(Backend):
    """Plain processes on this machine."""

    name: ClassVar[str] = "local"

    def capabilities(self) -> Mapping[Feature, Claim]:
        from orchctl_local.claims import CLAIMS

        return CLAIMS

    def check(self, service: Service) -> Sequence[Issue]:
        from orchctl_local.claims import check

        return check(service)

    def render(self, service: Service) -> Sequence[NativeObject]:
        from orchctl.core.capability import refuse
        from orchctl.core.plan import NativeObject
        from orchctl_local.translate import body_of, desired_of

        refuse(service, self.name, self.check(service))
        body = body_of(desired_of(service))
        return [NativeObject(kind="service", name=f"{service.namespace}/{service.name}", body=body)]

    def project(self, service: Service) -> Mapping[str, Any]:
        from orchctl_local.normalise import normalise
        from orchctl_local.translate import desired_of

        return normalise(desired_of(service))

    def restarts(self, path: str) -> bool:
        from orchctl.core.document import NOT_TEMPLATE

        head = path.partition(".")[0].partition("[")[0]
        return path.startswith("backends.local") or head not in (*NOT_TEMPLATE, "scale")

    def connect(self, context: Context) -> Connection:
        """Starts supervisord if services are defined and it is dead: looking at dead services helps nobody."""
        from orchctl_local.connection import open_context

        _refuse_unknown(context)
        configured = str(context.settings.get("secrets_dir") or "")
        secrets_dir = str((context.base_dir / Path(configured).expanduser()).absolute()) if configured else ""
        return open_context(context, secrets_dir)


def _refuse_unknown(context: Context) -> None:
    """A misspelt key would silently mean the default directory."""
    for key, value in context.settings.items():
        if key not in SETTINGS:
            from difflib import get_close_matches

            close = get_close_matches(key, SETTINGS, 1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise ConfigError(
                f"context {context.name!r}: local has no setting {key!r}", hint=f"{hint}known: {', '.join(SETTINGS)}"
            )
        if not isinstance(value, str) or not value:
            raise ConfigError(f"context {context.name!r}: {key} must be a path in quotes")

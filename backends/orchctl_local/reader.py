"""Looking at the files; changes no definition."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from orchctl.core.backend import Live, Reader
from orchctl.core.rollout import Handle, Progress
from orchctl.errors import NotFound
from orchctl_local.client import Client, Found
from orchctl_local.failures import file_failures
from orchctl_local.model import Desired
from orchctl_local.normalise import image_of, normalise
from orchctl_local.progress import progress_of

if TYPE_CHECKING:
    from orchctl.core.endpoint import Endpoint, LogLine
    from orchctl.core.service import SecretRef, Service

# Methods import what they alone need: a status is the command that is typed most.


class LocalReader(Reader):
    """Reads files; changes no definition."""

    def __init__(self, client: Client, secrets_dir: str) -> None:
        self._client = client
        self._secrets_dir = secrets_dir
        self._node = os.uname().nodename

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
        from orchctl_local.endpoints import endpoints_of

        with file_failures():
            status = self._client.status(namespace, name)
            desired = self._desired(namespace, name)
        return endpoints_of(desired, status, node=self._node)

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        from orchctl_local.logs import read_logs

        home = self._client.layout.instances(namespace, name)
        with file_failures():
            yield from read_logs(home, instance=instance, tail=tail, since_ms=since_ms, follow=follow)

    def pin(self, service: Service) -> str:  # noqa: ARG002 - images are not used here
        return ""

    def missing_secrets(self, service: Service) -> Sequence[SecretRef]:
        from orchctl_local.secrets import file_of

        def is_there(ref: SecretRef) -> bool:
            path = file_of(ref, self._client.layout, service.namespace, service.name, self._secrets_dir)
            return path is not None and path.is_file()

        named = (ref for ref in dict.fromkeys(ref for _, ref in service.secret_refs()) if ref.version or not ref.source)
        return [ref for ref in named if not is_there(ref)]

    def _desired(self, namespace: str, name: str) -> Desired:
        found = self._client.definition(namespace, name)
        if found is None or found.desired is None:
            raise NotFound(f"there is no service {name!r} in namespace {namespace!r}")
        return found.desired


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
        restarts=str(desired.epoch),
        revision=desired.revision,
        replicas=desired.replicas,
        image=image_of(desired),
    )

"""One open context: glue between the contract and the files; no rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchctl.core.backend import Connection, Fence, Reader, Writer
from orchctl.core.context import Context
from orchctl_local.client import Client
from orchctl_local.failures import file_failures
from orchctl_local.layout import layout_of
from orchctl_local.reader import LocalReader
from orchctl_local.store import FileStore

if TYPE_CHECKING:
    from orchctl.core.check import Check
    from orchctl.core.plan import Issue
    from orchctl.core.service import Service


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
        from orchctl_local.writer import LocalWriter

        self._wrote = True
        return LocalWriter(self._client, fence, self._secrets_dir)

    def set_patience(self, seconds: float) -> None:
        """Files answer at once."""

    def refusals(self, service: Service) -> Sequence[Issue]:
        from orchctl.core.plan import Issue, Policy

        with file_failures():
            taken = self._client.taken_ports(service)
        return [Issue(path=path, policy=Policy.REJECT, message=text) for path, text in taken]

    def checks(self, namespace: str) -> Iterator[Check]:  # noqa: ARG002 - the same for all
        from orchctl_local.checks import checks

        with file_failures():
            yield from checks(self._client)

    def close(self) -> None:
        if self._wrote or self._store.wrote:
            with file_failures():
                self._client.close_if_empty()

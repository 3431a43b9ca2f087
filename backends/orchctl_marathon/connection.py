"""One open context of Marathon: glue, no rules."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from orchctl.core.backend import Connection, Fence, Reader, Writer
from orchctl.core.context import Context
from orchctl.core.plan import Issue
from orchctl.core.service import Service
from orchctl.core.store import Store
from orchctl_marathon.client import READ_S, Reading
from orchctl_marathon.reader import MarathonReader
from orchctl_marathon.store import LedgerStore
from orchctl_marathon.target import resolve
from orchctl_marathon.versions import refusals
from orchctl_marathon.writer import MarathonWriter

if TYPE_CHECKING:
    from orchctl.core.check import Check


def opened(context: Context) -> Connection:
    """ConfigError for a context that does not say where; nothing is asked yet."""
    return MarathonConnection(Reading(resolve(context, os.environ)))


class MarathonConnection(Connection):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._reader = MarathonReader(reading)
        self._store = LedgerStore(reading)
        self.endpoint = reading.where

    @property
    def reader(self) -> Reader:
        return self._reader

    @property
    def store(self) -> Store:
        return self._store

    def writer(self, fence: Fence) -> Writer:
        return MarathonWriter(self._reading, self._reader, fence.check)

    def set_patience(self, seconds: float) -> None:
        self._reading.patience_s = min(READ_S, seconds)

    def refusals(self, service: Service) -> Sequence[Issue]:
        return refusals(service, self._reading.version)

    def checks(self, namespace: str) -> Iterator[Check]:  # noqa: ARG002 - the same for all
        from orchctl_marathon.checks import checks  # other commands do without

        return checks(self._reading)

    def close(self) -> None:
        self._reader.close()
        self._reading.close()

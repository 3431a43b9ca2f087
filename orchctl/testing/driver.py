"""Drives the engine against a World, as a command would, and remembers what it said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from orchctl.core import stores
from orchctl.core.backend import Connection
from orchctl.core.catalogs import open_directory
from orchctl.core.endpoint import Endpoint
from orchctl.core.revision import Recorded
from orchctl.core.rollout import Event, Outcome
from orchctl.core.service import Service
from orchctl.engine import delete as deleting
from orchctl.engine import discover as discovering
from orchctl.engine import restart as restarting
from orchctl.engine import rollback as rolling_back
from orchctl.engine import scale as scaling
from orchctl.engine import status as looking
from orchctl.engine import sync as syncing
from orchctl.engine import waves
from orchctl.engine import why as explaining
from orchctl.engine.history import Records
from orchctl.engine.holder import Holder, this_process
from orchctl.engine.operation import Limits
from orchctl.engine.plan import Planned, plan_one
from orchctl.engine.rollout import DeployOptions
from orchctl.engine.session import Session
from orchctl.testing.world import World


@dataclass
class Driver:
    """One deployer. Every method is a command of its own: a new connection, a new session.

    ``on_event`` is called for every Event, at which a test may look at the truth.
    """

    world: World
    on_event: Callable[[Event], None] = lambda _event: None
    holder: Holder = field(default_factory=lambda: this_process("conformance test"))
    events: list[Event] = field(default_factory=list)
    limits: Limits = field(default_factory=Limits)

    def run(self, action: Callable[[Session], Outcome]) -> Outcome:
        """``action`` with an open session."""
        with stores.connect(self.world.backend, self.world.context) as connection:
            return action(self._session(connection))

    def deploy(self, service: Service, options: DeployOptions | None = None) -> Outcome:
        return self.deploy_all([service], options)[0]

    def deploy_all(self, services: Sequence[Service], options: DeployOptions | None = None) -> list[Outcome]:
        chosen = options or DeployOptions(limits=self.limits)
        with stores.connect(self.world.backend, self.world.context) as connection:
            return waves.deploy_services(self._session(connection), services, chosen)

    def plan(self, service: Service) -> Planned:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return plan_one(self._session(connection), service)

    def scale(self, name: str, target: str) -> Outcome:
        wanted = scaling.parse_target(target)
        return self.run(lambda s: scaling.scale(s, self.namespace, name, wanted, self.limits))

    def restart(self, name: str) -> Outcome:
        return self.run(lambda s: restarting.restart(s, self.namespace, name, self.limits))

    def delete(self, name: str) -> Outcome:
        return self.run(lambda s: deleting.delete(s, self.namespace, name, self.limits))

    def where_rollback_goes(self, name: str, to: int | None = None) -> rolling_back.Rollback:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return rolling_back.plan_rollback(self._session(connection), self.namespace, name, to=to)

    def rollback(self, name: str, to: int | None = None) -> Outcome:
        def go(session: Session) -> Outcome:
            where = rolling_back.plan_rollback(session, self.namespace, name, to=to)
            return rolling_back.rollback(session, where, self.limits)

        return self.run(go)

    def history(self, name: str) -> list[Recorded]:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return Records(connection.store, self.namespace, name).newest_first()

    def status(self, name: str) -> looking.ServiceStatus:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return looking.status(self._session(connection), self.namespace, [name])[0]

    def status_of_all(self) -> list[looking.ServiceStatus]:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return looking.status(self._session(connection), self.namespace)

    def discover(self, name: str) -> list[Endpoint]:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return discovering.discover(self._session(connection), self.namespace, name)

    def sync(self, *names: str) -> list[Outcome]:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return syncing.sync(self._session(connection), self.namespace, names, self.limits)

    def collect(self) -> int:
        """``consul gc``: how many entries and nodes were removed."""
        with stores.connect(self.world.backend, self.world.context) as connection:
            session = self._session(connection)
            with open_directory(self.world.context) as directory:
                return syncing.bury(session, directory, syncing.dead(session, directory), self.limits)

    def why(self, name: str) -> explaining.Diagnosis:
        with stores.connect(self.world.backend, self.world.context) as connection:
            return explaining.why(self._session(connection), self.namespace, name)

    @property
    def namespace(self) -> str:
        return self.world.context.namespace

    def within(self, timeout_ms: int) -> Driver:
        """The same deployer with ``--timeout``."""
        return replace(self, limits=replace(self.limits, timeout_ms=timeout_ms))

    def _session(self, connection: Connection) -> Session:
        return Session(
            backend=self.world.backend,
            context=self.world.context,
            connection=connection,
            clock=self.world.clock,
            holder=self.holder,
            say=self._say,
            started=self.world.clock.now(),
        )

    def _say(self, event: Event) -> None:
        self.events.append(event)
        self.on_event(event)

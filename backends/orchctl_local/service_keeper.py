"""Keeps one service as its desired state says."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor

from orchctl.core.codec import canonical_json, from_plain, to_plain
from orchctl.core.service import Service
from orchctl.errors import Unreachable
from orchctl_local.files import prune_empty, read_json, remove, state_lock, write_atomic
from orchctl_local.layout import Layout
from orchctl_local.model import Desired, Replica, Status, Step, status_from
from orchctl_local.reconcile import Member, decide, goal_of
from orchctl_local.replica import Runner, Supervisor
from orchctl_local.supervisor_rpc import Seen

IDLE_MS = 500
"""A process that ends by itself is noticed within this time."""
ENDED_KEPT = 10
"""Directories of ended instances (their output) that a service keeps at least."""


class ServiceKeeper:
    """``desired`` is set by the keeper: None = deleted, and then everything goes."""

    def __init__(
        self,
        layout: Layout,
        namespace: str,
        name: str,
        *,
        life: str,
        supervisor: Supervisor,
        pool: ThreadPoolExecutor,
        taken: set[int],
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.desired: Desired | None = None
        self.held = False
        """The definition cannot be read: nothing is started or stopped because of it."""
        self._layout = layout
        self._supervisor = supervisor
        self._pool = pool
        self._taken = taken
        self._written = ""
        self._status = status_from(read_json(layout.status_file(namespace, name))) or Status()
        if self._status.life != life:
            self._status.forget_processes()
            self._status.life = life
        self._runners: dict[int, Runner] = {}
        for state in self._status.replicas:
            self._adopt(state)

    @property
    def gone(self) -> bool:
        return self.desired is None and not self.held and not self._runners

    def rest_ms(self, now: int) -> int:
        """How long nothing is expected to change by the keeper's own doing; 0 while the service is on its way."""
        states = [runner.state for runner in self._runners.values()]
        if not self._status.settled or any(not s.ready and s.step is not Step.ENDED for s in states):
            return 0
        return min((runner.rest_ms(now) for runner in self._runners.values()), default=IDLE_MS)

    @property
    def runners(self) -> tuple[Runner, ...]:
        return tuple(self._runners.values())

    def tick(self, now: int, seen: Mapping[str, Seen]) -> None:
        """One round: decide, move every replica on, write what is seen."""
        if not self.held:
            self._reconcile(now)
        for number, runner in list(self._runners.items()):
            if not runner.advance(now, seen.get(runner.program)):
                del self._runners[number]
        self._write()

    def clean(self) -> bool:
        """Remove what was generated, once the service is gone; False when a writer is at work or has made it again."""
        try:
            with state_lock(self._layout, timeout_s=0):
                if self._layout.desired_file(self.namespace, self.name).exists():
                    return False
                for path in self._layout.of_service(self.namespace, self.name):
                    remove(path)
                    prune_empty(path.parent)
                return True
        except Unreachable:
            return False

    def _reconcile(self, now: int) -> None:
        desired = self.desired
        if desired is None:
            stop = tuple(self._runners)
        else:
            self._remember(desired)
            goal = goal_of(
                desired.service.rollout,
                replicas=desired.replicas,
                generation=desired.generation,
                paused=desired.paused,
            )
            decision = decide(goal, self._members(now))
            stop = decision.stop
            for generation, slot in decision.start:
                self._add(generation, slot)
        for number in stop:
            if not self._runners[number].retire(now):
                del self._runners[number]

    def _members(self, now: int) -> list[Member]:
        assert self.desired is not None
        min_ready = self.desired.service.rollout.min_ready_ms
        return [
            Member(
                number=state.number,
                slot=state.slot,
                generation=state.generation,
                current=state.generation == self.desired.generation,
                leaving=state.leaving,
                ready=state.ready,
                available=state.ready and now - state.ready_ms >= min_ready,
            )
            for state in (runner.state for runner in self._runners.values())
        ]

    def _add(self, generation: str, slot: int) -> None:
        state = Replica(
            number=self._status.next_number,
            slot=slot,
            template_hash=generation.rpartition("-")[0],
            generation=generation,
        )
        self._status.next_number += 1
        self._adopt(state)

    def _adopt(self, state: Replica) -> None:
        kept = self._service_of(state.generation)
        if kept is None:
            return
        service, secrets_dir = kept
        self._taken.update(state.ports.values())
        self._runners[state.number] = Runner(
            layout=self._layout,
            service=service,
            secrets_dir=secrets_dir,
            state=state,
            supervisor=self._supervisor,
            pool=self._pool,
            taken=self._taken,
        )

    def _remember(self, desired: Desired) -> None:
        """Keep the template of each generation, so that an old replica can be started again during a rollout."""
        path = self._layout.generation_file(self.namespace, self.name, desired.generation)
        if path.exists():
            return
        text = canonical_json({"service": to_plain(desired.service), "secrets_dir": desired.secrets_dir})
        write_atomic(self._layout, path, text.encode())
        used = {desired.generation, *(runner.state.generation for runner in self._runners.values())}
        for old in path.parent.glob("*.json"):
            if old.stem not in used:
                remove(old)

    def _service_of(self, generation: str) -> tuple[Service, str] | None:
        plain = read_json(self._layout.generation_file(self.namespace, self.name, generation))
        try:
            return from_plain(Service, plain["service"]), str(plain["secrets_dir"])
        except (ValueError, KeyError, TypeError):
            return None

    def _write(self) -> None:
        if self.gone:
            return
        states = [runner.state for runner in self._runners.values()]
        status = self._status
        status.replicas = states
        if self.desired is not None:
            status.version = self.desired.version
            right = [s for s in states if s.generation == self.desired.generation and not s.leaving]
            status.settled = self.desired.paused or len(right) == len(states) == self.desired.replicas
        else:
            status.settled = False
        text = canonical_json(to_plain(status))
        if text != self._written:
            self._prune_instances()
            write_atomic(self._layout, self._layout.status_file(self.namespace, self.name), text.encode())
            self._written = text

    def _prune_instances(self) -> None:
        """Keep the output of what runs, of what is shown as a problem, and of the newest that have ended."""
        states = [runner.state for runner in self._runners.values()]
        needed = {s.instance for s in states} | {s.log_id for s in states}
        home = self._layout.instances(self.namespace, self.name)
        if not home.is_dir():
            return
        ended = sorted((d for d in home.iterdir() if d.name not in needed), key=lambda d: d.stat().st_mtime)
        for directory in ended[: -max(ENDED_KEPT, 2 * len(states))]:
            remove(directory)

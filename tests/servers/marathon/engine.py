"""The state machine's heart: one lock, one state, one thread that moves it."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.servers.marathon import launching, observing, rollout
from tests.servers.marathon.agents import Addresses, Agent, Ports
from tests.servers.marathon.checks import Checks
from tests.servers.marathon.clock import Clock
from tests.servers.marathon.events import Events
from tests.servers.marathon.instances import Instance, Task
from tests.servers.marathon.offers import Delay, Statistics
from tests.servers.marathon.processes import Images
from tests.servers.marathon.store import Config, Store

TICK_SECONDS = 0.02
HOLDS = ("offers", "staging", "starting", "kills")


@dataclass(frozen=True, kw_only=True)
class Options:
    """What the server was started with; see ``Marathon``."""

    version: str = "1.8.248"
    features: Collection[str] = ()
    max_running_deployments: int = 100
    images: Images = field(default_factory=dict)
    processes: bool = True
    placement: float = TICK_SECONDS
    min_revive: float = 0.0
    check_haste: float = 1.0
    role: str = "*"

    @property
    def numbers(self) -> tuple[int, ...]:
        return tuple(int(part) for part in self.version.split(".")[:2])


class Engine:
    """All state, shared by the masters of a cluster. Every access holds ``lock``."""

    def __init__(self, options: Options, agents: Sequence[Agent]) -> None:
        self.options, self.agents = options, list(agents)
        self.root = Path()
        """Where the sandboxes are; set before the start."""

        self.lock = threading.RLock()
        self.clock = Clock()
        self.events = Events(self.clock)
        self.store = Store()
        self.ports, self.addresses = Ports(), Addresses()
        self.instances: dict[str, Instance] = {}
        self.rollouts: list[rollout.Rollout] = []
        self.delays: dict[Config, Delay] = {}
        self.statistics: dict[str, Statistics] = {}
        self.finished: list[tuple[Instance, Task]] = []
        """Ended tasks, oldest first, for Mesos' list of completed executors."""

        self.orphans: list[Task] = []
        """Tasks on lost agents that Marathon has given up; they are killed when their agent is back."""

        self.checks = Checks()
        self.holds: set[str] = set()
        self.round_at = 0.0
        """When the next round of offers may be."""

        self.revived_at = float("-inf")
        """When offers were last asked for; in the future while --min_revive_offers_interval holds that up."""

        self.changes = 0
        self.has_leader = True
        self.mesos_url = ""
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._fault: Exception | None = None

    def start(self) -> None:
        self._thread = threading.Thread(target=self._run, name="marathon", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End every process; RuntimeError when the server's own thread has failed."""
        self._stop.set()
        self._wake.set()
        if self._thread:
            self._thread.join()
        with self.lock:
            held = [one.task for one in self.instances.values() if one.task]
            for task in [*held, *self.orphans]:
                if task.process:
                    task.process.end()
                self.ports.release(task.ports)
        self.addresses.close()
        if self._fault:
            raise RuntimeError("the server stood still") from self._fault

    def _run(self) -> None:
        while not self._stop.is_set():
            self._wake.wait(TICK_SECONDS)
            self._wake.clear()
            try:
                with self.lock:
                    self.tick()
            except Exception as fault:  # told at the end: a test must not wait for a server that stands still
                self._fault = fault
                return

    def wake(self) -> None:
        """Something was written: do not wait for the next tick."""
        self._wake.set()

    def tick(self) -> None:
        """Move everything that can move now. Without a leader nothing is moved; processes run on."""
        if not self.has_leader:
            return
        observing.observe(self)
        self.checks.step(self)
        launching.launch(self)
        rollout.advance(self)

    def revive(self) -> None:
        """Ask for offers, as every new item of the queue does; not more often than --min_revive_offers_interval."""
        now = self.clock.now()
        if self.revived_at <= now:
            self.revived_at = max(now, self.revived_at + self.options.min_revive)

    def of_app(self, path: str) -> list[Instance]:
        return [one for one in self.instances.values() if one.path == path]

    def waiting(self) -> dict[Config, list[Instance]]:
        """Instances that want an offer, by configuration: each is an item of the launch queue."""
        found: dict[Config, list[Instance]] = {}
        for one in self.instances.values():
            if one.is_waiting:
                found.setdefault(one.release.config, []).append(one)
        return found

    def seconds_left(self, config: Config) -> float:
        """Of the configuration's back-off; negative when it is over."""
        return self.delays.get(config, Delay()).until - self.clock.now()

    def reset_delay(self, path: str) -> None:
        self.delays = {config: delay for config, delay in self.delays.items() if config[0] != path}

    def locks_of(self, paths: Iterable[str]) -> list[rollout.Rollout]:
        wanted = set(paths)
        return [one for one in self.rollouts if wanted & set(one.plan.affected)]

    def is_quiet(self) -> bool:
        """Nothing moves unless time passes, a process acts or somebody writes."""
        moving = any(observing.is_moving(self, one) for one in self.instances.values())
        return not moving and not launching.could_launch(self) and not self.checks.are_due(self)

    def changed(self) -> None:
        self.changes += 1

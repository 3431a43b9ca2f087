"""The life of one replica: start, checks, restarts with back-off, drain, stop."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from orchctl.core.rollout import FailureKind, Problem
from orchctl.core.service import Probe, Restart, Service
from orchctl_local.instance import CannotStart, choose_ports, end_of, launched_ms, prepare, refuse_too_large, resume
from orchctl_local.layout import Layout
from orchctl_local.model import Replica, Step
from orchctl_local.probes import Check
from orchctl_local.processes import kill_recorded, start_mark
from orchctl_local.supervisor_config import Program
from orchctl_local.supervisor_rpc import Seen

FIRST_BACKOFF_MS = 500
LAST_BACKOFF_MS = 10_000
SETTLED_MS = 600_000
"""Ready for this long, a replica's earlier exits are forgotten (Kubernetes resets its back-off then, too)."""
RUNNING_IS_READY_MS = 300
"""Without a readiness check a process is ready when its command has run for this long."""
LAUNCH_MS = 5_000
"""A program that supervisord has not shown after this long was lost."""


class Supervisor(Protocol):
    """What a replica asks of supervisord; the keeper gathers the starts of one round."""

    def want(self, program: Program) -> None: ...

    def stop(self, name: str) -> None: ...

    def remove(self, name: str) -> None: ...


@dataclass(slots=True)
class Runner:
    """Moves one ``Replica`` on, a step per call. ``taken`` holds the ports of every replica of the context."""

    layout: Layout
    service: Service
    secrets_dir: str
    state: Replica
    supervisor: Supervisor
    pool: ThreadPoolExecutor
    taken: set[int]
    ready_check: Check | None = field(default=None)
    live_check: Check | None = field(default=None)
    condemned: bool = False
    """Its liveness check failed and its stop signal was sent."""

    @property
    def program(self) -> str:
        return f"{self.service.namespace}.{self.state.instance}"

    @property
    def key(self) -> str:
        """The process in this context, as its environment carries it."""
        return f"{self.service.namespace}/{self.service.name}/{self.state.instance}"

    @property
    def home(self) -> Path:
        return self.layout.instances(self.service.namespace, self.service.name) / self.state.instance

    def advance(self, now: int, seen: Seen | None) -> bool:
        """One step; False when the replica is gone for good."""
        state, step = self.state, self.state.step
        if seen is not None and seen.pid and not state.pid:
            state.pid, state.pid_start = seen.pid, start_mark(seen.pid)
        if step is Step.WAITING and now >= state.until_ms:
            self._start(now)
        elif step is Step.UP:
            self._watch(now, seen)
        elif state.leaving:
            if self.is_over(now, seen):
                return self._leave()
            if now >= state.until_ms:
                if step is Step.STOPPING:
                    kill_recorded(state.pid, state.pid_start)
                self._signal(now)
        return True

    def rest_ms(self, now: int) -> int:
        """How long this replica can be left alone, as far as its checks are concerned."""
        if self.state.step is not Step.UP or not (self.ready_check or self.live_check):
            return LAUNCH_MS
        return min(check.rest_ms(now) for check in (self.ready_check, self.live_check) if check)

    def is_over(self, now: int, seen: Seen | None) -> bool:
        """Has its process ended, or gone away with the supervisord that ran it?"""
        if not self.state.has_process:
            return False
        if seen is None:
            return bool(self.state.pid) or now - self.state.started_ms > LAUNCH_MS
        return seen.ended

    def retire(self, now: int) -> bool:
        """Begin the end: out of the endpoints first, then the drain, then the signal. False when already gone."""
        state = self.state
        state.ready = False
        if state.step is Step.UP:
            state.step, state.until_ms = Step.DRAINING, now + self.service.stop.drain_ms
            return True
        return state.leaving or self._leave()

    def _start(self, now: int) -> None:
        state = self.state
        state.attempt += 1
        state.instance = f"{self.service.name}-{state.number}-{state.attempt}"
        try:
            refuse_too_large(self.service)
            self._release_ports()
            state.ports = choose_ports(self.service, self.taken)
            launch = prepare(
                self.layout,
                self.service,
                instance=state.instance,
                numbers=state.ports,
                secrets_dir=self.secrets_dir,
            )
        except CannotStart as refusal:
            self._refused(refusal.problem, now)
            return
        state.step, state.started_ms, state.pid, state.pid_start = Step.UP, now, 0, ""
        state.ready, state.ready_ms, state.was_ready, state.probe = False, 0, False, ""
        self._make_checks(launch.environment, launch.directory)
        self.supervisor.want(launch.program)

    def _refused(self, problem: Problem, now: int) -> None:
        """Nothing was started: tried again later under the same number of exits, for the cause may go away."""
        state = self.state
        shutil.rmtree(self.home, ignore_errors=True)
        state.attempt -= 1
        state.instance = ""
        state.problem, state.log_id = problem, ""
        state.until_ms = now + LAST_BACKOFF_MS // 5

    def _watch(self, now: int, seen: Seen | None) -> None:
        state = self.state
        if self.is_over(now, seen):
            if seen is None:
                # supervisord itself went away, and the process with it: not the service's fault.
                state.step, state.until_ms, state.ready = Step.WAITING, now, False
                self._forget_inputs()
                self.supervisor.remove(self.program)
            else:
                self._ended(now, end_of(self.home, unknown=seen.error))
            return
        if seen is None or self.condemned:
            return
        if self.ready_check is None and self.live_check is None and self._probes_exist():
            self._make_checks(*resume(self.layout, self.service, state.instance))
        self._judge(now)

    def _judge(self, now: int) -> None:
        state = self.state
        late = now - state.started_ms >= self.service.health.start_deadline_ms
        if check := self.ready_check:
            check.advance(now, self.pool)
            # A keeper that has just started has no answer yet; the last known one holds.
            ready = state.was_ready and state.ready if check.good is None else check.good
            state.probe = "" if ready else check.message
            if late and not ready and not state.was_ready:
                state.problem = Problem(kind=FailureKind.UNHEALTHY, message=check.message or "never ready")
                state.log_id = ""
        else:
            ready = state.ready or self._has_run(now)
        if live := self.live_check:
            live.advance(now, self.pool)
            dead = live.good is False or (live.good is None and late and live.failures >= live.probe.failures)
            if dead:
                # Alive for the kernel only; its end then counts as an exit.
                state.problem = Problem(kind=FailureKind.UNHEALTHY, message=f"not alive: {live.message}")
                state.ready = False
                self.condemned = True
                self.supervisor.stop(self.program)
                return
        if ready and not state.ready:
            state.ready_ms, state.was_ready = now, True
            state.problem, state.log_id = None, ""
        state.ready = ready
        if ready and state.exits and now - state.ready_ms >= SETTLED_MS:
            state.exits = 0

    def _has_run(self, now: int) -> bool:
        """Long enough to be ready. Counted from the command, not from the start: on a busy machine the launcher before
        it takes longer than that (load 6 on two cores, 2026-11), and a deploy was done while nothing ran yet."""
        began = launched_ms(self.home)
        return began is not None and now - began >= RUNNING_IS_READY_MS

    def _ended(self, now: int, problem: Problem | None) -> None:
        state = self.state
        unhealthy = state.problem if self.condemned else None
        self.condemned = False
        self._forget_inputs()
        self.supervisor.remove(self.program)
        state.ready = False
        state.pid = 0
        state.exits += 1
        if problem is None and unhealthy is None and self.service.restart is Restart.ALWAYS:
            problem = Problem(kind=FailureKind.CRASHED, message="ended by itself with exit code 0", exit_code=0)
        state.problem = unhealthy or problem
        state.log_id = state.instance
        again = self.service.restart is Restart.ALWAYS or (
            self.service.restart is Restart.ON_FAILURE and state.problem is not None
        )
        state.step = Step.WAITING if again else Step.ENDED
        state.until_ms = now + min(LAST_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** min(state.exits - 1, 10))

    def _signal(self, now: int) -> None:
        """Ask for the end. When ``until_ms`` comes the process group is killed: supervisor counts whole seconds only."""
        self.state.step = Step.STOPPING
        self.state.until_ms = now + self.service.stop.grace_ms
        self.supervisor.stop(self.program)

    def _leave(self) -> bool:
        if self.state.has_process:
            self._forget_inputs()
            self.supervisor.remove(self.program)
        self._release_ports()
        return False

    def _forget_inputs(self) -> None:
        """Only the output is evidence; secrets must not outlive the process."""
        (self.home / "launch.json").unlink(missing_ok=True)
        shutil.rmtree(self.home / "run", ignore_errors=True)

    def _release_ports(self) -> None:
        self.taken.difference_update(self.state.ports.values())

    def _probes_exist(self) -> bool:
        return self.service.health.ready is not None or self.service.health.live is not None

    def _make_checks(self, environment: Mapping[str, str], directory: Path) -> None:
        def check(probe: Probe | None) -> Check | None:
            if probe is None:
                return None
            return Check(probe, self.state.ports, environment, directory)

        self.ready_check = check(self.service.health.ready)
        self.live_check = check(self.service.health.live)

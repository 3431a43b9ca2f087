"""Deployments at work: each action of the current step does what it can, tick by tick."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from tests.servers.marathon import updates
from tests.servers.marathon.definition import is_resident
from tests.servers.marathon.instances import Instance
from tests.servers.marathon.plan import RESTART, SCALE, START, STOP, Action, Plan
from tests.servers.marathon.store import Release

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

CANCELLED = "The upgrade has been cancelled"


class Work(ABC):
    """One action being done."""

    def __init__(self, engine: Engine, action: Action) -> None:
        self.engine, self.action, self.release = engine, action, action.release
        self._before = {one.task.id for one in engine.of_app(self.path) if one.task}

    @property
    def path(self) -> str:
        return self.release.path

    @abstractmethod
    def advance(self) -> bool:
        """Do what can be done now; True when the action is complete."""

    def has_started(self, one: Instance) -> bool:
        """Readiness is asked, told and waited for of these alone (ReadinessBehavior)."""
        return one.task is not None and one.task.id not in self._before

    def readiness(self) -> list[dict[str, Any]]:
        found = [one.task for one in self.engine.of_app(self.path) if one.task and self.has_started(one)]
        return [result for task in found for result in task.ready.values()]


class Start(Work):
    """The app exists from now on, with no instance yet."""

    def advance(self) -> bool:
        for check in self.release.app.get("healthChecks", []):
            self.engine.events.publish(
                "add_health_check_event",
                appId=self.path,
                eventType="",
                healthCheck=check,
                timestamp="",
                version=self.release.version,
            )
        return True


class Stop(Work):
    """All its instances go."""

    def __init__(self, engine: Engine, action: Action) -> None:
        super().__init__(engine, action)
        for instance in engine.of_app(self.path):
            updates.doom(engine, instance)

    def advance(self) -> bool:
        if self.engine.of_app(self.path):
            return False
        for _ in self.release.app.get("healthChecks", []):
            self.engine.events.publish("remove_health_check_event", appId=self.path)
        self.engine.events.publish("app_terminated_event", appId=self.path)
        self.engine.statistics.pop(self.path, None)
        self.engine.reset_delay(self.path)
        return True


class Scale(Work):
    """More instances, and wait until they are healthy; or fewer, and wait until the others are gone."""

    def __init__(self, engine: Engine, action: Action) -> None:
        super().__init__(engine, action)
        kept = [one for one in engine.of_app(self.path) if not one.is_doomed and not one.is_inactive]
        # One that is being killed but still runs counts as present: rolling back a delete starts nothing
        # before it has ended (08-deployments/540).
        present = kept + [one for one in engine.of_app(self.path) if one.is_doomed and one.is_live]
        self._leaving: list[Instance] = []
        if len(kept) > self.release.instances:
            self._leaving = self._choose(kept, len(kept) - self.release.instances)
        elif len(present) < self.release.instances:
            updates.schedule(engine, self.release, self.release.instances - len(present))
        for instance in self._leaving:
            updates.doom(engine, instance)

    def _choose(self, kept: list[Instance], count: int) -> list[Instance]:
        named = [one for one in kept if one.id in self.action.kill]
        others = updates.in_kill_order([one for one in kept if one not in named])
        return [*named, *others][:count]

    def advance(self) -> bool:
        if self._leaving:
            return not any(one.id in self.engine.instances for one in self._leaving)
        good = [one for one in self.engine.of_app(self.path) if one.is_healthy()]
        return sum(one.is_ready() or not self.has_started(one) for one in good) >= self.release.instances


def capacity(release: Release, counted: int) -> tuple[int, int]:
    """How many of ``counted`` instances are killed at once, and how many there may be in all.

    TaskReplaceActor.computeRestartStrategy: where nothing could ever move, one more is allowed (or, with
    persistent volumes, one less).
    """
    strategy, wanted = release.app["upgradeStrategy"], release.instances
    lowest = math.ceil(wanted * strategy["minimumHealthCapacity"])
    highest = math.floor(wanted * (1 + strategy["maximumOverCapacity"]))
    at_once = max(0, counted - lowest)
    if lowest == highest and highest <= counted:
        if is_resident(release.app):
            return counted - lowest + 1, highest
        return at_once, highest + 1
    return at_once, highest


class Replace(Work):
    """Every instance of another version is replaced: one goes for each new one that is healthy and ready."""

    def __init__(self, engine: Engine, action: Action) -> None:
        super().__init__(engine, action)
        current = [one for one in engine.of_app(self.path) if not one.is_doomed]
        self._old = [one for one in current if one.release.version != self.release.version]
        # All count as running, so that reverting a stuck deployment costs a running task at once
        # (08-deployments/508); reverting a failing one was seen to cost none, so those in back-off go first.
        self._queue = sorted(self._old, key=lambda one: one.task is None or one.is_live)
        at_once, self._highest = capacity(self.release, len(current))
        self._rewarded: set[str] = set()
        for _ in range(at_once):
            self._kill_next()
        self._launch()
        engine.delays.pop(self.release.config, None)

    def _started(self) -> list[Instance]:
        return [
            one
            for one in self.engine.of_app(self.path)
            if one.release.version == self.release.version and not one.is_doomed
        ]

    def _kill_next(self) -> None:
        if self._queue:
            updates.doom(self.engine, self._queue.pop(0))

    def _launch(self) -> None:
        started = len(self._started())
        room = max(0, self._highest - len(self._old) - started)
        updates.schedule(self.engine, self.release, min(room, max(0, self.release.instances - started)))

    def advance(self) -> bool:
        good = [one for one in self._started() if one.is_healthy() and one.is_ready()]
        for one in good:
            if one.id not in self._rewarded:
                self._rewarded.add(one.id)
                self._kill_next()
        if len(good) >= self.release.instances:  # also when there are more old ones than new ones
            while self._queue:
                self._kill_next()
        self._old = [one for one in self._old if one.id in self.engine.instances]
        self._launch()
        return len(good) >= self.release.instances and not self._old


def _work(engine: Engine, action: Action) -> Work:
    kinds: dict[str, Callable[[Engine, Action], Work]] = {START: Start, SCALE: Scale, RESTART: Replace, STOP: Stop}
    return kinds[action.kind](engine, action)


class Rollout:
    """One running deployment."""

    def __init__(self, engine: Engine, plan: Plan) -> None:
        self.engine, self.plan = engine, plan
        self.is_released = True
        """False: a test holds it; it never ends by itself."""

        self._step = 0
        self._works: list[Work] = []
        self._done: set[int] = set()

    @property
    def id(self) -> str:
        return self.plan.id

    def readiness_of(self, path: str) -> list[dict[str, Any]]:
        """Results that this deployment has of the app at ``path``: they are gone with it."""
        return [result for work in self._works if work.path == path for result in work.readiness()]

    def advance(self) -> bool:
        """True when the last step is complete."""
        while self._step < len(self.plan.steps):
            if not self._works:
                self._begin()
            if not self._is_step_done():
                return False
            self._publish("deployment_step_success")
            self._step, self._works, self._done = self._step + 1, [], set()
        return True

    def _begin(self) -> None:
        self._publish("deployment_info")
        self._works = [_work(self.engine, action) for action in self.plan.steps[self._step]]

    def _is_step_done(self) -> bool:
        for index, work in enumerate(self._works):
            if index not in self._done and work.advance():
                self._done.add(index)
        return len(self._done) == len(self._works) and self.is_released

    def _publish(self, kind: str) -> None:
        self.engine.changed()
        step = {"actions": [action.shown() for action in self.plan.steps[self._step]]}
        self.engine.events.publish(kind, plan=self.plan.light(), currentStep=step)

    def shown(self) -> dict[str, Any]:
        """As ``/v2/deployments`` has it; steps count from 1."""
        return {
            "id": self.plan.id,
            "version": self.plan.version,
            "affectedApps": self.plan.affected,
            "affectedPods": [],
            "steps": self.plan.shown(),
            "currentActions": [
                work.action.shown() | {"readinessCheckResults": work.readiness()} for work in self._works
            ],
            "currentStep": self._step + 1,
            "totalSteps": len(self.plan.steps),
        }


def advance(engine: Engine) -> None:
    for one in list(engine.rollouts):
        if one.advance():
            engine.rollouts.remove(one)
            engine.changed()
            engine.events.publish("deployment_success", id=one.id, plan=one.plan.light())


def cancel(engine: Engine, one: Rollout) -> None:
    """What it has started and stopped stays as it is."""
    engine.rollouts.remove(one)
    engine.changed()
    publish_failed(engine, one.plan, CANCELLED)


def publish_failed(engine: Engine, plan: Plan, reason: str) -> None:
    engine.events.publish("deployment_failed", id=plan.id, plan=plan.light(), eventType="", timestamp="", reason=reason)

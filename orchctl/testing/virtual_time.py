"""Time that passes only when everybody sleeps, and deployers that take turns by a seed."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

T = TypeVar("T")

_EPOCH = datetime(2029, 12, 31, 23, 44, tzinfo=UTC)


def _wall(seconds: float) -> str:
    return f"{_EPOCH + timedelta(seconds=int(seconds)):%Y-%m-%dT%H:%M:%SZ}"


class VirtualClock:
    """A Clock for one deployer: sleeping moves time on at once."""

    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += max(0.0, seconds)

    def wall(self) -> str:
        return _wall(self.time)


class TurnTaking:
    """Runs several functions in threads, exactly one at a time, switching at each request by a seeded choice.

    ``turn`` is the switching point: call it from every request. ``clock`` is theirs to share; time moves on
    only when all of them sleep, to the moment at which the first wakes.
    """

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self._condition = threading.Condition()
        self._running: int | None = None
        self._wakes: dict[int, float] = {}
        self._me = threading.local()
        self.clock = _SharedClock(self)
        self.time = 1000.0

    def run(self, functions: Sequence[Callable[[], T]], *, timeout_s: float = 60.0) -> list[T | BaseException]:
        """Results, or what was raised, in the order of ``functions``."""
        results: list[T | BaseException | None] = [None] * len(functions)

        def body(index: int) -> None:
            self._me.index = index
            self._await_turn(index)
            try:
                results[index] = functions[index]()
            except BaseException as error:  # noqa: BLE001 - the caller judges what was raised, Killed included
                results[index] = error
            finally:
                self._leave(index)

        self._wakes = dict.fromkeys(range(len(functions)), self.time)
        threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(len(functions))]
        for thread in threads:
            thread.start()
        with self._condition:
            self._choose()
        for thread in threads:
            thread.join(timeout_s)
            if thread.is_alive():
                raise AssertionError("deployers did not end: a deadlock, or a wait without a deadline")
        return [r for r in results if r is not None]

    def turn(self) -> None:
        """Perhaps let another one run; does nothing outside ``run``."""
        if hasattr(self._me, "index"):
            self.sleep(0.0)

    def sleep(self, seconds: float) -> None:
        index: int = self._me.index
        with self._condition:
            self._wakes[index] = self.time + max(0.0, seconds)
            self._choose()
        self._await_turn(index)

    def _choose(self) -> None:
        """Give the turn to one that is awake; move time on when nobody is."""
        if not self._wakes:
            self._running = None
            return
        self.time = max(self.time, min(self._wakes.values()))
        awake = sorted(i for i, at in self._wakes.items() if at <= self.time)
        self._running = self._random.choice(awake)
        self._condition.notify_all()

    def _await_turn(self, index: int) -> None:
        with self._condition:
            self._condition.wait_for(lambda: self._running == index)

    def _leave(self, index: int) -> None:
        with self._condition:
            del self._wakes[index]
            self._choose()


class _SharedClock:
    def __init__(self, turns: TurnTaking) -> None:
        self._turns = turns

    def now(self) -> float:
        return self._turns.time

    def sleep(self, seconds: float) -> None:
        self._turns.sleep(seconds)

    def wall(self) -> str:
        return _wall(self._turns.time)

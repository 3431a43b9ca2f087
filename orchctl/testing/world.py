"""A backend under test, seen from outside."""

from __future__ import annotations

import http.client
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from orchctl.core.backend import Backend
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Service
from orchctl.engine.clock import Clock, SystemClock
from orchctl.engine.thresholds import UNSCHEDULABLE_S

T = TypeVar("T")


class Behaviour(StrEnum):
    """How the instances of a test service behave; every world can make each of them, or says why not."""

    GOOD = "good"
    """Starts, answers HTTP on port ``http`` with the value of the variable ``GREETING``, stops on SIGTERM."""
    CRASH = "crash"
    """Prints ``boom: cannot start`` on stderr and exits with code 7 at once."""
    CRASH_LATER = "crash_later"
    """Becomes ready, then ends with exit code 7 about one second after its start."""
    NEVER_READY = "never_ready"
    """Runs and never passes its readiness check."""
    MISSING_IMAGE = "missing_image"
    """Its image (or, for plain processes, its executable) does not exist."""
    UNSCHEDULABLE = "unschedulable"
    """No node can take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What really is there, read without the adapter under test.

    ``exists``: a definition stands on the backend. ``running`` maps the id of every running process
    or container of the service to its environment as the backend configured it. ``leftovers`` names every
    object of the service that remains (definitions, generated objects, records, leases, files).
    """

    exists: bool
    running: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    leftovers: tuple[str, ...] = ()


class World(ABC):
    """What the contract classes need of a backend. ``name`` stands in test ids and in the table of worlds."""

    name: str
    backend: Backend
    context: Context
    clock: Clock = SystemClock()
    race_rounds: int = 3
    """How often two deployers race."""
    load_rounds: int = 3
    """How many updates are made under load."""
    drain_ms: int = 5_000
    """How long an instance serves on when it has left discovery, if ``stop.drain`` asks for that; the longer, the less does
    a machine that is busy with other things disturb the test."""
    unschedulable_s: float = UNSCHEDULABLE_S
    """How long an instance without a place is borne before that is a verdict. Less than the engine's own patience where
    time is real: what is shown is the verdict and what follows it."""
    without_processes: str = ""
    """Why exit codes and output of instances are not to be had here; "" where they are."""

    @abstractmethod
    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        """A service of this world: 2 replicas, one port ``http``, a quick readiness check where it behaves,
        ``max_surge`` 1, ``max_unavailable`` 0, short ``min_ready``, drain 0, deadlines that a busy machine keeps (a few minutes).

        ``greeting`` is the value of its variable GREETING, so that another greeting is another template.
        Calls ``pytest.skip`` with the reason where the world cannot make the behaviour.
        """

    @abstractmethod
    def truth(self, name: str) -> Truth:
        """Read the backend without the adapter."""

    @abstractmethod
    def writes(self) -> int:
        """Mutating requests that the backend received so far, store included."""

    @abstractmethod
    def requests(self) -> int:
        """All requests that the backend received so far."""

    @abstractmethod
    def foreign(self, name: str) -> None:
        """Create an object of the name that ``service(name=name)`` would get, not by orchctl; removed by ``clean``."""

    @abstractmethod
    def tamper(self, name: str) -> None:
        """Change GREETING of the live definition to ``tampered`` behind orchctl's back."""

    @abstractmethod
    def kill_instance(self, name: str) -> None:
        """Kill one running process of the service from outside."""

    def pace(self) -> float:
        """How many times longer than usual an instance takes to start here and now, at least 1: one that is started by hand
        and without the adapter. What is promised in seconds is given as many times longer. 1 where nobody can tell.
        """
        return 1.0

    def reachable(self, service: Service) -> Service:
        """The service with its port open to ``fetch``; as it is where that is so anyway."""
        return service

    def fetch(self, endpoint: Endpoint) -> bytes:
        """One HTTP request from where clients live, over a connection of its own; OSError when it fails."""
        connection = http.client.HTTPConnection(endpoint.host, endpoint.port, timeout=5)
        try:
            connection.request("GET", "/")
            answer = connection.getresponse()
            body = answer.read()
        except http.client.HTTPException as error:
            raise OSError(f"{type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise OSError(f"status {answer.status}")
        return body

    def at_once(self, actions: Sequence[Callable[[], T]]) -> list[T | BaseException]:
        """Run all at the same time, each in a thread; results or what was raised, in order."""
        results: list[T | BaseException] = [AssertionError("did not end within five minutes")] * len(actions)

        def body(index: int) -> None:
            try:
                results[index] = actions[index]()
            except BaseException as error:  # noqa: BLE001 - judged by the test
                results[index] = error

        threads = [threading.Thread(target=body, args=(i,), daemon=True) for i in range(len(actions))]
        until = time.monotonic() + 300
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(max(0.0, until - time.monotonic()))
        return results

    @abstractmethod
    def clean(self) -> None:
        """Remove everything the test made; the world is then as new."""

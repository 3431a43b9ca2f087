"""The steps of the gate, in their order."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.gate.processes import Command


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """``commands`` come first: checks of their own, or what has to be there before the first test asks for it. ``marker``
    then chooses the tests ("" = none). ``is_world``: they run on servers, so what fails has a second chance, and other worlds run
    at the same time. ``minutes``: about, on two idle cores."""

    name: str
    says: str
    commands: Sequence[Command] = ()
    marker: str = ""
    minutes: int = 1
    workers: int = 2
    is_world: bool = False
    paths: Sequence[str] = ("tests",)

    def files(self) -> list[str]:
        """Those with tests of this step: to collect all others takes longer than many a world. ``tests/conftest.py`` sees to
        it that a marker's name stands in its file."""
        if not self.is_world:
            return list(self.paths)
        found = [p for path in self.paths for p in Path(path).rglob("test_*.py")]
        return sorted(str(p) for p in found if self.marker in p.read_text("utf-8"))


def _tool(name: str, *words: str) -> Command:
    return (str(Path(sys.executable).with_name(name)), *words)


def _module(name: str, *words: str) -> Command:
    return (sys.executable, "-m", name, *words)


_WORLDS = {"local": 4, "marathon": 4, "consul": 2, "swarm": 6, "kubernetes": 8}
_BUILT = {
    "marathon": ("tests.servers.consul.build",),
    "consul": ("tests.servers.consul.build",),
    "swarm": ("tests.servers.packages", "tests.servers.consul.build"),
    "kubernetes": ("tests.servers.kubernetes.build", "tests.servers.consul.build"),
}
_SAYS = {
    "local": "real processes under a real supervisor",
    "marathon": "real processes on a simulated Mesos, below a Marathon like the recorded one",
    "consul": "a real Consul; the first time it is built from source, about six minutes",
    "swarm": "real container engines, one node and three",
    "kubernetes": "a real Kubernetes; the first time it is built from source, about eight minutes",
}

STEPS: tuple[Step, ...] = (
    Step(
        name="lint",
        says="ruff, mypy --strict, import rules",
        commands=(
            _tool("ruff", "check", "--quiet", "."),
            _tool("ruff", "format", "--quiet", "--check", "."),
            _tool("mypy"),
            _tool("lint-imports", "--config", "pyproject.toml"),
        ),
    ),
    Step(
        name="fast",
        says="no servers",
        marker=" and ".join(f"not world_{world}" for world in _WORLDS),
    ),
    *(
        Step(
            name=world,
            says=_SAYS[world],
            commands=[_module(built) for built in _BUILT.get(world, ())],
            marker=f"world_{world}",
            is_world=True,
            minutes=minutes,
        )
        for world, minutes in _WORLDS.items()
    ),
)

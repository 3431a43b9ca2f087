"""Deployment plans: which actions in which steps turn one tree into another."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.servers.marathon.definition import is_upgrade
from tests.servers.marathon.errors import detail, invalid_object
from tests.servers.marathon.store import Release, Root, is_below, parents

START, SCALE, RESTART, STOP = "StartApplication", "ScaleApplication", "RestartApplication", "StopApplication"


@dataclass(frozen=True)
class Action:
    kind: str
    release: Release
    kill: tuple[str, ...] = ()
    """Instances that a scale-down has to take first."""

    def shown(self) -> dict[str, str]:
        return {"action": self.kind, "app": self.release.path}


Step = Sequence[Action]


@dataclass(frozen=True)
class Plan:
    id: str
    version: str
    original: Root
    target: Root
    steps: Sequence[Step]

    @property
    def affected(self) -> list[str]:
        return list(dict.fromkeys(action.release.path for step in self.steps for action in step))

    def shown(self) -> list[dict[str, Any]]:
        return [{"actions": [action.shown() for action in step]} for step in self.steps]

    def light(self) -> dict[str, Any]:
        """As events have it."""
        return {"id": self.id, "steps": self.shown(), "version": self.version}


def steps_between(original: Root, target: Root, kill: Mapping[str, Sequence[str]]) -> list[Step]:
    """Stops first, then all starts at once, then restarts and scales in the order of dependencies."""
    stopped = [Action(STOP, release) for path, release in original.apps.items() if path not in target.apps]
    started = [Action(START, release) for path, release in target.apps.items() if path not in original.apps]
    waves = [list(_changes(wave, original, target, kill)) for wave in _waves(target)]
    return [step for step in (stopped, started, *waves) if step]


def _changes(wave: Sequence[str], original: Root, target: Root, kill: Mapping[str, Sequence[str]]) -> Iterator[Action]:
    for path in wave:
        old, new = original.apps.get(path), target.apps[path]
        if old is None:
            yield Action(SCALE, new)
        elif is_upgrade(old.app, new.app) or old.configured_at != new.configured_at:
            yield Action(RESTART, new)
        elif old.instances != new.instances:
            yield Action(SCALE, new, tuple(kill.get(path, ())))


Needs = Mapping[str, Sequence[str]]


def _waves(root: Root) -> list[list[str]]:
    """Apps by the length of the longest chain of dependencies below them."""
    depths: dict[str, int] = {}
    needs = {path: _needs(path, root) for path in root.apps}
    for path in root.apps:
        _depth(path, needs, depths, ())
    return [[path for path in root.apps if depths[path] == depth] for depth in sorted(set(depths.values()))]


def _depth(path: str, needs: Needs, depths: dict[str, int], above: tuple[str, ...]) -> int:
    if path in above:
        raise invalid_object([detail("/", "Dependency graph has cyclic dependencies.")])
    if path not in depths:
        below = [_depth(one, needs, depths, (*above, path)) for one in needs[path]]
        depths[path] = 1 + max(below, default=-1)
    return depths[path]


def _needs(path: str, root: Root) -> list[str]:
    """Apps that ``path`` waits for; unknown ones are ignored (07-invalid/402), a group stands for its apps."""
    named = list(root.apps[path].app.get("dependencies", []))
    for group in parents(path):
        named += root.groups.get(group, ())
    return [app for one in named for app in root.apps if app == one or is_below(app, one)]

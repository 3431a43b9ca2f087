"""Answers made of the state; nothing here changes anything."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tests.servers.marathon.clock import text
from tests.servers.marathon.definition import service_ports
from tests.servers.marathon.instances import Instance, counts, shown_task, statistics
from tests.servers.marathon.offers import Statistics
from tests.servers.marathon.store import Config, Release, is_below

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

SINGLE = {"counts", "deployments", "tasks", "lastTaskFailure"}
"""What one app always carries."""

LISTED = {"counts", "deployments"}
"""What apps in a list always carry."""


def embeds_of(values: Iterable[str], prefixes: Sequence[str] = ("apps.", "app.")) -> set[str]:
    """Bare names; ``failures`` is the old word for two of them."""
    found = {next((one.removeprefix(prefix) for prefix in prefixes if one.startswith(prefix)), one) for one in values}
    return found | ({"tasks", "lastTaskFailure"} if "failures" in found else set())


def tasks_of(engine: Engine, path: str) -> list[Instance]:
    return [one for one in engine.of_app(path) if one.task]


def app_info(engine: Engine, release: Release, embeds: Collection[str]) -> dict[str, Any]:
    path, shown = release.path, release.shown()
    instances = tasks_of(engine, path)
    if "counts" in embeds:
        shown |= counts(instances)
    if "deployments" in embeds:
        shown["deployments"] = [{"id": one.id} for one in engine.locks_of([path])]
    if "readiness" in embeds:
        locks = engine.locks_of([path])
        shown["readinessCheckResults"] = [result for one in locks for result in one.readiness_of(path)]
    if "tasks" in embeds:
        shown["tasks"] = [shown_task(one, with_service_ports=False) for one in instances]
    if "taskStats" in embeds:
        shown["taskStats"] = statistics(instances, release, engine.clock.now())
    if "lastTaskFailure" in embeds and path in engine.store.failures:
        shown["lastTaskFailure"] = engine.store.failures[path]
    return shown


def created(engine: Engine, release: Release, deployment: str) -> dict[str, Any]:
    """The echo of a POST: service ports are still 0 and there is no ``versionInfo``."""
    zero = {"tasksStaged": 0, "tasksRunning": 0, "tasksHealthy": 0, "tasksUnhealthy": 0}
    return release.shown(info=False) | zero | {"deployments": [{"id": deployment}], "tasks": []}


def queue(engine: Engine, embeds: Collection[str]) -> dict[str, Any]:
    waiting = engine.waiting()
    return {"queue": [_queued(engine, config, waiting[config], embeds) for config in waiting]}


def _queued(engine: Engine, config: Config, instances: Sequence[Instance], embeds: Collection[str]) -> dict[str, Any]:
    left, figures = engine.seconds_left(config), engine.statistics.get(config[0], Statistics())
    shown: dict[str, Any] = {
        "count": len(instances),
        "delay": {"timeLeftSeconds": max(0, int(left)), "overdue": left <= 0},
        "since": text(min(one.scheduled_at for one in instances)),
        "processedOffersSummary": figures.summary(),
    }
    if "lastUnusedOffers" in embeds:
        shown["lastUnusedOffers"] = figures.unused_offers()
    return shown | {"app": instances[-1].release.shown()}


def group_info(engine: Engine, path: str, embeds: Collection[str]) -> dict[str, Any]:
    """``embeds`` empty = groups, apps and pods, without any state of the apps."""
    root = engine.store.root
    wanted = embeds or {"groups", "apps", "pods"}
    shown: dict[str, Any] = {
        "id": path,
        "dependencies": list(root.groups.get(path, ())),
        "version": root.version,
    }
    if "apps" in wanted:
        inner = {one.removeprefix("apps.") for one in embeds if one.startswith("apps.")}
        shown["apps"] = [app_info(engine, root.apps[one], inner) for one in sorted(children(root.apps, path))]
    if "groups" in wanted:
        shown["groups"] = [group_info(engine, one, embeds) for one in sorted(children(root.all_groups(), path))]
    if "pods" in wanted:
        shown["pods"] = []
    return shown


def children(paths: Iterable[str], group: str) -> list[str]:
    """Those directly below ``group``."""
    prefix = "/" if group == "/" else group + "/"
    return [one for one in paths if one != "/" and is_below(one, group) and "/" not in one.removeprefix(prefix)]


def task_table(engine: Engine, releases: Iterable[Release]) -> str:
    """The text form, for generators of proxy configurations: name, service port, endpoints of running tasks."""
    lines = []
    for release in releases:
        name = release.path.strip("/").replace("/", "_")
        running = [one.task for one in tasks_of(engine, release.path) if one.task and one.task.is_running]
        ports = service_ports(release.app)
        for index, port in enumerate(ports):
            ends = [f"{task.agent.host}:{task.ports[index]}" for task in running if index < len(task.ports)]
            lines.append("\t".join([name, str(port), *ends, ""]))
        if not ports:
            lines.append("\t".join([name, " ", *(task.agent.host for task in running), ""]))
    return "".join(f"{line}\n" for line in lines)


def all_tasks(engine: Engine, states: Collection[str]) -> dict[str, Any]:
    known = engine.store.root.apps
    wanted = {f"TASK_{state.upper()}" for state in states}
    shown = [
        shown_task(one, with_service_ports=True)
        for path in known
        for one in tasks_of(engine, path)
        if one.task and (not wanted or one.task.state in wanted)
    ]
    return {"tasks": shown}

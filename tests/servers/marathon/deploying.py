"""How a wanted tree becomes a deployment: versions, ports, locks, limits, force."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tests.servers.marathon import rollout
from tests.servers.marathon.definition import App
from tests.servers.marathon.errors import Refused, detail, invalid_object, locked, too_many
from tests.servers.marathon.plan import Plan, steps_between
from tests.servers.marathon.store import Root, parents, released, with_service_ports

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine

NO_KILLS: Mapping[str, Sequence[str]] = {}


def with_app(engine: Engine, root: Root, app: App, version: str, *, restart: bool = False) -> None:
    """Put ``app`` into ``root`` as ``version``, with service ports."""
    path = app["id"]
    old = engine.store.root.apps.get(path)
    ported = with_service_ports(app, old, root.apps.values())
    root.apps[path] = released(old, ported, version, restart=restart)
    root.version = version
    for group in parents(path):  # it stays when its last app goes (09-groups/573)
        root.groups.setdefault(group, ())


def deploy(engine: Engine, target: Root, *, force: bool = False, kill: Mapping[str, Sequence[str]] = NO_KILLS) -> Plan:
    """Start turning the tree into ``target``. Refused when locked or when too many deployments run.

    A refused request makes events with a deployment id of its own, and its version stays in the store.
    """
    try:
        plan = plan_for(engine, target, kill)
    except Refused as refusal:
        refuse(engine, target.version, refusal)
        raise
    locks = engine.locks_of(plan.affected)
    if locks and not force:
        raise _lock_refusal(engine, plan, [one.id for one in locks])
    _start(engine, plan, locks)
    return plan


def plan_for(engine: Engine, target: Root, kill: Mapping[str, Sequence[str]] = NO_KILLS) -> Plan:
    limit = engine.options.max_running_deployments
    if len(engine.rollouts) >= limit:  # even when the request would cancel one of them
        raise too_many(limit)
    original = engine.store.root
    if target.all_groups() & set(target.apps):
        raise invalid_object([detail("/", "Groups and Applications may not have the same identifier.")])
    return Plan(str(uuid.uuid4()), target.version, original, target, steps_between(original, target, kill))


def _lock_refusal(engine: Engine, plan: Plan, locks: Sequence[str]) -> Refused:
    refusal = locked(locks)
    for path in set(plan.affected) & set(engine.store.root.apps) & set(plan.target.apps):
        engine.store.keep(plan.target.apps[path])
    refuse(engine, plan.version, refusal)
    rollout.publish_failed(engine, plan, refusal.reason)
    return refusal


def refuse(engine: Engine, version: str, refusal: Refused) -> None:
    engine.events.publish("group_change_failed", groupId="/", version=version, reason=refusal.reason)


def _start(engine: Engine, plan: Plan, locks: Sequence[rollout.Rollout]) -> None:
    for one in locks:
        rollout.cancel(engine, one)
    engine.store.replace(plan.target)
    engine.rollouts.append(rollout.Rollout(engine, plan))
    rollout.advance(engine)
    engine.changed()
    engine.wake()
    engine.events.publish("group_change_success", groupId="/", version=plan.version)


def reverted(engine: Engine, plan: Plan) -> Root:
    """The tree with what ``plan`` changed as it was before, all else as it is now."""
    target = engine.store.root.copy()
    target.version = engine.clock.version()
    for path in plan.affected:
        before = plan.original.apps.get(path)
        target.apps.pop(path, None)
        if before is not None:
            with_app(engine, target, before.app, target.version)
    for group in set(plan.target.groups) - set(plan.original.groups):
        target.groups.pop(group, None)
    return target

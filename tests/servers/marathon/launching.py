"""Offers are taken: waiting instances become tasks on agents."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tests.servers.marathon.agents import Agent
from tests.servers.marathon.definition import uses_host_network
from tests.servers.marathon.instances import Instance, Task
from tests.servers.marathon.offers import Offer, Statistics, judge
from tests.servers.marathon.processes import declared_ports
from tests.servers.marathon.updates import publish_instance

if TYPE_CHECKING:
    from tests.servers.marathon.engine import Engine


def launch(engine: Engine) -> None:
    """One round of offers: each agent offers what it has free, each app takes what fits."""
    now = engine.clock.now()
    if "offers" in engine.holds or now < max(engine.round_at, engine.revived_at):
        return
    waiting = {config: found for config, found in engine.waiting().items() if engine.seconds_left(config) <= 0}
    if not waiting:
        return
    engine.round_at = now + engine.options.placement
    offers = [_offer(engine, agent) for agent in engine.agents if agent.is_up]
    for (path, _), instances in waiting.items():
        _place_app(engine, path, instances, offers)


def could_launch(engine: Engine) -> bool:
    """Would the next round of offers launch something, or say for the first time why it does not?"""
    if "offers" in engine.holds or not engine.has_leader or engine.revived_at > engine.clock.now():
        return False
    offers = [_offer(engine, agent) for agent in engine.agents if agent.is_up]
    ready = [one for config, found in engine.waiting().items() if engine.seconds_left(config) <= 0 for one in found]
    unjudged = any(one.scheduled_at > engine.statistics.get(one.path, Statistics()).judged_at for one in ready)
    return (bool(offers) and unjudged) or any(_could_take(engine, one, offer) for one in ready for offer in offers)


def _could_take(engine: Engine, instance: Instance, offer: Offer) -> bool:
    fixed = [port for port in _wanted_ports(instance) if port]
    return not _judge(engine, instance, offer) and all(engine.ports.is_free(port, offer.agent.host) for port in fixed)


def _offer(engine: Engine, agent: Agent) -> Offer:
    tasks = [one.task for one in engine.instances.values() if one.task and one.is_live and one.task.agent is agent]
    used: Counter[str] = Counter()
    for task in tasks:
        for name in ("cpus", "mem", "disk"):
            used[name] += task.release.app[name]
    return Offer(agent, agent.cpus - used["cpus"], agent.mem - used["mem"], agent.disk - used["disk"])


def _judge(engine: Engine, instance: Instance, offer: Offer) -> str:
    placed = [one for one in engine.of_app(instance.path) if one.is_live and one is not instance]
    role = instance.release.app.get("role", engine.options.role)
    return judge(offer, instance.release.app, placed, engine.agents, role)


def _place_app(engine: Engine, path: str, instances: Sequence[Instance], offers: Sequence[Offer]) -> None:
    statistics = engine.statistics.setdefault(path, Statistics())
    statistics.judged_at = engine.clock.now()
    declined: set[str] = set()
    for instance in instances:
        for offer in _by_load(engine, path, offers):
            reason = _judge(engine, instance, offer) or _take(engine, instance, offer)
            if not reason or offer.agent.id not in declined:
                statistics.note(offer, reason, engine.clock.now())
            if not reason:
                break
            declined.add(offer.agent.id)


def _by_load(engine: Engine, path: str, offers: Sequence[Offer]) -> list[Offer]:
    """Agents with the fewest tasks of the app first, then those with the most room."""
    held = Counter(one.task.agent.id for one in engine.of_app(path) if one.task and one.is_live)
    return sorted(offers, key=lambda offer: (held[offer.agent.id], -offer.cpus))


def _take(engine: Engine, instance: Instance, offer: Offer) -> str:
    """Launch on ``offer``; the reason when a port it needs is not free."""
    ports = _assign_ports(engine, instance, offer.agent)
    if ports is None:
        return "InsufficientPorts"
    app = instance.release.app
    offer.cpus, offer.mem, offer.disk = offer.cpus - app["cpus"], offer.mem - app["mem"], offer.disk - app["disk"]
    instance.launches += 1
    instance.task = Task(
        _task_id(engine, instance),
        instance.release,
        offer.agent,
        ports,
        engine.clock.now(),
        container_address=_container_address(engine, instance),
    )
    publish_instance(engine, instance)
    return ""


def _task_id(engine: Engine, instance: Instance) -> str:
    if engine.options.numbers < (1, 8):
        return f"{instance.id.partition('.instance-')[0]}.{uuid.uuid1()}"
    return f"{instance.id}._app.{instance.launches}"


def _assign_ports(engine: Engine, instance: Instance, agent: Agent) -> list[int] | None:
    """Dynamic ports in a row, fixed ones as they are; None when a fixed one is taken."""
    wanted = _wanted_ports(instance)
    taken: list[int] = []
    for port in filter(None, wanted):
        if not engine.ports.take_exactly(port, agent.host):
            engine.ports.release(taken)
            return None
        taken.append(port)
    dynamic = iter(engine.ports.take(wanted.count(0), agent.host) if 0 in wanted else [])
    return [port or next(dynamic) for port in wanted]


def _wanted_ports(instance: Instance) -> list[int]:
    """Host ports that a task needs; 0 = any."""
    app = instance.release.app
    declared = declared_ports(app)
    if uses_host_network(app):
        return [one["port"] if app["requirePorts"] else 0 for one in declared]
    return [one["hostPort"] for one in declared if "hostPort" in one]


def _container_address(engine: Engine, instance: Instance) -> str:
    """An address of its own on a container network: all of 127/8 is this machine."""
    is_container = any(one.get("mode", "container") == "container" for one in instance.release.app["networks"])
    return engine.addresses.take() if is_container else ""

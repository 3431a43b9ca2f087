"""An app and its tasks -> where its instances can be reached. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Protocol
from orchctl_marathon.progress import NONE_OLDER, Older, definition_of, is_alive, is_current, tasks_of, template_of

Json = Mapping[str, Any]

_SERVING = ("TASK_RUNNING", "TASK_KILLING")
_PROTOCOLS = {p.value: p for p in Protocol}


def endpoints(name: str, app: Json, dns_name: str, older: Older = NONE_OLDER) -> list[Endpoint]:
    """One for every port of every instance that has a process; ``ready`` only while all its checks are good.

    An old instance has the ports and checks of its own definition, by version in ``older``; where that is not known,
    ports without names. On a network of their own instances have addresses, and containers' ports; else they have ports of their hosts.
    """
    found = [
        Endpoint(
            service=name,
            instance=str(task["id"]),
            host=host,
            port=number,
            port_name=str(port.get("name") or ""),
            protocol=protocol,
            node=str(task.get("host", "")),
            ready=task.get("state") == "TASK_RUNNING" and is_alive(definition, task),
            template_hash=template_of(app) if is_current(app, task) else "",
            dns_name=dns_name,
            service_port=_service_port(port),
        )
        for task in tasks_of(app)
        if task.get("state") in _SERVING
        for definition in [definition_of(app, task, older)]
        for port, host, number in _places(definition, task)
        for protocol in _protocols(port)
    ]
    return sorted(found, key=lambda e: (e.port_name, e.host, e.port))


def old_versions(app: Json) -> set[str]:
    """Definitions that ``endpoints`` needs beside the present one."""
    return {str(t["version"]) for t in tasks_of(app) if t.get("state") in _SERVING and not is_current(app, t)}


def ports_of(app: Json) -> Sequence[Json]:
    """Definitions (host) or mappings (containers), in the order in which Marathon numbers them."""
    container = app.get("container")
    mappings = container.get("portMappings") if isinstance(container, Mapping) else None
    listed = mappings if isinstance(mappings, list) else app.get("portDefinitions")
    return [p for p in listed or () if isinstance(p, Mapping)]


def _places(app: Json | None, task: Json) -> Iterator[tuple[Json, str, int]]:
    """(port, host, number). ``ports`` of a task has a number for every port that has one on the host."""
    numbers = [n for n in task.get("ports") or () if isinstance(n, int)]
    host, address, taken = str(task.get("host", "")), _address(task), 0
    if app is None:
        yield from (({}, host, number) for number in numbers)
        return
    on_network = any(isinstance(n, Mapping) and n.get("mode") == "container" for n in app.get("networks") or ())
    for port in ports_of(app):
        if on_network and port.get("hostPort") is None:
            number = port.get("containerPort")
            if address and isinstance(number, int):
                yield port, address, number
            continue
        if taken < len(numbers):
            yield port, host, numbers[taken]
        taken += 1


def _service_port(port: Json) -> int:
    """A mapping has it under its own name; of a port of the host it is the number in the definition."""
    number = port.get("servicePort", port.get("port"))
    return number if isinstance(number, int) else 0


def _address(task: Json) -> str:
    listed = [a for a in task.get("ipAddresses") or () if isinstance(a, Mapping)]
    return next((str(a["ipAddress"]) for a in listed if a.get("ipAddress")), "")


def _protocols(port: Json) -> list[Protocol]:
    """``udp,tcp`` is both."""
    named = [p.strip() for p in str(port.get("protocol") or "tcp").split(",")]
    return [_PROTOCOLS[p] for p in named if p in _PROTOCOLS]

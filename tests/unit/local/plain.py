"""One process on the real backend, and quick looks at it."""

from __future__ import annotations

import sys
import urllib.request
from dataclasses import replace

from orchctl.core.document import template_hash
from orchctl.core.plan import Plan
from orchctl.core.rollout import Instance, Progress
from orchctl.core.service import (
    Amount,
    Health,
    Rollout,
    Service,
)
from tests.worlds.local import LocalWorld

PYTHON = (sys.executable, "-I", "-S", "-c")


def plain(world: LocalWorld, *command: str, **changes: object) -> Service:
    """One process without ports and checks."""
    service = world.service()
    quick = Rollout(min_ready_ms=0, max_surge=Amount(1), deadline_ms=180_000)
    return replace(
        service,
        command=command or (*PYTHON, "import signal; signal.pause()"),
        replicas=1,
        ports=(),
        health=Health(),
        rollout=quick,
        **changes,  # type: ignore[arg-type]
    )


def progress(world: LocalWorld, name: str = "web") -> Progress:
    with world.backend.connect(world.context) as connection:
        return connection.reader.progress("test", [name])[name]


def only(world: LocalWorld) -> Instance:
    (instance,) = progress(world).instances
    return instance


def apply(world: LocalWorld, service: Service) -> None:
    """Write the definition and do not wait."""

    class Free:
        def check(self) -> None:
            return

    plan = Plan(
        service=service,
        backend="local",
        context="here",
        template_hash=template_hash(service, "local"),
        spec_hash="",
    )
    with world.backend.connect(world.context) as connection:
        connection.writer(Free()).apply(plan, revision=1, secrets={})


def pids(world: LocalWorld) -> set[int]:
    return {pid for pid, _ in world.processes("web")}


def output(world: LocalWorld, instance: str = "") -> list[str]:
    with world.backend.connect(world.context) as connection:
        return [line.text for line in connection.reader.logs("test", "web", instance=instance)]


def ask(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
        return str(answer.read().decode())

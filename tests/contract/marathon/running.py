"""Commands that run beside the test, and services for them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from orchctl.core.rollout import Event, Outcome
from orchctl.core.service import Service
from orchctl.testing.world import Behaviour
from tests.children import LONGEST_S
from tests.contract.kills import Shell
from tests.worlds.marathon import MarathonWorld

WEB = "/test/web"
SPEC = """\
apiVersion: orchctl.dev/v1
name: web
command: {command}
replicas: 1
env: {{GREETING: "${{GREETING}}"}}
ports: [{{name: http, port: 8080}}]
health: {{ready: {{http: {{port: http}}, interval: 1s}}, start: {{deadline: 10m}}}}
rollout: {{min_ready: 100ms, deadline: 10m}}
stop: {{grace: 2s, drain: 0s}}
"""


def at(world: MarathonWorld, *urls: str) -> MarathonWorld:
    world.context = replace(world.context, settings={**world.context.settings, "urls": list(urls)})
    return world


def simple(world: MarathonWorld, greeting: str = "one", *, min_ready_ms: int = 200) -> Service:
    service = world.service(greeting=greeting).sized(1)
    return replace(service, rollout=replace(service.rollout, min_ready_ms=min_ready_ms))


def stuck(world: MarathonWorld) -> Service:
    """Its rollout goes on as long as nobody ends it."""
    service = world.service(Behaviour.NEVER_READY, greeting="stuck").sized(1)
    longest = replace(service.rollout, deadline_ms=600_000)
    return replace(service, health=replace(service.health, start_deadline_ms=600_000), rollout=longest)


class Running:
    """A command in a thread of its own."""

    def __init__(self, action: Callable[[], Outcome]) -> None:
        self._result: list[Outcome | Exception] = []
        self._thread = threading.Thread(target=self._run, args=(action,), daemon=True)
        self._thread.start()

    def _run(self, action: Callable[[], Outcome]) -> None:
        try:
            self._result.append(action())
        except Exception as error:
            self._result.append(error)

    @property
    def is_over(self) -> bool:
        return bool(self._result)

    def result(self) -> Outcome | Exception:
        self._thread.join(LONGEST_S)
        assert self._result, "the command did not end"
        return self._result[0]

    def outcome(self) -> Outcome:
        found = self.result()
        assert isinstance(found, Outcome), found
        return found


class Heard:
    """Set as soon as something with ``text`` is said."""

    def __init__(self, text: str) -> None:
        self._text, self._event = text, threading.Event()

    def __call__(self, event: Event) -> None:
        if self._text in event.text:
            self._event.set()

    def wait(self) -> None:
        assert self._event.wait(LONGEST_S), f"nobody said {self._text!r}"


def shell_of(world: MarathonWorld, folder: Path) -> Shell:

    command = json.dumps(list(world.service().command)).replace("$", "$$")
    (folder / "web.orch.yaml").write_text(SPEC.format(command=command), "utf-8")
    urls = json.dumps(world.context.settings["urls"])
    (folder / "config.toml").write_text(f'[contexts.here]\nbackend = "marathon"\nurls = {urls}\n', "utf-8")
    return Shell(folder / "web.orch.yaml", folder / "config.toml", folder / "state")

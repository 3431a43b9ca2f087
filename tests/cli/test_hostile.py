"""Texts of specs, backends and processes never reach a terminal raw."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from orchctl.core.backend import Connection, Live, Reader
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint, LogLine
from orchctl.core.rollout import Handle, Progress
from orchctl.testing.fake import FakeBackend, FakeConnection, FakeReader
from tests.cli.harness import WEB, CommandLine

PAYLOADS = [
    "\x1b]52;c;ZXZpbA==\x07",
    "\x1b]8;;http://192.0.2.1\x1b\\click\x1b]8;;\x1b\\",
    "\x1bP+q544e\x1b\\",
    "\x9b2J\x85\x90",
    "all good\rerror hidden",
    "user\u202e\u2066gnp.exe",
    "[red]bold[/nope] [link=file:///etc/passwd]x[/link] :bomb:",
    "line\nerror[E0001]: forged",
    "\ud800 lone",
    "\x00\x07\x08\x7f",
]
_FORBIDDEN = set(map(chr, [*range(0x0A), *range(0x0B, 0x20), *range(0x7F, 0xA0)])) | set("\u202e\u2066\ud800")


class _HostileReader(FakeReader):
    def __init__(self, inner: FakeReader, payload: str) -> None:
        super().__init__(inner._cluster)
        self._payload = payload

    def live(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Live]:
        found = super().live(namespace, names)
        return {n: replace(live, image=self._payload) for n, live in found.items()}

    def progress(self, namespace: str, names: Sequence[str] = ()) -> Mapping[str, Progress]:
        return {n: self._marked(p) for n, p in super().progress(namespace, names).items()}

    def poll(self, handle: Handle) -> Progress:
        return self._marked(super().poll(handle))

    def endpoints(self, namespace: str, name: str) -> Sequence[Endpoint]:
        found = super().endpoints(namespace, name)
        return [replace(e, instance=self._payload, host=self._payload, node=self._payload) for e in found]

    def logs(
        self, namespace: str, name: str, *, instance: str = "", tail: int = 0, since_ms: int = 0, follow: bool = False
    ) -> Iterator[LogLine]:
        yield LogLine(instance=self._payload, text=self._payload)

    def _marked(self, progress: Progress) -> Progress:
        instances = [
            replace(
                instance,
                id=f"{self._payload}{number}",
                slot="",
                node=self._payload,
                problem=instance.problem and replace(instance.problem, message=self._payload),
            )
            for number, instance in enumerate(progress.instances)
        ]
        return replace(progress, instances=tuple(instances), note=self._payload)


class _HostileConnection(FakeConnection):
    payload = ""

    @property
    def endpoint(self) -> str:  # type: ignore[override]
        return self.payload

    @property
    def reader(self) -> Reader:
        inner = super().reader
        assert isinstance(inner, FakeReader)
        return _HostileReader(inner, self.payload)


class _HostileBackend(FakeBackend):
    payload = ""

    def connect(self, context: Context) -> Connection:
        connection = _HostileConnection(self.cluster)
        connection.payload = self.payload
        return connection


@pytest.fixture(params=range(len(PAYLOADS)))
def payload(request: pytest.FixtureRequest, cli: CommandLine) -> str:
    text = PAYLOADS[request.param]
    backend = _HostileBackend(cli.cluster)
    backend.payload = text
    cli.backends["fake"] = lambda: backend
    return text


@pytest.mark.parametrize("spec", [WEB, WEB + "backends: {fake: {behaviour: crash}}\n"])
def test_no_command_prints_control_characters(cli: CommandLine, payload: str, spec: str) -> None:
    cli.write("orch.yaml", spec)
    commands = ["deploy", "status", "status -o wide", "discover web", "discover web -o env", "history web", "why web"]
    commands += ["status -o json", "status -o yaml", "deploy -o jsonl", "discover web -o json", "delete web -y"]
    for command in commands:
        result = cli(*command.split())
        assert result.code in (0, 7), result.err
        assert not _FORBIDDEN & set(result.out + result.err), command
        assert "\nerror[E0001]: forged" not in result.out + result.err


def test_documents_carry_the_text_as_it_was(cli: CommandLine, payload: str) -> None:
    cli.write("orch.yaml", WEB)
    cli("deploy", "-q")
    assert json.loads(cli("status", "-o", "json").out)["items"][0]["image"] == payload


def test_logs_are_escaped_for_a_terminal_and_raw_for_a_pipe(cli: CommandLine, payload: str) -> None:
    cli.write("orch.yaml", WEB)
    cli("deploy", "-q")
    if "\ud800" not in payload:  # no stream can carry it
        assert cli("logs", "web").out.endswith(f" | {payload}\n")
    cli.monkeypatch.setattr(type(sys.stdout), "isatty", lambda _: True)
    assert not _FORBIDDEN & set(cli("logs", "web", "--color", "never").out)


def test_markup_in_a_name_is_text(cli: CommandLine) -> None:
    backend = _HostileBackend(cli.cluster)
    backend.payload = "[bold]x[/nope]"
    cli.backends["fake"] = lambda: backend
    cli.write("orch.yaml", WEB)
    cli("deploy", "-q")
    assert "[bold]x[/nope]" in cli("status").out


def test_hostile_words_on_the_command_line_are_escaped(cli: CommandLine) -> None:
    for arguments in (
        ["\x1b[31mdeploy"],
        ["status", "--\x1b[31m"],
        ["status", "we\x1bb"],
        ["status", "--context", "\x1b"],
    ):
        result = cli(*arguments)
        assert result.code == 2
        assert not _FORBIDDEN & set(result.err)

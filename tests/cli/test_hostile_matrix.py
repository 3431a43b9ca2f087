"""120 hostile texts and 40 secrets through everything that a command writes: no escape, no leak.

``test_hostile`` has the single cases; here every text meets every place. The gate takes every
second one, of each kind.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
import yaml

from orchctl.cli.views import live
from orchctl.core.backend import Connection, Secrets, Writer
from orchctl.core.context import Context
from orchctl.core.plan import Plan
from orchctl.core.rollout import Event, Handle
from orchctl.errors import Unreachable
from orchctl.testing.fake import FakeBackend, FakeConnection, FakeWriter
from tests.cli.harness import WEB, CommandLine, Result
from tests.cli.hostile_texts import SECRETS, TEXTS
from tests.cli.pictures import Still, plain
from tests.cli.runs import Runs
from tests.cli.test_hostile import _HostileBackend
from tests.rounds import FULL

CRASH = WEB + "backends: {fake: {behaviour: crash}}\n"
_CONTROLS = {*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0))} - {"\n"}
_MARKS = {
    *"\u061c\u200e\u200f\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff\u200b\u2060\xad\u180e"
}
_OURS = re.compile(r"::(error|warning) (file=[^:,]*,line=\d+,(col=\d+,)?)?title=[^:,]*::")
_SECTION = re.compile(r"section_(start|end):\d+:web(\[collapsed=true\])?\r\x1b\[0K(web)?(?=\n)")

PLACES = (
    *("tables", "talk", "live view", "documents", "error pages", "tracebacks", "journal", "records", "lock of another"),
    *("annotations", "step summary", "step outputs", "sections", "junit", "dotenv", "markdown", "sarif"),
)


def test_there_are_as_many_as_promised() -> None:
    assert (len(TEXTS), len({*TEXTS.values()}), len({*SECRETS})) == (120, 120, 40)


@pytest.mark.parametrize("name", TEXTS if FULL else [*TEXTS][::2])
def test_text_is_shown_and_not_obeyed(cli: CommandLine, tmp_path: Path, name: str) -> None:
    seen: set[str] = set()
    for place, check, text in _written(cli, tmp_path, TEXTS[name]):
        assert text, f"nothing was written to {place}"
        check(text)
        seen.add(place)
    assert seen == {*PLACES}


Written = Iterator[tuple[str, Callable[[str], None], str]]


def _written(cli: CommandLine, tmp_path: Path, text: str) -> Written:
    backend = _HostileBackend(cli.cluster)
    backend.payload = text
    cli.backends["fake"] = lambda: backend
    yield from _of_a_terminal(cli, text)
    yield from _kept(cli, tmp_path)
    yield from _of_github(cli, tmp_path)
    yield from _of_gitlab(cli)
    yield from _of_errors(cli, tmp_path, text)


def _of_a_terminal(cli: CommandLine, text: str) -> Written:
    """A failed deploy and all that can be asked about it."""
    cli.write("orch.yaml", CRASH)
    reports = [f"--report=junit={cli.directory}/r.xml", f"--report=dotenv={cli.directory}/r.env"]
    result = cli("deploy", *reports)
    assert result.code == 7
    yield "talk", _is_inert, result.err
    yield "live view", _is_inert, _drawn(cli)
    for command in ("status", "status -o wide", "why web", "history web", "discover web", "discover web -o haproxy"):
        yield "tables", _is_inert, _both(cli(*command.split()))
    for form in ("json", "yaml"):
        for command in ("status", "why web", "discover web", "history web"):
            yield "documents", _is_document(form), cli(*command.split(), "-o", form).out
    yield "junit", _is_xml, (cli.directory / "r.xml").read_text()
    yield "dotenv", _is_dotenv, (cli.directory / "r.env").read_text()
    cli.write(
        "orch.yaml",
        WEB.replace('"one"', yaml.safe_dump(_carried(text), default_style='"', width=10**6).strip()) + "user: app\n",
    )
    yield "markdown", _is_markdown, _report(cli, "plan", "markdown")
    yield "sarif", _is_document("json"), _report(cli, "validate", "sarif")
    yield "tables", _is_inert, cli("plan").out


def _drawn(cli: CommandLine) -> str:
    """Every frame of a deploy that somebody watches, and what it prints above them."""
    frames: list[str] = []
    show = live.LiveView.show

    def showing(view: live.LiveView, event: Event) -> None:
        show(view, event)
        frames.append(plain(view._draw()))

    with cli.monkeypatch.context() as patched:
        patched.setattr(live, "Live", Still)
        patched.setattr(live.LiveView, "show", showing)
        result = cli("deploy", "--progress", "tty", "--color", "never")
    assert result.code == 7
    return "\n".join([*frames, result.err])


def _kept(cli: CommandLine, tmp_path: Path) -> Written:
    journals = sorted((tmp_path / "state").rglob("*.jsonl"))
    yield "journal", _is_jsonl, "".join(path.read_text("ascii") for path in journals)
    bodies = [_unpacked(entry.body) for key, entry in cli.cluster.entries.items() if "/r/" in key]
    yield "records", json.loads, bodies[0]


def _of_github(cli: CommandLine, tmp_path: Path) -> Written:
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    cli.monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    cli.monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / "summary.md"))
    cli.write("orch.yaml", CRASH)
    for command in ("deploy", "deploy -o yaml", "status", "why web", "logs web", "status -o json"):
        yield "annotations", _has_our_commands_only, _both(cli(*command.split()))
    yield "step summary", _is_markdown, (tmp_path / "summary.md").read_text()
    yield "step outputs", _has_three_outputs, (tmp_path / "output").read_text()
    cli.monkeypatch.delenv("GITHUB_ACTIONS")


def _of_gitlab(cli: CommandLine) -> Written:
    cli.monkeypatch.setenv("GITLAB_CI", "true")
    yield "sections", _has_our_sections_only, cli("restart", "web").err
    cli.monkeypatch.delenv("GITLAB_CI")


def _of_errors(cli: CommandLine, tmp_path: Path, text: str) -> Written:
    lease = cli.cluster.entries["default/web/lease"]
    held = dict(lease.meta) | {"token": "t", "user": text, "host": "h", "command": f"orchctl {text}", "pid": "1"}
    cli.cluster.entries["default/web/lease"] = type(lease)(key=lease.key, body=b"", meta=held, version=lease.version)
    yield "lock of another", _is_inert, _both(cli("lock", "show", "web"))
    yield "lock of another", _is_inert, cli("deploy", "--lock-timeout", "1s").err
    for kind in (Unreachable, RuntimeError):
        cli.backends["fake"] = lambda kind=kind: _Failing(cli.cluster, kind(text))  # type: ignore[misc]
        yield "error pages", _is_inert, cli("status").err
        yield "documents", _is_document("json"), cli("status", "-o", "json").out
        yield "tracebacks", _is_inert, cli("status", "-v", "--color", "never").err


class _Failing(FakeBackend):
    def __init__(self, cluster: Any, error: Exception) -> None:
        super().__init__(cluster)
        self._error = error

    def connect(self, context: Context) -> Connection:
        raise self._error


def _both(result: Result) -> str:
    return result.out + result.err


def _report(cli: CommandLine, verb: str, kind: str) -> str:
    result = cli(verb, "--report", f"{kind}=report")
    assert result.code == 0, result.err
    return (cli.directory / "report").read_text()


def _carried(text: str) -> str:
    """What a spec takes of it: nothing that cannot be seen."""
    return "x" + "".join(c.replace("$", "$$") for c in text if c.isprintable() or c in "\t\n")


def _is_inert(text: str) -> None:
    found = {c for c in text if c in _CONTROLS or c in _MARKS or 0xD800 <= ord(c) < 0xE000}
    assert not found
    assert not re.search(r"^(error\[E0001\]: FORGED|web: converged, FORGED)", text, re.MULTILINE)


def _is_document(form: str) -> Callable[[str], None]:
    def check(text: str) -> None:
        assert text.isascii()
        _is_inert(text)
        json.loads(text) if form == "json" else yaml.safe_load(text)

    return check


def _is_jsonl(text: str) -> None:
    for line in text.splitlines():
        json.loads(line)


def _is_xml(text: str) -> None:
    [case] = ElementTree.fromstring(text).iter("testcase")
    assert case.get("name") == "web"
    assert len([*ElementTree.fromstring(text).iter()]) == 4  # suites, suite, case, failure


def _is_dotenv(text: str) -> None:
    assert text == "ORCHCTL_STATE=failed\nORCHCTL_REVISION=1\nORCHCTL_EXIT_CODE=7\n"


def _is_markdown(text: str) -> None:
    _is_inert(text.replace("\t", ""))
    tags = re.findall(r"<[^>\n]*>?", text)
    assert {*tags} <= {"<details>", "<summary>", "</summary>", "</details>", "<pre>", "</pre>", "<code>", "</code>"}
    outside = re.sub(r"<pre>.*?</pre>", "", text, flags=re.DOTALL)
    assert not re.search(r"(?<!&#)(!\[|\]\(|^# FORGED|^\| FORGED)", outside, re.MULTILINE)
    assert text.count("<pre>") == text.count("</pre>")


def _has_our_commands_only(text: str) -> None:
    for line in re.split(r"[\r\n]", text):
        is_command = line.lstrip().startswith("::") or "##[" in line
        assert not is_command or _OURS.match(line), line


def _has_three_outputs(text: str) -> None:
    for block in re.findall(r"(\w+)<<(\S+)\n(.*?)\n\2\n", text, re.DOTALL):
        assert block[0] in ("state", "revision", "exit_code")
    assert "FORGED" not in text


def _has_our_sections_only(text: str) -> None:
    rest, count = _SECTION.subn("", text)
    assert count == 2
    _is_inert(rest)


# --- secrets -------------------------------------------------------------------------------------


class _Careless(FakeBackend):
    """Has the values in its hands when it fails: in local variables, where tracebacks could show them, and in its words."""

    def connect(self, context: Context) -> Connection:
        return _CarelessConnection(self.cluster)


class _CarelessConnection(FakeConnection):
    def writer(self, fence: Any) -> Writer:
        return _CarelessWriter(self._cluster, fence)


class _CarelessWriter(FakeWriter):
    def apply(self, plan: Plan, *, revision: int, secrets: Secrets) -> Handle:
        revealed = [value.reveal() for value in secrets.values()]
        try:
            raise ValueError(revealed[0].decode("utf-8", "surrogateescape"))
        except ValueError as error:
            quoted = [revealed[0], base64.b64encode(revealed[0]).decode(), json.dumps(str(error))]
            raise RuntimeError(f"cannot take {secrets!r}, which are {quoted}: {error}") from error


SOURCES = ("env", "file", "exec")


def _spec(cli: CommandLine, secret: str, more: str = "") -> None:
    value = secret.encode("utf-8", "surrogateescape")
    (cli.directory / "secret").write_bytes(value)
    cli.monkeypatch.setenv("TOLD_BY_THE_SHELL", secret)
    refs = ", ".join(
        f'{source.upper()}: {{secret: "{source}:{name}"}}'
        for source, name in zip(SOURCES, ("TOLD_BY_THE_SHELL", "secret", "cat secret"), strict=True)
    )
    cli.write("orch.yaml", WEB.replace('GREETING: "one"', refs) + more)


@pytest.mark.parametrize("number", range(0, len(SECRETS), 1 if FULL else 2))
def test_secret_goes_to_the_backend_and_nowhere_else(cli: CommandLine, tmp_path: Path, number: int) -> None:
    secret = SECRETS[number]
    cli.monkeypatch.setenv("GITHUB_ACTIONS", "true")
    cli.monkeypatch.setenv("GITHUB_OUTPUT", str(cli.directory / "output"))
    cli.monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(cli.directory / "summary.md"))
    said = "".join(_both(result) for result in _everything(cli, secret))
    written = {path: path.read_text("utf-8", "surrogateescape") for path in _files(cli, tmp_path)}
    written[Path("stdout and stderr")] = said
    written[Path("the cluster")] = _cluster(cli)
    assert "deployed" in said
    assert len(written) >= 12
    for form, text in _forms(secret).items():
        assert [str(path) for path, whole in written.items() if text in whole] == [], form


def _everything(cli: CommandLine, secret: str) -> Iterator[Result]:
    _spec(cli, secret)
    for command in ("validate", "render", "render --resolved", "plan", "plan -o json", "plan --out saved.json"):
        yield cli(*command.split(), "-v")
    yield cli("plan", "--report", "markdown=plan.md")
    yield cli("validate", "--report", "sarif=v.sarif")
    yield cli("deploy", "-v", "--report", "junit=d.xml", "--report", "dotenv=d.env")
    _spec(cli, secret, "backends: {fake: {behaviour: crash}}\n")
    yield cli("deploy", "-o", "json", "--report", "junit=f.xml")
    yield cli("deploy", "--progress", "json")
    for command in (
        "status",
        "history web",
        "why web",
        "discover web",
        "logs web",
        "lock show web",
        "config",
        "doctor",
    ):
        yield cli(*command.split(), *(() if command == "logs web" else ("-o", "json")))
    yield cli("rollback", "web", "--yes")
    yield cli("deploy", "--set", f"web:env.LITERAL={secret}", "--lock-timeout", "1s", "--nonsense")
    cli.backends["fake"] = lambda: _Careless(cli.cluster)
    _spec(cli, secret, "user: other\n")
    broken = cli("deploy", "-v")
    assert (broken.code, "Traceback" in broken.err) == (1, True)
    yield broken


def _files(cli: CommandLine, tmp_path: Path) -> list[Path]:
    """All that was written anywhere: reports, the saved plan, journal, evidence, caches; not the secret's own file."""
    found = [p for p in tmp_path.rglob("*") if p.is_file()]
    return [p for p in found if p != cli.directory / "secret" and ".git" not in p.parts]


def _cluster(cli: CommandLine) -> str:
    """Definitions with their labels, records and leases, as the backend keeps them where anybody may read."""
    entries = [f"{e.key} {dict(e.meta)} {_unpacked(e.body)}" for e in cli.cluster.entries.values()]
    return "\n".join([*entries, repr(cli.cluster.definitions), repr(cli.cluster.replicas), *cli.cluster.log])


def _unpacked(body: bytes) -> str:
    """Records are packed."""
    return gzip.decompress(body).decode("utf-8", "surrogateescape") if body.startswith(b"\x1f\x8b") else body.decode()


def _forms(secret: str) -> Mapping[str, str]:
    """As it is, and as encoders write it."""
    value = secret.encode("utf-8", "surrogateescape")
    forms = {
        "raw": secret,
        "base64": base64.b64encode(value).decode(),
        "url": quote(value),
        "hex": value.hex(),
        "json": json.dumps(secret)[1:-1],
        "repr": repr(secret)[1:-1],
        "bytes": repr(value)[2:-1],
    }
    first = max(secret.splitlines(), key=len)
    return forms | {"a line of it": first}


def test_no_secret_is_in_the_process_list(tmp_path: Path) -> None:
    """Looked at while all 40 are in the hands of a deploy that is about to send them."""
    (tmp_path / ".git").mkdir()
    (tmp_path / ".orchctl.toml").write_text('default = "t"\n[contexts.t]\nbackend = "fake"\n')
    for number, secret in enumerate(SECRETS):
        (tmp_path / f"secret-{number}").write_bytes(secret.encode("utf-8", "surrogateescape"))
    names = [f'S{n}: {{secret: "{("file:", "exec:cat ")[n % 2]}secret-{n}"}}' for n in range(len(SECRETS))]
    (tmp_path / "orch.yaml").write_text(WEB.replace('GREETING: "one"', ", ".join(names)))
    runs = Runs()
    run = runs.start(tmp_path, "deploy", stop_at="apply 1")
    run.reach()
    listed = _process_list()
    run.go()
    assert run.end() == 0, run.err
    runs.close()
    assert "signal_program" in listed
    assert [secret for secret in SECRETS if secret in listed] == []


def _process_list() -> str:
    """The command lines of every process there is."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it has ended
            found.append(path.read_bytes().replace(b"\0", b" ").decode("utf-8", "surrogateescape"))
    return "\n".join(found)

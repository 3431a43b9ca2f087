"""Every verb works without a home, with one that cannot be written, in any locale and on any terminal.

Verbs that write need a place for their journal: where the home is none, ORCHCTL_STATE_DIR names it, and they say so.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from rich.cells import cell_len

from orchctl.cli.verbs import VERBS
from tests.cli.harness import WEB
from tests.cli.runs import ROOT, Runs
from tests.cli.signal_program import stored

# Real processes; one worker asks each environment once, two would ask it twice.
pytestmark = [pytest.mark.world_local, pytest.mark.xdist_group("environments")]

SPEC = WEB.replace('"one"', '"größer 漢字 🙂"')
WRITES = {"init", "deploy", "scale", "rollback", "restart", "delete", "sync"}

COMMANDS: Mapping[str, tuple[str, int]] = {
    "validate": ("validate", 0),
    "validate all": ("validate --all", 2),
    "render": ("render", 0),
    "render resolved": ("render --resolved", 0),
    "plan": ("plan -f changed.yaml", 0),
    "plan json": ("plan -f changed.yaml -o json", 0),
    "dry run": ("deploy -f changed.yaml --dry-run", 0),
    "status": ("status", 0),
    "status wide": ("status -o wide", 0),
    "status yaml": ("status -o yaml", 0),
    "history": ("history web", 0),
    "history wide": ("history web -o wide", 0),
    "logs": ("logs web", 0),
    "why": ("why web", 0),
    "discover": ("discover web", 0),
    "discover haproxy": ("discover web -o haproxy", 0),
    "context ls": ("context ls", 0),
    "context show": ("context show", 0),
    "config": ("config", 0),
    "lock": ("lock show", 0),
    "consul without a catalog": ("consul ls", 2),
    "doctor": ("doctor", 0),
    "backends": ("backends", 0),
    "backends reasons": ("backends fake", 0),
    "query": ("history web --query items[].reason", 0),
    "schema": ("schema", 0),
    "explain": ("explain E0220", 0),
    "explain nothing": ("explain Ü漢", 4),
    "bad spec": ("validate -f bad.yaml", 2),
    "no service": ("status größe", 2),
    "completion": ("completion bash", 0),
    "help": ("--help", 0),
    "help of a verb": ("help plan", 0),
    "exit codes": ("help exit-codes", 0),
    "version": ("--version", 0),
}
WRITING: Mapping[str, tuple[str, int]] = {
    "init": ("init other -f other.yaml", 0),
    "deploy": ("deploy -f changed.yaml", 0),
    "scale": ("scale web=3", 0),
    "restart": ("restart web", 0),
    "rollback": ("rollback web --yes", 0),
    "bad deploy": ("deploy -f crash.yaml", 8),
    "sync without a catalog": ("sync", 2),
    "delete": ("delete web --yes", 0),
}
"""One after the other."""
_COLOURS = re.compile(r"\x1b\[[\d;]*m")
TABLES = ("status", "history", "history wide", "discover", "context ls", "backends reasons")

_NO_COERCION = {"PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
ENVIRONMENTS: Mapping[str, tuple[dict[str, str | None], int]] = {
    "home": ({}, 0),
    "home that cannot be written": ({"HOME": "/proc"}, 0),
    "no home": ({"HOME": None}, 0),
    "C": ({"LC_ALL": "C", **_NO_COERCION}, 0),
    "POSIX": ({"LC_ALL": "POSIX", **_NO_COERCION}, 0),
    "latin-1": ({"LC_ALL": "en_US.ISO-8859-1", **_NO_COERCION}, 0),
    "40 columns": ({"TERM": "xterm-256color"}, 40),
    "dumb": ({"TERM": "dumb"}, 80),
}
"""What is set (None: is not there), and the columns of the terminal (0: pipes)."""

Said = Mapping[str, tuple[int, str]]


def test_every_verb_is_there() -> None:
    assert {words.split()[0] for words, _ in COMMANDS.values()} >= {*VERBS} - WRITES
    assert {words.split()[0] for words, _ in WRITING.values()} == WRITES


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One service, deployed twice, and specs with other letters than ASCII."""
    directory = tmp_path_factory.mktemp("project")
    (directory / ".git").mkdir()
    (directory / ".orchctl.toml").write_text('default = "t"\n[contexts.t]\nbackend = "fake"\n')
    (directory / "orch.yaml").write_text(SPEC, "utf-8")
    (directory / "changed.yaml").write_text(SPEC.replace("größer", "kleiner – ü"), "utf-8")
    crash = SPEC.replace("größer", "kaputt") + "backends: {fake: {behaviour: crash}}\n"
    (directory / "crash.yaml").write_text(crash, "utf-8")
    (directory / "bad.yaml").write_text("name: web\nimage: a/web:1\nüber: 漢\n", "utf-8")
    runs = Runs()
    for reason in ("größer 漢字", "again"):
        run = runs.start(directory, "deploy", "--reason", reason)
        assert run.end() == 0, run.err
        (directory / "orch.yaml").write_text(SPEC + "user: app\n", "utf-8")
    (directory / "orch.yaml").write_text(SPEC, "utf-8")
    runs.close()
    return directory


@pytest.fixture(scope="module")
def latin(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Locales of our own making; empty where they cannot be made."""
    directory = tmp_path_factory.mktemp("locales")
    command = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(directory / "en_US.ISO-8859-1")]
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=False)
    except OSError:
        return directory
    return directory


_SAID: dict[str, Said] = {}


@pytest.fixture(params=ENVIRONMENTS)
def said(request: pytest.FixtureRequest, project: Path, latin: Path, tmp_path: Path) -> tuple[str, Said]:
    """What every command says in one environment; asked once."""
    name = request.param
    if name == "latin-1" and not [*latin.iterdir()]:
        pytest.skip("the locale cannot be made here: localedef or its sources are missing")
    return name, _answers(name, project, latin, tmp_path)


def _answers(name: str, project: Path, latin: Path, tmp_path: Path) -> Said:
    if name not in _SAID:
        _SAID[name] = _ask(name, project, latin, tmp_path)
    return _SAID[name]


def _ask(
    name: str,
    project: Path,
    latin: Path,
    tmp_path: Path,
    wanted: Mapping[str, tuple[str, int]] = COMMANDS,
    **more: str,
) -> Said:
    changes, columns = ENVIRONMENTS[name]
    kept = {"PATH": os.environ["PATH"], "HOME": str(project), "LANG": "C.UTF-8", "LOCPATH": str(latin)}
    kept["PYTHONPATH"] = os.pathsep.join([str(ROOT), str(ROOT / "backends")])
    commands = {key: words.split() for key, (words, _) in wanted.items()}
    request, answer = tmp_path / "request", tmp_path / "answer"
    request.write_text(json.dumps({"commands": commands, "columns": columns}), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "tests.cli.each_verb", str(request), str(answer)],
        cwd=project,
        env={k: v for k, v in (kept | changes | more).items() if v is not None},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return {key: (code, text) for key, (code, text) in json.loads(answer.read_text("utf-8")).items()}


@pytest.mark.parametrize("command", COMMANDS)
def test_verb_works(said: tuple[str, Said], command: str) -> None:
    environment, answers = said
    code, text = answers[command]
    assert code == COMMANDS[command][1], text
    assert "Traceback" not in text
    assert "E0001" not in text
    assert text or command == "logs"  # healthy instances of the fake cluster print nothing
    if environment in ("C", "POSIX"):
        assert text.isascii()
    if environment == "dumb":
        assert "\x1b" not in text
    if environment == "40 columns" and command in TABLES:
        assert max(cell_len(line) for line in _COLOURS.sub("", text).splitlines()) <= 40, text


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_verbs_that_write_work(name: str, project: Path, latin: Path, tmp_path: Path) -> None:
    if name == "latin-1" and not [*latin.iterdir()]:
        pytest.skip("the locale cannot be made here: localedef or its sources are missing")
    shutil.copytree(project, tmp_path / "project")
    state = str(tmp_path / "state")
    answers = _ask(name, tmp_path / "project", latin, tmp_path, WRITING, ORCHCTL_STATE_DIR=state)
    assert {key: code for key, (code, _) in answers.items()} == {key: code for key, (_, code) in WRITING.items()}
    said = "".join(text for _, text in answers.values())
    assert "Traceback" not in said
    assert "E0001" not in said
    if name in ("C", "POSIX"):
        assert said.isascii()
    if name == "dumb":
        assert "\x1b" not in said


def test_without_a_place_for_the_journal_nothing_is_sent_and_the_place_is_asked_for(
    project: Path, latin: Path, tmp_path: Path
) -> None:
    shutil.copytree(project, tmp_path / "project")
    changing = {key: words for key, words in WRITING.items() if key not in ("init", "sync without a catalog")}
    answers = _ask("home that cannot be written", tmp_path / "project", latin, tmp_path, changing)
    for key, (code, text) in answers.items():
        assert (code, "ORCHCTL_STATE_DIR" in text) == (2, True), f"{key}: {text}"
    before, after = (stored(place / "cluster") for place in (project, tmp_path / "project"))
    assert after.definitions == before.definitions


@pytest.mark.parametrize(
    ("command", "columns"), [("history", "REVISION STATUS REASON"), ("discover", "PORT ADDRESS READY")]
)
def test_a_narrow_terminal_has_less_columns(
    project: Path, latin: Path, tmp_path: Path, command: str, columns: str
) -> None:
    head = _COLOURS.sub("", _answers("40 columns", project, latin, tmp_path)[command][1]).splitlines()[0]
    assert head.split() == columns.split()


@pytest.mark.parametrize("environment", ["home that cannot be written", "no home"])
def test_without_a_home_the_answers_are_the_same(environment: str, project: Path, latin: Path, tmp_path: Path) -> None:
    places = {"config", "doctor"}  # they tell where the state is
    usual, here = (_answers(n, project, latin, tmp_path) for n in ("home", environment))
    assert {k: v for k, v in here.items() if k not in places} == {k: v for k, v in usual.items() if k not in places}


def test_letters_that_a_locale_has_not_are_escaped(project: Path, latin: Path, tmp_path: Path) -> None:
    shown = {name: _answers(name, project, latin, tmp_path)["plan"][1] for name in ("home", "C")}
    assert "größer 漢字 🙂" in shown["home"]
    assert "gr\\xf6\\xdfer \\u6f22\\u5b57" in shown["C"]

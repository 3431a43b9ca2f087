"""What a command imports is what it costs: each line here is a promise about start-up time."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from orchctl import boot
from orchctl.cli.verbs import VERBS, help_text
from orchctl.core.registry import BUILT_IN
from tests.cli.harness import CommandLine

_REPORT = """
import sys, atexit
atexit.register(lambda: sys.stderr.write("MODULES " + " ".join(sorted(sys.modules)) + "\\n"))
sys.argv = ["orchctl", *{arguments!r}]
from orchctl.boot import main
main()
"""

_SPEC = 'name: web\nimage: a/web:1\nbackends: {local: {command: ["sleep", "1"]}}\n'


def _run(command: list[str], directory: Path, *, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "ORCHCTL_STATE_DIR": str(directory / "state"), "XDG_CONFIG_HOME": str(directory)}
    return subprocess.run(
        command,
        cwd=directory,
        env=environment,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        check=False,
    )


def _modules(directory: Path, *arguments: str, code: int = 0) -> set[str]:
    (directory / "orch.yaml").write_text(_SPEC)
    done = _run([sys.executable, "-c", _REPORT.format(arguments=arguments)], directory)
    assert done.returncode == code, done.stderr
    report = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return set(report.split()[1:])


def _unwanted(modules: set[str], *names: str) -> set[str]:
    return {m for m in modules if any(m == name or m.startswith(f"{name}.") for name in names)}


_MODELS = ("pydantic", "yaml", "orchctl.spec")


@pytest.mark.parametrize("arguments", [["--version"], ["-V"], ["--help"], ["-h"], ["help"], []])
def test_version_and_help_import_nothing_of_their_own(tmp_path: Path, arguments: list[str]) -> None:
    bare = _run([sys.executable, "-c", "import os, sys; print(*sys.modules)"], tmp_path).stdout
    assert _modules(tmp_path, *arguments) - {*bare.split()} == {"__future__", "atexit", "orchctl", "orchctl.boot"}


def test_the_stored_help_is_fresh() -> None:
    path, text = Path(boot.HELP_FILE), help_text()
    if os.environ.get("ORCHCTL_UPDATE"):
        path.write_text(text, "ascii")
    assert path.read_text("ascii") == text, "stale: run the tests with ORCHCTL_UPDATE=1"


def test_help_is_there_when_its_file_is_not(cli: CommandLine) -> None:
    cli.monkeypatch.setattr(boot, "HELP_FILE", str(cli.directory / "none"))
    assert cli("--help").out == help_text()


@pytest.mark.parametrize("arguments", [["--version"], ["--help"]])
def test_a_reader_who_is_gone_is_no_error(tmp_path: Path, arguments: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = _run([sys.executable, "-m", "orchctl", *arguments], tmp_path, stdout=writing)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_a_full_disk_is_told(tmp_path: Path, arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = _run([sys.executable, "-m", "orchctl", *arguments], tmp_path, stdout=full.fileno())
    assert (done.returncode, done.stderr) == (1, "error[E0001]: writing the output: No space left on device\n")


@dataclass(frozen=True, slots=True)
class Sight:
    """One command where nothing runs. ``loads``: which of ``_HEAVY`` it may import; ``code``: how it ends."""

    command: str
    loads: tuple[str, ...] = ()
    code: int = 0


_BACKENDS = tuple(f"orchctl_{name}" for name in BUILT_IN)
_HEAVY = (
    *("pydantic", "yaml", "rich", "orchctl.spec"),
    *("docker", "kubernetes", "urllib3", "requests", "supervisor", "dotenv", "platformdirs"),
    *("asyncio", "http.client", "importlib.metadata", "xml", "jmespath", "consul", "orchctl.catalog"),
    *_BACKENDS,
)
_SPECS = ("pydantic", "yaml", "orchctl.spec", "importlib.metadata")  # pydantic imports importlib.metadata itself
_LOCAL = ("orchctl_local",)

SIGHTS = (
    Sight("init other -f other.yaml", ("orchctl.spec",)),
    Sight("validate --backend local", (*_SPECS, *_LOCAL)),
    Sight("render --backend local", (*_SPECS, *_LOCAL)),
    Sight("plan --backend local", (*_SPECS, *_LOCAL)),
    Sight("deploy --dry-run --backend local", (*_SPECS, *_LOCAL)),
    Sight("status --backend local", _LOCAL),
    Sight("history web --backend local", _LOCAL, code=4),
    Sight("logs web --backend local", _LOCAL, code=4),
    Sight("why web --backend local", _LOCAL, code=4),
    Sight("scale web=2 --backend local", _LOCAL, code=4),
    Sight("discover web --backend local", _LOCAL, code=4),
    Sight("sync --backend local", _LOCAL, code=2),
    Sight("consul ls --backend local", code=2),
    Sight("consul gc --backend local --yes", _LOCAL, code=2),
    Sight("rollback web --backend local --yes", _LOCAL, code=4),
    Sight("restart web --backend local --yes", _LOCAL, code=4),
    Sight("delete web --backend local --yes", _LOCAL, code=4),
    Sight("context ls", ("rich",)),
    Sight("context show local"),
    Sight("context use local"),
    Sight("config", ("rich",)),
    Sight("lock show --backend local", _LOCAL),
    Sight("lock break web --backend local --yes", _LOCAL),
    Sight("doctor --backend local", _LOCAL),
    Sight("backends -o json", (*_BACKENDS, "importlib.metadata")),  # looks for others
    Sight("schema", ("pydantic", "orchctl.spec", "importlib.metadata")),
    Sight("schema Outcome"),
    Sight("explain E0220", ("orchctl.spec",)),
    Sight("completion bash"),
)


@pytest.mark.parametrize("sight", SIGHTS, ids=lambda sight: sight.command.replace(" --backend local", ""))
def test_no_verb_imports_what_it_does_not_need(tmp_path: Path, sight: Sight) -> None:
    modules = _modules(tmp_path, *sight.command.split(), code=sight.code)
    assert _unwanted(modules, *(name for name in _HEAVY if name not in sight.loads)) == set()


def test_every_verb_is_looked_at() -> None:
    words = {tuple(sight.command.split()[:2]) for sight in SIGHTS}
    wanted = {(name, inner) for name, verb in VERBS.items() if verb.is_group for inner in verb.functions}
    assert {first for first, *_ in words} == set(VERBS)
    assert wanted <= words


def test_the_help_pages_of_all_verbs_together_import_no_model_no_backend_and_no_drawing(tmp_path: Path) -> None:
    script = f"import contextlib, io, sys\nfrom orchctl.cli.app import run\nwith contextlib.redirect_stdout(io.StringIO()) as said:\n    codes = {{run([verb, '--help']) for verb in {list(VERBS)!r}}}\nprint(codes, said.getvalue().count('Usage: '))\nprint(*sys.modules)"
    head, modules = _run([sys.executable, "-c", script], tmp_path).stdout.splitlines()
    assert head == f"{{0}} {len(VERBS)}"
    assert _unwanted({*modules.split()}, *_HEAVY) == set()


def test_status_needs_no_spec_and_no_drawing_when_nothing_runs(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "status", "--backend", "local")
    assert not _unwanted(modules, *_MODELS, "rich", "docker", "requests", "orchctl_swarm", "importlib.metadata", "ssl")


def test_who_only_looks_loads_nothing_that_checks_changes_or_waits(tmp_path: Path) -> None:
    """Each is a millisecond or more, and together they are the tenth that the goal of ten interpreters leaves."""
    modules = _modules(tmp_path, "status", "--backend", "local")
    changing = ("orchctl.core.plan", "orchctl.core.capability", "orchctl.engine.verdict", "orchctl.cli.interruption")
    local = ("orchctl_local.claims", "orchctl_local.writer", "orchctl_local.daemon", "orchctl_local.logs")
    assert not _unwanted(modules, *changing, *local, "orchctl.core.endpoint", "_hashlib", "socket")


def test_validate_needs_no_sdk_no_drawing_and_no_other_verb(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "validate", "--backend", "swarm")
    assert not _unwanted(modules, "docker", "requests", "rich", "orchctl_local", "orchctl.engine", "orchctl.cli.deploy")


def test_validating_for_local_makes_no_documents(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "validate", "--backend", "local")
    assert not _unwanted(modules, "orchctl.core.document", "orchctl.core.rollout", "orchctl_local.model")


@pytest.mark.parametrize("backend", ["kubernetes", "swarm"])
def test_render_needs_no_sdk_and_no_network(tmp_path: Path, backend: str) -> None:
    modules = _modules(tmp_path, "render", "--backend", backend)
    assert not _unwanted(modules, "docker", "kubernetes", "requests", "urllib3", "ssl", "rich", "orchctl_local")


def test_what_grants_rights_needs_no_sdk_and_no_spec(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "render", "rbac", "--backend", "kubernetes")
    assert not _unwanted(modules, "pydantic", "orchctl.spec", "kubernetes", "urllib3", "requests", "rich")


def test_doctor_loads_the_backend_of_the_context_and_nothing_for_drawing(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "doctor", "--backend", "local")
    assert not _unwanted(modules, *_MODELS, "rich", "docker", "requests", "kubernetes", "importlib.metadata")
    assert not _unwanted(modules, "orchctl_swarm", "orchctl_kubernetes")


def test_verb_help_needs_no_backend_and_no_spec(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "plan", "--help")
    assert not _unwanted(modules, "yaml", "orchctl.spec", "rich", "docker", "orchctl_local", "orchctl_swarm")


@pytest.mark.parametrize(
    "arguments",
    [["--version"], ["--help"], ["deplyo"], ["explain", "E0220"], ["__complete", "contexts"], ["validate", "--help"]],
    ids=lambda words: words[0],
)
def test_module_and_script_are_the_same_program(tmp_path: Path, arguments: list[str]) -> None:
    script = _run([str(Path(sys.executable).parent / "orchctl"), *arguments], tmp_path)
    module = _run([sys.executable, "-m", "orchctl", *arguments], tmp_path)
    assert (module.returncode, module.stdout, module.stderr) == (script.returncode, script.stdout, script.stderr)
    assert script.stdout + script.stderr or arguments[0] == "__complete"


_COLLECTS = """
import atexit, gc, sys
atexit.register(lambda: sys.stderr.write(f"collects {{gc.isenabled()}}"))
sys.argv = ["orchctl", *{arguments!r}]
from orchctl.boot import main
main()
"""


@pytest.mark.parametrize(("verb", "collects"), [("validate", False), ("status", True)])
def test_garbage_is_collected_only_by_verbs_that_may_take_long(tmp_path: Path, verb: str, collects: bool) -> None:
    (tmp_path / "orch.yaml").write_text(_SPEC)
    done = subprocess.run(
        [sys.executable, "-c", _COLLECTS.format(arguments=[verb, "--backend", "local"])],
        cwd=tmp_path,
        env={**os.environ, "ORCHCTL_STATE_DIR": str(tmp_path / "state"), "XDG_CONFIG_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr.endswith(f"collects {collects}")


@pytest.mark.parametrize(("more", "loaded"), [((), False), (("--query", "items"), True)])
def test_the_query_language_is_loaded_for_a_query_only(tmp_path: Path, more: tuple[str, ...], loaded: bool) -> None:
    modules = _modules(tmp_path, "status", "--backend", "local", "-o", "json", *more)
    assert ("jmespath" in modules) is loaded

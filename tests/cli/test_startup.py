"""What a command imports is what it costs: each line here is a promise about start-up time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

_REPORT = """
import sys, atexit
atexit.register(lambda: sys.stderr.write("MODULES " + " ".join(sorted(sys.modules)) + "\\n"))
sys.argv = ["orchctl", *{arguments!r}]
from orchctl.boot import main
main()
"""

_SPEC = 'name: web\nimage: a/web:1\nbackends: {local: {command: ["sleep", "1"]}}\n'


def _modules(directory: Path, *arguments: str) -> set[str]:
    (directory / "orch.yaml").write_text(_SPEC)
    environment = {**os.environ, "ORCHCTL_STATE_DIR": str(directory / "state"), "XDG_CONFIG_HOME": str(directory)}
    done = subprocess.run(
        [sys.executable, "-c", _REPORT.format(arguments=arguments)],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    report = next(line for line in done.stderr.splitlines() if line.startswith("MODULES "))
    return set(report.split()[1:])


def _unwanted(modules: set[str], *names: str) -> set[str]:
    return {m for m in modules if any(m == name or m.startswith(f"{name}.") for name in names)}


_TERMINAL = ("typer", "rich", "click")
_MODELS = ("pydantic", "yaml", "orchctl.spec")
_SDKS = ("docker", "requests", "supervisor")


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], []])
def test_version_and_help_import_nothing_to_speak_of(tmp_path: Path, arguments: list[str]) -> None:
    modules = _modules(tmp_path, *arguments)
    ours = {m for m in modules if m.startswith("orchctl")}
    assert not _unwanted(modules, *_TERMINAL, *_MODELS, *_SDKS, "importlib.metadata", "json", "typing", "re")
    assert ours <= {"orchctl", "orchctl.boot", "orchctl.cli", "orchctl.cli.verbs"}


def test_status_needs_no_spec_and_no_drawing_when_nothing_runs(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "status", "--backend", "local")
    assert not _unwanted(modules, *_MODELS, "rich", "docker", "requests", "orchctl_swarm", "importlib.metadata")


def test_validate_needs_no_sdk_no_drawing_and_no_other_verb(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "validate", "--backend", "swarm")
    assert not _unwanted(modules, "docker", "requests", "rich", "orchctl_local", "orchctl.engine", "orchctl.cli.deploy")


def test_validating_for_local_makes_no_documents(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "validate", "--backend", "local")
    assert not _unwanted(modules, "orchctl.core.document", "orchctl.core.rollout", "orchctl_local.model")


def test_render_needs_no_sdk(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "render", "--backend", "swarm")
    assert not _unwanted(modules, "docker", "requests", "rich", "orchctl_local")


def test_verb_help_needs_no_backend_and_no_spec(tmp_path: Path) -> None:
    modules = _modules(tmp_path, "plan", "--help")
    assert not _unwanted(modules, "yaml", "orchctl.spec", "rich", "docker", "orchctl_local", "orchctl_swarm")


def test_module_and_script_are_the_same_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "orchctl", "--version"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0
    assert done.stdout.startswith("orchctl ")


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

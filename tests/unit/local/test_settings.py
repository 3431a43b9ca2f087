"""What a context of the configuration may say about the local backend, through the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds.local import LocalWorld

CONFIGURATION = """\
default = "here"
[contexts.here]
backend = "local"
state_dir = "kept/state"
secrets_dir = "kept/secrets"
namespace = "test"
"""
SPEC = f"""\
name: web
command: [{sys.executable}, -I, -S, -c, "import signal; signal.pause()"]
env:
  PASSWORD: {{secret: database, key: password}}
rollout: {{min_ready: 0s}}
stop: {{grace: 1s}}
"""


def orchctl(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    hidden = {name: value for name, value in os.environ.items() if not name.startswith("ORCHCTL_")}
    state = str(directory.parent / "state")
    return subprocess.run(
        [sys.executable, "-m", "orchctl", *words],
        cwd=directory,
        env={**hidden, "PYTHONPATH": os.pathsep.join(sys.path), "HOME": state, "ORCHCTL_STATE_DIR": state},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory inside of the project, so that paths relative to the configuration are not those of the caller."""
    root = tmp_path / "project"
    (root / "inner").mkdir(parents=True)
    (root / ".git").mkdir()
    (root / ".orchctl.toml").write_text(CONFIGURATION)
    (root / "inner" / "orch.yaml").write_text(SPEC)
    return root / "inner"


@pytest.fixture
def world(local_world: LocalWorld, project: Path) -> Iterator[LocalWorld]:
    local_world.root = project.parent / "kept" / "state" / "orchctl-local" / "here"
    local_world.context = replace(local_world.context, settings={"state_dir": str(project.parent / "kept" / "state")})
    return local_world


@pytest.mark.world_local
def test_the_directories_are_relative_to_the_configuration_and_used(world: LocalWorld, project: Path) -> None:
    secret = project.parent / "kept/secrets/database/password"
    secret.parent.mkdir(parents=True)
    secret.write_text("of the store")
    done = orchctl(project, "deploy")
    assert done.returncode == 0, done.stderr
    [(_, environment)] = world.processes("web")
    assert environment["PASSWORD"] == "of the store"
    assert (world.root / "desired/test/web.json").is_file()
    assert orchctl(project, "delete", "web", "--yes").returncode == 0
    assert not world.root.exists()


@pytest.mark.world_local
def test_a_secret_that_the_directory_does_not_have_is_named(world: LocalWorld, project: Path) -> None:
    done = orchctl(project, "deploy")
    assert done.returncode == 2
    assert "database" in done.stderr
    assert list(world.processes()) == []


@pytest.mark.parametrize(
    ("line", "message", "hint"),
    [
        (
            'secret_dir = "x"',
            "context 'here': local has no setting 'secret_dir'",
            "did you mean 'secrets_dir'? known: state_dir, secrets_dir",
        ),
        ('host = "x"', "context 'here': local has no setting 'host'", "known: state_dir, secrets_dir"),
        ("state_dir = 3", "context 'here': state_dir must be a path in quotes", ""),
        ('secrets_dir = ""', "context 'here': secrets_dir must be a path in quotes", ""),
    ],
)
def test_a_setting_that_is_not_known_is_refused(project: Path, line: str, message: str, hint: str) -> None:
    (project.parent / ".orchctl.toml").write_text(f'default = "here"\n[contexts.here]\nbackend = "local"\n{line}\n')
    for verb in ("deploy", "status"):
        done = orchctl(project, verb, "-o", "json")
        document = json.loads(done.stdout)
        assert (done.returncode, document["name"]) == (2, "ConfigError")
        assert (document["message"], document["hint"]) == (message, hint)
    assert not (project.parent.parent / "state").exists()

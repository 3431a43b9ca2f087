"""What the pages say about Marathon, the demo and the example with and without its image, on simulated agents."""

from __future__ import annotations

import os
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from tests.docs.blocks import ROOT, pages_of, run, run_page
from tests.servers.absence import absent
from tests.servers.marathon import Marathon
from tests.servers.marathon.containers import busybox
from tests.servers.packages import Unavailable
from tests.worlds.marathon import HASTE

pytestmark = pytest.mark.world_marathon

IMAGE = "busybox:1.36"
PROCESS = """\
backends:
  marathon:
    command: [sh, -c, 'exec python3 -m http.server "$$PORT_HTTP" --directory "$$ORCHCTL_FILES/www"']
"""
"""An overlay: the image is left alone, and the machine's own Python serves the same file."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Marathon]:
    try:
        image = busybox(tmp_path_factory.mktemp("images") / "busybox")
    except Unavailable as reason:
        absent("marathon", reason)
    with Marathon(images={IMAGE: image}, check_haste=HASTE, features=("task_killing",)) as running:
        yield running


@pytest.fixture
def environ(server: Marathon) -> dict[str, str]:
    return {"MARATHON_URL": server.url, "MESOS_URL": server.mesos_url}


def assert_nothing_is_left(server: Marathon) -> None:
    assert server.apps() == {}
    assert server.tasks() == []
    with server.engine.lock:
        assert [path for path in server.engine.store.root.groups if path != "/"] == []


@pytest.mark.parametrize("page", pages_of("marathon"))
def test_the_marathon_blocks_of_a_page_run(
    server: Marathon, environ: dict[str, str], tmp_path: Path, page: str
) -> None:
    said = run_page(page, "marathon", tmp_path / "page", environ)
    assert "converged" in said
    if page == "docs/tutorials/marathon.md":
        assert "exit code 8\n" in said
        assert "boom: no database" in said
        assert said.splitlines().count("welcome") == 2  # the plan of the rollback names the line, too
        assert said.count("as a process") == 1
    assert_nothing_is_left(server)
    assert not (tmp_path / "page-state" / "local").exists()


@pytest.mark.soak
def test_the_demo_runs(tmp_path: Path) -> None:
    """What ``make demo-marathon`` runs, with orchctl already installed; it starts and stops a server of its own."""
    said = run(
        "sh docs/demo.sh marathon", cwd=ROOT, state=tmp_path / "state", environ={"ORCHCTL_DEMO_DIR": str(tmp_path)}
    )
    assert "exit code 8, as promised" in said
    assert "boom: no database" in said
    assert "exit code 4, as promised" in said
    assert said.count("answers: hello again") >= 3


class Shell:
    """orchctl as a user calls it; what it prints on stdout."""

    def __init__(self, environ: dict[str, str], state: Path) -> None:
        self._environ = {**os.environ, **environ, "ORCHCTL_STATE_DIR": str(state), "ORCHCTL_CONFIG": os.devnull}

    def __call__(self, *words: str, **variables: str) -> str:
        command = [str(Path(sys.executable).parent / "orchctl"), *words, "--backend", "marathon"]
        done = subprocess.run(
            command, cwd=ROOT, env={**self._environ, **variables}, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def greetings(self) -> list[str]:
        """Of every endpoint that it prints."""
        found = []
        for address in self("discover", "hello", "--ready", "-o", "name").split():
            with urllib.request.urlopen(f"http://{address}/", timeout=60) as answer:
                found.append(answer.read().decode().strip())
        return found


@pytest.mark.parametrize("overlay", ["", PROCESS], ids=["image", "process"])
def test_the_example_lives_and_answers_with_and_without_its_image(
    server: Marathon, environ: dict[str, str], tmp_path: Path, overlay: str
) -> None:
    files: Sequence[str] = ("-f", "specs/examples/hello.yaml")
    if overlay:
        (tmp_path / "process.yaml").write_text(overlay, "utf-8")
        files = (*files, "-f", str(tmp_path / "process.yaml"))
    orchctl = Shell(environ, tmp_path / "state")
    orchctl("deploy", *files)
    assert ("container" in server.apps()["/default/hello"]) is not bool(overlay)
    assert orchctl.greetings() == ["hello"] * 2
    orchctl("deploy", *files, GREETING="welcome")
    assert orchctl.greetings() == ["welcome"] * 2
    orchctl("rollback", "hello", "--yes")
    assert orchctl.greetings() == ["hello"] * 2
    before = server.writes()
    orchctl("deploy", *files)
    assert server.writes() == before
    orchctl("delete", "hello", "--yes")
    assert_nothing_is_left(server)

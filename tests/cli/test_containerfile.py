"""The image: what its Containerfile may hold, and what it does when it is built."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.test_first_process import children
from tests.servers.packages import Unavailable
from tests.servers.python_image import Images

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.xdist_group("image")  # built once, by one worker


def _instructions() -> list[tuple[str, str]]:
    """Without comments, each on one line."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Containerfile").read_text(), flags=re.MULTILINE)
    lines = filter(str.strip, text.replace("\\\n", " ").splitlines())
    return [(word, " ".join(rest.split())) for word, _, rest in (line.partition(" ") for line in lines)]


INSTRUCTIONS = _instructions()


def _all(word: str) -> list[str]:
    return [rest for name, rest in INSTRUCTIONS if name == word]


def test_only_known_instructions_are_there() -> None:
    """ADD fetches from anywhere and unpacks; ONBUILD, SHELL and VOLUME change what others build on it."""
    known = {"ARG", "FROM", "COPY", "RUN", "LABEL", "ENV", "WORKDIR", "USER", "ENTRYPOINT", "CMD"}
    assert {name for name, _ in INSTRUCTIONS} <= known


def test_no_image_and_no_registry_is_named() -> None:
    assert INSTRUCTIONS[0] == ("ARG", "BASE")  # no default
    assert {rest.split()[0] for rest in _all("FROM")} == {"${BASE}"}


def test_the_last_stage_runs_as_a_number_that_is_not_root() -> None:
    last = INSTRUCTIONS[max(n for n, (name, _) in enumerate(INSTRUCTIONS) if name == "FROM") :]
    [user] = [rest for name, rest in last if name == "USER"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", user)
    names = [name for name, _ in last]
    assert "RUN" not in names[names.index("USER") :]


def test_the_program_is_process_1_itself() -> None:
    """A shell between would keep signals for itself."""
    assert [json.loads(rest) for rest in (*_all("ENTRYPOINT"), *_all("CMD"))] == [["orchctl"], ["--help"]]


def test_nothing_of_the_build_is_left_in_the_image() -> None:
    """Sources and caches stay in the first stage."""
    assert [rest for rest in _all("COPY") if "--from=build" in rest] == ["--from=build /opt/orchctl /opt/orchctl"]
    for rest in _all("RUN"):
        assert "pip install" not in rest or "--no-cache-dir" in rest
        assert not re.search(r"\b(curl|wget|sudo|apt-get|apk)\b", rest)


def test_no_variable_is_a_secret() -> None:
    assert not re.search(r"PASSWORD|TOKEN|SECRET|KEY", " ".join([*_all("ENV"), *_all("ARG")]))


def test_only_what_the_build_needs_goes_into_it() -> None:
    first, *kept = [line for line in (ROOT / ".containerignore").read_text().splitlines() if line]
    assert first == "*"
    for line in kept:
        assert line == "**/__pycache__" or (ROOT / line.removeprefix("!")).exists()


def test_hadolint_has_nothing_to_say() -> None:
    program = shutil.which("hadolint", path=str(Path(sys.executable).parent))
    if program is None:
        pytest.skip("hadolint is not installed: pip install '.[dev]'")
    done = subprocess.run(
        [program, str(ROOT / "Containerfile")], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


# --- built ---------------------------------------------------------------------------------------

_TAG = "localhost/orchctl-test"


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Images:
    try:
        built = Images(tmp_path_factory.mktemp("images"))
        built.build(_TAG)
    except Unavailable as reason:
        pytest.skip(str(reason))
    return built


@pytest.fixture
def container(images: Images) -> Iterator[str]:
    name = images.buildah("from", "--pull-never", _TAG)
    yield name
    images.buildah("rm", name)


@pytest.fixture
def tree(images: Images, container: str) -> Iterator[Path]:
    """The container's file system."""
    yield Path(images.buildah("mount", container))
    images.buildah("umount", container)


def _run(images: Images, container: str, *words: str) -> str:
    """What it says. Now and then buildah 1.28 loses the output of a short command where that is no terminal (buildah#1928), so
    one that says nothing is run again, twice at most."""
    for _ in range(3):
        if said := images.buildah("run", "--isolation", "chroot", container, "--", *words):
            return said
    return ""


@pytest.mark.world_local
def test_the_image_has_the_program_and_no_root(images: Images, container: str) -> None:
    from orchctl import __version__

    assert _run(images, container, "orchctl", "--version") == f"orchctl {__version__}"
    assert _run(images, container, "id", "-u") == "65532"
    assert images.configuration(_TAG)["Entrypoint"] == ["orchctl"]
    names = _run(images, container, "orchctl", "backends", "--query", "items[].name").split()
    assert {"kubernetes", "local", "swarm"} <= {*names}


@pytest.mark.world_local
def test_the_image_checks_a_spec_and_writes_its_state(images: Images, container: str, tree: Path) -> None:
    (tree / "project" / "orch.yaml").write_text("name: web\nimage: a/web:1\n")
    assert _run(images, container, "orchctl", "validate", "--backend", "kubernetes") == "web: valid for kubernetes"
    said = _run(images, container, "orchctl", "status", "--backend", "local", "-o", "name")
    assert said == ""
    with pytest.raises(AssertionError, match="Permission denied"):
        _run(images, container, "touch", "/opt/orchctl/x")


@pytest.mark.world_local
def test_a_stop_ends_the_container_although_its_first_process_has_no_handler(tree: Path) -> None:
    (tree / "proc").mkdir(exist_ok=True)
    command = ["unshare", "--pid", "--fork", "--mount-proc=/proc", f"--root={tree}", "--wd=/project"]
    user = ["--setuid=65532", "--setgid=65532"]
    environment = {
        "PATH": "/opt/orchctl/bin:/usr/bin:/bin",
        "HOME": "/state",
        "ORCHCTL_STATE_DIR": "/state",
        "LANG": "C.UTF-8",
    }
    program = ["/opt/orchctl/bin/orchctl", "status", "--watch", "--interval", "1h", "--backend", "local"]
    process = subprocess.Popen([*command, *user, *program], env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert any("no services" in line for line in iter(process.stdout.readline, ""))
    [first] = children(process.pid)
    os.kill(first, signal.SIGTERM)
    process.communicate(timeout=120)
    assert process.returncode == 143

"""Whoever starts the tests, and wherever: they see the same."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import surroundings

ROOT = Path(__file__).parents[2]
HOSTILE = {
    "LANG": "C",
    "LC_ALL": "C",
    "TZ": "Asia/Kathmandu",
    "FORCE_COLOR": "1",
    "COLUMNS": "40",
    "TERM": "dumb",
    "CI": "true",
    "HTTP_PROXY": "http://127.0.0.1:9",
    "https_proxy": "http://127.0.0.1:9",
    "SSL_CERT_FILE": "/nowhere",
    "DOCKER_HOST": "tcp://127.0.0.1:9",
    "KUBECONFIG": "/nowhere",
    "MARATHON_URL": "http://127.0.0.1:9",
    "CONSUL_HTTP_ADDR": "127.0.0.1:9",
    "ORCHCTL_CONTEXT": "theirs",
    "PYTHONWARNINGS": "error",
    "GITHUB_ACTIONS": "true",
}
SCRIPT = """
trap '' INT HUP
umask 077
exec "$@" <&- > "$OUT" 2>&1
"""
FAST = (
    "tests/cli/test_table.py",
    "tests/cli/test_context.py",
    "tests/cli/test_render.py",
    "tests/cli/test_terminal.py::test_interrupt_at_the_question_ends_with_130",
    "tests/unit/local/test_launcher.py",
)
SAMPLES = [
    FAST,
    pytest.param(
        ("tests/contract/test_local.py::TestDelete::test_a_failed_service_can_be_deleted",),
        marks=pytest.mark.world_local,
    ),
    pytest.param(
        ("tests/contract/marathon/test_kit.py::TestDelete::test_a_failed_service_can_be_deleted",),
        marks=pytest.mark.world_marathon,
    ),
    pytest.param(("tests/contract/test_consul_store.py",), marks=pytest.mark.world_consul),
    pytest.param(
        ("tests/contract/test_swarm.py::TestDelete::test_a_failed_service_can_be_deleted",),
        marks=pytest.mark.world_swarm,
    ),
    pytest.param(
        ("tests/contract/test_kubernetes.py::TestDelete::test_a_failed_service_can_be_deleted",),
        marks=pytest.mark.world_kubernetes,
    ),
]


@pytest.mark.parametrize("sample", SAMPLES, ids=["fast", "local", "marathon", "consul", "swarm", "kubernetes"])
def test_a_hostile_launcher_changes_nothing(sample: tuple[str, ...], tmp_path: Path) -> None:
    long = tmp_path / ("t" * 90)
    long.mkdir()
    out = tmp_path / "out"
    kept = {k: v for k, v in surroundings.outside().items() if k in ("PATH", "HOME", "XDG_CACHE_HOME")}
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *sample]
    subprocess.run(
        ["sh", "-c", SCRIPT, "sh", *command],
        env=kept | HOSTILE | {"TMPDIR": str(long), "OUT": str(out)},
        cwd=ROOT,
        timeout=540,
        check=False,
    )
    last = out.read_text().strip().splitlines()[-1]
    assert " passed" in last, out.read_text()[-4000:]
    assert "failed" not in last, out.read_text()[-4000:]
    assert "error" not in last, out.read_text()[-4000:]
    assert list(long.iterdir()) == [], "nothing was put where paths get too long"


def test_children_have_the_usual_signals_and_nothing_from_outside() -> None:
    shown = """
import json, os, signal
names = ("SIGHUP", "SIGINT", "SIGQUIT", "SIGTERM", "SIGCHLD")
usual = all(signal.getsignal(getattr(signal, n)) in (signal.SIG_DFL, signal.default_int_handler) for n in names)
print(json.dumps([usual, len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), os.umask(0), sorted(os.environ)]))
"""
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True, timeout=60, check=True)
    usual, blocked, mask, names = json.loads(done.stdout)
    assert usual
    assert (blocked, mask) == (0, 0o022)
    assert not {"DOCKER_HOST", "KUBECONFIG", "FORCE_COLOR", "COLUMNS", "CI", "HTTP_PROXY"} & set(names)
    assert signal.getsignal(signal.SIGINT) is not signal.SIG_IGN


def test_installers_have_the_proxy_that_tests_have_not(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {"PATH": "/bin", "HTTPS_PROXY": "http://p", "HOME": "/home/me", "PIP_INDEX_URL": "i", "DOCKER_HOST": "d"}
    surroundings.settle(environ)
    own = {"TMPDIR", "HOME", "PYTEST_DEBUG_TEMPROOT", "ORCHCTL_TEST_OUTSIDE"}
    assert set(environ) == {"PATH", "LANG", "TERM", "TZ"} | own
    monkeypatch.setattr(os, "environ", environ)
    theirs = surroundings.outside()
    assert {k: theirs[k] for k in ("HTTPS_PROXY", "PIP_INDEX_URL", "HOME")} == {
        "HTTPS_PROXY": "http://p",
        "PIP_INDEX_URL": "i",
        "HOME": "/home/me",
    }
    assert "DOCKER_HOST" not in theirs
    assert surroundings.home() == Path("/home/me")
    assert surroundings.cache_home() == Path("/home/me/.cache")

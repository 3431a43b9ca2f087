"""The gate is the same in every run and leaves out what is for a soak."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests import profiles

ROOT = Path(__file__).parents[2]
TESTS = """
import random
import pytest
from hypothesis import given, settings, strategies as st
from tests import rounds

@pytest.mark.soak
def test_for_hours():
    pass

@given(st.integers())
def test_of_numbers(number):
    print("drew", number)

def test_of_rounds():
    print("rounds", rounds.RACES, settings().deadline)
"""


def run(folder: Path, **environment: str) -> tuple[str, list[str]]:
    """The last line of a run, and what its tests said."""
    (folder / "test_it.py").write_text(TESTS)
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("ORCHCTL_TEST_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", "-qs", "-p", "tests.profiles", "-p", "no:cacheprovider", str(folder)]
    done = subprocess.run(
        [*command, f"--rootdir={folder}"],
        cwd=folder,
        env=inherited | {"PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    said = [line.lstrip(".") for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stdout + done.stderr
    return said[-1], [line for line in said if line.startswith(("drew", "rounds"))]


def test_the_gate_leaves_out_what_is_for_a_soak_and_draws_the_same_examples_every_time(tmp_path: Path) -> None:
    last, said = run(tmp_path)
    assert "2 passed, 1 deselected" in last
    assert "rounds 1 None" in said
    assert run(tmp_path)[1] == said


def test_a_soak_runs_everything_in_large_numbers(tmp_path: Path) -> None:
    last, said = run(tmp_path, ORCHCTL_TEST_PROFILE="soak")
    assert "3 passed" in last
    assert "rounds 50 None" in said
    assert len(said) > 500


def test_a_number_can_be_set_by_itself(tmp_path: Path) -> None:
    assert "rounds 7 None" in run(tmp_path, ORCHCTL_TEST_RACES="7")[1]


def test_an_unknown_profile_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="is one of gate, soak"):
        run(tmp_path, ORCHCTL_TEST_PROFILE="soaking")


def test_what_the_gate_leaves_out_of_real_worlds_it_has_in_memory() -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    done = subprocess.run(
        [*command, "tests/contract/test_fake.py"], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert {*profiles._LEFT_OUT} <= {line.rpartition("::")[2] for line in done.stdout.splitlines()}

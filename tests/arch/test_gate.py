"""The gate says what is so: red when a test fails, flaky when it fails and passes alone, and everything that ran."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.gate import notes, report
from tests.gate.notes import Failure, Tally
from tests.gate.run import MOST_FLAKY, Result, run
from tests.gate.steps import STEPS, Step

ONCE = """
import pathlib, pytest
def once(name):
    mark = pathlib.Path(__file__).with_name(name)
    if not mark.exists():
        mark.touch()
        raise AssertionError(f"not the first time: {name}")
"""


def step(folder: Path, body: str, *, is_world: bool = True) -> Step:
    """With tests of its own in ``folder``, in one process."""
    (folder / "test_sample.py").write_text(f"# world_sample\n{ONCE}\npytestmark = pytest.mark.world_sample\n{body}")
    (folder / "pytest.ini").write_text("[pytest]\nmarkers = world_sample: x\n")
    return Step(name="sample", says="", marker="world_sample", workers=0, is_world=is_world, paths=(str(folder),))


def test_what_passes_alone_is_flaky_and_the_gate_stays_green(tmp_path: Path) -> None:
    result = run(step(tmp_path, "def test_a(): once('a')\ndef test_b(): pass\n"), tmp_path, is_required=True)
    assert [f.reason for f in result.flaky] == ["AssertionError: not the first time: a"]
    assert (result.tally.passed, result.tally.failures, result.is_red) == (2, [], False)
    assert report.is_green([result])
    said = "\n".join(report.lines([result]))
    assert "flaky (1)" in said
    assert "test_sample.py::test_a  AssertionError: not the first time: a" in said
    report.keep_flaky([result], tmp_path)
    assert json.loads((tmp_path / "flaky.jsonl").read_text())["test"].endswith("test_sample.py::test_a")


def test_what_fails_alone_too_is_red(tmp_path: Path) -> None:
    body = "def test_a():\n    n = pathlib.Path(__file__).with_name('n')\n    n.open('a').write('x')\n    assert 0, 'always'\n"
    result = run(step(tmp_path, body), tmp_path, is_required=True)
    assert [f.reason.splitlines()[0] for f in result.tally.failures] == ["AssertionError: always"]
    assert result.flaky == []
    assert (tmp_path / "n").read_text() == "xxx", "once among the others, twice alone"
    assert not report.is_green([result])


def test_many_failures_are_not_tried_again(tmp_path: Path) -> None:
    body = f"@pytest.mark.parametrize('n', range({MOST_FLAKY + 1}))\ndef test_a(n): once(f'a{{n}}')\n"
    result = run(step(tmp_path, body), tmp_path, is_required=True)
    assert len(result.tally.failures) == MOST_FLAKY + 1


def test_fast_tests_get_no_second_chance(tmp_path: Path) -> None:
    result = run(step(tmp_path, "def test_a(): once('a')\n", is_world=False), tmp_path, is_required=True)
    assert len(result.tally.failures) == 1


def test_too_many_flaky_tests_in_all_worlds_are_red() -> None:
    flaky = [Failure(f"t{n}", "") for n in range(2)]
    assert report.is_green([Result("one", flaky=flaky)])
    assert not report.is_green([Result("one", flaky=flaky), Result("two", flaky=flaky)])


@pytest.mark.parametrize(
    "body",
    [
        "",
        "def test_a(): pytest.skip('no engine here')\n",
        "@pytest.fixture\ndef f(): pytest.skip('none')\ndef test_a(f): ...\n",
    ],
)
def test_a_world_that_must_run_and_did_not_is_red(tmp_path: Path, body: str) -> None:
    assert run(step(tmp_path, body), tmp_path, is_required=True).is_red
    assert not run(step(tmp_path, body), tmp_path, is_required=False).is_red


@pytest.mark.parametrize("body", ["import nowhere\n", "def test_a(nothing): ...\n", "def test_a(:\n"])
def test_what_cannot_be_collected_or_set_up_is_red(tmp_path: Path, body: str) -> None:
    assert run(step(tmp_path, body), tmp_path, is_required=False).is_red


def test_a_run_that_dies_is_red(tmp_path: Path) -> None:
    """And what it did before is known."""
    body = "import os\ndef test_a(): pass\ndef test_b(): os._exit(3)\n"
    result = run(step(tmp_path, body), tmp_path, is_required=False)
    assert result.is_red
    assert result.tally.passed == 1
    assert notes.running(tmp_path / "sample.jsonl")[0].endswith("::test_b")


def test_a_command_that_fails_is_red_and_the_tests_run_nevertheless(tmp_path: Path) -> None:
    wanted = step(tmp_path, "def test_a(): pass\n")
    failing = Step(
        name="x",
        says="",
        commands=[[sys.executable, "-c", "raise SystemExit(4)"]],
        marker=wanted.marker,
        workers=0,
        paths=wanted.paths,
    )
    result = run(failing, tmp_path, is_required=False)
    assert result.tally.passed == 1
    assert [t.rpartition(" ")[2] for t in result.trouble] == ["4"]


def test_a_failing_test_with_a_failing_end_counts_once_and_a_torn_line_never(tmp_path: Path) -> None:
    path = tmp_path / "n"
    rows = [
        {"test": "a", "when": "setup", "outcome": "passed", "reason": ""},
        {"test": "a", "when": "call", "outcome": "failed", "reason": "first"},
        {"test": "a", "when": "teardown", "outcome": "failed", "reason": "second"},
        {"test": "b", "when": "call", "outcome": "passed", "reason": ""},
    ]
    path.write_text("\n".join(map(json.dumps, rows)) + '\n{"test": "c", "wh')
    tally = notes.read(path)
    assert tally.failures == [Failure("a", "first")]
    assert tally.passed == 1


def test_the_end_of_the_report_fits_a_screen() -> None:
    failures = [Failure(f"tests/some_file.py::test_{n}", "x" * 500) for n in range(100)]
    flaky = [Failure(f"tests/other.py::test_{n}", "y" * 500) for n in range(100)]
    results = [Result(s.name, tally=Tally(passed=1, failures=failures), flaky=flaky) for s in STEPS]
    said = list(report.lines(results))
    start = next(n for n, line in enumerate(said) if line.startswith("failed ("))
    assert len(said) - start <= 35
    assert max(map(len, said)) <= 200
    assert said[-1] == "7 passed, 700 failed, 0 skipped"


def test_every_world_of_the_tests_is_a_step() -> None:
    text = (Path(__file__).parents[1] / "conftest.py").read_text("utf-8")
    worlds = {f"world_{s.name}" for s in STEPS if s.is_world}
    assert worlds == set(re.findall(r'"(world_\w+): ', text))


def test_an_unknown_step_is_refused() -> None:
    command = [sys.executable, "-m", "tests.gate", "moon"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert "no such step: moon; there are lint, fast" in done.stderr

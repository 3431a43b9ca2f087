"""The gate says what is so: red when a test fails, flaky when it fails and passes alone, and everything that ran."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.gate import notes, report
from tests.gate.notes import Failure, Tally
from tests.gate.run import MOST_FLAKY, Result, Runner
from tests.gate.steps import STEPS, Step
from tests.servers.waiting import until

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


def run(step: Step, folder: Path, *, is_required: bool) -> Result:
    runner = Runner(folder)
    result = runner.run(step, is_required=is_required)
    if step.is_world:
        runner.second_chance(result)
    return result


def test_what_passes_alone_is_flaky_and_the_gate_stays_green(tmp_path: Path) -> None:
    result = run(step(tmp_path, "def test_a(): once('a')\ndef test_b(): pass\n"), tmp_path, is_required=True)
    assert [f.reason for f in result.flaky] == ["AssertionError: not the first time: a"]
    assert (result.tally.passed, result.tally.failures, result.is_red) == (2, [], False)
    assert report.is_green([result])
    said = "\n".join(report.lines([result], 1.0))
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
    said = list(report.lines(results, 1.0))
    start = next(n for n, line in enumerate(said) if line.startswith("failed ("))
    assert len(said) - start <= 35
    assert max(map(len, said)) <= 200
    assert said[-1] == "7 passed, 700 failed, 0 skipped"


def world(folder: Path, name: str, minutes: int, body: str) -> Step:
    folder.mkdir()
    one = step(folder, body)
    return Step(**{field: getattr(one, field) for field in Step.__slots__} | {"name": name, "minutes": minutes})


MEET = """
import socket
def test_a():
    with socket.create_connection(("127.0.0.1", {port}), timeout=60) as other:
        other.sendall(b"{name}")
        assert other.recv(1) == b"!", "nobody else came"
"""


def test_worlds_run_at_the_same_time_and_each_line_says_whose_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each of the two is answered only when both are there; the third waits for a lane."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        port = server.getsockname()[1]
        steps = [
            world(tmp_path / "quick", "quick", 1, "def test_a(): pass\n"),
            world(tmp_path / "one", "one", 2, MEET.format(port=port, name="1")),
            world(tmp_path / "two", "two", 3, MEET.format(port=port, name="2")),
        ]
        runner = Runner(tmp_path)
        results: list[Result] = []
        gate = threading.Thread(target=lambda: results.extend(runner.together(steps, ["one"], 2)))
        gate.start()
        both = [server.accept()[0] for _ in range(2)]
        assert sorted(one.recv(1) for one in both) == [b"1", b"2"]
        for one in both:
            one.sendall(b"!")
            one.close()
        gate.join(60)
    assert [(r.step, r.tally.passed, r.is_red) for r in results] == [
        ("quick", 1, False),
        ("one", 1, False),
        ("two", 1, False),
    ]
    said = capsys.readouterr().out
    assert re.findall("^=== (one|two|quick): $", said, re.M)[2] == "quick", "the longest first"
    assert len(re.findall(r"^(?:one|two|quick) *\| 1 passed", said, re.M)) == 3


def test_an_interrupted_gate_leaves_nothing_running(tmp_path: Path) -> None:
    """All lanes hear of it, and the one that waits never starts."""
    body = "import signal\ndef test_a():\n    with open({mark!r}, 'w'): pass\n    signal.pause()\n"
    runner = Runner(tmp_path)
    marks = [tmp_path / name for name in ("a.ran", "b.ran", "c.ran")]
    steps = [world(tmp_path / m.stem, m.stem, 1, body.format(mark=str(m))) for m in marks]
    results: list[Result] = []
    gate = threading.Thread(target=lambda: results.extend(runner.together(steps, [], 2)))
    gate.start()
    until("both run", lambda: marks[0].exists() and marks[1].exists())
    runner.end()
    gate.join(60)
    assert not gate.is_alive()
    assert [r.is_red for r in results] == [True, True, True]
    assert not marks[2].exists()


def test_every_world_of_the_tests_is_a_step() -> None:
    text = (Path(__file__).parents[1] / "conftest.py").read_text("utf-8")
    worlds = {f"world_{s.name}" for s in STEPS if s.is_world}
    assert worlds == set(re.findall(r'"(world_\w+): ', text))


def test_an_unknown_step_is_refused() -> None:
    command = [sys.executable, "-m", "tests.gate", "moon"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert "no such step: moon; there are lint, fast" in done.stderr

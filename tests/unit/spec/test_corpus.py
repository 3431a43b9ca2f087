"""Hostile and mistaken specs are refused at the right place; ordinary ones are read."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.unit.spec.corpus import ACCEPTED, HEAD, REJECTED, REJECTED_BYTES, bomb, merge_bomb
from tests.unit.spec.support import problems, read

_opened: list[str] | None = None


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    is_path = bool(arguments) and isinstance(arguments[0], str)
    if _opened is not None and (
        event in ("socket.connect", "subprocess.Popen", "os.system") or (event == "open" and is_path)
    ):
        _opened.append(f"{event} {arguments[0]}")


sys.addaudithook(_watch)


@contextmanager
def watched_opens() -> Iterator[list[str]]:
    """Everything opened inside the block; audit hooks cannot be removed, so one is switched."""
    global _opened
    seen: list[str] = []
    _opened = seen
    try:
        yield seen
    finally:
        _opened = None


@contextmanager
def quick() -> Iterator[None]:
    """Two seconds of this process's work; what others on the machine do meanwhile is not in it."""
    started = time.process_time()
    yield
    assert time.process_time() - started < 2


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Imports on first use are not what the watched blocks look for."""
    here = tmp_path_factory.mktemp("warm")
    read(HEAD, here)
    problems(HEAD + "replcas: 1", here)


@pytest.mark.parametrize("name", REJECTED)
def test_it_is_refused_where_it_is_wrong_and_opens_nothing_else(name: str, tmp_path: Path) -> None:
    code, marked = REJECTED[name]
    before = marked[: marked.index("@")].split("\n")
    text = (marked.replace("@", "", 1)).replace("pass\x00", "pass@")
    with quick(), watched_opens() as opened:
        found = problems(text, tmp_path)
    assert (code, len(before), len(before[-1]) + 1) in [(p.code, p.line, p.column) for p in found]
    assert all(p.file == "<stdin>" and p.line >= 1 and p.column >= 1 for p in found)
    assert [entry for entry in opened if str(tmp_path) not in entry] == []


@pytest.mark.parametrize("name", REJECTED_BYTES)
def test_bytes_that_are_no_text_are_refused(name: str, tmp_path: Path) -> None:
    code, data, line, column = REJECTED_BYTES[name]
    [problem] = problems(data, tmp_path)
    assert (problem.code, problem.line, problem.column) == (code, line, column)


@pytest.mark.parametrize("name", ACCEPTED)
def test_ordinary_specs_are_read(name: str, tmp_path: Path) -> None:
    assert read(ACCEPTED[name], tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        bomb(9, 9),
        bomb(30, 2),
        bomb(1000, 1),
        merge_bomb(12),
        merge_bomb(40),
        HEAD + f"x-a: &a b\nx-l: [{', '.join(['*a'] * 1001)}]",
    ],
    ids=["billion laughs", "doubling", "chain", "merge bomb", "large merge bomb", "1001 aliases"],
)
def test_a_small_file_that_becomes_a_huge_one_is_refused_quickly(text: str, tmp_path: Path) -> None:
    with quick():
        found = problems(text, tmp_path)
    assert "E0206" in [p.code for p in found]


def test_a_large_plain_file_is_refused_for_its_size_and_not_as_a_bomb(tmp_path: Path) -> None:
    [problem] = problems(HEAD + "env:\n" + "".join(f"  V{n}: x\n" for n in range(40_000)), tmp_path)
    assert problem.code == "E0204"


def test_every_problem_of_a_file_is_reported_in_the_order_of_its_lines(tmp_path: Path) -> None:
    found = problems("name: Web\nimage: 1.10\nreplcas: 3\nports: [{name: a, port: 0}]", tmp_path)
    assert [(p.line, p.code) for p in found] == [(1, "E0223"), (2, "E0222"), (3, "E0220"), (4, "E0223")]


def test_a_problem_carries_its_line_for_the_caret_and_a_hint(tmp_path: Path) -> None:
    [problem] = problems(HEAD + "replcas: 3", tmp_path)
    assert (problem.source_line, problem.hint) == ("replcas: 3", "did you mean 'replicas'?")


def test_no_message_carries_a_control_character_to_the_terminal(tmp_path: Path) -> None:
    for marked in (marked for code, marked in REJECTED.values() if code == "E0202"):
        for problem in problems(marked.replace("@", "", 1), tmp_path):
            assert all(c.isprintable() for c in problem.message + problem.source_line + problem.hint)


def test_a_variable_in_braces_inside_braces_gets_a_hint(tmp_path: Path) -> None:
    [problem] = problems(HEAD + "env: {A: ${X}}", tmp_path)
    assert (problem.code, problem.hint) == ("E0203", "quote a text with ${...} inside { } or [ ]")

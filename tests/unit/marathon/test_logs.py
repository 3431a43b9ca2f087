"""Output from the agents' files: every byte once, whatever the pieces cut."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchctl.core.endpoint import LogLine
from orchctl.errors import NotFound, Unreachable, UsageError
from orchctl_marathon import logs as module
from orchctl_marathon.client import Reading
from orchctl_marathon.logs import LONGEST_LINE, read, shares
from orchctl_marathon.mesos import PIECE
from orchctl_marathon.target import Auth, Target
from tests.rounds import EXAMPLES
from tests.unit.marathon.clients import refused_port
from tests.unit.marathon.mesos_server import MesosServer

APP = {"id": "/shop/web", "tasks": [{"id": "t", "slaveId": "S0"}]}
OUT, ERR = "/t/stdout", "/t/stderr"
HARD = "é€😀\u2028\ufffd".encode() + b"\xff\xe2\x82\xf0\x9f"
"""Characters of two to four bytes, a line separator that is none of ours, and bytes that are no characters."""


@pytest.fixture
def mesos() -> Iterator[MesosServer]:
    with MesosServer({OUT: b"", ERR: b""}) as server:
        yield server


def lines(mesos: MesosServer, app: dict[str, Any] = APP, instance: str = "", **more: Any) -> Iterator[LogLine]:
    reading = Reading(Target(urls=("http://127.0.0.1:1",), source="test", mesos=(mesos.url,)))
    return read(reading, app, instance, **{"tail": 0, "since_ms": 0, "follow": False, **more})


def texts(mesos: MesosServer, **more: Any) -> list[str]:
    return [line.text for line in lines(mesos, **more)]


def marked(line: str) -> str:
    return re.sub("\ufffd+", "\ufffd", line)


def expected(content: bytes) -> list[str]:
    *whole, last = content.decode("utf-8", "replace").split("\n")
    return [line[:LONGEST_LINE].rstrip("\r") for line in (*whole, *([last] if last else []))]


def test_lines_have_their_task_and_stream(mesos: MesosServer) -> None:
    mesos.files = {OUT: b"one\r\ntwo\n", ERR: b"boom"}
    assert [(line.instance, line.stream, line.text) for line in lines(mesos)] == [
        ("t", "stdout", "one"),
        ("t", "stdout", "two"),
        ("t", "stderr", "boom"),
    ]


@settings(max_examples=25 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.lists(
        st.sampled_from([b"a", b"\n", b"\r\n", *(HARD[n : n + 1] for n in range(len(HARD))), HARD]), max_size=12
    ).map(b"".join),
    piece=st.integers(4, 9),
)
def test_pieces_may_end_anywhere(
    mesos: MesosServer, monkeypatch: pytest.MonkeyPatch, content: bytes, piece: int
) -> None:
    """How many signs stand for a run of bytes that are no characters is left open."""
    monkeypatch.setattr(module, "PIECE", piece)
    mesos.files = {OUT: content}
    assert [marked(line) for line in texts(mesos)] == [marked(line) for line in expected(content)]


@pytest.mark.parametrize("before", range(4))
def test_a_character_at_the_end_of_a_piece_is_whole(mesos: MesosServer, before: int) -> None:
    content = b"x" * (PIECE - before) + "😀\n".encode() + b"y" * 10
    mesos.files = {OUT: content}
    text = b"x" * (PIECE - before)
    assert texts(mesos) == [(text.decode() + "😀")[:LONGEST_LINE], "y" * 10]


def test_bytes_that_are_no_characters_lose_nothing_after_them(mesos: MesosServer) -> None:
    """An agent that replaces them sends three bytes for one: counted by the answer, the next piece began too late."""
    content = b"".join(b"\xff" * 40 + b"%05d\n" % n for n in range(3_000))
    mesos.files = {OUT: content}
    assert len(content) > 2 * PIECE
    assert texts(mesos) == expected(content)


def test_every_byte_is_asked_for_once(mesos: MesosServer) -> None:
    mesos.files = {OUT: b"0123456789\n" * 20_000}
    assert texts(mesos) == ["0123456789"] * 20_000
    ends = [offset + length for offset, length in mesos.pieces]
    assert [offset for offset, _ in mesos.pieces] == [0, *ends[:-1]]
    assert ends[-1] == len(mesos.files[OUT])


@pytest.mark.parametrize("length", [LONGEST_LINE, LONGEST_LINE + 1, 3 * LONGEST_LINE + 7])
def test_a_line_is_cut_at_its_longest_wherever_the_pieces_end(mesos: MesosServer, length: int) -> None:
    mesos.files = {OUT: b"first\n" + b"x" * length + b"\nnext\n"}
    assert texts(mesos) == ["first", "x" * LONGEST_LINE, "next"]


def test_the_last_lines_of_all_are_the_last_of_each(mesos: MesosServer) -> None:
    mesos.files = {OUT: b"1\n2\n3\n", ERR: b"4\n5\n"}
    assert texts(mesos, tail=1) == ["5"]
    assert texts(mesos, tail=3) == ["3", "4", "5"]


def test_the_last_lines_are_shared_between_the_streams(mesos: MesosServer) -> None:
    """A chatty one hides nothing of the other; what one has not got, the other may fill."""
    mesos.files = {
        OUT: b"".join(b"out %d\n" % n for n in range(50)),
        ERR: b"".join(b"err %d\n" % n for n in range(25)),
    }
    shown = texts(mesos, tail=20)
    assert shown == [f"out {n}" for n in range(40, 50)] + [f"err {n}" for n in range(15, 25)]
    mesos.files[ERR] = b"boom\n"
    assert texts(mesos, tail=20) == [f"out {n}" for n in range(31, 50)] + ["boom"]


@pytest.mark.parametrize(
    ("counts", "total", "expected"),
    [
        ([], 5, []),
        ([0, 0], 5, [0, 0]),
        ([3, 2], 1, [0, 1]),
        ([3, 2], 3, [1, 2]),
        ([9, 9, 9], 7, [2, 2, 3]),
        ([1, 9, 9], 7, [1, 3, 3]),
        ([1, 1], 9, [1, 1]),
    ],
)
def test_lines_are_divided_in_equal_parts(counts: list[int], total: int, expected: list[int]) -> None:
    assert shares(counts, total) == expected


def test_the_last_lines_of_every_instance_are_among_them() -> None:
    files = {f"/{task}/{stream}": b"x\n" * 100 for task in "abc" for stream in ("stdout", "stderr")}
    tasks = [{"id": task, "slaveId": "S0"} for task in "abc"]
    with MesosServer(files, tasks=("a", "b", "c")) as mesos:
        assert [line.instance for line in lines(mesos, {"tasks": tasks}, tail=12)] == [*"aaaabbbbcccc"]


def test_of_a_large_file_a_tail_asks_for_the_end_alone(mesos: MesosServer) -> None:
    mesos.files = {OUT: b"a line of some length\n" * 500_000, ERR: b""}
    assert texts(mesos, tail=20) == ["a line of some length"] * 20
    assert len(mesos.pieces) <= 4
    assert sum(length for _, length in mesos.pieces) <= 4 * PIECE


@settings(max_examples=25 * EXAMPLES, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    content=st.lists(st.sampled_from([b"a", b"\n", b"\r\n", HARD, "€".encode()]), max_size=20).map(b"".join),
    piece=st.integers(4, 9),
    tail=st.integers(1, 6),
)
def test_the_last_lines_are_those_of_the_whole(
    mesos: MesosServer, monkeypatch: pytest.MonkeyPatch, content: bytes, piece: int, tail: int
) -> None:
    monkeypatch.setattr(module, "PIECE", piece)
    mesos.files = {OUT: content}
    assert [marked(x) for x in texts(mesos, tail=tail)] == [marked(x) for x in expected(content)[-tail:]]


def test_a_line_without_an_end_is_not_looked_for_for_ever(mesos: MesosServer) -> None:
    mesos.files = {OUT: b"x" * (20 * PIECE), ERR: b""}
    (line,) = texts(mesos, tail=2)
    assert line == "x" * LONGEST_LINE
    assert len(mesos.pieces) <= 8


def test_each_stream_is_given_as_it_is_read(mesos: MesosServer) -> None:
    """A command that prints a lot need not keep it, and a reader that has enough stops the reading."""
    mesos.files = {OUT: b"0123456789\n" * 100_000, ERR: b"boom\n"}
    next(lines(mesos))
    assert len(mesos.pieces) == 1


def test_of_a_large_file_the_end_is_read(mesos: MesosServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 9)
    mesos.files = {OUT: b"long ago\nbefore\nnow\n"}
    assert texts(mesos, tail=1) == ["now"]
    assert mesos.pieces[0][0] == len(mesos.files[OUT]) - 9


def test_a_stream_that_is_not_there_is_empty(mesos: MesosServer) -> None:
    mesos.files = {ERR: b"boom\n"}
    assert texts(mesos) == ["boom"]


class TestFollow:
    @pytest.fixture(autouse=True)
    def quick(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_FOLLOW_S", 0.001)

    def test_what_comes_is_given_when_its_line_is_whole(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"one\ntw"}
        found = lines(mesos, follow=True)
        assert next(found).text == "one"
        mesos.files[OUT] += b"o\nthree\n"
        assert [next(found).text, next(found).text] == ["two", "three"]

    def test_half_a_character_is_waited_for(self, mesos: MesosServer) -> None:
        whole = "1\n€\n".encode()
        mesos.files = {OUT: whole[:3]}
        found = lines(mesos, follow=True)
        assert next(found).text == "1"
        mesos.files[OUT] = whole
        assert next(found).text == "€"

    def test_a_file_that_was_rotated_is_read_from_its_beginning(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"a long line of the old file\n"}
        found = lines(mesos, follow=True)
        next(found)
        mesos.files[OUT] = b"new\n"
        assert next(found).text == "new"

    def test_it_ends_when_the_sandbox_is_gone(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"1\n"}
        found = lines(mesos, follow=True)
        next(found)
        mesos.files.clear()
        assert list(found) == []

    def test_an_instance_that_is_new_is_followed_too(self, mesos: MesosServer, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "_LOOK_S", 0.01)
        mesos.files = {OUT: b"1\n"}
        tasks = [*APP["tasks"]]
        found = lines(mesos, follow=True, again=lambda: {**APP, "tasks": tasks})
        assert next(found).text == "1"
        mesos.state["frameworks"][0]["executors"].append({"id": "new", "directory": "/new", "tasks": []})
        mesos.files["/new/stdout"] = b"hello\n"
        tasks.append({"id": "new", "slaveId": "S0"})
        line = next(found)
        assert (line.instance, line.text) == ("new", "hello")

    def test_only_the_last_lines_come_first(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"1\n2\n"}
        found = lines(mesos, follow=True, tail=1)
        assert next(found).text == "2"


class TestWhoIsAsked:
    def test_a_task_that_failed_is_found_by_where_it_ran(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"last words\n"}
        app = {"id": "/shop/web", "tasks": [], "lastTaskFailure": {"taskId": "t", "slaveId": "S0"}}
        assert texts(mesos, app=app, instance="t") == ["last words"]

    def test_a_task_that_nobody_remembers_is_looked_for_on_every_agent(self, mesos: MesosServer) -> None:
        mesos.files = {OUT: b"last words\n"}
        assert texts(mesos, app={}, instance="t") == ["last words"]

    def test_a_task_without_a_sandbox_is_not_found(self, mesos: MesosServer) -> None:
        with pytest.raises(NotFound, match="no output of task 'other'"):
            lines(mesos, instance="other")

    def test_all_tasks_of_the_app_are_asked(self) -> None:
        files = {"/a/stdout": b"of a\n", "/a/stderr": b"", "/b/stdout": b"of b\n", "/b/stderr": b""}
        tasks = [{"id": "a", "slaveId": "S0"}, {"id": "b", "slaveId": "S0"}, {"id": "elsewhere", "slaveId": "S9"}]
        with MesosServer(files, tasks=("a", "b")) as mesos:
            assert [(line.instance, line.text) for line in lines(mesos, {"tasks": tasks})] == [
                ("a", "of a"),
                ("b", "of b"),
            ]

    def test_without_mesos_there_is_a_hint(self, mesos: MesosServer) -> None:
        reading = Reading(Target(urls=("http://127.0.0.1:1",), source="test"))
        with pytest.raises(UsageError) as caught:
            read(reading, APP, "", tail=0, since_ms=0, follow=False)
        assert "mesos =" in caught.value.hint

    def test_a_time_cannot_be_asked_for(self, mesos: MesosServer) -> None:
        with pytest.raises(UsageError, match="when a line was written"):
            lines(mesos, since_ms=1)

    def test_credentials_of_marathon_stay_with_marathon(self, mesos: MesosServer, tmp_path: Path) -> None:
        (tmp_path / "token").write_text("secret\n")
        auth = Auth(token_file=tmp_path / "token")
        mesos.files = {OUT: b"1\n"}
        reading = Reading(Target(urls=("http://127.0.0.1:1",), source="test", mesos=(mesos.url,), auth=auth))
        assert [line.text for line in read(reading, APP, "", tail=0, since_ms=0, follow=False)] == ["1"]
        assert [one for one in mesos.seen if "authorization" in one.headers] == []


class TestAnAgentThatIsAway:
    APP: ClassVar[dict[str, Any]] = {
        "id": "/shop/web",
        "tasks": [{"id": "t", "slaveId": "S0"}, {"id": "u", "slaveId": "S1"}],
    }

    @pytest.fixture
    def half(self, mesos: MesosServer) -> MesosServer:
        mesos.files = {OUT: b"one\ntwo\n", ERR: b""}
        mesos.agents.append({"id": "S1", "pid": f"slave(1)@{refused_port().partition('//')[2]}"})
        return mesos

    @pytest.mark.parametrize("tail", [0, 1])
    def test_it_hides_nothing_of_the_others(self, half: MesosServer, tail: int) -> None:
        *shown, told = lines(half, self.APP, tail=tail)
        assert [line.text for line in shown] == ["one", "two"][-tail:]
        assert (told.instance, told.stream) == ("-", "stderr")
        assert told.text.startswith("not read: Mesos at http://127.0.0.1:")

    def test_what_was_asked_for_by_name_is_an_error(self, half: MesosServer) -> None:
        with pytest.raises(Unreachable, match="Connection refused"):
            list(lines(half, self.APP, "u"))

    def test_where_none_answers_it_is_an_error(self, half: MesosServer) -> None:
        half.agents.pop(0)
        with pytest.raises(Unreachable, match="Connection refused"):
            list(lines(half, {**self.APP, "tasks": self.APP["tasks"][1:]}))

"""Lines cut anywhere, merged, and followed from threads."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from orchctl.core.endpoint import LogLine
from orchctl.errors import NotFound, Unreachable, UsageError
from orchctl_kubernetes.logs import (
    LONGEST_LINE,
    follow,
    merge,
    newest,
    parse_instance,
    parse_line,
    read,
    split_lines,
    which_run,
)
from tests.unit.kubernetes.observed import pod, terminated, waiting


def line(text: str, at: int = 0) -> LogLine:
    return LogLine(instance="p", text=text, at_ms=at)


def test_chunks_may_end_anywhere() -> None:
    whole = b"one\n\ntwo\r\nlast"
    assert list(split_lines(whole[i : i + 1] for i in range(len(whole)))) == list(split_lines([whole]))
    assert list(split_lines([whole])) == [b"one", b"", b"two\r", b"last"]


def test_a_line_is_cut_at_its_longest() -> None:
    (found,) = split_lines([b"x" * LONGEST_LINE, b"x" * LONGEST_LINE])
    assert len(parse_line(found, "p").text) == LONGEST_LINE


def test_a_time_is_read_where_there_is_one() -> None:
    found = parse_line(b"2026-11-23T09:00:00.1234Z two words\r", "p")
    assert (found.text, found.at_ms) == ("two words", 1795424400123)
    assert parse_line("2026-11-23T10:00:00+01:00 x", "p").at_ms == 1795424400000
    assert parse_line("yesterday hello", "p") == line("yesterday hello")


def test_streams_are_merged_by_time_in_their_own_order() -> None:
    merged = merge([iter([line("a", 1), line("b"), line("c", 5)]), iter([line("x", 2)])])
    found = list(merged)
    assert [f.text for f in found] == ["a", "b", "x", "c"]
    assert [f.text for f in newest(found, 2)] == ["x", "c"]


def test_ids_are_read() -> None:
    assert (parse_instance("p"), parse_instance("p/0")) == (("p", None), ("p", 0))
    for wrong in ("", "a/b", "a/1/2", "..", "../1"):
        with pytest.raises(UsageError):
            parse_instance(wrong)


def test_the_last_two_runs_can_be_read() -> None:
    found = pod(restarts=2, last=terminated(1))
    assert which_run(found, "web", "web-1-a/1") == ("web-1-a/1", True)
    assert which_run(found, "web", "web-1-a") == ("web-1-a/2", False)
    waits = pod(restarts=2, state=waiting("CrashLoopBackOff"), last=terminated(1))
    for gone, asked in ((found, "web-1-a/0"), (waits, "web-1-a/1")):
        with pytest.raises(NotFound):
            which_run(gone, "web", asked)


def test_a_failure_comes_after_the_lines_of_the_others() -> None:
    failed = threading.Event()

    def bad() -> Iterator[LogLine]:
        failed.set()
        raise NotFound("gone")

    def good() -> Iterator[LogLine]:
        assert failed.wait(120)
        yield line("a")

    found = follow([bad, good])
    assert next(found).text == "a"
    with pytest.raises(NotFound):
        next(found)


def test_closing_stops_the_threads() -> None:
    closed = threading.Event()

    def endless() -> Iterator[LogLine]:
        try:
            while True:
                yield line("a")
        finally:
            closed.set()

    found = follow([endless])
    next(found)
    found.close()  # type: ignore[attr-defined]
    assert closed.wait(120)


class Unreadable:
    """Of two pods the node of one does not answer."""

    def __init__(self, *away: str) -> None:
        self._away = away

    def stream(self, path: str, query: dict[str, str], *, endless: bool) -> Iterator[bytes]:
        if any(f"/{name}/" in path for name in self._away):
            raise Unreachable("dial tcp 10.0.0.9:10250: i/o timeout")
        return iter([b"2026-11-23T09:00:00Z fine\n"])


def read_all(reading: Unreadable, instance: str = "") -> list[tuple[str, str]]:
    pods = [pod("web-1-a"), pod("web-1-b")]
    pods = [p for p in pods if not instance or p["metadata"]["name"] == instance]
    lines = read(reading, "shop", "web", pods, instance, tail=0, since_ms=0, follow=False)  # type: ignore[arg-type]
    return [(line.instance, line.text) for line in lines]


def test_a_pod_whose_node_does_not_answer_hides_no_other() -> None:
    assert read_all(Unreadable("web-1-b")) == [
        ("web-1-a", "fine"),
        ("-", "not read: dial tcp 10.0.0.9:10250: i/o timeout"),
    ]


def test_where_none_can_be_read_it_is_an_error() -> None:
    with pytest.raises(Unreachable):
        read_all(Unreadable("web-1-a", "web-1-b"))
    with pytest.raises(Unreachable):
        read_all(Unreadable("web-1-b"), "web-1-b")

"""Frames of the logs API, whole and cut anywhere."""

from __future__ import annotations

import pytest

from orchctl.core.endpoint import LogLine
from orchctl_swarm import logs
from orchctl_swarm.logs import LONGEST_LINE, _newest, frames, parse_line, split_lines


def frame(stream: int, payload: bytes) -> bytes:
    return bytes([stream, 0, 0, 0]) + len(payload).to_bytes(4, "big") + payload


TWO = frame(1, b"out 1\nout") + frame(2, b"err 1\n") + frame(1, b" 2\n")


def test_lines_are_put_together_across_frames_by_stream() -> None:
    assert list(split_lines(frames([TWO]))) == [("stdout", "out 1"), ("stderr", "err 1"), ("stdout", "out 2")]


def test_chunks_may_end_anywhere() -> None:
    cut = [TWO[i : i + 1] for i in range(len(TWO))]
    assert list(frames(cut)) == list(frames([TWO]))


def test_a_long_line_that_the_engine_cut_has_nothing_of_the_engines_in_its_middle() -> None:
    def piece(task: str, text: str) -> bytes:
        details = f"com.docker.swarm.node.id=n,com.docker.swarm.task.id={task}"
        return frame(1, f"2026-11-23T09:00:00.5Z {details} {text}".encode())

    sent = piece("t1", "a" * 16_384) + piece("t2", "other\n") + piece("t1", "b" * 10 + "\n") + piece("t1", "next\n")
    found = [parse_line(stream, text, "") for stream, text in split_lines(frames([sent]))]
    assert [(line.instance, line.text) for line in found] == [
        ("t2", "other"),
        ("t1", "a" * 16_384 + "b" * 10),
        ("t1", "next"),
    ]


def test_a_last_line_without_an_end_is_not_lost() -> None:
    assert list(split_lines(frames([frame(2, b"boom")]))) == [("stderr", "boom")]


def test_a_terminals_output_has_no_frames_and_passes_through() -> None:
    assert list(split_lines(frames([b"plain text\n"]))) == [("stdout", "plain text")]


def test_a_line_is_cut_at_its_longest() -> None:
    long = b"x" * (LONGEST_LINE + 10) + b"\n"
    ((_, text),) = split_lines(frames([frame(1, long)]))
    assert len(text) == LONGEST_LINE


def test_time_and_task_are_read_from_the_line() -> None:
    details = "com.docker.swarm.node.id=n,com.docker.swarm.service.id=s,com.docker.swarm.task.id=t1"
    line = parse_line("stderr", f"2026-11-23T09:00:00.123456789Z {details} boom: cannot start", "")
    assert (line.instance, line.text, line.stream, line.at_ms) == ("t1", "boom: cannot start", "stderr", 1795424400123)


def test_without_details_the_instance_asked_for_stands() -> None:
    line = parse_line("stdout", "2026-11-23T09:00:00Z two words", "t9")
    assert (line.instance, line.text, line.at_ms % 1000) == ("t9", "two words", 0)


def test_a_line_without_a_readable_time_keeps_its_text() -> None:
    assert parse_line("stdout", "yesterday hello", "t9").at_ms == 0


STAMP = b"2026-11-23T09:00:00Z com.docker.swarm.task.id=t1 "


def test_what_the_engine_could_not_read_is_told_after_the_lines_and_not_as_one_of_them() -> None:
    """Stream 3, as stdcopy has it: a node that is down, a task that never had one."""
    failed = b"Error grabbing logs: rpc error: warning: incomplete log stream"
    sent = frame(3, failed) + frame(1, STAMP + b"one\n") + frame(2, STAMP + b"two\n")
    kept, told = _newest(parse_line(s, t, "") for s, t in split_lines(frames([sent])))
    assert [line.text for line in kept] == ["one", "two"]
    assert [(line.instance, line.stream, line.text) for line in told] == [
        ("-", "stderr", f"not read: {failed.decode()}")
    ]


def test_what_is_held_to_be_sorted_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_MOST_BYTES", 10)
    monkeypatch.setattr(logs, "_LINE_BYTES", 0)
    kept, _ = _newest(LogLine(instance="t", text="12345", at_ms=n) for n in range(9))
    assert [line.at_ms for line in kept] == [7, 8]


def test_a_terminals_output_stays_one_whatever_it_holds() -> None:
    raw = b"plain text\n" + frame(1, b"looks like a frame\n")
    assert b"".join(payload for _, payload in frames([raw[:3], raw[3:12], raw[12:]])) == raw


def test_a_terminals_short_output_is_not_lost() -> None:
    assert list(frames([b"hi\n"])) == [("stdout", b"hi\n")]

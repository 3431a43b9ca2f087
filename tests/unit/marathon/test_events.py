"""The event stream: whole events whatever the pieces, bounded, and only ever a reason to look."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl_marathon.events import LONGEST_EVENT, Parser, _concerns

FOLDER = Path(__file__).parents[2] / "data" / "marathon" / "sse"
RECORDED = sorted(FOLDER.glob("*.raw.txt"))


def events(*pieces: bytes) -> list[bytes]:
    parser = Parser()
    return [event for piece in pieces for event in parser.feed(piece)]


def body_of(raw: bytes) -> bytes:
    """Without the head of the answer."""
    return raw.partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("path", RECORDED, ids=lambda p: p.name)
def test_every_recorded_event_is_read(path: Path) -> None:
    body = body_of(path.read_bytes())
    found = events(body)
    assert len(found) == body.count(b"\r\ndata:") > 1
    assert all("eventType" in json.loads(data) for data in found)


@given(st.data())
def test_the_pieces_do_not_matter(data: st.DataObject) -> None:
    body = body_of(RECORDED[0].read_bytes())[:6_000]
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=40)))
    edges = [0, *cuts, len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    assert events(*pieces) == events(body)
    assert events(*(bytes([b]) for b in body[:500])) == events(body[:500])


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_line_ends_of_every_kind(end: bytes) -> None:
    text = end.join([b": comment", b"event: x", b"data: one", b"data:two", b"", b"data: three", b"", b""])
    assert events(text, b"\n") == [b"one\ntwo", b"three"]


def test_bare_line_ends_are_no_events() -> None:
    assert events(b"\r\n\r\n\r\n", b"\n") == []


def test_an_endless_event_is_dropped_and_counts_for_every_app() -> None:
    parser = Parser()
    for _ in range(3 * LONGEST_EVENT // 65_536):
        assert list(parser.feed(b"data: " + b"x" * 65_536)) == []
        assert len(parser._rest) <= LONGEST_EVENT + 65_542
    (found,) = parser.feed(b"\n\n")
    assert found == b""
    assert _concerns(found, "/shop/web")
    assert list(parser.feed(b"data: next\n\n")) == [b"next"]


def test_many_short_lines_are_bounded_as_well() -> None:
    parser = Parser()
    for _ in range(40):
        assert list(parser.feed(b"data: " + b"x" * 65_000 + b"\n")) == []
    assert sum(map(len, parser._data)) <= LONGEST_EVENT + 65_000
    assert list(parser.feed(b"\n")) == [b""]


def test_what_concerns_another_app_is_no_reason_to_look() -> None:
    assert not _concerns(b'{"appId":"/shop/db","eventType":"status_update_event"}', "/shop/web")
    assert _concerns(b'{"appId":"/shop/web","eventType":"status_update_event"}', "/shop/web")
    assert _concerns(b'{"id":"d1","eventType":"deployment_failed"}', "/shop/web")

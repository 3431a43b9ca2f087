"""Marathon's event stream, used as a wake-up and for nothing else.

Events come without an order between their kinds and may come before the answer that they belong to, or never (a leader
that ends takes them along). So they only tell that looking is worth while; what is true is what the look shows.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from orchctl.errors import OrchctlError
from orchctl_marathon.client import Reading
from orchctl_marathon.stream import Stream

LONGEST_EVENT = 1 << 20
"""Bytes; what is longer is dropped, and counts as an event of everything."""
QUIET_S = 2.0
"""How long nothing is looked at because nothing was heard."""
_RETRY_S = 5.0
_PATH = "/v2/events"
_QUERY = {"plan-format": "light"}


class Parser:
    """Bytes in any pieces -> the data of whole events. Line ends are CRLF, LF or CR; comments and bare line ends are idle."""

    def __init__(self) -> None:
        self._rest = b""
        self._data: list[bytes] = []
        self._size = 0

    def feed(self, piece: bytes) -> Iterator[bytes]:
        """The events that ``piece`` completes; b"" for one that was too long to keep."""
        held = self._rest + piece
        # A CR at the end may be the first half of a CRLF.
        tail = b"\r" if held.endswith(b"\r") else b""
        text = held[: len(held) - len(tail)].replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        if len(rest) > LONGEST_EVENT:
            self._size, rest = LONGEST_EVENT + 1, b""
        self._rest = rest + tail
        for line in lines:
            yield from self._line(line)

    def _line(self, line: bytes) -> Iterator[bytes]:
        if not line:
            if self._data or self._size:
                yield b"" if self._size > LONGEST_EVENT else b"\n".join(self._data)
            self._data, self._size = [], 0
            return
        field, _, value = line.partition(b":")
        if field == b"data" and self._size <= LONGEST_EVENT:
            self._size += len(value)
            self._data.append(value.removeprefix(b" "))


class Ear:
    """Listens in a thread of its own from the first question on, until ``close``.

    ``is_quiet`` is for one reader; the answer is True only while the stream is open and nothing about the app came.
    """

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._stream: Stream | None = None
        self._heard: list[bytes] = []

    def is_quiet(self, identity: str) -> bool:
        """Nothing about app ``identity`` was heard since the last question; what was heard is forgotten."""
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._listen, name="marathon-events", daemon=True)
                self._thread.start()
            heard, self._heard = self._heard, []
            return self._stream is not None and not any(_concerns(data, identity) for data in heard)

    def close(self) -> None:
        self._closed.set()
        with self._lock:
            if self._stream is not None:
                self._stream.hang_up()

    def _listen(self) -> None:
        while not self._closed.is_set():
            # Without a stream every look is made; an error here is no news, and must not print in the middle of a line.
            with contextlib.suppress(OrchctlError):
                self._hear()
            self._closed.wait(_RETRY_S)

    def _hear(self) -> None:
        with self._reading.stream(_PATH, _QUERY) as stream, self._open(stream):
            parser = Parser()
            for piece in stream.pieces():
                events = list(parser.feed(piece))
                with self._lock:
                    self._heard += events

    @contextlib.contextmanager
    def _open(self, stream: Stream) -> Iterator[None]:
        with self._lock:
            self._stream = stream
            self._heard.append(b"")  # what happened before is not known
            if self._closed.is_set():
                stream.hang_up()
        try:
            yield
        finally:
            with self._lock:
                self._stream = None


def _concerns(data: bytes, identity: str) -> bool:
    return not data or identity.encode() in data or b'"deployment_' in data

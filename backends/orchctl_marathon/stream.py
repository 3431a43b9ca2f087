"""An answer without an end, which one thread reads and another ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import socket
from collections.abc import Iterator
from typing import Any, Self

from orchctl.core.transport import reason
from orchctl.errors import Unreachable

_PIECE = 1 << 16


class Stream:
    """``response``: an open one of requests, with ``session`` to itself; both are closed with the stream."""

    def __init__(self, session: Any, response: Any, where: str) -> None:
        self._session, self._response, self._where = session, response, where
        # Of our own: what the library holds may be gone by the time that the other thread ends the connection.
        self._socket = socket.socket(fileno=os.dup(response.raw.fileno()))

    def pieces(self) -> Iterator[bytes]:
        """Bytes as they come; Unreachable when the connection breaks."""
        import urllib3

        try:
            while piece := self._response.raw.read1(_PIECE):
                yield piece
        except (urllib3.exceptions.HTTPError, http.client.HTTPException, OSError) as error:
            raise Unreachable(f"{self._where}: the stream broke off: {reason(error)}") from error

    def hang_up(self) -> None:
        """Wakes a thread that reads, which closing would not."""
        with contextlib.suppress(OSError):  # it ended by itself, as when the leader changes
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """By the thread that reads; ``hang_up`` has no effect any more."""
        self._socket.close()
        self._response.close()
        self._session.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

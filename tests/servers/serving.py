"""Answers requests in a thread, and ends at once."""

from __future__ import annotations

import selectors
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import BaseServer


class Serving:
    """Serves from now on, until ``end``.

    ``serve_forever`` looks every half second whether it shall end, and ``shutdown`` waits for that look: with a server a
    test, that was a sixth of the time of all fast tests. Here the end wakes it.
    """

    def __init__(self, server: BaseServer) -> None:
        server.timeout = 0  # a client that is gone before it was accepted is not waited for
        self._server = server
        self._ending, self._wake = socket.socketpair()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Take no more connections; those that were taken are the server's to close."""
        self._wake.close()
        self._thread.join()
        self._ending.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._server, selectors.EVENT_READ)
            selector.register(self._ending, selectors.EVENT_READ)
            while all(key.fileobj is not self._ending for key, _ in selector.select()):
                self._server.handle_request()


@contextmanager
def served(server: BaseServer) -> Iterator[None]:
    """``server`` answers within the block."""
    serving = Serving(server)
    try:
        yield
    finally:
        serving.end()

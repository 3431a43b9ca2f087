"""A Mesos master and its only agent as clients see them: files of sandboxes, with their bytes in the JSON as they are."""

from __future__ import annotations

import json
from typing import Any

from tests.servers.marathon.front import Front
from tests.servers.marathon.messages import Request, Response, answer

MOST = 1 << 16
"""Bytes that an agent gives for one question."""


class MesosServer(Front):
    """``files`` by path; a test may let them grow. ``pieces`` lists the questions for parts of them: (offset, length).

    ``agents`` and ``state`` are the answers of /slaves and of the agent's /state.
    """

    def __init__(self, files: dict[str, bytes] | None = None, *, tasks: tuple[str, ...] = ("t",)) -> None:
        super().__init__()
        self.files = files or {}
        self.pieces: list[tuple[int, int]] = []
        self.agents: list[Any] = [{"id": "S0", "pid": f"slave(1)@{self.url.partition('//')[2]}"}]
        executors = [{"id": task, "directory": f"/{task}", "tasks": []} for task in tasks]
        self.state: dict[str, Any] = {"frameworks": [{"id": "f", "executors": executors}]}
        self.strike = self._answered

    def _answered(self, request: Request) -> Response:
        if request.path == "/slaves":
            return answer({"slaves": self.agents})
        if request.path == "/state":
            return answer(self.state)
        return self._file(request)

    def _file(self, request: Request) -> Response:
        path, offset, length = (request.query[name][0] for name in ("path", "offset", "length"))
        if path not in self.files:
            return Response(404, is_bare=True)
        content = self.files[path]
        if offset == "-1":
            return answer({"data": "", "offset": len(content)})
        self.pieces.append((int(offset), int(length)))
        return _with_bytes(content[int(offset) :][: min(int(length), MOST)], int(offset))


def _with_bytes(content: bytes, offset: int) -> Response:
    """JSON escapes what it must and nothing else, and does not look whether the rest is UTF-8 (stout's writer)."""
    escaped = json.dumps(content.decode("utf-8", "surrogateescape"), ensure_ascii=False)
    data = escaped.encode("utf-8", "surrogateescape")
    return Response(200, b'{"data":' + data + b',"offset":' + str(offset).encode() + b"}")

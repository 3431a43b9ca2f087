"""Clients of a Marathon, and requests to make with them."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl_marathon.client import Reading, Writing
from orchctl_marathon.target import Target, resolve
from tests.servers.marathon.front import Front

UPDATED = {"version": "2026-11-23T07:05:50.085Z", "deploymentId": "d1"}
APP = {"id": "/orchctl-test", "cmd": "sleep 100", "instances": 0, "cpus": 0.01, "mem": 16}


def reading(*urls: str, **settings: Any) -> Reading:
    return Reading(Target(urls=urls, source="test", **settings))


def writing(from_: Reading) -> Writing:
    return Writing(from_, lambda: None)


def get(client: Reading) -> object:
    return client.get("/v2/info")


def put(client: Reading) -> object:
    return writing(client).put("/v2/apps/a", {})


BOTH = pytest.mark.parametrize("action", [get, put], ids=["read", "write"])
Action = Callable[[Reading], object]


def refused_port() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def served(front: Front) -> list[str]:
    return [f"{one.method} {one.target}" for one in front.seen]


def with_token(folder: Path, *urls: str) -> Target:
    settings = {"urls": list(urls), "auth": {"token_file": "token"}}
    return resolve(Context(name="t", backend="marathon", state_dir=folder, base_dir=folder, settings=settings), {})

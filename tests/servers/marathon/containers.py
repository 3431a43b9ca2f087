"""Images with a root file system: their tasks run in namespaces of their own, with a forwarder from each host port.

As much of a container as a shell and a small web server notice: files, processes and a network of its own, the image's
user list, an init as process 1 where it is asked for. No limits, no volumes, and UDP is not forwarded.
"""

from __future__ import annotations

import io
import json
import sys
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.servers.image import rootfs
from tests.servers.marathon import container
from tests.servers.marathon.definition import uses_host_network
from tests.servers.packages import Unavailable

DEFAULT_COMMAND = ("sh",)
"""What busybox' own image runs."""


def busybox(folder: Path) -> Path:
    """Make the root file system of a busybox image in ``folder``, which it creates; Unavailable where none can run."""
    if not container.is_possible():
        raise Unavailable("namespaces of its own need root on Linux")
    with tarfile.open(fileobj=io.BytesIO(rootfs())) as tar:
        tar.extraction_filter = lambda member, _: member  # ours: nothing to be careful about, on every Python
        tar.extractall(folder)
    return folder


def command(app: Mapping[str, Any], root: Path, ports: Sequence[int]) -> list[str]:
    """argv that runs one task of ``app``. ``ports``: its numbers on the host, in the order of the mappings that have one."""
    docker = app["container"]["docker"]
    flags = {one["key"]: one["value"] for one in docker.get("parameters", [])}
    plan = {
        "root": str(root),
        "argv": _argv(app, flags.get("entrypoint", "")),
        "workdir": flags.get("workdir", "/"),
        "user": flags.get("user") or app.get("user", ""),
        "init": flags.get("init") == "true" or app["container"]["type"] == "MESOS",
        "ports": None if uses_host_network(app) else _forwarded(app, ports),
    }
    return [sys.executable, "-I", "-S", container.__file__, json.dumps(plan)]


def _argv(app: Mapping[str, Any], entrypoint: str) -> list[str]:
    if "cmd" in app:
        return ["/bin/sh", "-c", str(app["cmd"])]
    return [*([entrypoint] if entrypoint else []), *app.get("args", [])] or [*DEFAULT_COMMAND]


def _forwarded(app: Mapping[str, Any], ports: Sequence[int]) -> list[tuple[int, int]]:
    """(port of the host, port of the container; 0 = the same number)."""
    mapped = [one for one in app["container"].get("portMappings", []) if "hostPort" in one]
    pairs = zip(ports, mapped, strict=True)
    return [(port, one["containerPort"] or port) for port, one in pairs if "tcp" in one["protocol"]]

"""Fifty services on a real Docker Swarm, beside ``docker stack deploy``; requests counted on the wire."""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from tests.bench.measure import Row, Run, run
from tests.servers.dockerd import Swarm
from tests.servers.image import IMAGE
from tests.servers.packages import Unavailable
from tests.worlds.proxy import CountingProxy

SERVICES = 50
RUNS = 3


def rows() -> list[Row]:
    """First deploy and unchanged re-deploy; none where no dockerd or no docker client is."""
    if not shutil.which("docker"):
        print("swarm: skipped, there is no docker client to compare with", file=sys.stderr)
        return []
    try:
        with Swarm() as swarm, tempfile.TemporaryDirectory() as directory:
            return _measure(swarm, Path(directory))
    except Unavailable as reason:
        print(f"swarm: skipped, {reason}", file=sys.stderr)
        return []


def _measure(swarm: Swarm, directory: Path) -> list[Row]:
    spec, stack = directory / "orch.yaml", directory / "stack.yaml"
    names = [f"s{n}" for n in range(SERVICES)]
    spec.write_text(_spec(names), "utf-8")
    stack.write_text(_stack(names), "utf-8")
    proxy = CountingProxy(directory / "p.sock", swarm.manager.socket)
    env = {
        **os.environ,
        "DOCKER_HOST": f"unix://{proxy.path}",
        "ORCHCTL_STATE_DIR": str(directory / "state"),
        "ORCHCTL_CONFIG": os.devnull,
    }
    orchctl = str(Path(sys.executable).parent / "orchctl")
    ours = [orchctl, "deploy", "-f", str(spec), "--backend", "swarm", "-n", "bench", "-q"]
    ours_gone = [orchctl, "delete", "-f", str(spec), "--backend", "swarm", "-n", "bench", "--yes", "-q"]
    peer = ["docker", "stack", "deploy", "--resolve-image", "never", "-c", str(stack), "peer"]
    peer_gone = ["docker", "stack", "rm", "peer"]
    try:
        first, again = [], []
        for _ in range(RUNS):
            first.append((_counted(proxy, ours, env), _counted(proxy, peer, env)))
            again.append((_counted(proxy, ours, env), _counted(proxy, peer, env)))
            run(ours_gone, env), run(peer_gone, env)
    finally:
        proxy.close()
    return [
        _row(f"swarm: first deploy of {SERVICES}", first, goal="<= 3x"),
        _row(f"swarm: unchanged deploy of {SERVICES}", again, goal="<= 4 requests, 0 writes"),
    ]


Counted = tuple[Run, int, int]


def _counted(proxy: CountingProxy, command: list[str], env: dict[str, str]) -> Counted:
    requests, writes = len(proxy.requests), proxy.writes
    done = run(command, env)
    return done, len(proxy.requests) - requests, proxy.writes - writes


def _row(what: str, pairs: list[tuple[Counted, Counted]], *, goal: str) -> Row:
    def median(pick: Callable[[tuple[Counted, Counted]], float]) -> float:
        return statistics.median(pick(p) for p in pairs)

    ours, peer = pairs[-1]
    return Row(
        what,
        f"{median(lambda p: p[0][0].wall) * 1000:.0f} ms, {ours[1]} requests, {ours[2]} writes, {ours[0].peak_mib:.0f} MiB",
        f"docker stack {median(lambda p: p[1][0].wall) * 1000:.0f} ms, {peer[1]} requests, {peer[2]} writes",
        f"{median(lambda p: p[0][0].wall / p[1][0].wall):.2f}x",
        goal,
    )


def _spec(names: list[str]) -> str:
    body = f"image: {IMAGE}, command: [sleep, '1000'], replicas: 0, backends: {{swarm: {{resolve_image: never}}}}"
    return "apiVersion: orchctl.dev/v1\nservices:\n" + "".join(f"  {n}: {{{body}}}\n" for n in names)


def _stack(names: list[str]) -> str:
    body = f"image: {IMAGE}, command: [sleep, '1000'], deploy: {{replicas: 0, endpoint_mode: dnsrr}}"
    return "version: '3.8'\nservices:\n" + "".join(f"  {n}: {{{body}}}\n" for n in names)

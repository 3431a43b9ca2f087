"""Fifty apps on a Marathon with a simulated Mesos beside plain ``requests`` with the same bodies, and the status of a
thousand; requests counted by the server."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from orchctl.core.service import Service
from orchctl_marathon import translate
from tests.bench.measure import Row, Run, run
from tests.servers.marathon import Agent, Marathon

APPS, MANY = 50, 1_000
RUNS = 3
ORCHCTL = str(Path(sys.executable).parent / "orchctl")
NAMESPACE, PEER = "bench", "peer"

# POST what is not there and wait for the end of its deployment; PUT what is there, as a script without a plan would.
_PEER = """
import json, sys, time, requests
url, path = sys.argv[1:]
session = requests.Session()
for app in json.loads(open(path).read()):
    if session.get(f"{url}/v2/apps{app['id']}").status_code == 404:
        session.post(f"{url}/v2/apps", json=app).raise_for_status()
    else:
        session.put(f"{url}/v2/apps{app['id']}", params={"partialUpdate": "false"}, json=app).raise_for_status()
while session.get(f"{url}/v2/deployments").json():
    time.sleep(0.1)
"""
_PEER_STATUS = """
import sys, requests
for app in requests.get(f"{sys.argv[1]}/v2/groups/{sys.argv[2]}", params={"embed": ["group.apps", "group.apps.counts"]}).json()["apps"]:
    print(app["id"], app["tasksRunning"])
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        with Marathon(processes=False) as server:
            found = _fifty(server, Path(directory))
        with Marathon(processes=False, agents=[Agent(cpus=1_000)]) as server:
            found.append(_status(server, Path(directory)))
    return found


def _fifty(server: Marathon, directory: Path) -> list[Row]:
    """First deploy and unchanged re-deploy."""
    names = [f"s{n}" for n in range(APPS)]
    spec, bodies, env = directory / "orch.yaml", directory / "apps.json", _environ(server, directory)
    spec.write_text(_spec(names), "utf-8")
    bodies.write_text(json.dumps([_body(name) for name in names]))
    where = ["-f", str(spec), "--backend", "marathon", "-n", NAMESPACE, "-q"]
    ours, gone = [ORCHCTL, "deploy", *where], [ORCHCTL, "delete", *where, "--yes"]
    peer = [sys.executable, "-c", _PEER, server.url, str(bodies)]
    first, again = [], []
    for _ in range(RUNS):
        first.append((_counted(server, ours, env), _counted(server, peer, env)))
        again.append((_counted(server, ours, env), _counted(server, peer, env)))
        run(gone, env)
        _remove(server, PEER)
    return [
        _row(f"marathon: first deploy of {APPS}", first, goal=""),
        _row(f"marathon: unchanged deploy of {APPS}", again, goal="0 writes"),
    ]


def _status(server: Marathon, directory: Path) -> Row:
    """Of apps that are there already: made with what orchctl would send, without its records, and scaled to nothing, since
    the simulated Mesos takes minutes for a thousand tasks."""
    env = _environ(server, directory)
    _load(server, [_body(f"s{n}", NAMESPACE) | {"instances": 0} for n in range(MANY)], directory)
    ours = [ORCHCTL, "status", "--backend", "marathon", "-n", NAMESPACE, "-o", "name"]
    peer = [sys.executable, "-c", _PEER_STATUS, server.url, NAMESPACE]
    pairs = [(_counted(server, ours, env), _counted(server, peer, env)) for _ in range(RUNS)]
    shown = subprocess.run(ours, env=env, capture_output=True, text=True, check=True).stdout.split()
    if len(shown) != MANY:
        raise RuntimeError(f"{len(shown)} of {MANY} were shown")
    return _row(f"marathon: status of {MANY:,}", pairs, goal="2 requests")


def _environ(server: Marathon, directory: Path) -> dict[str, str]:
    own = {"MARATHON_URL": server.url, "ORCHCTL_STATE_DIR": str(directory / "state"), "ORCHCTL_CONFIG": os.devnull}
    return {**os.environ, **own}


Counted = tuple[Run, int, int]


def _counted(server: Marathon, command: Sequence[str], env: dict[str, str]) -> Counted:
    requests, writes = len(server.requests), server.writes()
    done = run(command, env)
    return done, len(server.requests) - requests, server.writes() - writes


def _row(what: str, pairs: list[tuple[Counted, Counted]], *, goal: str) -> Row:
    def median(pick: Callable[[tuple[Counted, Counted]], float]) -> float:
        return statistics.median(pick(p) for p in pairs)

    ours, peer = pairs[-1]
    return Row(
        what,
        f"{median(lambda p: p[0][0].wall) * 1000:.0f} ms, {ours[1]} requests, {ours[2]} writes, {ours[0].peak_mib:.0f} MiB",
        f"requests {median(lambda p: p[1][0].wall) * 1000:.0f} ms, {peer[1]} requests, {peer[2]} writes, "
        f"{peer[0].peak_mib:.0f} MiB",
        f"{median(lambda p: p[0][0].wall / p[1][0].wall):.2f}x",
        goal,
    )


def _service(name: str, namespace: str) -> Service:
    return Service(name=name, namespace=namespace, command=("sleep", "1000"), replicas=1)


def _spec(names: Sequence[str]) -> str:
    body = "command: [sleep, '1000'], replicas: 1, rollout: {min_ready: 0s}"
    return "apiVersion: orchctl.dev/v1\nservices:\n" + "".join(f"  {n}: {{{body}}}\n" for n in names)


def _body(name: str, namespace: str = PEER) -> dict[str, object]:
    return translate.app(_service(name, namespace))


def _load(server: Marathon, bodies: Sequence[dict[str, object]], directory: Path) -> None:
    """All in one group, as one deployment."""
    path = directory / "group.json"
    path.write_text(json.dumps({"id": f"/{NAMESPACE}", "apps": bodies}))
    script = (
        "import sys, requests; requests.post(sys.argv[1] + '/v2/groups', data=open(sys.argv[2])).raise_for_status()"
    )
    run([sys.executable, "-c", script, server.url, str(path)])
    server.wait_deployed(seconds=600)


def _remove(server: Marathon, group: str) -> None:
    script = "import sys, requests; requests.delete(sys.argv[1]).raise_for_status()"
    run([sys.executable, "-c", script, f"{server.url}/v2/groups/{group}?force=true"])
    server.wait_deployed(seconds=600)

"""Kubernetes with simulated nodes beside kubectl, and a crashing release on a real node; requests from the audit log."""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from orchctl.core.registry import load
from tests.bench.measure import Row, Run, run
from tests.servers.kubernetes import fleet, images
from tests.servers.kubernetes.api import path_of
from tests.servers.kubernetes.audit import AuditLog
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.kubernetes.kwok import simulated
from tests.servers.packages import Unavailable
from tests.servers.waiting import until

SERVICES = 50
REPLICAS = 20
MANY, PODS_EACH = 1_000, 3
RUNS = 3
VERDICTS = 2  # half a minute each
ADMIN = "admin"
_ORCHCTL = str(Path(sys.executable).parent / "orchctl")
_METADATA_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


def rows() -> list[Row]:
    """On simulated nodes, then on a real one; none where no kubectl is, or no cluster can run."""
    if not shutil.which("kubectl"):
        print("kubernetes: skipped, there is no kubectl to compare with", file=sys.stderr)
        return []
    return [*_on(simulated(), _simulated), *_on(Cluster(), _verdict)]


def _on(cluster: AbstractContextManager[Cluster], measure: Callable[[Place], list[Row]]) -> list[Row]:
    try:
        with cluster as running, tempfile.TemporaryDirectory() as directory:
            return measure(Place(running, Path(directory)))
    except Unavailable as reason:
        print(f"kubernetes: skipped, {reason}", file=sys.stderr)
        return []


@dataclass(frozen=True, slots=True)
class Counted:
    run: Run
    requests: int
    writes: int

    @property
    def wall(self) -> float:
        return self.run.wall

    def then(self, other: Counted) -> Counted:
        """Both, one after the other."""
        both = Run(self.wall + other.wall, max(self.run.peak_mib, other.run.peak_mib))
        return Counted(both, self.requests + other.requests, self.writes + other.writes)


@dataclass(frozen=True, slots=True)
class Tried:
    """A command that may fail; ``said`` on both its outputs."""

    wall: float
    code: int
    said: str


class Place:
    """A cluster, and the commands of both sides in it as the same administrator."""

    def __init__(self, cluster: Cluster, directory: Path) -> None:
        self.cluster, self.api, self._directory = cluster, cluster.api, directory
        self._log = AuditLog(cluster.places.audit, ADMIN)
        own = {
            "KUBECONFIG": str(cluster.admin),
            "ORCHCTL_STATE_DIR": str(directory / "state"),
            "ORCHCTL_CONFIG": os.devnull,
        }
        self.env = os.environ | own

    def namespace(self, name: str) -> str:
        self.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        return name

    def spec(self, services: dict[str, str]) -> Path:
        """A spec file with the services' bodies in YAML's flow style."""
        path = self._directory / "orch.yaml"
        lines = "".join(f"  {name}: {{{body}}}\n" for name, body in services.items())
        path.write_text(f"apiVersion: orchctl.dev/v1\nservices:\n{lines}", "utf-8")
        return path

    def rendered(self, spec: Path, namespace: str) -> list[dict[str, Any]]:
        """What orchctl would send for it."""
        command = [_ORCHCTL, "render", "-f", str(spec), *_where(namespace), "-o", "json"]
        said = subprocess.run(command, env=self.env, capture_output=True, check=True).stdout
        return [item["body"] for item in json.loads(said)["items"]]

    def manifest(self, objects: Sequence[dict[str, Any]]) -> str:
        path = self._directory / "objects.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}), "utf-8")
        return str(path)

    def orchctl(self, *words: str) -> Counted:
        return self._counted([_ORCHCTL, *words], "orchctl/")

    def kubectl(self, *words: str) -> Counted:
        return self._counted(["kubectl", *words], "kubectl")

    def _counted(self, command: list[str], agent: str) -> Counted:
        before = len(self._log.requests())
        done = run(command, self.env)
        asked = [r for r in self._log.requests()[before:] if r.agent.startswith(agent)]
        return Counted(done, len(asked), sum(r.is_write for r in asked))

    def tried(self, command: list[str]) -> Tried:
        started = time.perf_counter()
        done = subprocess.run(
            command, env=self.env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
        return Tried(time.perf_counter() - started, done.returncode, done.stdout)

    def clear(self, *namespaces: str) -> None:
        """Services too: a cluster of the tests has addresses for 250 of them."""
        for namespace in namespaces:
            for resource in ("deployments", "services"):
                self.api.delete(path_of(resource, namespace), {"propagationPolicy": "Background"})
            until("no pods", lambda n=namespace: not self.api.items("pods", n), seconds=60)  # type: ignore[misc]


def _simulated(place: Place) -> list[Row]:
    return [*_deploys(place), *_rollouts(place), *_many(place)]


def _deploys(place: Place) -> list[Row]:
    """First deploy and unchanged deploy. min_ready 0s: what is measured is the work, not the watching."""
    first, waited, again = [], [], []
    for number in range(RUNS):
        ours, peer = place.namespace(f"ours{number}"), place.namespace(f"peer{number}")
        spec = place.spec({f"s{n}": _service("rollout: {min_ready: 0s}") for n in range(SERVICES)})
        apply = ["apply", "--server-side", "-f", place.manifest(place.rendered(spec, peer))]
        mine = place.orchctl("deploy", "-f", str(spec), *_where(ours), "-q")
        applied = place.kubectl(*apply)
        first.append((mine, applied))
        waited.append((mine, applied.then(_waited(place, peer))))
        again.append((place.orchctl("deploy", "-f", str(spec), *_where(ours), "-q"), place.kubectl(*apply)))
        place.clear(ours, peer)
    what = f"kubernetes: first deploy of {SERVICES}"
    return [
        _row(what, first, "kubectl apply (does not wait)"),
        _row(what, waited, "kubectl apply + rollout status"),
        _soaking(place),
        _row(f"kubernetes: unchanged deploy of {SERVICES}", again, "kubectl apply", goal="<= 4 requests, 0 writes"),
    ]


def _soaking(place: Place) -> Row:
    """The first deploy once more with the default of min_ready (2s), which Kubernetes' minReadySeconds has as well."""
    ours, peer = place.namespace("ours"), place.namespace("peer")
    spec = place.spec({f"s{n}": _service() for n in range(SERVICES)})
    objects = place.manifest(place.rendered(spec, peer))
    mine = place.orchctl("deploy", "-f", str(spec), *_where(ours), "-q")
    theirs = place.kubectl("apply", "--server-side", "-f", objects).then(_waited(place, peer))
    place.clear(ours, peer)
    what = f"kubernetes: first deploy of {SERVICES}, min_ready 2s, n=1"
    return _row(what, [(mine, theirs)], "kubectl apply + rollout status")


def _waited(place: Place, namespace: str) -> Counted:
    return place.kubectl("rollout", "status", "deployment", "-n", namespace)


def _rollouts(place: Place) -> list[Row]:
    """One changed variable of one service, with the surge of Kubernetes' own defaults on both sides."""
    ours, peer = place.namespace("rollout-ours"), place.namespace("rollout-peer")
    pairs = []
    for number in range(RUNS + 1):
        pace = "rollout: {max_surge: 25%, max_unavailable: 25%, min_ready: 0s}"
        body = f"image: 'web:1', replicas: {REPLICAS}, env: {{GREETING: 'n{number}'}}, {pace}"
        spec = place.spec({"web": body})
        objects = place.manifest(place.rendered(spec, peer))
        mine = place.orchctl("deploy", "-f", str(spec), *_where(ours), "-q")
        theirs = place.kubectl("apply", "--server-side", "-f", objects).then(_waited(place, peer))
        pairs.append((mine, theirs))
    place.clear(ours, peer)
    return [_row(f"kubernetes: rollout of {REPLICAS} replicas", pairs[1:], "kubectl apply + rollout status")]


def _many(place: Place) -> list[Row]:
    fleet.fill(place.cluster, fleet.services("many", MANY, replicas=PODS_EACH))
    one, all_three = [], []
    for _ in range(RUNS):
        mine = place.orchctl("status", *_where("many"), "-o", "json")
        one.append((mine, place.kubectl("get", "deployments", "-n", "many", "-o", "json")))
        all_three.append((mine, place.kubectl("get", "deployments,replicasets,pods", "-n", "many", "-o", "json")))
    what = f"kubernetes: status of {MANY}, {MANY * PODS_EACH} pods"
    return [
        _row(what, one, "kubectl get deployments", goal="<= 250 MiB"),
        _row(what, all_three, "kubectl get deployments,replicasets,pods"),
        _in_process(place.cluster),
    ]


def _in_process(cluster: Cluster) -> Row:
    """The reader's look at a namespace, beside the same three documents fetched and parsed, and nothing done with them."""
    from orchctl_kubernetes.target import configuration, resolve

    context = fleet.context(cluster, "many")
    with _raw(configuration(resolve(context, {}))) as fetch, load("kubernetes").connect(context) as connection:
        reader = connection.reader
        pairs = [(_timed(lambda: reader.progress("many")), _timed(fetch)) for _ in range(RUNS + 2)]
    warm = pairs[1:]
    ratio = statistics.median(a / b for a, b in warm)
    mine, theirs = (statistics.median(p[i] for p in warm) * 1000 for i in (0, 1))
    what = f"kubernetes: instances of {MANY}, in process"
    return Row(what, f"{mine:.0f} ms", f"urllib3 + json {theirs:.0f} ms", f"{ratio:.2f}x", "<= 2x")


@contextmanager
def _raw(settings: Any) -> Iterator[Callable[[], None]]:
    import urllib3

    files = {"ca_certs": settings.ssl_ca_cert, "cert_file": settings.cert_file, "key_file": settings.key_file}
    wanted = {"deployments": "application/json", "replicasets": _METADATA_ONLY, "pods": "application/json"}
    selector = "?labelSelector=app.kubernetes.io%2Fmanaged-by%3Dorchctl"
    with urllib3.PoolManager(**files) as pool:

        def fetch() -> None:
            for resource, accept in wanted.items():
                url = settings.host + path_of(resource, "many") + selector
                assert json.loads(pool.request("GET", url, headers={"Accept": accept}).data)["items"]

        yield fetch


def _verdict(place: Place) -> list[Row]:
    """A healthy service gets a release whose process prints a line and exits 7. kubectl's deadline is 30 s instead of the
    600 s that are Kubernetes' default; orchctl has also gone back to the healthy release when it ends."""
    ours, peer = place.namespace("ours"), place.namespace("peer")
    pairs = []
    for _ in range(VERDICTS):
        for command in _releases(place, "sleep 3600", ours, peer):
            run(command, place.env)
        pairs.append([place.tried(command) for command in _releases(place, "echo boom >&2; exit 7", ours, peer)])
    mine, theirs = zip(*pairs, strict=True)
    ratio = statistics.median(a.wall / b.wall for a, b in pairs)
    what = f"kubernetes: verdict on a crash, n={VERDICTS}"
    return [Row(what, _told(mine), f"kubectl apply + rollout status, deadline 30s: {_told(theirs)}", f"{ratio:.2f}x")]


def _releases(place: Place, script: str, ours: str, peer: str) -> list[list[str]]:
    """orchctl's command and kubectl's."""
    spec = place.spec({"web": f"image: '{images.IMAGE}', replicas: 2, command: [/bin/sh, -c, '{script}']"})
    objects = place.rendered(spec, peer)
    objects[-1]["spec"]["progressDeadlineSeconds"] = 30
    manifest = place.manifest(objects)
    watched = f"kubectl rollout status deployment/web -n {peer} --timeout 60s"
    return [
        [_ORCHCTL, "deploy", "-f", str(spec), *_where(ours)],
        ["sh", "-c", f"kubectl apply --server-side -f {manifest} && {watched}"],
    ]


def _told(tries: Sequence[Tried]) -> str:
    codes = "/".join(str(code) for code in sorted({t.code for t in tries}))
    named = sum("boom" in t.said or "exit code 7" in t.said for t in tries)
    seconds = statistics.median(t.wall for t in tries)
    return f"{seconds:.1f} s, exit {codes}, cause named in {named} of {len(tries)}"


def _service(more: str = "") -> str:
    return f"image: 'web:1', replicas: 1, ports: [{{name: http, port: 8080}}]{', ' + more if more else ''}"


def _where(namespace: str) -> list[str]:
    return ["--backend", "kubernetes", "-n", namespace]


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def _row(what: str, pairs: Sequence[tuple[Counted, Counted]], peer: str, *, goal: str = "") -> Row:
    ours, theirs = pairs[-1]
    mine = statistics.median(m.wall for m, _ in pairs) * 1000
    other = statistics.median(p.wall for _, p in pairs) * 1000
    return Row(
        what,
        f"{mine:.0f} ms, {ours.requests} requests, {ours.writes} writes, {ours.run.peak_mib:.0f} MiB",
        f"{peer} {other:.0f} ms, {theirs.requests} requests, {theirs.writes} writes",
        f"{statistics.median(m.wall / p.wall for m, p in pairs):.2f}x",
        goal,
    )

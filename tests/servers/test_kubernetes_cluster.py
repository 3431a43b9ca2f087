"""The cluster of the tests is what it says: real containers, reachable from here, and gone without a trace."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.kubernetes import images
from tests.servers.kubernetes.api import Api, ApiError, from_kubeconfig, path_of
from tests.servers.kubernetes.audit import AuditLog
from tests.servers.kubernetes.cluster import Cluster
from tests.servers.network import ip
from tests.servers.waiting import until
from tests.worlds.owned import applied_by

pytestmark = pytest.mark.world_kubernetes

NAMESPACE = "harness"
SERVE = 'trap "exit 0" TERM; echo "$GREETING" > /www/index.html; httpd -f -p 8080 -h /www & wait'


@pytest.fixture
def api(own_kubernetes: Cluster) -> Iterator[Api]:
    """Of a cluster with an empty namespace ``harness``."""
    api = own_kubernetes.api
    api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    yield api
    for kind in ("deployments", "services", "replicasets", "pods"):
        api.delete(path_of(kind, NAMESPACE), {"gracePeriodSeconds": 0})
    until("an empty namespace", lambda: not any(api.items(k, NAMESPACE) for k in ("pods", "services")))


def deployment(image: str = images.IMAGE, script: str = SERVE, replicas: int = 2) -> dict[str, Any]:
    container = {
        "name": "web",
        "image": image,
        "command": ["/bin/sh", "-c", script],
        "env": [{"name": "GREETING", "value": "hello"}],
        "readinessProbe": {"httpGet": {"path": "/", "port": 8080}, "periodSeconds": 1},
    }
    labels = {"app": "web"}
    pod = {"metadata": {"labels": labels}, "spec": {"containers": [container], "terminationGracePeriodSeconds": 1}}
    spec = {"replicas": replicas, "selector": {"matchLabels": labels}, "template": pod}
    metadata = {"name": "web", "namespace": NAMESPACE}
    return {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": metadata, "spec": spec}


def service() -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": 8080, "protocol": "TCP"}]
    spec = {"type": "NodePort", "selector": {"app": "web"}, "ports": ports}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web", "namespace": NAMESPACE}, "spec": spec}


def ready(api: Api) -> bool:
    status = api.get(path_of("deployments", NAMESPACE, "web"))["status"]
    return bool(status.get("readyReplicas") == 2)


def ask(host: str, port: int) -> bytes:
    connection = http.client.HTTPConnection(host, port, timeout=2)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read()
    finally:
        connection.close()


def message_of(api: Api, reason: str) -> str:
    found = [
        status["state"]["waiting"].get("message", "")
        for pod in api.items("pods", NAMESPACE)
        for status in pod["status"].get("containerStatuses", [])
        if status["state"].get("waiting", {}).get("reason") == reason
    ]
    return found[0] if found else ""


def test_pods_become_ready_and_are_reached_by_every_address_they_have(own_kubernetes: Cluster, api: Api) -> None:
    api.apply(deployment())
    api.apply(service())
    until("two ready pods", lambda: ready(api))
    spec = api.get(path_of("services", NAMESPACE, "web"))["spec"]
    pods = [(pod["status"]["podIP"], 8080) for pod in api.items("pods", NAMESPACE)]
    node = (own_kubernetes.places.address, spec["ports"][0]["nodePort"])
    for address in [*pods, (spec["clusterIP"], 80), node]:
        assert until(f"an answer of {address}", lambda a=address: ask(*a)) == b"hello\n"


def test_an_unknown_image_is_not_found_and_one_of_a_dead_registry_is_refused(api: Api) -> None:
    api.apply(deployment(image=images.MISSING))
    assert "not found" in until("the verdict on the image", lambda: message_of(api, "ErrImagePull"))
    api.apply(deployment(image=images.REFUSED))
    assert until("a refusal", lambda: "connection refused" in message_of(api, "ErrImagePull"))


def test_a_crash_is_started_again_at_once_and_then_held_back(api: Api) -> None:
    """The log is the one of the last run; the one before it is removed with the end of the next."""
    api.apply(deployment(script="echo boom >&2; exit 7", replicas=1))
    until("a crash loop", lambda: message_of(api, "CrashLoopBackOff"))
    (pod,) = api.items("pods", NAMESPACE)
    assert restarts(pod) >= 1
    assert pod["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 7
    assert api.get(path_of("pods", NAMESPACE, pod["metadata"]["name"], "log")).strip() == "boom"


def restarts(pod: dict[str, Any]) -> int:
    return sum(s["restartCount"] for s in pod["status"].get("containerStatuses", []))


def test_a_killed_container_is_replaced(own_kubernetes: Cluster, api: Api) -> None:
    api.apply(deployment())
    until("two ready pods", lambda: ready(api))
    status = api.items("pods", NAMESPACE)[0]["status"]["containerStatuses"][0]
    own_kubernetes.kill(status["containerID"])
    again = until("a restart", lambda: [p for p in api.items("pods", NAMESPACE) if restarts(p) == 1])
    assert again[0]["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 137
    until("two ready pods", lambda: ready(api))


def test_pods_have_no_way_out(own_kubernetes: Cluster) -> None:
    routes = ip("-n", own_kubernetes.places.space, "route")
    assert "default" not in routes
    assert own_kubernetes.places.pods in routes


def test_every_request_of_a_user_is_counted_once_and_before_its_answer(own_kubernetes: Cluster, api: Api) -> None:
    log = AuditLog(own_kubernetes.places.audit, "admin")
    config = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "counted", "namespace": NAMESPACE}}
    for number in range(1, 21):
        api.apply(config | {"data": {"n": str(number)}})
        api.get(path_of("configmaps", NAMESPACE, "counted"))
        assert (len(log.requests()), len(log.writes())) == (2 * number, number)
    api.apply(config, dryRun="All")
    review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview"}
    attributes = {"namespace": NAMESPACE, "verb": "get", "resource": "pods"}
    answer = api.post(
        "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews", review | {"spec": {"resourceAttributes": attributes}}
    )
    assert answer["status"]["allowed"] is True
    assert (len(log.requests()), len(log.writes())) == (42, 20)


def test_a_user_without_rights_is_refused(own_kubernetes: Cluster, api: Api, tmp_path: Path) -> None:
    token = (own_kubernetes.places.pki / "nobody.token").read_text()
    nobody = from_kubeconfig(own_kubernetes.kubeconfig(tmp_path / "config", {"token": token}))
    with pytest.raises(ApiError, match='403: pods is forbidden: User "nobody"'):
        nobody.items("pods", NAMESPACE)


def test_nothing_is_left_of_a_cluster_that_was_stopped() -> None:
    machine = outside()
    with Cluster() as cluster:
        cluster.api.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
        cluster.api.apply(deployment())
        until("two ready pods", lambda: ready(cluster.api))
        marks = (cluster.network.tag, str(cluster.root))
        assert set(traces(*marks)) == {"processes", "interfaces", "routes", "spaces", "cgroups"}
    gone(*marks)
    assert outside() == machine
    assert not cluster.root.exists()


def test_a_start_that_fails_half_way_leaves_nothing_either() -> None:
    cluster = Cluster(server_flags=["--no-such-flag"])
    with pytest.raises(RuntimeError, match=r"kube-apiserver ended with .*no-such-flag"):
        cluster.start()
    gone(cluster.network.tag, str(cluster.root))
    assert not cluster.root.exists()


def test_a_cluster_started_by_a_command_is_stopped_by_another() -> None:
    root = Path(f"/tmp/orchctl-kube-command-{os.getpid()}")
    up = command("up", root)
    try:
        assert up.returncode == 0, up.stderr
        assert f"KUBECONFIG={root}/pki/admin.kubeconfig" in up.stdout
        again = command("up", root)
        assert (again.returncode, "already" in again.stderr) == (1, True)
        space = json.loads((root / "state.json").read_text())["places"]["space"]
        assert traces(space, str(root))
    finally:
        down = command("down", root)
    assert down.returncode == 0, down.stderr
    gone(space, str(root))
    assert not root.exists()


def command(verb: str, root: Path) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "tests.servers.kubernetes", verb, str(root)]
    return subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)


def gone(*marks: str) -> None:
    """Nothing of a cluster with these names is left; a failure says what is. Routes and zombies take a moment."""
    with contextlib.suppress(TimeoutError):
        until("nothing is left", lambda: not traces(*marks))
    assert traces(*marks) == {}


def traces(*marks: str) -> dict[str, list[str]]:
    """What is on the machine of a cluster with these names, by kind; kinds without a trace are left out."""
    seen = {
        "processes": commands(),
        "interfaces": ip("-o", "link").splitlines(),
        "routes": ip("route").splitlines(),
        "spaces": ip("netns", "list").splitlines(),
        "mounts": [m for m in Path("/proc/mounts").read_text().splitlines() if "/run/netns/" not in m],
        "cgroups": [str(p) for p in Path("/sys/fs/cgroup").glob("**/orchctl-*")],
    }
    found = {kind: [line for line in lines if any(m in line for m in marks)] for kind, lines in seen.items()}
    return {kind: lines for kind, lines in found.items() if lines}


def commands() -> list[str]:
    """Command lines of everything that runs."""
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            found += [(entry / "cmdline").read_bytes().decode(errors="replace")] if entry.name.isdigit() else []
    return found


def outside() -> dict[str, list[str] | str]:
    """What containerd and the kubelet change on a machine when nobody keeps them from it."""
    folders = ("/var/lib/kubelet", "/var/lib/cni", "/var/log/containers", "/run/containerd", "/opt/containerd")
    sysctls = ("kernel/panic", "kernel/panic_on_oops", "vm/overcommit_memory", "net/ipv4/ip_forward")
    values = {name: Path("/proc/sys", name).read_text() for name in sysctls}
    return values | {folder: sorted(str(p) for p in Path(folder).glob("*")) for folder in folders}


def test_what_one_manager_applied_can_be_applied_again_and_changes_nothing(api: Api) -> None:
    """The tests change an object behind orchctl's back by this."""
    made = api.apply(deployment(), manager="one")
    body = applied_by("one", made)
    assert body is not None
    assert body["spec"]["template"]["spec"] == deployment()["spec"]["template"]["spec"]
    again = api.apply(body, manager="one")
    assert again["metadata"]["generation"] == made["metadata"]["generation"]
    assert applied_by("two", made) is None


def test_the_api_server_can_be_gone_for_a_while_and_pods_live_on(own_kubernetes: Cluster, api: Api) -> None:
    api.apply(deployment())
    until("two ready pods", lambda: ready(api))
    address = api.items("pods", NAMESPACE)[0]["status"]["podIP"]
    server = own_kubernetes.programs["kube-apiserver"]
    server.kill()
    with pytest.raises(ConnectionError):
        api.get("/readyz")
    assert ask(address, 8080) == b"hello\n"
    server.start()
    until("the API server again", own_kubernetes.is_ready)
    until("two ready pods", lambda: ready(api))


def test_programs_of_another_build_are_used_where_they_are_given(
    own_kubernetes: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the folder that envtest's tools name. This one notes that it was started, and is ours all the same."""
    given, used = tmp_path / "kube-apiserver", tmp_path / "used"
    given.write_text(f'#!/bin/sh\ntouch {used}\nexec {own_kubernetes.kubernetes} kube-apiserver "$@"\n', "utf-8")
    given.chmod(0o755)
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    with Cluster(node=False) as cluster:
        assert used.exists()
        assert cluster.is_ready()

"""What runs in one pod, and how."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from orchctl.core.service import (
    Expose,
    File,
    Health,
    Operator,
    Placement,
    Port,
    Probe,
    ProbeKind,
    Protocol,
    Requirement,
    Resources,
    SecretRef,
    Service,
    Stop,
    Volume,
    VolumeKind,
)
from orchctl_kubernetes.names import NAME, NAMESPACE
from tests.unit.kubernetes.sample import FULL, container, pod, sample

PODS = {"matchLabels": {NAMESPACE: "shop", NAME: "web"}}
HTTP = Probe(kind=ProbeKind.HTTP, path="/ready", port="http", interval_ms=1_500, timeout_ms=200, failures=4)
LIVE = Probe(kind=ProbeKind.TCP, port="http", interval_ms=10_000, failures=5)


def placed(placement: Placement, **options: Any) -> dict[str, Any]:
    return pod(sample(placement=placement, backends={"kubernetes": options}))


def mounts(service: Service) -> dict[str, dict[str, Any]]:
    """The mounts of the container by path, each with the volume that it is of."""
    volumes = {v["name"]: {k: body for k, body in v.items() if k != "name"} for v in pod(service)["volumes"]}
    return {m["mountPath"]: m | volumes[m["name"]] for m in container(service)["volumeMounts"]}


def test_the_smallest_pod_says_what_must_be_said_and_nothing_else() -> None:
    assert pod(sample(ports=())) == {
        "containers": [{"name": "web", "image": "web:1"}],
        "terminationGracePeriodSeconds": 30,
        "enableServiceLinks": False,
    }


@pytest.mark.parametrize(
    ("image", "digest", "sent"),
    [
        ("web:1", "", "web:1"),
        ("web:1", "sha256:ab", "web:1@sha256:ab"),
        ("web@sha256:cd", "sha256:ab", "web@sha256:cd"),
    ],
)
def test_a_pinned_image_is_sent_with_its_digest(image: str, digest: str, sent: str) -> None:
    assert container(sample(image=image, image_digest=digest))["image"] == sent


def test_variables_are_sorted_and_the_spec_may_override_those_of_ports() -> None:
    found = container(sample(env={"PORT": "1", "A": "x", "EMPTY": ""}))["env"]
    assert [(v["name"], v["value"]) for v in found] == [("A", "x"), ("EMPTY", ""), ("PORT", "1"), ("PORT_HTTP", "8080")]


def test_a_variable_comes_from_the_users_own_secret_or_from_the_one_that_is_made() -> None:
    found = {v["name"]: v.get("valueFrom", {}).get("secretKeyRef") for v in container(FULL)["env"]}
    assert found["PASSWORD"] == {"name": "db", "key": "password"}
    assert found["KEY"]["name"].startswith("web-secrets-")


def test_a_secret_without_a_key_is_the_entry_of_its_own_name() -> None:
    found = container(sample(ports=(), env={"A": SecretRef(name="db")}))["env"]
    assert found == [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "db", "key": "db"}}}]


@pytest.mark.parametrize(
    ("port", "sent"),
    [
        (Port(name="a", port=80), {"containerPort": 80, "protocol": "TCP"}),
        (Port(name="a", port=53, protocol=Protocol.UDP), {"containerPort": 53, "protocol": "UDP"}),
        (
            Port(name="a", port=80, expose=Expose.HOST, published=8080),
            {"containerPort": 80, "protocol": "TCP", "hostPort": 8080},
        ),
        (Port(name="a", port=80, expose=Expose.HOST), {"containerPort": 80, "protocol": "TCP"}),
        (Port(name="a", port=80, expose=Expose.CLUSTER, published=30080), {"containerPort": 80, "protocol": "TCP"}),
    ],
)
def test_only_a_published_host_port_takes_one_of_the_node(port: Port, sent: dict[str, Any]) -> None:
    assert container(sample(ports=(port,)))["ports"] == [{"name": "a", **sent}]


@pytest.mark.parametrize(
    ("wanted", "sent"),
    [
        (Resources(), None),
        (Resources(cpu_millis=250), {"requests": {"cpu": "250m"}}),
        (Resources(cpu_limit_millis=2_000), {"limits": {"cpu": "2"}}),
        (
            Resources(memory_bytes=64 << 20, memory_limit_bytes=1000),
            {"requests": {"memory": "64Mi"}, "limits": {"memory": "1000"}},
        ),
    ],
)
def test_resources_are_sent_where_they_are_stated(wanted: Resources, sent: dict[str, Any] | None) -> None:
    assert container(sample(resources=wanted)).get("resources") == sent


@pytest.mark.parametrize(
    ("user", "sent"), [("", None), ("7", {"runAsUser": 7}), ("7:8", {"runAsUser": 7, "runAsGroup": 8})]
)
def test_a_user_is_a_number(user: str, sent: dict[str, Any] | None) -> None:
    assert container(sample(user=user)).get("securityContext") == sent


def test_a_security_context_of_the_options_wins_over_the_user() -> None:
    options = {"kubernetes": {"security_context": {"runAsGroup": 9, "privileged": False}}}
    found = container(sample(user="7:8", backends=options))["securityContext"]
    assert found == {"runAsUser": 7, "runAsGroup": 9, "privileged": False}


@pytest.mark.parametrize(
    ("stop", "grace", "drain"),
    [(Stop(grace_ms=1_500), 2, None), (Stop(grace_ms=20_000, drain_ms=4_100), 25, 5), (Stop(grace_ms=0), 0, None)],
)
def test_the_drain_sleeps_before_the_signal_and_is_added_to_the_grace(
    stop: Stop, grace: int, drain: int | None
) -> None:
    found = pod(sample(stop=stop))
    assert found["terminationGracePeriodSeconds"] == grace
    slept = found["containers"][0].get("lifecycle")
    assert slept == (None if drain is None else {"preStop": {"sleep": {"seconds": drain}}})


@pytest.mark.parametrize(
    ("probe", "what"),
    [
        (HTTP, {"httpGet": {"path": "/ready", "port": "http"}}),
        (Probe(kind=ProbeKind.TCP, port="http"), {"tcpSocket": {"port": "http"}}),
        (Probe(kind=ProbeKind.GRPC, port="http"), {"grpc": {"port": 8080}}),
        (Probe(kind=ProbeKind.EXEC, command=("check",)), {"exec": {"command": ["check"]}}),
    ],
)
def test_every_kind_of_check_is_kubernetes_own(probe: Probe, what: dict[str, Any]) -> None:
    assert container(sample(health=Health(ready=probe)))["readinessProbe"].items() >= what.items()


def test_a_check_counts_in_whole_seconds() -> None:
    found = container(sample(health=Health(ready=HTTP)))["readinessProbe"]
    assert (found["periodSeconds"], found["timeoutSeconds"], found["failureThreshold"]) == (2, 1, 4)


def test_readiness_alone_restarts_nothing_however_long_the_start_takes() -> None:
    found = container(sample(health=Health(ready=HTTP)))
    assert not {"startupProbe", "livenessProbe"} & set(found)


def test_the_liveness_check_is_held_back_until_the_start_deadline() -> None:
    found = container(sample(health=Health(live=LIVE, start_deadline_ms=90_000)))
    start = found["startupProbe"]
    assert start["tcpSocket"] == found["livenessProbe"]["tcpSocket"]
    assert start["periodSeconds"] * start["failureThreshold"] == 90
    assert found["livenessProbe"]["failureThreshold"] == 5


@pytest.mark.parametrize(
    ("requirement", "rule"),
    [
        (Requirement(key="zone", values=("a", "b")), {"key": "zone", "operator": "In", "values": ["a", "b"]}),
        (
            Requirement(key="zone", op=Operator.NOT_IN, values=("a",)),
            {"key": "zone", "operator": "NotIn", "values": ["a"]},
        ),
        (Requirement(key="gpu", op=Operator.EXISTS), {"key": "gpu", "operator": "Exists"}),
        (Requirement(key="gpu", op=Operator.NOT_EXISTS), {"key": "gpu", "operator": "DoesNotExist"}),
    ],
)
def test_a_requirement_is_node_affinity(requirement: Requirement, rule: dict[str, Any]) -> None:
    found = placed(Placement(require=(requirement,)))["affinity"]
    terms = found["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert (list(found), terms) == (["nodeAffinity"], [{"matchExpressions": [rule]}])


def test_all_requirements_hold_at_once() -> None:
    require = (Requirement(key="zone", values=("a",)), Requirement(key="gpu", op=Operator.EXISTS))
    found = placed(Placement(require=require))["affinity"]["nodeAffinity"]
    [term] = found["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert [rule["key"] for rule in term["matchExpressions"]] == ["zone", "gpu"]


def test_one_per_node_is_anti_affinity() -> None:
    found = placed(Placement(max_per_node=1))
    alone = {"labelSelector": PODS, "topologyKey": "kubernetes.io/hostname"}
    assert found["affinity"] == {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [alone]}}
    assert "topologySpreadConstraints" not in found


def test_more_per_node_is_a_spread_that_must_hold_and_any_other_spread_a_wish() -> None:
    found = placed(Placement(spread=("zone",), max_per_node=3))
    assert "affinity" not in found
    assert [(s["topologyKey"], s["maxSkew"], s["whenUnsatisfiable"]) for s in found["topologySpreadConstraints"]] == [
        ("zone", 1, "ScheduleAnyway"),
        ("kubernetes.io/hostname", 3, "DoNotSchedule"),
    ]
    assert all(s["labelSelector"] == PODS for s in found["topologySpreadConstraints"])


def test_labels_of_the_spec_become_those_of_the_nodes() -> None:
    placement = Placement(require=(Requirement(key="zone", values=("a",)),), spread=("zone", "rack"))
    found = placed(placement, node_labels={"zone": "topology.kubernetes.io/zone"})
    terms = found["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms[0]["matchExpressions"][0]["key"] == "topology.kubernetes.io/zone"
    assert [s["topologyKey"] for s in found["topologySpreadConstraints"]] == ["topology.kubernetes.io/zone", "rack"]


def test_a_file_is_mounted_alone_with_its_own_mode() -> None:
    files = {"/etc/a": File(content=b"1", mode="0400"), "/etc/b": File(content=b"2")}
    found = mounts(sample(files=files))
    modes = {item["path"]: item["mode"] for item in found["/etc/a"]["configMap"]["items"]}
    assert [modes[found[path]["subPath"]] for path in ("/etc/a", "/etc/b")] == [0o400, 0o444]
    assert all(mount["readOnly"] for mount in found.values())


def test_files_of_the_same_name_in_different_directories_are_different_entries() -> None:
    found = mounts(sample(files={"/a/x": File(content=b"1"), "/b/x": File(content=b"2")}))
    assert found["/a/x"]["subPath"] != found["/b/x"]["subPath"]


def test_a_secret_file_comes_from_the_users_own_secret_or_from_the_one_that_is_made() -> None:
    found = mounts(FULL)
    own, made = found["/etc/web/password"]["secret"], found["/etc/web/key"]["secret"]
    assert (own["secretName"], own["items"][0]["key"], own["items"][0]["mode"]) == ("db", "password", 0o440)
    assert made["secretName"].startswith("web-secrets-")
    assert made["items"][0]["path"] == found["/etc/web/key"]["subPath"]


@pytest.mark.parametrize(
    ("volume", "sent"),
    [
        (Volume(kind=VolumeKind.NAMED, name="data"), {"persistentVolumeClaim": {"claimName": "data"}}),
        (Volume(kind=VolumeKind.TMPFS), {"emptyDir": {"medium": "Memory"}}),
        (Volume(kind=VolumeKind.TMPFS, size_bytes=1 << 20), {"emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}}),
        (Volume(kind=VolumeKind.HOST, name="/var/x"), {"hostPath": {"path": "/var/x"}}),
    ],
)
def test_volumes_of_every_kind(volume: Volume, sent: dict[str, Any]) -> None:
    found = mounts(sample(volumes={"/v": volume}))["/v"]
    assert found.items() >= sent.items()
    assert "readOnly" not in found


def test_a_claim_that_is_mounted_twice_is_one_volume() -> None:
    found = mounts(FULL)
    assert found["/data"]["name"] == found["/data-again"]["name"]
    assert (found["/data"].get("readOnly"), found["/data-again"]["readOnly"]) == (None, True)


def test_volumes_never_share_a_name() -> None:
    """A claim may be called as a Secret is, and as the volumes that orchctl makes."""
    files = {
        "/f": File(content=b"x"),
        "/s": File(secret=SecretRef(name="db")),
        "/p": File(secret=SecretRef(name="P", source="env", version="1")),
    }
    claims = {f"/{name}": Volume(kind=VolumeKind.NAMED, name=name) for name in ("db", "files", "secrets", "d.b", "d-b")}
    found = pod(sample(files=files, volumes=claims | {"/db2": Volume(kind=VolumeKind.TMPFS)}))["volumes"]
    assert [name for name, count in Counter(v["name"] for v in found).items() if count > 1] == []
    assert len(found) == 9


def test_options_in_kubernetes_own_words_reach_the_pod() -> None:
    found = pod(FULL)
    assert found["serviceAccountName"] == "web"
    assert found["imagePullSecrets"] == [{"name": "registry"}]
    assert found["priorityClassName"] == "shop"
    assert found["securityContext"] == {"fsGroup": 2000}
    assert found["tolerations"] == [{"key": "dedicated", "operator": "Exists"}]
    assert found["containers"][0]["imagePullPolicy"] == "IfNotPresent"

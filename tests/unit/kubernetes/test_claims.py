"""What Kubernetes cannot do is refused with the sentence that helps, what it does otherwise is told, the rest is not."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.capability import Support
from orchctl.core.plan import Policy
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    Placement,
    Port,
    Probe,
    ProbeKind,
    Protocol,
    Requirement,
    Resources,
    Restart,
    Rollout,
    Scaling,
    SecretRef,
    Service,
    Stop,
    Strategy,
    Volume,
    VolumeKind,
)
from orchctl_kubernetes.claims import CLAIMS, issues
from tests.unit.kubernetes.sample import FULL, sample

FIXED = Port(name="http", port=80, published=8080, expose=Expose.HOST)
HTTP = Port(name="http", port=8080)
DNS = Port(name="dns", port=53, protocol=Protocol.UDP)
ONE_BY_ONE = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
RECREATE = Rollout(strategy=Strategy.RECREATE, max_surge=Amount(0), max_unavailable=Amount(0))
TOLD_SECRET = Probe(kind=ProbeKind.EXEC, command=("curl", "-u", "me:$(TOKEN)"))
DATA = Volume(kind=VolumeKind.NAMED, name="data", size_bytes=1 << 30)


def found(service: Service, policy: Policy) -> list[str]:
    return [i.path for i in issues(service) if i.policy is policy]


def require(key: str, *values: str) -> dict[str, Any]:
    return {"placement": Placement(require=(Requirement(key=key, values=values),))}


def outside(*published: int | None) -> tuple[Port, ...]:
    return tuple(
        Port(name=f"p{n}", port=80 + n, published=number, expose=Expose.EXTERNAL) for n, number in enumerate(published)
    )


def checked(probe: Probe) -> dict[str, Any]:
    return {"ports": (HTTP, DNS), "health": Health(live=probe)}


def test_a_service_that_uses_everything_kubernetes_has_is_not_refused() -> None:
    assert [(i.path, i.policy) for i in issues(FULL)] == [("labels.motto", Policy.EMULATE)]


def test_every_claim_that_is_not_kept_says_why() -> None:
    assert {c.support for c in CLAIMS.values()} == {Support.NATIVE, Support.UNSUPPORTED, Support.WARNED}
    assert all(c.reason for c in CLAIMS.values() if c.support is not Support.NATIVE)


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"image": None}, "image"),
        ({"restart": Restart.NEVER}, "restart"),
        ({"restart": Restart.ON_FAILURE}, "restart"),
        ({"labels": {"orchctl.dev/x": "1"}}, "labels[orchctl.dev/x]"),
        ({"labels": {"app.kubernetes.io/name": "1"}}, "labels[app.kubernetes.io/name]"),
        ({"labels": {"app.kubernetes.io/managed-by": "1"}}, "labels[app.kubernetes.io/managed-by]"),
        ({"labels": {"deployment.kubernetes.io/revision": "1"}}, "labels[deployment.kubernetes.io/revision]"),
        ({"labels": {"two words": "1"}}, "labels[two words]"),
        ({"labels": {"a/b/c": "1"}}, "labels[a/b/c]"),
        ({"labels": {"x" * 64: "1"}}, f"labels.{'x' * 64}"),
        ({"user": "nobody"}, "user"),
        ({"user": "1000:staff"}, "user"),
        ({"files": {"/a": File(content=b"x" * 600_000), "/b": File(content=b"x" * 600_000)}}, "files"),
        ({"env": {"A": SecretRef("DB_PASSWORD")}}, "env.A"),
        ({"env": {"A": SecretRef("db", key="a/b")}}, "env.A"),
        ({"files": {"/key": File(secret=SecretRef("DB"))}}, "files[/key]"),
        ({"ports": (Port(name="http", port=80, published=80),)}, "ports.http.published"),
        ({"ports": (FIXED,)}, "ports.http.published"),
        ({"volumes": {"/v": Volume(kind=VolumeKind.NAMED, name="My_Data", size_bytes=1)}}, "volumes[/v]"),
        ({"resources": Resources(memory_bytes=8 << 20, memory_limit_bytes=4 << 20)}, "resources.limits.memory"),
        ({"resources": Resources(cpu_millis=500, cpu_limit_millis=100)}, "resources.limits.cpu"),
        ({"scaling": Scaling(min=1, max=2, cpu_percent=50)}, "scale.cpu"),
        ({"rollout": Rollout(max_surge=Amount(0), max_unavailable=Amount(0, percent=True))}, "rollout"),
        (checked(Probe(kind=ProbeKind.TCP, port="dns")), "health"),
        (checked(Probe(kind=ProbeKind.HTTP, path="/", port="dns")), "health"),
        (require("a b", "x"), "placement[a b]"),
        (require("zone", "ü"), "placement.require.zone"),
        ({"placement": Placement(spread=("a b",))}, "placement[a b]"),
        ({"env": {"A": "x" * 200_001}}, "env"),
    ],
)
def test_what_kubernetes_cannot_do_is_refused_at_its_path(changes: dict[str, Any], path: str) -> None:
    assert found(sample(**changes), Policy.REJECT) == [path]


@pytest.mark.parametrize(
    "changes",
    [
        {"ports": (FIXED,), "rollout": ONE_BY_ONE},
        {"ports": (FIXED,), "rollout": RECREATE},
        {"rollout": RECREATE},
        {"user": "1000"},
        {"labels": {"example.com/team": "x", "empty": ""}},
        {"env": {"A": SecretRef("DB_PASSWORD", source="env", version="1")}},
        {"env": {"A": SecretRef("db.example", key="DB_PASSWORD")}},
        {"ports": (HTTP, Port(name="udp", port=8080, protocol=Protocol.UDP))},
        {"ports": outside(443, 8443)},
        checked(Probe(kind=ProbeKind.EXEC, command=("check", "$(PORT_DNS)"))),
        {"resources": Resources(cpu_millis=100, cpu_limit_millis=100)},
        {"files": {"/a": File(content=b"x" * 600_000)}},
        {"env": {"A": "x" * 150_000}},
        require("topology.kubernetes.io/zone", "eu-1", ""),
        {"placement": Placement(max_per_node=1)},
    ],
)
def test_what_kubernetes_can_do_goes_without_a_word(changes: dict[str, Any]) -> None:
    assert issues(sample(**changes)) == []


def test_two_ports_of_one_number_are_refused_inside_and_outside() -> None:
    nodes = tuple(Port(name=n, port=p, expose=Expose.CLUSTER, published=30080) for n, p in (("a", 1), ("b", 2)))
    assert found(sample(ports=nodes), Policy.REJECT) == ["ports.a.published", "ports.b.published"]
    twice = (HTTP, Port(name="again", port=8080))
    assert found(sample(ports=twice), Policy.REJECT) == ["ports.http.port", "ports.again.port"]
    assert found(sample(ports=outside(443, 443)), Policy.REJECT) == ["ports.p0.published", "ports.p1.published"]
    assert found(sample(ports=outside(81, None)), Policy.REJECT) == ["ports.p0.published", "ports.p1.published"]


@pytest.mark.parametrize(("word", "health"), [("ready", Health(ready=TOLD_SECRET)), ("live", Health(live=TOLD_SECRET))])
def test_a_secret_in_the_command_of_a_check_is_refused_since_it_would_be_empty_there(word: str, health: Health) -> None:
    token = {"TOKEN": SecretRef("T", source="env", version="1")}
    assert found(sample(env=token, health=health), Policy.REJECT) == [f"health.{word}.exec"]
    assert issues(sample(env={"TOKEN": "plain"}, health=health)) == []


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"labels": {"motto": "two words"}}, "labels.motto"),
        ({"ports": (Port(name="http", port=80, expose=Expose.HOST),)}, "ports.http.expose"),
        ({"stop": Stop(grace_ms=1_500)}, "stop.grace"),
        ({"stop": Stop(drain_ms=10)}, "stop.drain"),
        ({"health": Health(ready=Probe(kind=ProbeKind.TCP, port="http", interval_ms=200))}, "health.ready.interval"),
        ({"health": Health(live=Probe(kind=ProbeKind.TCP, port="http", timeout_ms=1_900))}, "health.live.timeout"),
        ({"volumes": {"/v": Volume(kind=VolumeKind.NAMED, name="v", read_only=True)}}, "volumes[/v]"),
    ],
)
def test_what_is_sent_otherwise_is_told(changes: dict[str, Any], path: str) -> None:
    assert [(i.path, i.policy) for i in issues(sample(**changes))] == [(path, Policy.EMULATE)]


def test_a_time_that_is_rounded_is_told_with_what_it_becomes() -> None:
    [told] = issues(sample(stop=Stop(grace_ms=61_500)))
    assert told.message.endswith("1m1s500ms becomes 1m2s")


@pytest.mark.parametrize(
    ("changes", "path"),
    [
        ({"stop": Stop(signal="SIGINT")}, "stop.signal"),
        ({"ports": (Port(name="http", port=80, published=80, expose=Expose.CLUSTER),)}, "ports.http.published"),
        ({"placement": Placement(max_per_node=2)}, "placement.max_per_node"),
        ({"user": "1000", "files": {"/key": File(content=b"x", mode="0400")}}, "files[/key].mode"),
        ({"volumes": {"/v": DATA}}, "volumes[/v]"),
        ({"volumes": {"/v": DATA}, "rollout": ONE_BY_ONE}, "volumes[/v]"),
        ({"volumes": {"/v": DATA}, "replicas": 1}, "volumes[/v]"),
        (
            {"volumes": {"/v": DATA}, "replicas": 1, "rollout": RECREATE, "scaling": Scaling(min=1, max=2)},
            "volumes[/v]",
        ),
    ],
)
def test_what_is_only_approximated_is_a_warning(changes: dict[str, Any], path: str) -> None:
    assert [(i.path, i.policy) for i in issues(sample(**changes))] == [(path, Policy.WARN)]


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 1, "rollout": RECREATE},
        {"replicas": 1, "rollout": ONE_BY_ONE},
        {"replicas": None, "rollout": ONE_BY_ONE},
        {"volumes": {"/v": Volume(kind=VolumeKind.NAMED, name="v", size_bytes=1, read_only=True)}},
        {"backends": {"kubernetes": {"access_mode": "ReadWriteMany"}}},
    ],
)
def test_a_claim_that_only_one_pod_writes_needs_no_warning(changes: dict[str, Any]) -> None:
    assert issues(sample(**{"volumes": {"/v": DATA}, **changes})) == []


@pytest.mark.parametrize(
    ("user", "mode", "options", "told"),
    [
        ("1000", "0400", {}, True),
        ("1000", "0440", {}, True),
        ("1000", "0404", {}, False),
        ("0", "0400", {}, False),
        ("", "0400", {}, False),
        ("1000", "0400", {"pod_security_context": {"fsGroup": 1000}}, False),
        ("1000", "0400", {"pod_security_context": {"runAsNonRoot": True}}, True),
    ],
)
def test_a_file_that_the_user_may_not_read_is_told(user: str, mode: str, options: dict[str, Any], told: bool) -> None:
    service = sample(user=user, files={"/key": File(content=b"x", mode=mode)}, backends={"kubernetes": options})
    assert bool(issues(service)) is told


def test_labels_of_nodes_are_judged_by_the_name_they_have_there() -> None:
    placement = Placement(require=(Requirement(key="the zone", values=("a",)),), spread=("zone",))
    good = {"kubernetes": {"node_labels": {"the zone": "topology.kubernetes.io/zone"}}}
    bad = {"kubernetes": {"node_labels": {"the zone": "zone", "zone": "a zone"}}}
    assert issues(sample(placement=placement, backends=good)) == []
    assert found(sample(placement=placement, backends=bad), Policy.REJECT) == ["placement.zone"]


def test_wrong_options_are_told_before_anything_else() -> None:
    service = sample(image=None, backends={"kubernetes": {"headless": "yes"}})
    assert [i.path for i in issues(service)] == ["backends.kubernetes.headless"]

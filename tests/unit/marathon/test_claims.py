"""What Marathon cannot do is refused with the sentence that helps, and what it can is not."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.core.capability import Feature, Support, used_features
from orchctl.core.plan import Policy
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    OnFailure,
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
from orchctl_marathon.adapter import MarathonBackend
from orchctl_marathon.claims import CLAIMS, LARGEST_FILE, issues
from orchctl_marathon.options import Options
from tests.unit.marathon.sample import FULL, HTTP, process, sample

REJECT, WARN, EMULATE = Policy.REJECT, Policy.WARN, Policy.EMULATE
WAY_BACK = ("ports.http.published", WARN)  # with fixed ports a way back may cost more than the spec allows
FIXED = Port(name="http", port=80, published=8080, expose=Expose.HOST)
DYNAMIC = Port(name="admin", port=81, published=8081, expose=Expose.CLUSTER)
HYPHEN = Port(name="http-api", port=80)
STOP_FIRST = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
TCP = Probe(kind=ProbeKind.TCP, port="http", interval_ms=1_000, timeout_ms=1_000)
FILE = {"/f": File(content=b"x")}
STORED, PROVIDED = SecretRef("db"), SecretRef("DB", source="env", version="1")
INTERNAL = "ports.http.expose"
NOTHING: list[tuple[str, Policy]] = [(INTERNAL, EMULATE)]
"""What is said about a small service with a port."""


def marathon(**options: Any) -> dict[str, Any]:
    return {"marathon": options}


def told(service: Service) -> list[tuple[str, Policy]]:
    return [(i.path, i.policy) for i in issues(service)]


def checking(script: str) -> Probe:
    return Probe(kind=ProbeKind.EXEC, command=("sh", "-c", script), interval_ms=1_000, timeout_ms=1_000)


def test_a_service_that_uses_everything_marathon_has_is_not_refused() -> None:
    assert [i for i in issues(FULL) if i.policy is REJECT] == []


def test_a_small_service_is_taken_as_it_is() -> None:
    assert told(sample()) == NOTHING
    assert told(process()) == NOTHING
    assert told(sample(ports=())) == []


# (the service, what is told beside NOTHING): every feature that is not native is used by one of them.
BY_FEATURE: dict[str, tuple[Service, list[tuple[str, Policy]]]] = {
    "labels": (sample(labels={"a": "b"}), [("labels", WARN)]),
    "scale.cpu": (sample(scaling=Scaling(min=1, max=3, cpu_percent=50)), [("scale.cpu", WARN)]),
    "ports.sctp": (
        sample(ports=(Port(name="http", port=80, protocol=Protocol.SCTP),)),
        [("ports.http.protocol", REJECT)],
    ),
    "env.secret and a provider": (
        sample(env={"A": PROVIDED}),
        [("env.A", REJECT), ("env.A", REJECT)],
    ),
    "env.secret and a store": (sample(env={"A": STORED}), [("env.A", REJECT), ("env.A", REJECT)]),
    "files.content": (sample(files=FILE, command=("x",)), [("files[/f]", EMULATE)]),
    "files.mode": (
        sample(files={"/f": File(content=b"x", mode="0600")}, command=("x",)),
        [("files[/f]", EMULATE), ("files[/f].mode", EMULATE)],
    ),
    "files.secret": (sample(files={"/f": File(secret=STORED)}), [("files[/f]", REJECT), ("files[/f]", REJECT)]),
    "volumes.named": (sample(volumes={"/d": Volume(kind=VolumeKind.NAMED, name="d")}), [("volumes[/d]", EMULATE)]),
    "volumes.size": (
        sample(volumes={"/d": Volume(kind=VolumeKind.NAMED, name="d", size_bytes=1)}),
        [("volumes[/d]", EMULATE), ("volumes[/d].size", WARN)],
    ),
    "health.ready": (sample(health=Health(ready=TCP)), [("health.ready", EMULATE)]),
    "health.grpc": (
        sample(health=Health(live=Probe(kind=ProbeKind.GRPC, port="http", timeout_ms=1_000))),
        [("health.live.grpc", REJECT)],
    ),
    "health.ready+live, not over HTTP": (
        sample(health=Health(ready=TCP, live=Probe(kind=ProbeKind.EXEC, command=("true",), timeout_ms=1_000))),
        [("health.ready", EMULATE), ("health", WARN)],
    ),
    "rollout.recreate": (sample(rollout=Rollout(strategy=Strategy.RECREATE)), [("rollout.strategy", WARN)]),
    "restart.on-failure": (sample(restart=Restart.ON_FAILURE), [("restart", REJECT)]),
    "restart.never": (sample(restart=Restart.NEVER), [("restart", REJECT)]),
    "stop.drain": (sample(stop=Stop(drain_ms=1_000)), [("stop.drain", WARN)]),
    "placement.spread": (sample(placement=Placement(spread=("zone",))), [("placement.spread", WARN)]),
}
EXPOSED = {
    Expose.CLUSTER: "ports.http.expose",
    Expose.EXTERNAL: "ports.http.expose",
}


@pytest.mark.parametrize("name", BY_FEATURE)
def test_what_marathon_does_not_do_itself_is_told_at_its_path(name: str) -> None:
    service, expected = BY_FEATURE[name]
    assert sorted(told(service)) == sorted([*NOTHING, *expected])


@pytest.mark.parametrize("expose", EXPOSED)
def test_ports_for_clients_need_a_load_balancer(expose: Expose) -> None:
    ports = (Port(name="http", port=80, expose=expose),)
    assert told(sample(ports=ports)) == [(EXPOSED[expose], REJECT)]
    assert told(sample(ports=ports, backends=marathon(load_balancer="marathon-lb"))) == []


def test_every_feature_that_is_not_native_is_used_above() -> None:
    used = {feature for service, _ in BY_FEATURE.values() for feature, _ in used_features(service)}
    used |= {Feature.PORT_CLUSTER, Feature.PORT_EXTERNAL}
    no_part_of_a_check = {Feature.LOGS, Feature.LOGS_FOLLOW, Feature.ROLLOUT_PAUSE, Feature.ROLLOUT_UNDO}
    missing = {f for f, claim in CLAIMS.items() if claim.support is not Support.NATIVE} - used
    assert missing == no_part_of_a_check


def test_every_feature_is_answered_with_a_reason_where_it_is_not_native() -> None:
    assert set(CLAIMS) == set(Feature)
    assert [f for f, claim in CLAIMS.items() if bool(claim.reason) is (claim.support is Support.NATIVE)] == []


# What a combination of fields cannot be, whatever each of them could.
COMBINED: dict[str, tuple[Service, list[tuple[str, Policy]]]] = {
    "the records' own group": (sample(namespace="orchctl"), [("namespace", REJECT)]),
    "our label": (sample(labels={"orchctl.dev/x": "1"}), [("labels", WARN), ("labels[orchctl.dev/x]", REJECT)]),
    "the manager's label": (
        sample(labels={"app.kubernetes.io/managed-by": "x"}),
        [("labels", WARN), ("labels[app.kubernetes.io/managed-by]", REJECT)],
    ),
    "a process without a command": (sample(image=None), [("command", REJECT)]),
    "a process with a user's number": (process(user="1000:1000"), [("user", REJECT)]),
    "a process with a user's name": (process(user="web"), []),
    "a process with a group": (process(user="web:web"), [("user", REJECT)]),
    "a container of Mesos with a group": (
        sample(user="web:web", backends=marathon(containerizer="mesos")),
        [("user", REJECT)],
    ),
    "a container with a group": (sample(user="web:web"), []),
    "GPUs for the Docker engine": (sample(backends=marathon(gpus=1)), [("backends.marathon.gpus", REJECT)]),
    "GPUs for a container of Mesos": (sample(backends=marathon(gpus=1, containerizer="mesos")), []),
    "GPUs for a process": (process(backends=marathon(gpus=1)), []),
    "a check in a container that an agent could misread": (
        sample(health=Health(live=checking('test "$A" = 1'))),
        [("health.live", EMULATE)],
    ),
    "a check in a container that every agent reads alike": (sample(health=Health(live=checking("test -f /up"))), []),
    "a check of a process with quotes": (process(health=Health(live=checking('test "$A" = 1'))), []),
    "an image's port with a hyphen, on the host's network": (
        sample(ports=(HYPHEN,), backends=marathon(network="host")),
        [("ports.http-api.expose", EMULATE), ("ports.http-api.name", REJECT)],
    ),
    "a hyphen where a variable of that name is given": (
        sample(ports=(HYPHEN,), env={"PORT_HTTP_API": "1"}, backends=marathon(network="host")),
        [("ports.http-api.expose", EMULATE)],
    ),
    "a hyphen where there is a shell": (
        process(ports=(HYPHEN,)),
        [("ports.http-api.expose", EMULATE)],
    ),
    "a hyphen where the numbers are the container's": (
        sample(ports=(HYPHEN,)),
        [("ports.http-api.expose", EMULATE)],
    ),
    "a container with a user's number": (sample(user="1000"), []),
    "a container of Mesos with a user's number": (
        sample(user="1000", backends=marathon(containerizer="mesos")),
        [("user", REJECT)],
    ),
    "a container of Mesos in a folder without a command": (
        sample(working_dir="/x", backends=marathon(containerizer="mesos")),
        [("working_dir", REJECT)],
    ),
    "a port that only the agent knows, in args": (
        sample(args=("$(PORT_HTTP)",), backends=marathon(network="host")),
        [("args", REJECT)],
    ),
    "a port that only the agent knows, in the command": (
        sample(command=("x", "-p$(PORT_HTTP)"), backends=marathon(network="host")),
        [("command", REJECT)],
    ),
    "a file that is too large": (
        sample(files={"/f": File(content=b"x" * (LARGEST_FILE + 1))}, command=("x",)),
        [("files[/f]", EMULATE), ("files[/f]", REJECT)],
    ),
    "a file and no command": (sample(files=FILE), [("files[/f]", EMULATE), ("files[/f]", REJECT)]),
    "a file of a process": (process(files=FILE), [("files[/f]", EMULATE), ("files[/f]", WARN)]),
    "a memory limit below its reservation": (
        sample(resources=Resources(memory_bytes=2 << 20, memory_limit_bytes=1 << 20)),
        [("resources.limits.memory", REJECT)],
    ),
    "a cpu limit below its reservation": (
        sample(resources=Resources(memory_bytes=1 << 20, cpu_millis=200, cpu_limit_millis=100)),
        [("resources.limits.cpu", REJECT), ("resources.memory", WARN)],
    ),
    "memory without a limit": (
        sample(resources=Resources(memory_bytes=1 << 20)),
        [("resources.memory", WARN)],
    ),
    "a memory limit alone": (sample(resources=Resources(memory_limit_bytes=1 << 20)), []),
    "no memory stated": (sample(resources=Resources()), [("resources.memory", WARN)]),
    "an internal port with a number": (
        sample(ports=(Port(name="http", port=80, published=8080),)),
        [("ports.http.published", REJECT)],
    ),
    "a check of a port that is not TCP": (
        sample(ports=(Port(name="http", port=80, protocol=Protocol.UDP),), health=Health(live=TCP)),
        [("health.live", REJECT)],
    ),
    "times of a check that are no whole seconds": (
        sample(health=Health(live=HTTP)),
        [("health.live", EMULATE)],
    ),
    "nothing may ever be replaced": (
        sample(rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(0))),
        [("rollout", REJECT)],
    ),
    "a surge above the count": (sample(rollout=Rollout(max_surge=Amount(4))), [("rollout.max_surge", WARN)]),
    "another signal for a process": (process(stop=Stop(signal="SIGINT")), [("stop.signal", WARN)]),
    "another signal for a container": (sample(stop=Stop(signal="SIGINT")), []),
    "a mount of a process": (
        process(volumes={"/d": Volume(kind=VolumeKind.HOST, name="/d")}),
        [("volumes[/d]", REJECT)],
    ),
    "memory as a volume of Mesos' own container": (
        sample(volumes={"/d": Volume(kind=VolumeKind.TMPFS)}, backends=marathon(containerizer="mesos")),
        [("volumes[/d]", REJECT)],
    ),
    "a wrong option": (sample(backends=marathon(disk=-1)), [("backends.marathon.disk", REJECT)]),
}


@pytest.mark.parametrize("name", COMBINED)
def test_what_does_not_go_together_is_told_at_its_path(name: str) -> None:
    service, expected = COMBINED[name]
    said = told(service)
    assert sorted(said) == sorted([*(NOTHING if NOTHING[0] in said else []), *expected])


def test_ports_of_the_hosts_need_the_old_instance_to_stop_first() -> None:
    assert told(sample(ports=(FIXED,))) == [("ports.http.published", REJECT)]
    assert told(sample(ports=(FIXED,), rollout=STOP_FIRST)) == [WAY_BACK]
    assert told(sample(ports=(FIXED,), rollout=Rollout(strategy=Strategy.RECREATE))) == [("rollout.strategy", WARN)]


def test_all_ports_of_a_process_are_the_hosts_or_none() -> None:
    service = process(ports=(FIXED, DYNAMIC), rollout=STOP_FIRST, backends=marathon(load_balancer="marathon-lb"))
    assert told(service) == [WAY_BACK, ("ports.admin.published", REJECT)]
    contained = sample(ports=(FIXED, DYNAMIC), rollout=STOP_FIRST, backends=marathon(load_balancer="marathon-lb"))
    assert told(contained) == [WAY_BACK]


def test_a_port_without_a_number_beside_one_with_a_number_would_never_be_placed() -> None:
    """Marathon would give it a service port, and ask the hosts for that number."""
    ports = (FIXED, Port(name="metrics", port=81, expose=Expose.HOST))
    refused = [WAY_BACK, ("ports.metrics.published", REJECT)]
    assert told(process(ports=ports, rollout=STOP_FIRST)) == refused
    assert told(sample(ports=ports, rollout=STOP_FIRST, backends=marathon(network="host"))) == refused
    assert told(sample(ports=ports, rollout=STOP_FIRST)) == [WAY_BACK]


def test_a_number_of_the_host_is_taken_once_whatever_the_protocol() -> None:
    ports = (FIXED, Port(name="dns", port=80, published=8080, protocol=Protocol.UDP, expose=Expose.HOST))
    way_back = [WAY_BACK, ("ports.dns.published", WARN)]
    assert told(process(ports=ports, rollout=STOP_FIRST)) == [*way_back, ("ports.dns.published", REJECT)]
    assert told(sample(ports=ports, rollout=STOP_FIRST)) == way_back


def test_on_a_container_network_an_internal_port_is_native() -> None:
    assert told(sample(backends=marathon(network="overlay"))) == []
    for shared in ("host", "bridge"):
        assert told(sample(backends=marathon(network=shared))) == NOTHING


def test_a_plugin_makes_stored_secrets_of_variables_possible_and_no_others() -> None:
    plugin = marathon(secrets_plugin=True)
    assert told(sample(env={"A": STORED}, backends=plugin)) == NOTHING
    assert told(sample(env={"A": PROVIDED}, backends=plugin)) == [*NOTHING, ("env.A", REJECT)]
    assert ("files[/f]", REJECT) in told(sample(files={"/f": File(secret=STORED)}, backends=plugin))


def test_a_spread_over_a_known_number_of_values_is_native() -> None:
    spread = Placement(spread=("zone", "rack"))
    assert told(sample(placement=spread, backends=marathon(groups={"zone": 3, "rack": 9}))) == NOTHING
    assert told(sample(placement=spread, backends=marathon(groups={"zone": 3}))) == [
        *NOTHING,
        ("placement.spread", WARN),
    ]


def test_readiness_over_http_beside_liveness_is_told_to_end_with_the_deployment() -> None:
    ready = Probe(kind=ProbeKind.HTTP, path="/", port="http", interval_ms=1_000, timeout_ms=1_000)
    found = issues(sample(health=Health(ready=ready, live=TCP)))
    assert [(i.path, i.policy) for i in found if i.path.startswith("health")] == [
        ("health.ready", EMULATE),
        ("health", WARN),
        ("health.ready", EMULATE),
    ]
    assert found[-1].message == "a readiness check of Marathon: every 2 s, given up after 1 s"
    (both,) = [i.message for i in found if i.path == "health"]
    assert both == CLAIMS[Feature.HEALTH_BOTH].reason


def test_every_refusal_comes_at_once_and_before_anything_is_rendered() -> None:
    service = sample(restart=Restart.NEVER, namespace="orchctl", env={"A": PROVIDED})
    with pytest.raises(Exception, match="restart") as caught:
        MarathonBackend().render(service)
    assert all(path in str(caught.value) for path in ("restart", "namespace", "env.A"))


def test_what_a_later_policy_does_is_orchctls_own() -> None:
    assert told(sample(rollout=Rollout(on_failure=OnFailure.PAUSE))) == NOTHING
    assert told(sample(placement=Placement(require=(Requirement(key="zone", values=("a", "b")),)))) == NOTHING


def test_options_that_are_wrong_are_told_alone() -> None:
    """Nothing else can be said about a service whose options cannot be read."""
    service = sample(restart=Restart.NEVER, backends=marathon(network=7, command="x"))
    assert {path for path, _ in told(service)} == {"backends.marathon.network", "backends.marathon.command"}
    assert set(Options.__dataclass_fields__) >= {"network", "command"}

"""What was written becomes a service in base units; what was not written gets core's defaults."""

import re
from pathlib import Path

import pytest

from orchctl.core import service as core
from orchctl.core.service import DRAIN_WITH_PORTS_MS
from orchctl.core.units import format_duration
from orchctl.spec.fields import leaves
from tests.unit.spec.support import problems, service

HEAD = "name: web\nimage: web:1\n"
PORTS = HEAD + "ports: [{name: http, port: 80}]\n"


def test_the_least_spec_gets_every_default(tmp_path: Path) -> None:
    assert service(HEAD, tmp_path) == core.Service(name="web", namespace="default", image="web:1")


def test_everything_that_can_be_said_arrives(tmp_path: Path) -> None:
    text = """
namespace: shop
name: web
image: web:1.10
command: [serve]
args: [--port, $(PORT_HTTP), 8080]
working_dir: /srv
user: "1000:1000"
labels: {team: checkout}
ports:
  - {name: http, port: 8080, expose: external, published: 30080}
  - {name: dns, port: 53, protocol: udp}
env:
  LOG: info
  STORE: {secret: db, key: password}
  RUN: {secret: "exec:pass show db"}
files:
  /etc/a: {content: "ü", mode: "640"}
  /etc/s: {secret: "file:./x"}
volumes:
  /data: {name: data, size: 1Gi}
  /tmp: {tmpfs: 64Mi}
  /host: {host: /srv/data, read_only: true}
resources: {cpu: 250m, memory: 256Mi, limits: {cpu: 1, memory: 512Mi}}
scale: {min: 2, max: 10, cpu: 70%}
health:
  ready: {http: {path: /ready, port: http}, interval: 1s, timeout: 500ms, failures: 2}
  live: {exec: {command: [check, 1]}}
  start: {deadline: 1m30s}
rollout: {max_surge: 25%, max_unavailable: 1, min_ready: 0s, deadline: 10m, on_failure: pause}
restart: on-failure
stop: {signal: SIGINT, grace: 0s, drain: 250ms}
placement:
  require: [{key: zone, in: [a, 1]}, {key: old, exists: false}, {key: gpu, exists: true}, {key: x, not_in: [y]}]
  spread: [zone]
  max_per_node: 2
needs: {db: ">=2,<3"}
allow: [web, api]
provides: {api: 2.30}
backends: {swarm: {networks: [edge], n: 1, f: 1.5, b: true}}
"""
    assert service(text, tmp_path) == core.Service(
        name="web",
        namespace="shop",
        image="web:1.10",
        command=("serve",),
        args=("--port", "$(PORT_HTTP)", "8080"),
        working_dir="/srv",
        user="1000:1000",
        labels={"team": "checkout"},
        ports=(
            core.Port(name="http", port=8080, expose=core.Expose.EXTERNAL, published=30080),
            core.Port(name="dns", port=53, protocol=core.Protocol.UDP),
        ),
        env={
            "LOG": "info",
            "STORE": core.SecretRef("db", "password"),
            "RUN": core.SecretRef("pass show db", source="exec"),
        },
        files={
            "/etc/a": core.File(content="ü".encode(), mode="0640"),
            "/etc/s": core.File(secret=core.SecretRef("./x", source="file")),
        },
        volumes={
            "/data": core.Volume(kind=core.VolumeKind.NAMED, name="data", size_bytes=2**30),
            "/tmp": core.Volume(kind=core.VolumeKind.TMPFS, size_bytes=64 * 2**20),
            "/host": core.Volume(kind=core.VolumeKind.HOST, name="/srv/data", read_only=True),
        },
        resources=core.Resources(
            cpu_millis=250, memory_bytes=256 * 2**20, cpu_limit_millis=1000, memory_limit_bytes=512 * 2**20
        ),
        scaling=core.Scaling(min=2, max=10, cpu_percent=70),
        health=core.Health(
            ready=core.Probe(
                kind=core.ProbeKind.HTTP, path="/ready", port="http", interval_ms=1000, timeout_ms=500, failures=2
            ),
            live=core.Probe(kind=core.ProbeKind.EXEC, command=("check", "1")),
            start_deadline_ms=90_000,
        ),
        rollout=core.Rollout(
            max_surge=core.Amount(25, percent=True),
            max_unavailable=core.Amount(1),
            min_ready_ms=0,
            deadline_ms=600_000,
            on_failure=core.OnFailure.PAUSE,
        ),
        restart=core.Restart.ON_FAILURE,
        stop=core.Stop(signal="SIGINT", grace_ms=0, drain_ms=250),
        placement=core.Placement(
            require=(
                core.Requirement(key="zone", values=("a", "1")),
                core.Requirement(key="old", op=core.Operator.NOT_EXISTS),
                core.Requirement(key="gpu", op=core.Operator.EXISTS),
                core.Requirement(key="x", op=core.Operator.NOT_IN, values=("y",)),
            ),
            spread=("zone",),
            max_per_node=2,
        ),
        needs={"db": ">=2,<3"},
        allow=("api", "web"),
        provides={"api": "2.30"},
        backends={"swarm": {"networks": ["edge"], "n": 1, "f": 1.5, "b": True}},
    )


def test_options_of_backends_are_plain_json_values(tmp_path: Path) -> None:
    options = service(HEAD + "backends: {swarm: {n: 1, f: 1.5, l: [2]}}", tmp_path).options("swarm")
    assert [type(v) for v in (options["n"], options["f"], options["l"], options["l"][0])] == [int, float, list, int]


def test_nobody_may_call_is_something_else_than_not_managed(tmp_path: Path) -> None:
    assert service(HEAD + "allow: []", tmp_path).allow == ()
    assert service(HEAD, tmp_path).allow is None


def test_instances_with_ports_drain_and_others_do_not(tmp_path: Path) -> None:
    assert service(PORTS, tmp_path).stop.drain_ms == DRAIN_WITH_PORTS_MS
    assert service(HEAD, tmp_path).stop.drain_ms == 0
    assert service(PORTS + "stop: {drain: 0}", tmp_path).stop.drain_ms == 0


@pytest.mark.parametrize(
    ("path", "default"),
    [
        ("ports[].protocol", core.Port(name="x", port=1).protocol.value),
        ("ports[].expose", core.Port(name="x", port=1).expose.value),
        ("files.*.mode", f'"{core.File().mode}"'),
        ("health.ready.interval", format_duration(core.Probe(kind=core.ProbeKind.TCP).interval_ms)),
        ("health.ready.timeout", format_duration(core.Probe(kind=core.ProbeKind.TCP).timeout_ms)),
        ("health.ready.failures", str(core.Probe(kind=core.ProbeKind.TCP).failures)),
        ("health.start.deadline", format_duration(core.Health().start_deadline_ms)),
        ("rollout.strategy", core.Rollout().strategy.value),
        ("rollout.max_surge", str(core.Rollout().max_surge)),
        ("rollout.max_unavailable", str(core.Rollout().max_unavailable)),
        ("rollout.min_ready", format_duration(core.Rollout().min_ready_ms)),
        ("rollout.deadline", format_duration(core.Rollout().deadline_ms)),
        ("rollout.on_failure", core.Rollout().on_failure.value),
        ("restart", core.Restart.ALWAYS.value),
        ("stop.signal", core.Stop().signal),
        ("stop.grace", format_duration(core.Stop().grace_ms)),
    ],
)
def test_the_documented_default_is_the_real_one(path: str, default: str) -> None:
    text = dict(leaves())[path]
    stated = re.search(r"Default (\S+?)\.?$", text)
    assert stated is not None
    assert stated[1] == default


@pytest.mark.parametrize("name", ["discovery.type", "A-B", "_x", ".hidden"])
def test_programs_that_are_configured_by_odd_names_can_be(name: str, tmp_path: Path) -> None:
    assert service(f"name: web\nimage: a/web:1\nenv: {{{name}: one}}\n", tmp_path).env == {name: "one"}


@pytest.mark.parametrize("name", [".", "..", "..a", "9a", "a b", "a=b", "a/b", "a$", "é"])
def test_what_no_backend_takes_as_a_variable_is_refused(name: str, tmp_path: Path) -> None:
    [problem] = problems(f'name: web\nimage: a/web:1\nenv: {{"{name}": one}}\n', tmp_path)
    assert problem.code == "E0223"

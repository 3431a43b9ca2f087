"""What is sent to the swarm, to the byte."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from orchctl.core.document import template_hash
from orchctl.core.service import (
    Amount,
    Expose,
    Health,
    OnFailure,
    Port,
    Probe,
    ProbeKind,
    Restart,
    Rollout,
    SecretRef,
    Service,
    Strategy,
    Volume,
    VolumeKind,
)
from orchctl_swarm import names
from orchctl_swarm.translate import render
from tests.unit.swarm import golden
from tests.unit.swarm.sample import FULL, sample

WGET = "wget -q -O /dev/null 'http://127.0.0.1:8080/ready?a=b c'"
CURL = "curl -fsSL -o /dev/null 'http://127.0.0.1:8080/ready?a=b c'"


def spec(service: Service) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(json.dumps(render(service)[-1].body))
    return body


def container(service: Service) -> dict[str, Any]:
    found: dict[str, Any] = spec(service)["TaskTemplate"]["ContainerSpec"]
    return found


def update(**rollout: Any) -> dict[str, Any]:
    found: dict[str, Any] = spec(sample(replicas=10, rollout=Rollout(**rollout)))["UpdateConfig"]
    return found


def test_everything_a_service_can_ask_for_is_rendered_as_recorded() -> None:
    golden.compare("rendered", [{"kind": o.kind, "name": o.name, "body": o.body} for o in render(FULL)])


def test_rendering_is_deterministic() -> None:
    assert json.dumps([o.body for o in render(FULL)]) == json.dumps([o.body for o in render(FULL)])


def test_an_absent_count_renders_as_one() -> None:
    assert spec(sample(replicas=None))["Mode"] == {"Replicated": {"Replicas": 1}}


@pytest.mark.parametrize(
    ("surge", "unavailable", "order", "parallelism"),
    [
        (Amount(1), Amount(0), "start-first", 1),
        (Amount(25, percent=True), Amount(0), "start-first", 3),
        (Amount(0), Amount(2), "stop-first", 2),
        (Amount(0), Amount(25, percent=True), "stop-first", 2),
        (Amount(0), Amount(1, percent=True), "stop-first", 1),
        (Amount(2), Amount(1), "start-first", 2),
    ],
)
def test_surge_and_unavailability_become_order_and_parallelism(
    surge: Amount, unavailable: Amount, order: str, parallelism: int
) -> None:
    found = update(max_surge=surge, max_unavailable=unavailable)
    assert (found["Order"], found["Parallelism"]) == (order, parallelism)


def test_recreate_stops_first_and_all_at_once() -> None:
    found = update(strategy=Strategy.RECREATE)
    assert (found["Order"], found["Parallelism"]) == ("stop-first", 0)


@pytest.mark.parametrize("policy", list(OnFailure))
def test_a_failed_update_pauses_whatever_orchctl_will_do_then(policy: OnFailure) -> None:
    assert update(on_failure=policy)["FailureAction"] == "pause"


def test_rollback_config_is_as_complete_as_update_config() -> None:
    found = spec(sample())
    assert (
        set(found["RollbackConfig"])
        == set(found["UpdateConfig"])
        == {
            "Parallelism",
            "Delay",
            "FailureAction",
            "Monitor",
            "MaxFailureRatio",
            "Order",
        }
    )


@pytest.mark.parametrize(
    ("policy", "condition"),
    [(Restart.ALWAYS, "any"), (Restart.ON_FAILURE, "on-failure"), (Restart.NEVER, "none")],
)
def test_restart_policy_is_explicit_and_quick_enough_to_see_three_crashes_in_fifteen_seconds(
    policy: Restart, condition: str
) -> None:
    found = spec(sample(restart=policy))["TaskTemplate"]["RestartPolicy"]
    assert found["Condition"] == condition
    assert 2 * found["Delay"] < 10 * 10**9


@pytest.mark.parametrize(
    ("expose", "endpoint"),
    [
        (Expose.INTERNAL, {"Mode": "dnsrr"}),
        (
            Expose.HOST,
            {
                "Mode": "dnsrr",
                "Ports": [{"Name": "http", "Protocol": "tcp", "TargetPort": 80, "PublishMode": "host"}],
            },
        ),
        (
            Expose.CLUSTER,
            {
                "Mode": "vip",
                "Ports": [{"Name": "http", "Protocol": "tcp", "TargetPort": 80, "PublishMode": "ingress"}],
            },
        ),
    ],
)
def test_ports_are_published_as_they_are_exposed(expose: Expose, endpoint: dict[str, Any]) -> None:
    assert spec(sample(ports=(Port(name="http", port=80, expose=expose),)))["EndpointSpec"] == endpoint


@pytest.mark.parametrize(
    ("probe", "test"),
    [
        (
            Probe(kind=ProbeKind.HTTP, path="/ready?a=b c", port="http"),
            [
                "CMD-SHELL",
                f"if command -v wget >/dev/null; then {WGET}; else {CURL}; fi || exit 1",
            ],
        ),
        (Probe(kind=ProbeKind.TCP, port="http"), ["CMD-SHELL", "nc -z 127.0.0.1 8080 || exit 1"]),
        (Probe(kind=ProbeKind.EXEC, command=("check", "$(PORT_HTTP)")), ["CMD", "check", "8080"]),
    ],
)
def test_probes_become_commands_inside_the_container(probe: Probe, test: list[str]) -> None:
    assert container(sample(health=Health(ready=probe)))["Healthcheck"]["Test"] == test


def test_without_a_probe_the_images_own_check_is_left_alone() -> None:
    assert "Healthcheck" not in container(sample())


@pytest.mark.parametrize(
    ("command", "test"), [("curl -f x", ["CMD-SHELL", "curl -f x"]), (["curl", "-f"], ["CMD", "curl", "-f"])]
)
def test_a_health_command_of_the_users_replaces_the_generated_one(command: Any, test: list[str]) -> None:
    probe = Probe(kind=ProbeKind.GRPC, port="http")
    service = sample(health=Health(ready=probe), backends={"swarm": {"health_command": command}})
    assert container(service)["Healthcheck"]["Test"] == test


def test_port_variables_are_set_and_expanded_and_the_spec_may_override_them() -> None:
    found = container(sample(args=("--port", "$(PORT_HTTP)", "$(OTHER)"), env={"PORT": "1"}))
    assert found["Env"] == ["PORT=1", "PORT_HTTP=8080"]
    assert found["Args"] == ["--port", "8080", "$(OTHER)"]


def test_a_pinned_image_is_sent_with_its_digest() -> None:
    assert container(sample(image_digest="sha256:abc"))["Image"] == "web:1@sha256:abc"


def test_patch_merges_into_the_finished_spec_and_null_removes() -> None:
    patch = {"TaskTemplate": {"LogDriver": {"Name": "none"}, "RestartPolicy": None}}
    found = spec(sample(backends={"swarm": {"patch": patch}}))["TaskTemplate"]
    assert found["LogDriver"] == {"Name": "none"}
    assert "RestartPolicy" not in found


def test_the_template_hash_stands_where_tasks_carry_it_and_the_revision_does_not() -> None:
    found = spec(sample())
    labels = found["TaskTemplate"]["ContainerSpec"]["Labels"]
    assert labels[names.TEMPLATE] == template_hash(sample(), "swarm")
    assert names.REVISION not in labels


def test_generated_names_fit_the_engine_at_the_longest_names_a_spec_may_have() -> None:
    longest = sample(name="n" * 38, namespace="s" * 24)
    assert len(names.service_name(longest.namespace, longest.name)) <= 63
    assert len(names.config_name(longest, "sha256:0123456789abcdef")) <= 64
    assert len(names.secret_name(longest, SecretRef("V" * 200, source="env", version="0" * 16))) <= 64
    assert len(names.store_name(f"{longest.namespace}/{longest.name}/revision/00000001")) <= 64


def test_configs_of_other_content_or_of_another_service_have_other_names() -> None:
    found = {
        names.config_name(sample(), "sha256:1"),
        names.config_name(sample(), "sha256:2"),
        names.config_name(sample(name="api"), "sha256:1"),
    }
    assert len(found) == 3


def test_the_place_of_a_volume_is_no_template() -> None:
    volumes = {"/a{{msg}}": Volume(kind=VolumeKind.TMPFS)}
    (mount,) = container(sample(volumes=volumes))["Mounts"]
    assert mount["Target"] == '/a{{"{{"}}msg}}'


@pytest.mark.parametrize("value", ["{{.Node.Hostname}}", "{{msg}} {{.Level}}", "a{{{b}}", "{{"])
def test_a_variable_is_no_template(value: str) -> None:
    """The agent expands it with Go's text/template, in which {{"..."}} is the text itself."""
    (entry,) = (e for e in container(sample(env={"A": value}))["Env"] if e.startswith("A="))
    assert re.sub(r'{{"(.*?)"}}', r"\1", entry) == f"A={value}"
    assert "{{" not in entry.replace('{{"{{"}}', "")

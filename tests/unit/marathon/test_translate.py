"""What is sent to Marathon, to the byte."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Health,
    Port,
    Probe,
    ProbeKind,
    Resources,
    Rollout,
    SecretRef,
    Service,
    Strategy,
    Volume,
    VolumeKind,
)
from orchctl_marathon.rollout import upgrade_strategy
from orchctl_marathon.translate import app, render
from tests.unit.marathon import golden
from tests.unit.marathon.sample import FULL, HTTP, process, sample

COMMAND = ("serve", "--port", "$(PORT_HTTP)")
LIVE = Probe(kind=ProbeKind.TCP, port="http", interval_ms=1_000, timeout_ms=1_000)


# How a Mesos agent asks Docker: by words (checker_process.cpp), on older ones through a shell of its own (MESOS-4812).
NEW_AGENT = 'docker exec web sh -c "$0"'
OLD_AGENT = 'exec sh -c "docker exec web sh -c \\" $0 \\""'


def by_docker(
    form: str, line: str, folder: Path, *, tools: tuple[str, ...] = ("sh", "base64", "grep", "cat")
) -> subprocess.CompletedProcess[bytes]:
    """Run a check's ``line``, in an image that has ``tools`` alone."""
    image, agent = folder / "image", folder / "agent"
    image.mkdir()
    agent.mkdir()
    for tool in tools:
        (image / tool).symlink_to(str(shutil.which(tool)))
    docker = agent / "docker"
    docker.write_text(f'#!/bin/sh\nshift 2\nPATH={image} WHERE=container exec "$@"\n')
    docker.chmod(0o755)
    environment = {"PATH": f"{agent}:/usr/bin:/bin", "WHERE": "agent"}
    return subprocess.run(
        ["/bin/sh", "-c", form, line], env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )


def checked_by(service: Service, script: str) -> str:
    """What Mesos gets to run."""
    probe = Probe(kind=ProbeKind.EXEC, command=("sh", "-c", script))
    (check,) = app(replace(service, health=Health(live=probe)))["healthChecks"]
    assert check["protocol"] == "COMMAND"
    return str(check["command"]["value"])


def options(**given: Any) -> dict[str, Any]:
    return {"backends": {"marathon": given}}


def parameters(service: Service) -> list[str]:
    return [f"{p['key']}={p['value']}" for p in app(service)["container"]["docker"]["parameters"]]


def test_everything_a_service_can_ask_for_is_rendered_as_recorded() -> None:
    golden.compare("rendered", [{"kind": o.kind, "name": o.name, "body": o.body} for o in render(FULL)])


def test_rendering_is_deterministic() -> None:
    assert json.dumps([o.body for o in render(FULL)]) == json.dumps([o.body for o in render(FULL)])


def test_an_absent_count_renders_as_one() -> None:
    assert app(sample(replicas=None))["instances"] == 1


def test_other_backends_options_are_no_part_of_it() -> None:
    assert app(sample()) == app(sample(backends={"swarm": {"init": False}}))


class TestCommand:
    def test_an_image_alone_runs_what_it_is_made_for(self) -> None:
        assert {"cmd", "args"} & set(app(sample())) == set()

    def test_args_go_behind_the_images_own_entrypoint(self) -> None:
        assert app(sample(args=("-p", "$(PORT_HTTP)", "$$(X)")))["args"] == ["-p", "8080", "$(X)"]

    def test_a_command_replaces_the_entrypoint(self) -> None:
        service = sample(command=("serve", "-a"), args=("b c",), working_dir="/srv")
        assert "cmd" not in app(service)
        assert app(service)["args"] == ["-a", "b c"]
        assert parameters(service) == ["entrypoint=serve", "workdir=/srv", "init=true"]

    def test_a_container_of_mesos_needs_a_shell_for_a_command(self) -> None:
        service = sample(command=COMMAND, working_dir="/s v", **options(containerizer="mesos"))
        assert app(service)["cmd"] == "cd '/s v' && exec serve --port 8080"
        assert app(service)["container"]["type"] == "MESOS"

    def test_a_process_is_a_shell_line_that_becomes_it(self) -> None:
        line = app(process(args=("it's", "$HOME", "")))["cmd"]
        assert line == """exec serve "${PORT_HTTP}" 'it'"'"'s' '$HOME' ''"""

    def test_a_command_beside_the_image_makes_it_a_process(self) -> None:
        found = app(sample(**options(command=["python3", "-m", "http.server", "$(PORT_HTTP)"])))
        assert found["cmd"] == 'exec python3 -m http.server "${PORT_HTTP}"'
        assert "container" not in found
        assert found["networks"] == [{"mode": "host"}]

    def test_a_given_variable_of_a_ports_name_wins(self) -> None:
        assert app(process(env={"PORT_HTTP": "1"}))["cmd"] == "exec serve 1"

    def test_a_port_with_a_hyphen_is_given_by_its_number(self) -> None:
        """Marathon calls it PORT_HTTP-API, which no shell can read."""
        ports = (Port(name="admin", port=81), Port(name="http-api", port=80))
        found = app(sample(image=None, command=("serve", "-p$(PORT_HTTP_API)"), ports=ports))
        assert found["cmd"] == 'export PORT_HTTP_API="$PORT1" && exec serve -p"${PORT_HTTP_API}"'
        given = app(sample(image=None, command=("serve",), ports=ports, env={"PORT_HTTP_API": "1"}))
        assert given["cmd"] == "exec serve"
        assert app(sample(ports=ports))["env"]["PORT_HTTP_API"] == "80"

    def test_a_check_of_a_process_knows_a_port_with_a_hyphen(self) -> None:
        service = process(ports=(Port(name="http-api", port=80),))
        assert checked_by(service, "true") == """export PORT_HTTP_API="$PORT0" && sh -c true"""

    @pytest.mark.parametrize("path", ["/etc/motd", "/with space/it's", "/top"])
    def test_files_are_written_before_the_process_starts(self, tmp_path: Path, path: str) -> None:
        """By a real shell, as an agent would do it."""
        content = b"\x00\xff hello\n'\""
        found = app(process(files={path: File(content=content, mode="0640")}, working_dir="/"))
        line = found["cmd"].replace('exec serve "${PORT_HTTP}"', "env")
        done = subprocess.run(["/bin/sh", "-c", line], cwd=tmp_path, env=found["env"], capture_output=True, check=True)
        written = tmp_path / "orchctl-files" / path.lstrip("/")
        assert written.read_bytes() == content
        assert written.stat().st_mode & 0o777 == 0o640
        assert f"ORCHCTL_FILES={tmp_path}/orchctl-files" in done.stdout.decode()
        assert "ORCHCTL_FILE_0" not in done.stdout.decode()


class TestPorts:
    def test_a_container_gets_its_own_numbers_although_marathon_gives_those_of_the_host(self) -> None:
        assert app(sample())["env"] == {"PORT": "8080", "PORT_HTTP": "8080"}

    def test_a_process_gets_those_of_the_host_from_marathon(self) -> None:
        found = app(process())
        assert found["env"] == {}
        assert found["portDefinitions"] == [{"name": "http", "protocol": "tcp", "port": 0}]
        assert found["requirePorts"] is False

    def test_a_published_number_of_the_host_is_required(self) -> None:
        port = Port(name="http", port=8080, expose=Expose.HOST, published=18080)
        assert app(process(ports=(port,)))["portDefinitions"][0]["port"] == 18080
        assert app(process(ports=(port,)))["requirePorts"] is True
        mapping = app(sample(ports=(port,)))["container"]["portMappings"][0]
        assert (mapping["containerPort"], mapping["hostPort"], mapping["servicePort"]) == (8080, 18080, 0)

    def test_without_ports_an_empty_list_is_sent_so_that_marathon_makes_none_up(self) -> None:
        assert app(process(ports=(), health=Health()))["portDefinitions"] == []
        assert app(sample(ports=()))["container"]["portMappings"] == []

    def test_on_a_container_network_only_asked_for_ports_are_the_hosts(self) -> None:
        ports = (Port(name="http", port=8080), Port(name="admin", port=9090, expose=Expose.HOST))
        found = app(sample(ports=ports, **options(network="overlay")))
        assert found["networks"] == [{"mode": "container", "name": "overlay"}]
        assert [m.get("hostPort") for m in found["container"]["portMappings"]] == [None, 0]

    def test_marathon_lb_publishes_what_is_asked_for_and_nothing_else(self) -> None:
        ports = (
            Port(name="admin", port=9090),
            Port(name="http", port=8080, expose=Expose.CLUSTER, published=10080),
        )
        found = app(sample(ports=ports, **options(load_balancer="marathon-lb")))
        labels = {k: v for k, v in found["labels"].items() if k.startswith("HAPROXY")}
        assert labels == {"HAPROXY_GROUP": "internal", "HAPROXY_0_ENABLED": "false"}
        assert found["container"]["portMappings"][1]["servicePort"] == 10080


class TestHealth:
    def test_every_time_is_sent_in_whole_seconds(self) -> None:
        (check,) = app(sample(health=Health(live=HTTP, start_deadline_ms=10_500)))["healthChecks"]
        assert check == {
            "protocol": "MESOS_HTTP",
            "path": "/ready",
            "portIndex": 0,
            "ipProtocol": "IPv4",
            "gracePeriodSeconds": 11,
            "intervalSeconds": 2,
            "timeoutSeconds": 2,
            "maxConsecutiveFailures": 3,
            "delaySeconds": 0,
        }

    @pytest.mark.parametrize(
        "service", [process(), sample(**options(containerizer="mesos"))], ids=["process", "container of Mesos"]
    )
    def test_a_command_is_the_line_of_one_shell(self, service: Service) -> None:
        assert checked_by(service, 'test "$A" = 1') == """sh -c 'test "$A" = 1'"""

    def test_a_plain_command_in_a_container_stays_readable(self) -> None:
        assert checked_by(sample(), "test -f /up") == "sh -c 'test -f /up'"

    @pytest.mark.parametrize("form", [NEW_AGENT, OLD_AGENT])
    @pytest.mark.parametrize(
        ("script", "status"),
        [
            ('test "$WHERE" = container', 0),
            ('test "$WHERE" = agent', 1),
            ("test $(echo $WHERE) = container", 0),
            ("test `echo $WHERE` = container", 0),
            (r"printf 'a\\b' | grep -q '^a.b$'", 0),
            ("test 'it is' = 'it is'", 0),
            ("cat; exit 7", 7),
        ],
    )
    def test_a_command_means_the_same_to_every_docker_executor(
        self, tmp_path: Path, form: str, script: str, status: int
    ) -> None:
        """By real shells: ``docker exec`` is one that sees the container's variable in place of the agent's."""
        done = by_docker(form, checked_by(sample(), script), tmp_path)
        assert done.returncode == status

    @pytest.mark.parametrize("form", [NEW_AGENT, OLD_AGENT])
    def test_an_image_without_base64_fails_its_check(self, tmp_path: Path, form: str) -> None:
        done = by_docker(form, checked_by(sample(), 'test "$WHERE" = container'), tmp_path, tools=("sh",))
        assert done.returncode != 0

    def test_readiness_over_http_beside_liveness_is_asked_while_deploying(self) -> None:
        found = app(sample(health=Health(ready=HTTP, live=LIVE)))
        assert found["healthChecks"][0]["protocol"] == "MESOS_TCP"
        (ready,) = found["readinessChecks"]
        assert (ready["portName"], ready["path"], ready["intervalSeconds"], ready["timeoutSeconds"]) == (
            "http",
            "/ready",
            2,
            1,
        )
        assert ready["httpStatusCodesForReady"] == list(range(200, 400))

    def test_one_probe_is_one_check(self) -> None:
        found = app(sample(health=Health(ready=HTTP)))
        assert (len(found["healthChecks"]), found["readinessChecks"]) == (1, [])


def healthy(replicas: int, strategy: dict[str, float]) -> int:
    """As Marathon's controller computes it."""
    return math.ceil(replicas * strategy["minimumHealthCapacity"])


def capacity(replicas: int, strategy: dict[str, float]) -> int:
    return math.floor(replicas * (1 + strategy["maximumOverCapacity"]))


class TestRollout:
    def test_whole_numbers_survive_the_fractions_for_every_count_up_to_200(self) -> None:
        for replicas in range(1, 201):
            for amount in range(replicas + 1):
                rollout = Rollout(max_surge=Amount(amount), max_unavailable=Amount(replicas - amount))
                strategy = json.loads(json.dumps(upgrade_strategy(sample(rollout=rollout), replicas)))
                assert healthy(replicas, strategy) == amount
                assert capacity(replicas, strategy) == replicas + amount

    def test_one_of_three_may_be_missing(self) -> None:
        strategy = upgrade_strategy(sample(rollout=Rollout(max_surge=Amount(0), max_unavailable=Amount(1))), 3)
        assert (healthy(3, strategy), capacity(3, strategy)) == (2, 3)

    def test_recreating_stops_everything_and_never_runs_more(self) -> None:
        strategy = upgrade_strategy(sample(rollout=Rollout(strategy=Strategy.RECREATE)), 3)
        assert strategy == {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}

    def test_a_percentage_of_few_moves_at_least_one(self) -> None:
        rollout = Rollout(max_surge=Amount(0), max_unavailable=Amount(10, percent=True))
        assert healthy(3, upgrade_strategy(sample(rollout=rollout), 3)) == 2

    def test_nothing_is_computed_for_no_instances(self) -> None:
        assert upgrade_strategy(sample(), 0) == {"minimumHealthCapacity": 0.0, "maximumOverCapacity": 0.0}


class TestResources:
    def test_what_is_not_stated_is_sent_small(self) -> None:
        found = app(sample(resources=Resources()))
        assert (found["cpus"], found["mem"], found["disk"], found["gpus"]) == (0.1, 128, 0, 0)

    def test_memory_is_rounded_up_to_mebibytes(self) -> None:
        assert app(sample(resources=Resources(memory_bytes=(32 << 20) + 1)))["mem"] == 33

    def test_a_limit_alone_is_reserved_and_needs_no_limit(self) -> None:
        found = app(sample(resources=Resources(memory_limit_bytes=64 << 20)))
        assert (found["mem"], found.get("resourceLimits")) == (64, None)

    def test_a_limit_above_the_reservation(self) -> None:
        found = app(
            sample(resources=Resources(memory_bytes=32 << 20, memory_limit_bytes=64 << 20, cpu_limit_millis=500))
        )
        assert found["resourceLimits"] == {"mem": 64, "cpus": 0.5}

    @pytest.mark.parametrize("millis", [50, 500])
    def test_a_cpu_limit_alone_is_reserved_and_still_a_limit(self, millis: int) -> None:
        """What is reserved is a share of the CPU, and no limit by itself."""
        found = app(sample(resources=Resources(cpu_limit_millis=millis)))
        assert (found["cpus"], found["resourceLimits"]) == (millis / 1_000, {"cpus": millis / 1_000})


def test_secrets_go_by_reference() -> None:
    service = sample(env={"PASSWORD": SecretRef("db", "password"), "TOKEN": SecretRef("token")})
    found = app(service)
    assert found["env"]["PASSWORD"] == {"secret": "db.password"}
    assert found["secrets"] == {"db.password": {"source": "db/password"}, "token": {"source": "token"}}


def test_volumes_are_flags_of_the_docker_engine_or_mounts() -> None:
    service = sample(
        volumes={
            "/data": Volume(kind=VolumeKind.NAMED, name="data", read_only=True),
            "/tmp": Volume(kind=VolumeKind.TMPFS),
            "/host": Volume(kind=VolumeKind.HOST, name="/srv"),
        }
    )
    assert parameters(service) == ["init=true", "volume=shop_data:/data:ro", "tmpfs=/tmp"]
    assert app(service)["container"]["volumes"] == [{"containerPath": "/host", "hostPath": "/srv", "mode": "RW"}]


def test_a_memory_file_system_may_be_read_only() -> None:
    frozen = Volume(kind=VolumeKind.TMPFS, size_bytes=1 << 20, read_only=True)
    assert "tmpfs=/t:size=1048576,ro" in parameters(sample(volumes={"/t": frozen}))
    assert "tmpfs=/t:ro" in parameters(sample(volumes={"/t": replace(frozen, size_bytes=None)}))


def test_a_pinned_image_is_sent_by_digest() -> None:
    assert app(sample(image_digest="sha256:abc"))["container"]["docker"]["image"] == "web:1@sha256:abc"

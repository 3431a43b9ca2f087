"""Tasks of our Marathon are real processes: what they are given, how they end, how they are checked and read."""

from __future__ import annotations

import ipaddress
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.servers.marathon import Agent, Marathon, TrueTask
from tests.servers.marathon.client import Client
from tests.servers.marathon.health import Target, perform
from tests.servers.waiting import until

HELLO = "hello:1"
SERVER = [sys.executable, "-m", "http.server", "--bind"]
LISTEN = ["/bin/sh", "-c", f'exec {" ".join(SERVER)} "$LISTEN_HOST" "$LISTEN_PORT0"']
FAST = {"delaySeconds": 0, "intervalSeconds": 1, "gracePeriodSeconds": 60, "timeoutSeconds": 5}


@pytest.fixture
def marathon() -> Iterator[Marathon]:
    with Marathon(images={HELLO: LISTEN, "bare:1": None}, agents=[Agent()]) as server:
        yield server


@pytest.fixture
def client(marathon: Marathon) -> Client:
    return Client(marathon.url)


def create(client: Client, **fields: Any) -> None:
    answer = client.post("/v2/apps", {"id": "/web", "cpus": 0.1, "mem": 32, **fields})
    assert answer.status == 201, answer.text


def running(marathon: Marathon, client: Client, **fields: Any) -> TrueTask:
    create(client, **fields)
    until("the deployment's end", lambda: is_deployed(marathon))
    (task,) = marathon.tasks("/web")
    return task


def is_deployed(marathon: Marathon) -> bool:
    """Looks, and lets a second pass on the server's clock, so that failed checks are repeated at once."""
    marathon.advance(1)
    return not marathon.deployments()


def is_alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def output(task: TrueTask, name: str = "stdout") -> str:
    return (Path(task.sandbox) / name).read_text()


def failure(client: Client) -> dict[str, Any]:
    return until("a failure", lambda: client.get("/v2/apps//web").body["app"].get("lastTaskFailure"))


def test_a_command_runs_in_its_sandbox_with_marathons_variables(marathon: Marathon, client: Client) -> None:
    task = running(
        marathon,
        client,
        cmd="env; pwd; echo problem >&2; exec sleep 100",
        env={"A": "b c"},
        labels={"team": "core"},
        portDefinitions=[{"port": 0, "name": "http-api"}, {"port": 0, "name": "admin"}],
    )
    until("the output", lambda: task.sandbox in output(task).splitlines())
    seen = dict(line.split("=", 1) for line in output(task).splitlines() if "=" in line)
    first, second = map(str, task.ports)
    service = [str(one["port"]) for one in marathon.apps()["/web"]["portDefinitions"]]
    assert (
        seen.items()
        >= {
            "A": "b c",
            "HOST": "127.0.0.1",
            "PORT": first,
            "PORT0": first,
            "PORT1": second,
            "PORTS": f"{first},{second}",
            "PORT_ADMIN": second,
            f"PORT_{service[0]}": first,
            "LISTEN_PORT0": first,
            "MARATHON_APP_ID": "/web",
            "MARATHON_APP_VERSION": task.version,
            "MARATHON_APP_LABEL_TEAM": "core",
            "MESOS_TASK_ID": task.id,
            "MESOS_SANDBOX": task.sandbox,
        }.items()
    )
    assert output(task, "stderr") == "problem\n"


def test_a_port_with_a_hyphen_has_it_in_its_variable_too(marathon: Marathon, client: Client) -> None:
    """As Marathon calls it. No shell can read such a name, and some do not hand it on."""
    definitions = [{"port": 0, "name": "http-api"}]
    task = running(marathon, client, args=["/bin/sleep", "100"], portDefinitions=definitions)
    seen = Path(f"/proc/{task.pid}/environ").read_text().split("\0")
    assert f"PORT_HTTP-API={task.ports[0]}" in seen
    assert not [one for one in seen if one.startswith("PORT_HTTP_API=")]


def test_args_run_without_a_shell(marathon: Marathon, client: Client) -> None:
    task = running(marathon, client, args=["/bin/sleep", "100"])
    assert Path(f"/proc/{task.pid}/cmdline").read_bytes() == b"/bin/sleep\x00100\x00"


@pytest.mark.parametrize(
    ("command", "state", "message"),
    [
        ("exit 3", "TASK_FAILED", "Command exited with status 3"),
        ("kill -SEGV $$", "TASK_FAILED", "Command terminated with signal Segmentation fault"),
    ],
)
def test_an_end_is_told_in_mesos_words(
    marathon: Marathon, client: Client, command: str, state: str, message: str
) -> None:
    create(client, cmd=command)
    found = failure(client)
    assert (found["state"], found["message"]) == (state, message)


def test_exit_0_is_no_failure_and_is_launched_again(marathon: Marathon, client: Client) -> None:
    create(client, cmd="exit 0")
    until(
        "the end", lambda: any(one["taskStatus"] == "TASK_FINISHED" for one in marathon.events("status_update_event"))
    )
    marathon.advance(2)
    until("the next", lambda: any(one["taskId"].endswith("._app.2") for one in marathon.events("status_update_event")))
    assert "lastTaskFailure" not in client.get("/v2/apps//web").body["app"]


def test_a_signal_from_outside_is_a_failure(marathon: Marathon, client: Client) -> None:
    task = running(marathon, client, cmd="exec sleep 100")
    marathon.kill_task(task.id)
    assert failure(client)["message"] == "Command terminated with signal Killed"


def test_a_kill_is_gentle_until_the_grace_period_is_over(marathon: Marathon, client: Client) -> None:
    command = "trap 'echo asked' TERM; echo ready; while :; do sleep 0.05; done"
    task = running(marathon, client, cmd=command, taskKillGracePeriodSeconds=40)
    until("its trap", lambda: "ready" in output(task))
    client.delete("/v2/apps//web")
    until("the first signal", lambda: "asked" in output(task))
    assert [one.pid for one in marathon.tasks("/web")] == [task.pid]
    marathon.advance(41)
    until("the second one", lambda: not is_alive(task.pid))
    marathon.wait_deployed()


def test_a_kill_is_visible_where_the_feature_says_so() -> None:
    with Marathon(agents=[Agent()], features=("task_killing",)) as marathon:
        client = Client(marathon.url)
        task = running(marathon, client, cmd="trap '' TERM; echo ready; while :; do sleep 0.05; done")
        until("its trap", lambda: output(task))
        client.delete(f"/v2/apps//web/tasks/{task.id}")
        assert client.get("/v2/apps//web").body["app"]["tasks"][0]["state"] == "TASK_KILLING"
        marathon.advance(4)
        until("its successor", lambda: [one.id for one in marathon.tasks()] == [task.id.replace("_app.1", "_app.2")])


def test_killing_with_scale_takes_exactly_that_task(marathon: Marathon, client: Client) -> None:
    create(client, cmd="exec sleep 100", instances=3)
    marathon.wait_deployed()
    oldest, *others = [one.id for one in marathon.tasks("/web")]
    assert client.delete(f"/v2/apps//web/tasks/{oldest}?scale=true").status == 200
    marathon.wait_deployed()
    assert [one.id for one in marathon.tasks("/web")] == others
    assert marathon.apps()["/web"]["instances"] == 2


def test_children_do_not_survive_their_task(marathon: Marathon, client: Client) -> None:
    task = running(marathon, client, cmd="sleep 100 & echo $!; wait")
    child = int(until("its child", lambda: output(task)))
    marathon.kill_task(task.id, signal.SIGTERM)
    until("the child's end", lambda: not is_alive(child) or "Z" in Path(f"/proc/{child}/stat").read_text())
    failure(client)


def test_stopping_leaves_no_process_no_file_and_no_listener() -> None:
    with Marathon(agents=[Agent()]) as marathon:
        client = Client(marathon.url)
        task = running(marathon, client, cmd="trap '' TERM; sleep 100 & wait")
        marathon.lose_agent("127.0.0.1")
        marathon.settle()
    assert not is_alive(task.pid)
    assert not Path(task.sandbox).exists()
    with pytest.raises(ConnectionRefusedError):
        client.get("/ping")


@pytest.mark.parametrize("protocol", ["MESOS_HTTP", "MESOS_TCP", "HTTP", "TCP"])
@pytest.mark.parametrize("network", ["host", "container/bridge"])
def test_an_image_is_checked_where_it_listens(marathon: Marathon, client: Client, protocol: str, network: str) -> None:
    container: dict[str, Any] = {"type": "DOCKER", "docker": {"image": HELLO}}
    if network != "host":
        container["portMappings"] = [{"containerPort": 80, "hostPort": 0, "name": "http"}]
    check = {"protocol": protocol, "portIndex": 0, **FAST}
    task = running(marathon, client, container=container, networks=[{"mode": network}], healthChecks=[check])
    app = client.get("/v2/apps//web").body["app"]
    assert app["tasksHealthy"] == 1
    assert app["tasks"][0]["healthCheckResults"][0]["alive"] is True
    assert app["tasks"][0]["ports"] == list(task.ports)


def test_a_task_on_a_container_network_has_an_address_of_its_own(marathon: Marathon, client: Client) -> None:
    container = {"type": "MESOS", "docker": {"image": HELLO}, "portMappings": [{"containerPort": 8099}]}
    check = {"protocol": "MESOS_HTTP", "portIndex": 0, **FAST}
    running(
        marathon, client, container=container, networks=[{"mode": "container", "name": "net"}], healthChecks=[check]
    )
    task = client.get("/v2/apps//web/tasks").body["tasks"][0]
    address = task["ipAddresses"][0]["ipAddress"]
    assert task["ports"] == []
    assert ipaddress.ip_address(address) >= ipaddress.ip_address("127.77.0.1")  # below are the agents' own
    assert Client(f"http://{address}:8099").get("/").status == 200


@pytest.mark.parametrize(
    ("kind", "text"), [("DOCKER", "pull access denied for nope"), ("MESOS", "Failed to pull image 'nope:1'")]
)
def test_an_unknown_image_fails_the_task(marathon: Marathon, client: Client, kind: str, text: str) -> None:
    create(client, container={"type": kind, "docker": {"image": "nope:1"}})
    found = failure(client)
    assert found["state"] == "TASK_FAILED"
    assert found["message"].startswith("Failed to launch container: ")
    assert text in found["message"]


def test_a_bare_image_runs_the_given_command(marathon: Marathon, client: Client) -> None:
    task = running(
        marathon, client, cmd="echo $MARATHON_APP_DOCKER_IMAGE; exec sleep 100",
        container={"type": "DOCKER", "docker": {"image": "bare:1"}},
    )  # fmt: skip
    assert until("its output", lambda: output(task)) == "bare:1\n"


def test_a_command_check_runs_in_the_sandbox(marathon: Marathon, client: Client) -> None:
    check = {"protocol": "COMMAND", "command": {"value": "test -f well"}, **FAST}
    create(client, cmd="exec sleep 100", healthChecks=[check])
    until("a first result", lambda: client.get("/v2/apps//web").body["app"]["tasksUnhealthy"] == 1)
    assert len(marathon.deployments()) == 1
    (task,) = marathon.tasks("/web")
    (Path(task.sandbox) / "well").touch()
    marathon.advance(1)
    marathon.wait_deployed()


def test_a_command_check_of_a_task_whose_sandbox_is_gone_fails(tmp_path: Path) -> None:
    check = {"protocol": "COMMAND", "command": {"value": "true"}, "timeoutSeconds": 60}
    target = Target(check, "127.0.0.1", 0, {"PATH": os.environ["PATH"]}, str(tmp_path / "gone"))
    assert "could not be started" in perform(target).cause
    assert not perform(replace(target, directory=str(tmp_path))).cause


def test_mesos_kills_what_fails_its_check_and_says_only_that_it_was_killed(marathon: Marathon, client: Client) -> None:
    check = {"protocol": "COMMAND", "command": {"value": "false"}, **FAST, "gracePeriodSeconds": 0}
    create(client, cmd="exec sleep 100", healthChecks=[check | {"maxConsecutiveFailures": 2}])
    until("a check", lambda: client.get("/v2/apps//web").body["app"]["tasksUnhealthy"] == 1)
    marathon.advance(1)
    until("the next", lambda: any(one.id.endswith("._app.2") for one in marathon.tasks("/web")))
    assert "TASK_KILLED" in [one["taskStatus"] for one in marathon.events("status_update_event")]
    assert "lastTaskFailure" not in client.get("/v2/apps//web").body["app"]


def test_a_deployment_waits_for_readiness(marathon: Marathon, client: Client) -> None:
    folder = {"cmd": f"mkdir -p x && cd x && exec {' '.join(SERVER)} 127.0.0.1 $PORT0"}
    check = {
        "path": "/ready",
        "portName": "http",
        "intervalSeconds": 1,
        "timeoutSeconds": 1,
        "preserveLastResponse": True,
    }
    create(client, **folder, readinessChecks=[check], portDefinitions=[{"port": 0, "name": "http"}])

    def results() -> list[dict[str, Any]]:
        marathon.advance(1)
        found: list[dict[str, Any]] = client.get("/v2/deployments").body[0]["currentActions"][0][
            "readinessCheckResults"
        ]
        return [one for one in found if "lastResponse" in one]

    (result,) = until("an answer", results)
    assert (result["ready"], result["lastResponse"]["status"]) == (False, 404)
    (task,) = marathon.tasks("/web")
    (Path(task.sandbox) / "x" / "ready").touch()
    marathon.advance(1)
    marathon.wait_deployed()


def test_labels_simulate_fates_of_real_processes(marathon: Marathon, client: Client) -> None:
    task = running(marathon, client, cmd="exec sleep 100", labels={"simulate": "crash", "simulate_after": "60"})
    assert is_alive(task.pid)
    marathon.advance(61)
    assert failure(client)["message"] == "Command exited with status 1"
    assert not is_alive(task.pid)


def test_fixed_ports_wait_until_they_are_free(marathon: Marathon, client: Client) -> None:
    (port,) = marathon.engine.ports.take(1, "127.0.0.1")
    create(client, cmd="exec sleep 100", portDefinitions=[{"port": port}], requirePorts=True)
    marathon.settle()
    summary = client.get("/v2/queue").body["queue"][0]["processedOffersSummary"]["rejectSummaryLastOffers"]
    assert [one["reason"] for one in summary if one["declined"]] == ["InsufficientPorts"]
    marathon.engine.ports.release([port])
    marathon.wait_deployed()
    assert marathon.tasks("/web")[0].ports == (port,)


def test_the_sandbox_is_read_through_mesos(marathon: Marathon, client: Client) -> None:
    task = running(marathon, client, cmd="echo one; echo two; exec sleep 100")
    until("its output", lambda: output(task) == "one\ntwo\n")
    state = Client(marathon.mesos_url).get("/master/state").body
    listed = next(one for one in state["frameworks"][0]["tasks"] if one["id"] == task.id)
    agent = next(one for one in state["slaves"] if one["id"] == listed["slave_id"])
    files = Client(f"http://{agent['pid'].partition('@')[2]}")
    (executor,) = files.get("/state").body["frameworks"][0]["executors"]
    path = f"{executor['directory']}/stdout"
    assert executor["id"] == task.id
    assert files.get(f"/files/read?path={path}&offset=4&length=100").body == {"data": "two\n", "offset": 4}
    assert files.get(f"/files/read?path={path}").body == {"data": "", "offset": 8}
    listing = files.get(f"/files/browse?path={executor['directory']}").body
    assert [(Path(one["path"]).name, one["size"]) for one in listing] == [("stderr", 0), ("stdout", 8)]
    assert files.get("/files/read?path=/etc/passwd&offset=0").status == 404


def test_the_output_of_an_ended_task_stays_readable(marathon: Marathon, client: Client) -> None:
    create(client, cmd="echo last words; exit 1")
    failed = failure(client)["taskId"]
    agent = Client(marathon.mesos_url).get("/slaves").body["slaves"][0]["pid"].partition("@")[2]
    files = Client(f"http://{agent}")
    ended = files.get("/state").body["frameworks"][0]["completed_executors"]
    directory = next(one["directory"] for one in ended if one["id"] == failed)
    assert files.get(f"/files/read?path={directory}/stdout&offset=0").body["data"] == "last words\n"


def test_two_servers_never_use_the_same_port() -> None:
    with Marathon(agents=[Agent()]) as one, Marathon(agents=[Agent()]) as other:
        for server in (one, other):
            running(server, Client(server.url), cmd="exec sleep 100", portDefinitions=[{"port": 0}] * 20)
        assert not set(one.tasks()[0].ports) & set(other.tasks()[0].ports)

"""Who else works on an app, and who leads meanwhile: waited for, told by name, never run over, never taken for success."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core import stores
from orchctl.core.rollout import Event, EventKind, Outcome, OutcomeState
from orchctl.engine.holder import this_process
from orchctl.engine.lease import break_lease
from orchctl.engine.operation import Limits
from orchctl.errors import Conflict, Locked, Unreachable
from orchctl.testing.contract.deploy import greetings
from orchctl.testing.driver import Driver
from orchctl_marathon import store as ledger
from tests.children import LONGEST_S
from tests.contract.kills import Shell
from tests.contract.marathon.running import SPEC, WEB, Heard, Running, shell_of, simple
from tests.servers.marathon import Marathon
from tests.servers.waiting import until
from tests.worlds.marathon import MarathonWorld, images

pytestmark = pytest.mark.world_marathon

ACTS: dict[str, Callable[[Driver, MarathonWorld], Outcome]] = {
    "deploy": lambda d, w: d.deploy(simple(w, "two")),
    "scale": lambda d, _w: d.scale("web", "2"),
    "restart": lambda d, _w: d.restart("web"),
    "delete": lambda d, _w: d.delete("web"),
}
ENDS = {"deploy": ["two"], "scale": ["one", "one"], "restart": ["one"], "delete": []}


class TestLocks:
    @pytest.mark.parametrize("act", ACTS)
    def test_somebodys_deployment_is_waited_for(self, world: MarathonWorld, server: Marathon, act: str) -> None:
        Driver(world).deploy(simple(world))
        before = {t.id for t in server.tasks(WEB)}
        with server.foreign_deployment(WEB) as identity:
            heard = Heard(identity)
            running = Running(lambda: ACTS[act](Driver(world, on_event=heard), world))
            heard.wait()
            assert not running.is_over
            assert [d["id"] for d in server.deployments()] == [identity]
            assert {t.id for t in server.tasks(WEB)} == before
        assert running.outcome().exit_code == 0
        assert greetings(world.truth("web")) == ENDS[act]

    @pytest.mark.parametrize("act", ACTS)
    def test_one_that_does_not_end_is_named_and_not_run_over(
        self, world: MarathonWorld, server: Marathon, act: str
    ) -> None:
        Driver(world).deploy(simple(world))
        before = {t.id for t in server.tasks(WEB)}
        with server.foreign_deployment(WEB) as identity:
            with pytest.raises(Locked) as caught:
                ACTS[act](Driver(world, limits=Limits(lock_timeout_ms=300)), world)
            assert (caught.value.exit_code, caught.value.code, caught.value.by) == (5, "E0508", (identity,))
            assert identity in str(caught.value)
            assert identity in caught.value.hint
            assert [d["id"] for d in server.deployments()] == [identity]
            assert {t.id for t in server.tasks(WEB)} == before
        server.wait_deployed()
        assert ACTS[act](Driver(world), world).exit_code == 0

    def test_the_command_says_whose_it_is(self, world: MarathonWorld, server: Marathon, tmp_path: Path) -> None:
        shell = shell_of(world, tmp_path)
        assert shell.deploy("one").returncode == 0
        with server.foreign_deployment(WEB) as identity:
            done = shell.run("scale", "web=2", "--lock-timeout", "300ms")
            assert done.returncode == 5, done.stderr
            assert identity in done.stderr
            assert "E0508" in done.stderr
        server.wait_deployed()

    def test_as_many_deployments_as_are_allowed_are_waited_for(self, tmp_path: Path) -> None:
        with Marathon(images=images(), max_running_deployments=1) as server:
            world = MarathonWorld(server, server.url, server.mesos_url, tmp_path)
            world.api.send("POST", "/v2/apps", {"id": "/other", "cmd": "sleep 100", "instances": 0})
            server.wait_deployed()
            with server.foreign_deployment("/other"):
                running = Running(lambda: Driver(world).deploy(simple(world)))
                until("a refusal", lambda: [r for r in server.requests if r.status == 403])
                assert not running.is_over
            assert running.outcome().state is OutcomeState.CONVERGED

    def test_a_record_that_cannot_be_written_does_not_spoil_the_end_of_a_command(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Giving a lease back knows what to do with a server that does not take it; with a lock it would not."""
        monkeypatch.setattr(ledger, "_LOCKED_S", 0.2)
        with Marathon(processes=False, max_running_deployments=1) as server:
            world = MarathonWorld(server, server.url, "", tmp_path)
            with stores.connect(world.backend, world.context) as connection:
                entry = connection.store.create("test/web/lease", b"", {"token": "t"})
                server.wait_deployed()
                with server.foreign_deployment("/orchctl/test/web/lease"):
                    with pytest.raises(Unreachable, match="could not be written"):
                        connection.store.update(entry.key, {"token": ""}, expect=entry.version)
                    with pytest.raises(Unreachable, match="could not be written"):
                        connection.store.delete(entry.key, expect=entry.version)
                assert connection.store.get(entry.key) == entry


class TestOurOwn:
    @pytest.mark.parametrize("elsewhere", [False, True], ids=["this machine", "another machine"])
    def test_a_deploy_killed_in_a_rollout_without_end_does_not_block_the_next(
        self, world: MarathonWorld, server: Marathon, tmp_path: Path, elsewhere: bool
    ) -> None:
        shell = shell_of(world, tmp_path)
        assert shell.deploy("one").returncode == 0
        never = tmp_path / "never.yaml"
        words = '["/bin/sh", "-c", "exec sleep 3600"]'
        never.write_text(SPEC.format(command=words), "utf-8")
        killed = killed_in_rollout(replace(shell, spec=never), server)
        assert killed == -9
        assert len(server.deployments()) == 1
        holder = this_process("next")
        if elsewhere:  # its lease would stand for a minute more; somebody breaks it
            holder = replace(holder, host="other", boot="other")
            with stores.connect(world.backend, world.context) as connection:
                assert break_lease(connection.store, "test", "web") is not None
        elsewhere_dir = replace(world.context, state_dir=tmp_path / "other")
        world.context = elsewhere_dir if elsewhere else world.context
        assert Driver(world, holder=holder).deploy(simple(world, "next")).state is OutcomeState.CONVERGED
        assert greetings(world.truth("web")) == ["next"]
        assert server.deployments() == []

    @pytest.mark.parametrize("changed", ["before the write", "in the rollout"])
    def test_a_foreign_change_is_a_conflict_and_stays(
        self, world: MarathonWorld, server: Marathon, changed: str
    ) -> None:
        """It leaves our labels in place, as any change of a single field does."""
        Driver(world).deploy(simple(world))
        tampered = threading.Event()

        def tamper(event: Event) -> None:
            early, late = event.text.startswith("revision 2"), event.kind is EventKind.PROGRESS
            if (early if changed == "before the write" else late) and not tampered.is_set():
                tampered.set()
                world.tamper("web")

        with pytest.raises(Conflict, match="changed by somebody else"):
            Driver(world, on_event=tamper).deploy(simple(world, "two", min_ready_ms=3_000))
        assert tampered.is_set()
        server.wait_deployed()
        assert server.apps()[WEB]["env"]["GREETING"] == "tampered"
        assert greetings(world.truth("web")) == ["tampered"]


def killed_in_rollout(shell: Shell, server: Marathon) -> int:
    """The command's end, after SIGKILL while its rollout went on."""

    env = {
        **os.environ,
        "ORCHCTL_STATE_DIR": str(shell.state_dir),
        "ORCHCTL_CONFIG": str(shell.config),
        "GREETING": "lost",
    }
    words = ["deploy", "-f", str(shell.spec), "-n", "test", "--context", "here"]
    process = subprocess.Popen([sys.executable, "-m", "orchctl", *words], env=env, stderr=subprocess.DEVNULL)
    until("a task of the new version", lambda: len(server.tasks(WEB)) > 1)
    process.kill()
    return process.wait(LONGEST_S)

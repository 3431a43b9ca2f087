"""Judged from what a real Marathon (1.8.248) showed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from orchctl.core.rollout import FailureKind, Instance, InstanceState
from orchctl_marathon.progress import crowd_of, doubtful_versions, needs_queue, observe
from tests.unit.marathon.recorded import app, queued

STAGING = "02-create/038"
RUNNING = "02-create/040"
HALF_REPLACED = "03-update/105"
SCALED = "03-update/113"
STUCK, STUCK_QUEUE = "08-deployments/506", "08-deployments/504"
CANCELLED, CANCELLED_QUEUE = "08-deployments/515", "08-deployments/516"
BACK_OFF, BACK_OFF_QUEUE = "08-deployments/523", "08-deployments/529"
FIXED = "08-deployments/536"
ENDED_WELL = "08-deployments/549"
UNHEALTHY, LATE, LATE_HEALTHY = "08-deployments/551", "08-deployments/555", "08-deployments/556"
KILLED_BY_CHECK = "08-deployments/558"


def states(found: tuple[Instance, ...]) -> list[tuple[InstanceState, bool, bool]]:
    """(state, ready, current) of each."""
    return [(i.state, i.ready, i.current) for i in found]


def test_a_running_task_without_checks_is_ready() -> None:
    seen = app(RUNNING)
    found = observe(seen)
    assert states(found.instances) == [(InstanceState.RUNNING, True, True)]
    assert (found.replicas, found.settled, found.paused, found.verdict) == (1, True, False, None)
    assert found.expect == seen["version"]
    (instance,) = found.instances
    assert (instance.node, instance.exits, instance.problem) == (seen["tasks"][0]["host"], 0, None)
    assert instance.id == seen["tasks"][0]["id"]
    assert f".instance-{instance.slot}-" in instance.id


def test_a_task_is_pending_while_it_is_staged_and_starting_after_that() -> None:
    found = observe(app(STAGING))
    assert states(found.instances) == [(InstanceState.PENDING, False, True)]
    assert not found.settled
    assert states(observe(app(ENDED_WELL)).instances) == [(InstanceState.STARTING, False, True)]


def test_during_an_update_old_and_new_are_told_apart() -> None:
    found = observe(app(HALF_REPLACED))
    old, new = (InstanceState.RUNNING, True, False), (InstanceState.PENDING, False, True)
    assert states(found.instances) == [old, old, new, new]
    assert (found.settled, found.paused) == (False, False)


@pytest.mark.parametrize("name", [SCALED, "06-kill/188"])
def test_a_scale_moves_the_version_and_outdates_no_task(name: str) -> None:
    seen = app(name)
    assert seen["version"] != seen["versionInfo"]["lastConfigChangeAt"]
    assert {i.current for i in observe(seen).instances} == {True}


def test_a_change_of_the_definition_outdates_every_task() -> None:
    seen = app(RUNNING)
    seen["versionInfo"]["lastConfigChangeAt"] = "2099-01-01T00:00:00.000Z"
    assert states(observe(seen).instances) == [(InstanceState.RUNNING, True, False)]


class TestStuck:
    def test_what_no_agent_takes_waits_with_the_reason_of_the_last_offers(self) -> None:
        found = observe(app(STUCK), queued(STUCK_QUEUE))
        assert states(found.instances) == [
            (InstanceState.RUNNING, True, False),
            (InstanceState.PENDING, False, True),
        ]
        problem = found.instances[1].problem
        assert problem is not None
        assert problem.kind is FailureKind.UNSCHEDULABLE
        assert problem.message == "no agent takes it: too few CPUs are free (InsufficientCpus, 3 of 3 offers)"
        assert found.note == problem.message

    def test_it_is_looked_for_in_the_queue_and_counted(self) -> None:
        assert needs_queue(app(STUCK))
        assert not needs_queue(app(RUNNING))
        crowd = crowd_of(app(STUCK), queued(STUCK_QUEUE))
        assert (crowd.counted, crowd.ready) == (2, 1)

    def test_without_the_queue_nothing_is_made_up(self) -> None:
        assert len(observe(app(STUCK)).instances) == 1

    def test_a_cancelled_deployment_stands_still(self) -> None:
        found = observe(app(CANCELLED), queued(CANCELLED_QUEUE))
        assert (found.settled, found.paused) == (True, True)
        assert states(found.instances)[0] == (InstanceState.RUNNING, True, False)


class TestFailing:
    def test_a_task_in_back_off_has_ended_and_is_held_back(self) -> None:
        found = observe(app(BACK_OFF), queued(BACK_OFF_QUEUE))
        assert states(found.instances) == [(InstanceState.EXITED, False, True)]
        (instance,) = found.instances
        assert (instance.exits, instance.held_back) == (1, True)
        assert instance.problem is not None
        assert (instance.problem.kind, instance.problem.exit_code) == (FailureKind.CRASHED, 1)
        assert instance.problem.message == "Command exited with status 1"
        assert instance.log_id == app(BACK_OFF)["lastTaskFailure"]["taskId"]

    def test_between_two_quick_launches_it_is_not_held_back(self) -> None:
        (instance,) = observe(app(BACK_OFF), queued("08-deployments/531")).instances
        assert (instance.exits, instance.held_back) == (1, False)

    def test_the_number_of_its_launch_counts_its_ends(self) -> None:
        seen = app(BACK_OFF)
        seen["tasks"][0]["id"] = seen["tasks"][0]["id"].replace("._app.1", "._app.3")
        (instance,) = observe(seen, queued(BACK_OFF_QUEUE)).instances
        assert instance.exits == 3
        seen["tasks"][0] |= {"state": "TASK_RUNNING", "version": seen["version"]}
        assert observe(seen).instances[0].exits == 2

    def test_a_launch_that_was_put_off_counts_as_the_end_before_it(self) -> None:
        """Between two tasks there is only the queue and the last failure."""
        seen = app(BACK_OFF) | {"tasks": []}
        (instance,) = observe(seen, queued(BACK_OFF_QUEUE)).instances
        assert (instance.state, instance.exits, instance.held_back) == (InstanceState.EXITED, 1, True)
        assert instance.problem is not None
        assert instance.log_id == seen["lastTaskFailure"]["taskId"]

    def test_a_failure_of_an_earlier_definition_is_none_of_this_one(self) -> None:
        seen = app(FIXED)
        assert seen["lastTaskFailure"]["version"] < seen["versionInfo"]["lastConfigChangeAt"]
        (instance,) = observe(seen).instances
        assert (instance.exits, instance.problem, instance.ready) == (0, None, True)

    def test_what_ended_of_an_earlier_definition_is_gone(self) -> None:
        seen = app(BACK_OFF)
        seen["tasks"][0]["version"] = "2001-01-01T00:00:00.000Z"
        found = observe(seen, queued(BACK_OFF_QUEUE))
        assert [i.id for i in found.instances] == ["/failing/waiting-0"]

    def test_what_was_in_back_off_before_the_definition_came_is_not_judged_by_its_past(self) -> None:
        """It waits to be killed, without a version; meanwhile another instance fails under the new definition."""
        seen = app(BACK_OFF)
        failed = seen["tasks"][0]
        past = failed | {
            "id": failed["id"].replace("-9b8da11b-e70c-11f1-", "-9b8da11b-e70b-11f1-").replace("._app.1", "._app.4")
        }
        seen |= {"instances": 2, "tasks": [past, failed]}
        found = observe(seen, queued(BACK_OFF_QUEUE)).instances
        assert [(i.id, i.exits, i.problem is not None) for i in found] == [
            (failed["id"], 1, True),
            ("/failing/waiting-0", 0, False),
        ]

    def test_one_from_before_that_failed_under_the_definition_counts(self) -> None:
        seen = app(BACK_OFF)
        older = seen["tasks"][0]["id"].replace("-9b8da11b-e70c-11f1-", "-9b8da11b-e70b-11f1-")
        seen["tasks"][0]["id"] = seen["lastTaskFailure"]["taskId"] = older
        (instance,) = observe(seen, queued(BACK_OFF_QUEUE)).instances
        assert (instance.id, instance.exits, instance.held_back) == (older, 1, True)

    @pytest.mark.parametrize("identity", ["web.1", "web.instance-1b4e28ba-2fa1-41d2-883f-0016d3cca427._app.2"])
    def test_an_id_without_a_time_in_it_is_taken_for_one_of_the_definition(self, identity: str) -> None:
        seen = app(BACK_OFF)
        seen["tasks"][0]["id"] = identity
        assert [i.id for i in observe(seen, queued(BACK_OFF_QUEUE)).instances] == [identity]

    def test_a_process_that_should_have_stayed_has_ended_also_when_it_ended_well(self) -> None:
        """Marathon notes no ``lastTaskFailure`` for it: its task is all there is."""
        seen = app(ENDED_WELL)
        assert "lastTaskFailure" not in seen
        seen["tasks"][0] |= {"state": "TASK_FINISHED", "version": None}
        (instance,) = observe(seen).instances
        assert (instance.state, instance.exits, instance.log_id) == (InstanceState.EXITED, 2, instance.id)
        assert instance.problem is not None
        assert (instance.problem.kind, instance.problem.exit_code) == (FailureKind.CRASHED, 0)

    def test_a_launch_after_a_kill_is_no_end_of_its_own(self) -> None:
        seen = app(ENDED_WELL)
        assert seen["tasks"][0]["id"].endswith("._app.2")
        assert observe(seen).instances[0].exits == 0


class TestHealth:
    def test_a_check_that_was_never_good_leaves_it_starting(self) -> None:
        assert states(observe(app(UNHEALTHY)).instances) == [(InstanceState.STARTING, False, True)]
        assert states(observe(app(LATE)).instances) == [(InstanceState.STARTING, False, True)]

    def test_then_it_is_ready(self) -> None:
        assert states(observe(app(LATE_HEALTHY)).instances) == [(InstanceState.RUNNING, True, True)]

    def test_one_that_was_good_runs_on_and_is_not_ready(self) -> None:
        seen = app(LATE_HEALTHY)
        assert seen["tasks"][0]["healthCheckResults"][0]["firstSuccess"]
        seen["tasks"][0]["healthCheckResults"][0]["alive"] = False
        assert states(observe(seen).instances) == [(InstanceState.RUNNING, False, True)]

    def test_a_result_that_is_missing_is_not_good(self) -> None:
        seen = app(LATE_HEALTHY)
        seen["tasks"][0]["healthCheckResults"] = []
        assert states(observe(seen).instances) == [(InstanceState.STARTING, False, True)]

    def test_a_task_killed_by_its_check_is_known_by_the_last_failure(self) -> None:
        seen = app(KILLED_BY_CHECK)
        seen["tasks"][0]["id"] = seen["tasks"][0]["id"].replace("._app.1", "._app.2")
        (instance,) = observe(seen).instances
        assert instance.problem is not None
        assert (instance.problem.kind, instance.exits) == (FailureKind.UNHEALTHY, 1)
        assert "Connection refused" in instance.problem.message


class TestOlder:
    """An old task has the checks of its own definition."""

    def seen(self, *results: dict[str, Any]) -> dict[str, Any]:
        found = app(RUNNING) | {"healthChecks": [{"protocol": "MESOS_TCP"}]}
        found["versionInfo"]["lastConfigChangeAt"] = "2099-01-01T00:00:00.000Z"
        found["tasks"][0]["healthCheckResults"] = [*results]
        return found

    @pytest.mark.parametrize(
        ("checks", "results", "ready"),
        [
            ([], [], True),
            ([{}], [], False),
            ([{}], [{"alive": True}], True),
            ([{}], [{"alive": False}], False),
            (None, [], True),
            (None, [{"alive": True}], True),
            (None, [{"alive": False}], False),
        ],
    )
    def test_it_is_alive_by_them(
        self, checks: list[dict[str, Any]] | None, results: list[dict[str, Any]], ready: bool
    ) -> None:
        """``checks`` None: Marathon does not have that definition any more."""
        seen = self.seen(*results)
        version = seen["tasks"][0]["version"]
        older = {} if checks is None else {version: seen | {"healthChecks": checks}}
        (instance,) = observe(seen, older=older).instances
        assert (instance.current, instance.ready) == (False, ready)
        assert crowd_of(seen, {}, older).ready == ready
        assert doubtful_versions(seen) == (set() if results else {version})

    def test_only_what_is_in_doubt_is_asked_for(self) -> None:
        assert doubtful_versions(app(RUNNING)) == set()
        assert doubtful_versions(self.seen() | {"healthChecks": []}) == set()


class TestReadiness:
    def seen(self, *results: dict[str, Any], deploying: bool = True) -> dict[str, Any]:
        found = app(RUNNING)
        check = {"name": "ready", "protocol": "HTTP", "path": "/", "portName": "http"}
        deployments = [{"id": "d"}] if deploying else []
        return found | {"readinessChecks": [check], "readinessCheckResults": [*results], "deployments": deployments}

    def result(self, *, ready: bool, task: str = "") -> dict[str, Any]:
        return {"name": "ready", "taskId": task or app(RUNNING)["tasks"][0]["id"], "ready": ready}

    def test_it_is_waited_for_while_a_deployment_runs(self) -> None:
        for results in ([], [self.result(ready=False)], [self.result(ready=True, task="other")]):
            assert observe(self.seen(*results)).instances[0].state is InstanceState.STARTING
        assert observe(self.seen(self.result(ready=True))).instances[0].state is InstanceState.RUNNING

    def test_one_that_was_there_before_the_deployment_is_not_asked(self) -> None:
        """A change of the count moves the app's version and starts other tasks, or none."""
        seen = self.seen() | {"version": "2099-01-01T00:00:00.000Z"}
        assert states(observe(seen).instances) == [(InstanceState.RUNNING, True, True)]
        seen["readinessCheckResults"] = [self.result(ready=False)]
        assert observe(seen).instances[0].state is InstanceState.STARTING

    def test_nobody_asks_afterwards(self) -> None:
        assert observe(self.seen(deploying=False)).instances[0].state is InstanceState.RUNNING

    def test_nobody_asks_an_old_task(self) -> None:
        seen = self.seen()
        seen["versionInfo"]["lastConfigChangeAt"] = "2099-01-01T00:00:00.000Z"
        assert states(observe(seen).instances) == [(InstanceState.RUNNING, True, False)]


def test_an_instance_on_a_lost_agent_may_come_back() -> None:
    seen = app(RUNNING)
    seen["tasks"][0]["state"] = "TASK_UNREACHABLE"
    (instance,) = observe(seen).instances
    assert (instance.state, instance.ready) == (InstanceState.STARTING, False)
    assert instance.problem is not None
    assert (instance.problem.message, instance.problem.transient) == ("its agent does not answer", True)


def test_a_task_that_is_being_killed_is_stopping_and_not_counted() -> None:
    seen = app(RUNNING)
    seen["tasks"][0]["state"] = "TASK_KILLING"
    assert states(observe(seen).instances) == [(InstanceState.STOPPING, False, True)]
    assert crowd_of(seen, {}).counted == 0


@pytest.mark.parametrize("state", ["TASK_LOST", "TASK_GONE", "TASK_ERROR", "TASK_KILLED", "TASK_DROPPED"])
def test_every_other_state_has_no_process(state: str) -> None:
    seen = app(RUNNING)
    seen["tasks"][0]["state"] = state
    assert observe(seen).instances[0].state is InstanceState.EXITED


def test_of_an_app_that_is_gone_only_what_still_stops_is_left() -> None:
    leaving = Instance(id="t", current=False, state=InstanceState.STOPPING)
    found = observe(None, leaving=[leaving])
    assert (found.template_hash, found.replicas, found.instances) == ("", 0, (leaving,))
    assert replace(found, instances=()) == observe(None)


def test_a_task_of_an_older_marathon_has_no_number_of_its_launch() -> None:
    seen = app(RUNNING)
    seen["tasks"][0]["id"] = "min.518991d5-e70c-11f1-ac84-0665950ff1d7"
    (instance,) = observe(seen).instances
    assert (instance.slot, instance.exits) == (instance.id, 0)

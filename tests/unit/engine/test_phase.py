"""One word for a service's condition, the same on every backend."""

from dataclasses import replace

import pytest

from orchctl.core.backend import Live
from orchctl.core.revision import Recorded, Revision, RevisionStatus
from orchctl.core.rollout import Instance, InstanceState, Phase, Progress
from orchctl.core.service import Service
from orchctl.engine.status import phase_of

LIVE = Live(namespace="shop", name="web", expect="1", template_hash="t", replicas=2)
RUNNING = Instance(id="a", slot="1", state=InstanceState.RUNNING, template_hash="t")


def recorded(status: RevisionStatus, template: str = "t") -> Recorded:
    revision = Revision(
        number=1,
        service=Service(name="web", namespace="shop"),
        template_hash=template,
        spec_hash="s",
        replicas=2,
        created_at="2026-11-23T09:00:00Z",
        created_by="ci",
    )
    return Recorded(revision=revision, status=status, version="1")


def seen(*ready: bool, state: InstanceState = InstanceState.RUNNING) -> Progress:
    found = [replace(RUNNING, id=str(i), slot=str(i), ready=r, state=state) for i, r in enumerate(ready)]
    return Progress(template_hash="t", replicas=2, instances=tuple(found))


@pytest.mark.parametrize(
    ("status", "progress", "phase"),
    [
        (RevisionStatus.DEPLOYED, seen(True, True), Phase.HEALTHY),
        (RevisionStatus.DEPLOYED, seen(True, False), Phase.DEGRADED),
        (RevisionStatus.DEPLOYED, seen(False, False), Phase.DEGRADED),
        (RevisionStatus.DEPLOYED, seen(), Phase.DEGRADED),
        (RevisionStatus.PENDING, seen(False, False), Phase.PROGRESSING),
        (RevisionStatus.FAILED, seen(False, False), Phase.FAILED),
        (RevisionStatus.FAILED, seen(False, False, state=InstanceState.STARTING), Phase.FAILED),
        (RevisionStatus.FAILED, seen(True, False), Phase.DEGRADED),
        (RevisionStatus.FAILED, seen(True, True), Phase.HEALTHY),
    ],
)
def test_the_record_says_what_nothing_seen_can(status: RevisionStatus, progress: Progress, phase: Phase) -> None:
    assert phase_of(LIVE, progress, recorded(status)) is phase


def test_a_failure_of_another_definition_says_nothing_of_this_one() -> None:
    other = recorded(RevisionStatus.FAILED, "other")
    assert phase_of(LIVE, seen(False, False, state=InstanceState.STARTING), other) is Phase.PROGRESSING


def test_nothing_recorded_and_nothing_ready_is_pending() -> None:
    assert phase_of(LIVE, seen(False), None) is Phase.PENDING

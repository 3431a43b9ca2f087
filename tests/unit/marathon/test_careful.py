"""No way back stops an instance that serves, although Marathon would."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import pytest

from orchctl.core.service import Amount, Expose, Port, Rollout, Service
from orchctl_marathon.careful import Crowd, careful
from orchctl_marathon.names import INTENT
from orchctl_marathon.normalise import is_as_written
from orchctl_marathon.rollout import upgrade_strategy
from orchctl_marathon.translate import app
from tests.unit.marathon.sample import live, sample

LARGEST = 30


def with_rollout(replicas: int, surge: int, unavailable: int) -> Service:
    return sample(replicas=replicas, rollout=Rollout(max_surge=Amount(surge), max_unavailable=Amount(unavailable)))


def bare(service: Service) -> dict[str, Any]:
    """As much of its app as counts here."""
    replicas = service.replicas or 0
    labels = {INTENT: json.dumps({"service": {}, "sized": replicas})}
    return {"instances": replicas, "upgradeStrategy": upgrade_strategy(service, replicas), "labels": labels}


def killed_at_once(body: dict[str, Any], counted: int) -> int:
    """TaskReplaceActor.computeRestartStrategy of Marathon 1.8."""
    least = math.ceil(body["instances"] * body["upgradeStrategy"]["minimumHealthCapacity"])
    return max(0, counted - least)


def may_run(body: dict[str, Any], counted: int) -> int:
    """How many there may be in all, by the same."""
    least = math.ceil(body["instances"] * body["upgradeStrategy"]["minimumHealthCapacity"])
    most = math.floor(body["instances"] * (1 + body["upgradeStrategy"]["maximumOverCapacity"]))
    return most + 1 if least == most <= counted else most


def crowds(replicas: int, least: int) -> Iterator[Crowd]:
    """Every number of instances that a rollout can have, with few, just enough and all of them serving."""
    for counted in range(1, 2 * replicas + 1):
        for ready in {1, least - 1, least, least + 1, counted}:
            if 0 < ready <= counted:
                yield Crowd(counted=counted, ready=ready)


@pytest.mark.parametrize("replicas", range(1, LARGEST + 1))
def test_what_serves_never_falls_below_the_minimum_and_the_rollout_can_move(replicas: int) -> None:
    """In the worst case Marathon kills those that serve first; later each one goes for one that has become healthy."""
    for unavailable in range(replicas + 1):
        for surge in {0 if unavailable else 1, 1, replicas // 2 or 1, replicas}:
            service = with_rollout(replicas, surge, unavailable)
            plain, least = bare(service), replicas - unavailable
            for crowd in crowds(replicas, least):
                sent = careful(service, plain, crowd)
                killed = killed_at_once(sent, crowd.counted)
                assert crowd.ready - killed >= min(crowd.ready, least), (service.rollout, crowd)
                assert may_run(sent, crowd.counted) > crowd.counted - killed, (service.rollout, crowd)
                assert sent["instances"] >= replicas


def test_it_is_left_alone_where_marathon_would_not_stop_too_many() -> None:
    body = bare(with_rollout(3, 1, 1))
    assert careful(with_rollout(3, 1, 1), body, Crowd(counted=3, ready=3)) is body


def test_two_that_serve_and_one_that_fails_would_have_cost_one_that_serves() -> None:
    service = with_rollout(2, 1, 0)
    crowd = Crowd(counted=3, ready=2)
    assert killed_at_once(bare(service), crowd.counted) == 1
    sent = careful(service, bare(service), crowd)
    assert (sent["instances"], killed_at_once(sent, crowd.counted)) == (3, 0)


@pytest.mark.parametrize(
    ("service", "crowd"),
    [
        (with_rollout(2, 1, 0), Crowd(counted=3, ready=0)),
        (sample(replicas=0), Crowd(counted=3, ready=2)),
        (
            sample(replicas=2, ports=(Port(name="http", port=80, published=8080, expose=Expose.HOST),)),
            Crowd(counted=3, ready=2),
        ),
    ],
    ids=["nothing serves", "nothing is wanted", "one more may find no port"],
)
def test_where_it_cannot_help_it_does_nothing(service: Service, crowd: Crowd) -> None:
    body = bare(service)
    assert careful(service, body, crowd) is body


def test_what_was_sent_carefully_is_known_as_ours() -> None:
    service = with_rollout(2, 1, 0)
    sent = careful(service, app(service), Crowd(counted=3, ready=2))
    assert sent["upgradeStrategy"] != app(service)["upgradeStrategy"]
    assert is_as_written(live(service, **{key: sent[key] for key in ("instances", "upgradeStrategy", "labels")}))

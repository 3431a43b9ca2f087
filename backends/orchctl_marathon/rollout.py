"""Whole numbers -> Marathon's fractions, exactly. Pure.

Marathon computes ``ceil(N * minimumHealthCapacity)`` and ``floor(N * (1 + maximumOverCapacity))``. Half an instance of
slack keeps floating point away from the edges: without an error for every count up to 200, where the plain quotients are
wrong in hundreds of cases.
"""

from __future__ import annotations

from orchctl.core.service import Service, Strategy


def upgrade_strategy(service: Service, replicas: int) -> dict[str, float]:
    """For ``replicas`` instances; Marathon keeps it when only the count changes."""
    rollout = service.rollout
    if rollout.strategy is Strategy.RECREATE:
        return {"minimumHealthCapacity": 0, "maximumOverCapacity": 0}
    surge = rollout.max_surge.of(replicas, round_up=True)
    unavailable = rollout.max_unavailable.of(replicas, round_up=False)
    if surge == 0 and unavailable == 0:
        unavailable = 1  # a percentage of few replicas: one after the other is the least that moves
    return {
        "minimumHealthCapacity": _least_healthy(replicas, unavailable),
        "maximumOverCapacity": _surplus(replicas, surge),
    }


def strict_strategy(service: Service, replicas: int) -> dict[str, float]:
    """None of ``replicas`` may be missing at any time. Without a surge Marathon allows itself one instance more."""
    surge = service.rollout.max_surge.of(replicas, round_up=True)
    return {"minimumHealthCapacity": _least_healthy(replicas, 0), "maximumOverCapacity": _surplus(replicas, surge)}


def _least_healthy(replicas: int, unavailable: int) -> float:
    return max(0.0, (replicas - unavailable - 0.5) / replicas) if unavailable < replicas else 0.0


def _surplus(replicas: int, surge: int) -> float:
    return min(1.0, (surge + 0.5) / replicas) if surge and replicas else 0.0

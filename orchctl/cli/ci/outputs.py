"""What later steps and jobs can read: ``state``, ``revision`` and ``exit_code``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchctl.core.rollout import Outcome, OutcomeState

# From good to bad: several services are as bad as the worst.
_BADNESS = (
    OutcomeState.UNCHANGED,
    OutcomeState.DELETED,
    OutcomeState.CONVERGED,
    OutcomeState.IN_PROGRESS,
    OutcomeState.NOT_STARTED,
    OutcomeState.ROLLED_BACK,
    OutcomeState.FAILED,
)


def outputs_of(outcomes: Sequence[Outcome], exit_code: int) -> dict[str, str]:
    """Of the command: the worst state; a revision only when one service has one."""
    worst = max((o.state for o in outcomes), key=_BADNESS.index)
    revision = outcomes[0].revision if len(outcomes) == 1 else 0
    return {"state": worst.value, "revision": str(revision or ""), "exit_code": str(exit_code)}


def github_outputs(outputs: Mapping[str, str], delimiter: str) -> str:
    """As GITHUB_OUTPUT takes it. ``delimiter`` must be one that no value can contain."""
    return "".join(f"{name}<<{delimiter}\n{value}\n{delimiter}\n" for name, value in outputs.items())


def dotenv(outputs: Mapping[str, str]) -> str:
    """``ORCHCTL_STATE=converged``: GitLab takes no quotes and no second line."""
    return "".join(f"ORCHCTL_{name.upper()}={value}\n" for name, value in outputs.items())

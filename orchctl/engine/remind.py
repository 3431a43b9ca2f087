"""Tell the backend its definition again when it has left a rollout undone and is not at work on it any more.

Swarm does that: its updater and its restarts can each start a task for the same slot, and both keep running
(moby/swarmkit#2242). The definition as it stands, sent once more, makes it look again and changes nothing.
"""

from __future__ import annotations

from orchctl.core.rollout import EventKind, Handle, Progress
from orchctl.engine.operation import Operation
from orchctl.errors import Interrupted, LeaseLost, OrchctlError

_AFTER_S = (1.0, 5.0, 15.0)
"""How long it must last before the first reminder, the second and the last. Most of it the backend mends by itself at once."""


class Reminder:
    """Fed with every look at one rollout. ``Progress.stalled`` stays in the way of success, so that a reminder that fails,
    or does not help, decides nothing: the next look, and in the end the rollout's deadline, does."""

    def __init__(self, op: Operation, handle: Handle) -> None:
        self._op = op
        self._handle = handle
        self._sent = 0
        self._since: float | None = None

    def saw(self, progress: Progress) -> None:
        """LeaseLost and Interrupted pass through."""
        now = self._op.session.clock.now()
        if not progress.stalled:
            self._since = None
            return
        self._since = now if self._since is None else self._since
        if self._sent < len(_AFTER_S) and now - self._since >= _AFTER_S[self._sent]:
            self._since, self._sent = None, self._sent + 1
            self._remind(progress)

    def _remind(self, progress: Progress) -> None:
        op, facts = self._op, {"stalled": progress.stalled, "expect": progress.expect, "attempt": self._sent}
        op.step("remind", f"{progress.stalled}: sending the definition once more, as it is", facts)
        try:
            op.writer.remind(self._handle, expect=progress.expect)
        except (Interrupted, LeaseLost):
            raise
        except OrchctlError as error:
            op.session.tell(EventKind.PROBLEM, op.name, f"the backend was not reminded: {error}")

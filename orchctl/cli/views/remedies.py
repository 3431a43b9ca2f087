"""What to do about each kind of failure."""

from __future__ import annotations

from orchctl.core.rollout import FailureKind

REMEDIES = {
    FailureKind.CRASHED: "read the output above; the process ends by itself. Check command, args, env and files of the spec",
    FailureKind.IMAGE: "check the image's name and tag, that the registry has it, and the credentials for it",
    FailureKind.CONFIG: "the backend refused the definition; check the field it names",
    FailureKind.UNSCHEDULABLE: "no node fits: check resources and placement, or add a node",
    FailureKind.PORT_TAKEN: "another process has the port: publish another one, or stop the other process",
    FailureKind.UNHEALTHY: "the process runs, but its check fails: try health.ready by hand, or allow more time with health.start.deadline",
    FailureKind.OUT_OF_MEMORY: "the process needs more than resources.limits.memory",
    FailureKind.REFUSED: "a quota or an admission rule of the backend refused it; its message says which",
    FailureKind.DEADLINE: "allow more time with rollout.deadline, or see what the instances wait for: orchctl status",
}

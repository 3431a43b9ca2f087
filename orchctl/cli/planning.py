"""What ``plan`` and ``deploy --dry-run`` share: make plans, show them, save them, read them back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

from orchctl.cli.configuration import working_directory
from orchctl.cli.options import Where
from orchctl.cli.terminal import Terminal
from orchctl.cli.views.documents import headed, one_or_list, plan_item
from orchctl.cli.views.plan import plan_lines
from orchctl.core.codec import from_plain, to_plain
from orchctl.core.files import is_replaceable, replace_file
from orchctl.core.plan import Plan
from orchctl.engine.plan import Planned
from orchctl.errors import UsageError

_KIND = "SavedPlan"


def show_plans(terminal: Terminal, plans: Sequence[Plan]) -> None:
    """On stdout, as ``-o`` says."""
    if terminal.wants_document:
        terminal.document(one_or_list("Plan", [plan_item(p) for p in plans]))
    elif terminal.output == "name":
        terminal.names(p.service.name for p in plans if not p.is_empty)
    else:
        blocks = ["\n".join(plan_lines(p, colour=terminal.colour_out, verbose=terminal.verbose)) for p in plans]
        terminal.print("\n\n".join(blocks) + "\n")


def is_pending(planned: Sequence[Planned]) -> bool:
    """A deploy would do something for at least one service."""
    return any(not p.is_unchanged for p in planned)


def save_plans(file: str, plans: Sequence[Plan], where: Where) -> None:
    """Write all or nothing; readable by the owner only, because environment values stand in it. ``where`` says how the place
    was named: a backend of its own is no context."""
    path = working_directory() / file
    place = {"backend": where.backend} if where.backend else {"context": plans[0].context}
    text = json.dumps(headed(_KIND, {"place": place, "plans": [to_plain(p) for p in plans]}), indent=2) + "\n"
    try:
        if not is_replaceable(path):
            raise UsageError(f"the plan cannot be written to {file}: it is no regular file")
        replace_file(path, text.encode("ascii"), mode=0o600)
    except OSError as error:
        raise UsageError(f"the plan cannot be written to {file}: {error.strerror}") from None


def read_plans(file: str, where: Where) -> tuple[list[Plan], Where]:
    """What ``save_plans`` wrote, and where it belongs unless ``where`` says so; UsageError for anything else."""
    try:
        data = json.loads((working_directory() / file).read_text("utf-8"))
        if not isinstance(data, dict) or data.get("kind") != _KIND:
            raise ValueError("it is no saved plan")
        plans = [from_plain(Plan, item) for item in data.get("plans", [])]
        place = data.get("place") or {}
        if where.context or where.backend or not isinstance(place, dict):
            return plans, where
        context, backend = str(place.get("context", "")), str(place.get("backend", ""))
        return plans, replace(where, context=context, backend=backend)
    except OSError as error:
        raise UsageError(f"the plan {file} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise UsageError(
            f"the plan {file} cannot be used: {error}", hint="make one with: orchctl plan --out FILE"
        ) from None

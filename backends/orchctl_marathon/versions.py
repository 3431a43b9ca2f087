"""What only newer Marathons can. Pure, but for the question which one it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service
from orchctl_marathon import translate
from orchctl_marathon.options import check_options, options_of

Version = tuple[int, int]

LIMITS: Version = (1, 10)
ROLE: Version = (1, 9)


def refusals(service: Service, version: Callable[[], Version]) -> Sequence[Issue]:
    """A REJECT for everything that this Marathon is too old for; ``version`` is asked only when something may be."""
    needed = [] if any(check_options(service)) else list(_needs(service))
    if not needed:
        return ()
    found = version()
    return [
        Issue(
            path=path,
            policy=Policy.REJECT,
            message=f"needs Marathon {_text(least)}; this is {_text(found)}{'; ' + instead if instead else ''}",
        )
        for path, least, instead in needed
        if found < least
    ]


def _needs(service: Service) -> Iterator[tuple[str, Version, str]]:
    """(path, oldest version, what to do instead)."""
    limits = translate.app(service).get("resourceLimits") or {}
    if "cpus" in limits:
        yield "resources.limits.cpu", LIMITS, "leave it out"
    if "mem" in limits:
        yield "resources.limits.memory", LIMITS, "make it the same as resources.memory"
    if options_of(service).role:
        yield "backends.marathon.role", ROLE, "leave it out"


def _text(version: Version) -> str:
    return f"{version[0]}.{version[1]}"

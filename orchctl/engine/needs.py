"""What a service needs of others, compared with what they provide: the contract guard.

``needs: {catalog: ">=2,<3"}`` asks the service ``catalog`` for version 2 of what it provides under its own name.
Versions are dotted numbers; missing parts count as 0, so that 2 = 2.0.
"""

from __future__ import annotations

import itertools
import operator
import re
from collections.abc import Callable, Mapping, Sequence

from orchctl.core.backend import Live
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service
from orchctl.errors import Conflict

_COMPARE: dict[str, Callable[[tuple[int, ...], tuple[int, ...]], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "!=": operator.ne,
    "==": operator.eq,
    "=": operator.eq,
    ">": operator.gt,
    "<": operator.lt,
}
_CLAUSE = re.compile(r"\s*(>=|<=|!=|==|=|>|<)?\s*(\d+(?:\.\d+)*)\s*")


def satisfies(version: str, constraint: str) -> bool:
    """Does ``2.3`` satisfy ``>=2,<3``? All clauses must hold; ``*`` and "" always do."""
    if constraint.strip() in ("", "*"):
        return True
    return all(_holds(version, clause) for clause in constraint.split(","))


def guard(service: Service, *, together: Sequence[Service], live: Mapping[str, Live]) -> list[Issue]:
    """Conflict when a needed service provides another version; a WARN where it does not say which.

    Services deployed ``together`` count with what they will provide, others with what runs now.
    """
    issues: list[Issue] = []
    planned = {s.name: s for s in together}
    for name, constraint in service.needs.items():
        if name not in planned and name not in live:
            text = f"{name} does not run in namespace {service.namespace} and is not deployed together with this"
            issues.append(Issue(path=f"needs.{name}", policy=Policy.WARN, message=text))
            continue
        if constraint.strip() in ("", "*"):
            continue
        offered = (
            planned[name].provides
            if name in planned
            else live[name].document.get("provides", {})
            if name in live
            else {}
        )
        version = offered.get(name)
        if version is None:
            text = f"{name} does not say which version it provides, so {constraint} is not checked"
            issues.append(Issue(path=f"needs.{name}", policy=Policy.WARN, message=text))
        elif not satisfies(version, constraint):
            raise Conflict(
                f"service {service.name!r} needs {name} {constraint}, but {name} provides {version}",
                hint=f"deploy a {name} that provides {constraint} first, or change needs.{name}",
            )
    return issues


def _holds(version: str, clause: str) -> bool:
    match = _CLAUSE.fullmatch(clause)
    if match is None:
        return False
    pairs = itertools.zip_longest(_numbers(version), _numbers(match[2]), fillvalue=0)
    mine, wanted = zip(*pairs, strict=True)
    return _COMPARE[match[1] or "="](mine, wanted)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)] or [0]

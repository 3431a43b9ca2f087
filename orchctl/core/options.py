"""Reading and checking the ``backends.NAME`` block of a spec, whose options each backend has for itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service

T = TypeVar("T")

Check = Callable[[Any], str]
"""What a value must be; "" when it is that."""


def check_options(service: Service, backend: str, title: str, checks: Mapping[str, Check]) -> Iterator[Issue]:
    """A REJECT for every option that is unknown or not as its check wants it. ``title``: the backend's name in words."""
    for name, value in service.options(backend).items():
        known = f"unknown option; {title} knows {', '.join(checks)}"
        if problem := checks[name](value) if name in checks else known:
            yield Issue(path=f"backends.{backend}.{name}", policy=Policy.REJECT, message=problem)


def read_options(service: Service, backend: str, kind: type[T]) -> T:
    """``kind``, a dataclass with a field for each option, of what was found to be right; lists become tuples. What only a
    later version knows, a record of it may have."""
    known: Mapping[str, object] = getattr(kind, "__dataclass_fields__", {})
    given = {name: value for name, value in service.options(backend).items() if name in known}
    return kind(**{name: tuple(value) if isinstance(value, list) else value for name, value in given.items()})


def one_of(*choices: str) -> Check:
    return lambda value: "" if value in choices else f"must be one of {', '.join(choices)}"


def flag(value: Any) -> str:
    return "" if isinstance(value, bool) else "must be true or false"


def count(value: Any) -> str:
    return "" if is_count(value) else "must be a whole number, 0 or more"


def text(value: Any) -> str:
    return "" if isinstance(value, str) and value else "must be a text"


def words(value: Any) -> str:
    return "" if is_words(value) else "must be a list of texts"


def is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def is_words(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and all(isinstance(v, str) and v for v in value)

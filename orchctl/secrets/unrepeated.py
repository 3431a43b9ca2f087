"""Errors that quote a secret, without it."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from orchctl.core.backend import Secrets

_SHORTEST_LINE = 6
_SHORTEST_HIDDEN = 3  # a shorter one tells nothing that a guess would not, and stands in every sentence


class Unrepeated:
    """What is raised inside repeats no value: backends quote what they refuse, and some quote it encoded."""

    def __init__(self, secrets: Secrets) -> None:
        self._secrets = secrets

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: type[BaseException] | None, error: BaseException | None, _trace: object) -> None:
        if error is None:
            return
        values = [value.reveal() for value in self._secrets.values()]
        forms = sorted({form for value in values for form in _forms(value)}, key=len, reverse=True)
        link: BaseException | None = error
        while link is not None and forms:
            _hide(link, forms)
            link = link.__cause__ or link.__context__


def _forms(value: bytes) -> list[str]:
    """As it is, as encoders write it, and line by line: a key is told by one of its lines already."""
    text = value.decode("utf-8", "surrogateescape")
    forms = [text, base64.b64encode(value).decode(), json.dumps(text)[1:-1], repr(text)[1:-1], repr(value)[2:-1]]
    lines = [line for line in text.splitlines() if len(line) >= _SHORTEST_LINE]
    return [form for form in forms if len(form) >= _SHORTEST_HIDDEN] + lines


def _hide(error: BaseException, forms: Sequence[str]) -> None:
    """In everything that could be printed of it."""

    def hidden(value: Any) -> Any:
        if isinstance(value, str):
            for form in forms:
                value = value.replace(form, "***")
        return value

    error.args = tuple(map(hidden, error.args))
    for name, value in list(vars(error).items()):
        setattr(error, name, hidden(value))

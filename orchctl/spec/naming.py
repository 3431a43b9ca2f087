"""What may be the name of a service, for specs and for ``orchctl init``, which needs no model."""

from __future__ import annotations

import re

# backends.md: 24 + 1 + 30 + 8 (a suffix such as -canary) is 63, the longest name every backend takes.
NAME_LENGTH = 30
NAMESPACE_LENGTH = 24
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
_RESERVED_NAMES = ("restart", "tasks", "versions")  # Marathon refuses them as the last part of an app's id


def name_problem(text: str, what: str, longest: int) -> str:
    """Why ``text`` is no name, or ""."""
    if len(text) > longest:
        return f"the {what} {text[:40]!r} has {len(text)} characters; at most {longest} fit every backend"
    if not _NAME.fullmatch(text):
        return f"{text!r} is not a {what}: lower case letters, digits and -, starting with a letter, not ending with -"
    if text in _RESERVED_NAMES:
        return f"{text!r} cannot be a {what}: Marathon reserves it"
    return ""

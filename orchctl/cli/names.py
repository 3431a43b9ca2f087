"""Names from the command line, checked before they become part of a key or a path."""

from __future__ import annotations

import re

from orchctl.cli.options import Where
from orchctl.core.context import Context
from orchctl.errors import UsageError

_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")  # wider than the spec's rule; the backend decides the rest


def check_name(name: str, what: str = "service") -> str:
    """``name``; UsageError for what cannot be the name of anything."""
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name[:60]!r} is not a {what} name", hint="lower case letters, digits and -")
    return name


def namespace_of(where: Where, context: Context) -> str:
    """-n, else the context's."""
    return check_name(where.namespace or context.namespace, "namespace")

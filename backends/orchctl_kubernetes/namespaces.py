"""Namespaces: looked for only when something could not be put into one, made only when the user said so."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from orchctl.errors import AlreadyExists, attempt
from orchctl_kubernetes.client import Writing
from orchctl_kubernetes.failures import NamespaceMissing
from orchctl_kubernetes.names import MANAGED_BY
from orchctl_kubernetes.resources import NAMESPACES_PATH

T = TypeVar("T")


def in_namespace(action: Callable[[], T], writing: Writing, *, create: bool) -> T:
    """``action``, which writes into a namespace; made first when it is missing and ``create`` allows it."""
    try:
        return action()
    except NamespaceMissing as missing:
        if not create:
            raise
        metadata = {"name": missing.namespace, "labels": {MANAGED_BY: "orchctl"}}
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}
        attempt(lambda: writing.create(NAMESPACES_PATH, body), AlreadyExists)
        return action()

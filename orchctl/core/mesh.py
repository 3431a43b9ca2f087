"""Who may call a service: rules that proxies enforce, kept in a catalog beside the backend."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from orchctl.core.check import Check
    from orchctl.core.context import Context

SETTING = "mesh"
"""The key of a catalog that says: services of these contexts are behind the catalog's proxies."""
_KINDS = {"consul": "orchctl.catalog.intentions:mesh_of"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """Who may call one service, as it stands. ``expect`` is the version that the next write is conditional on.

    ``callers`` are sorted; a word that is no service's name stands for what orchctl does not write itself. ``only``:
    nobody else may; otherwise the mesh's other rules and its default decide about everybody else. ``owner`` "" = it is
    ours, else words for who made it.
    """

    callers: tuple[str, ...]
    only: bool
    expect: str
    owner: str = ""


class Mesh(ABC):
    """The rules of one context's services. Contacts nobody until it is asked; used by one thread at a time.

    Errors as of a ``Reader`` and a ``Writer``: Unreachable, AuthRefused; a write is conditional (StalePlan), and
    OutcomeUnknown when its answer is lost.
    """

    words: str
    """The address in words."""

    @abstractmethod
    def obstacle(self) -> str:
        """Why no proxy of this mesh would enforce a rule, as a sentence; "" = nothing is in the way."""

    @abstractmethod
    def rule(self, namespace: str, name: str) -> Rule | None:
        """The rule of this very service, also a foreign one; None when there is none."""

    @abstractmethod
    def has_proxy(self, name: str) -> bool:
        """Is a proxy registered, through which the service is called?"""

    @abstractmethod
    def admit(self, namespace: str, name: str, callers: Sequence[str], rule: Rule | None) -> None:
        """Let ``callers`` call as well, and leave everything else of ``rule`` (what stands now) as it is."""

    @abstractmethod
    def settle(self, namespace: str, name: str, callers: Sequence[str], rule: Rule | None) -> None:
        """Let ``callers`` call and nobody else, instead of ``rule`` (what stands now)."""

    @abstractmethod
    def remove(self, name: str, rule: Rule) -> None:
        """Take the rule away; the mesh's other rules and its default decide."""

    @abstractmethod
    def set_patience(self, seconds: float) -> None:
        """As ``Connection.set_patience``."""

    @abstractmethod
    def checks(self) -> Iterator[Check]:
        """As ``Connection.checks``."""

    @abstractmethod
    def close(self) -> None: ...


def open_mesh(context: Context) -> Mesh | None:
    """None when the context's catalog is no mesh. ConfigError when it is described wrongly; no network."""
    catalog = context.catalog
    if catalog is None or not catalog.settings.get(SETTING):
        return None
    module, _, function = _KINDS[catalog.kind].partition(":")
    found: Mesh = getattr(importlib.import_module(module), function)(context)
    return found

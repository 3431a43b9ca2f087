"""Nodes to models: one validation per service, from plain values."""

from __future__ import annotations

import os
from functools import cache
from typing import Any

from pydantic import ValidationError

from orchctl.spec import models
from orchctl.spec.codes import Code
from orchctl.spec.explain import explain
from orchctl.spec.nodes import Mapping, Node, Sequence
from orchctl.spec.problems import Problems
from orchctl.spec.scalars import value_of


def build(node: Mapping, problems: Problems) -> models.Service | None:
    """The service that ``node`` describes, or None after adding what is wrong with it."""
    before = len(problems.found)
    plain = _plain(node, problems)
    try:
        service = _model().model_validate(plain)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            explain(node, detail, problems)
        return None
    return service if len(problems.found) == before else None


@cache
def _model() -> type[models.Service]:
    """The model, made ready without pydantic's plugins: looking for them reads the metadata of every installed package,
    and no package that happens to be there has a say in what a spec means.
    """
    variable = "PYDANTIC_DISABLE_PLUGINS"
    before = os.environ.get(variable)
    os.environ[variable] = "__all__"
    try:
        models.Service.model_rebuild()
    finally:
        if before is None:
            del os.environ[variable]
        else:
            os.environ[variable] = before
    return models.Service


def _plain(node: Node, problems: Problems) -> Any:
    if isinstance(node, Mapping):
        return {key: _plain(value, problems) for key, value in node.items.items()}
    if isinstance(node, Sequence):
        return tuple([_plain(item, problems) for item in node.items])
    if not node.plain:
        return node.text
    try:
        return value_of(node)
    except ValueError as error:
        problems.add(Code.NUMBER, str(error), node.origin, hint="quote the value if it is text")
        return node.text

"""Values of the command line that are right as they stand.

typer 0.29 converts every value with pydantic, and loading pydantic takes a third of a short command (7 of its
21 bare interpreters, 2026-11). Texts, lists of texts, known choices and absent flags need no conversion.
Everything else goes typer's way, so that its messages stay; so does everything if typer renames what is used here.
"""

from __future__ import annotations

import typing
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup


class Command(TyperCommand):
    """typer's command; plain values are not converted."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _keep_plain_values(self.get_params(ctx))
        return super().parse_args(ctx, args)


class Group(TyperGroup):
    """typer's group; plain values are not converted."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        _keep_plain_values(self.get_params(ctx))
        return super().parse_args(ctx, args)


def _keep_plain_values(parameters: Iterable[Any]) -> None:
    for parameter in parameters:
        parameter.process_value = partial(_process, parameter, parameter.process_value)


def _process(parameter: Any, convert: Callable[[Any, Any], Any], context: typer.Context, value: Any) -> Any:
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    is_missing = parameter.required and not value
    is_heard = parameter.callback is not None and bool(value)  # --help
    if is_missing or is_heard or not _is_plain(kind, value):
        return convert(context, value)
    return list(value) if isinstance(value, tuple) else value


def _is_plain(kind: Any, value: Any) -> bool:
    """``value`` is what the annotation ``kind`` wants already."""
    if kind is str:
        return isinstance(value, str)
    if kind is bool:
        return value is None or isinstance(value, bool)
    if kind == list[str]:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return typing.get_origin(kind) is Literal and value in typing.get_args(kind)

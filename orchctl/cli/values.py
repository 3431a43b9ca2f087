"""Values of the command line that are right as they stand.

typer 0.29 converts every value with pydantic, and loading pydantic takes a third of a short command (7 of its
21 bare interpreters, 2026-11). Texts, lists of texts, known choices and what was not given need no conversion.
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
    """typer's command; plain values are not converted, and help does not call a text ``<str>``."""

    def get_params(self, ctx: Any) -> list[Any]:
        found: list[Any] = super().get_params(ctx)
        for parameter in found:
            if parameter.param_type_name == "argument" and _kind_of(parameter) in (str, list[str]):
                parameter.display_type_rich = _no_words
        return found

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
    kind = _kind_of(parameter)
    is_missing = parameter.required and not value
    is_heard = parameter.callback is not None and bool(value)  # --help
    if is_missing or is_heard or not _is_plain(kind, value):
        return convert(context, value)
    return list(value) if isinstance(value, tuple) else value


def _kind_of(parameter: Any) -> Any:
    """The annotation, without ``| None``."""
    return getattr(getattr(parameter, "type_descriptor", None), "annotation", None)


def _no_words(**_: Any) -> str:
    return ""


def _is_plain(kind: Any, value: Any) -> bool:
    """``value`` is what the annotation ``kind`` wants already."""
    if kind in (str, bool, int):  # an int can only be a default: what was typed is still a text
        return value is None or isinstance(value, kind)
    if kind == list[str]:
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    return typing.get_origin(kind) is Literal and value in typing.get_args(kind)

"""``--query``: what a JMESPath expression (jmespath.org) finds in the documents that a verb prints.

With ``-o json``, ``yaml`` or ``jsonl`` it is printed in that form. Without, as text that a shell can use: a string as it
is, a list one item a line, a list in a list as columns between tabs, other values as JSON, nothing for null.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TextIO

import jmespath
from jmespath.exceptions import (
    IncompleteExpressionError,
    JMESPathTypeError,
    LexerError,
    ParseError,
)
from jmespath.functions import Functions

from orchctl.cli.views.documents import write_value
from orchctl.cli.views.sanitise import sanitise
from orchctl.errors import QueryError, UsageError

_FORMS = ("json", "yaml", "jsonl")
_TEXT = ("text", "table")
_HINT = "the language is JMESPath, over the document that -o json prints: items[].name"


class Query:
    """An expression that can be read. ``output`` is the value of ``-o``; QueryError and UsageError for bad ones."""

    def __init__(self, expression: str, output: str) -> None:
        if output not in (*_FORMS, *_TEXT):
            raise UsageError(
                f"--query does not go with -o {output}", hint=f"it goes with: {', '.join(_FORMS)}, or no -o"
            )
        self._output = output
        self._expression = expression
        self._compiled = _compiled(expression)

    def print(self, file: TextIO, document: Mapping[str, Any]) -> None:
        """What is found. QueryError when the expression does not fit; in a stream, which has documents of several kinds,
        that is null."""
        found = self._found(document)
        if self._output in _FORMS:
            write_value(file, found, self._output)
        else:
            file.write("".join(f"{line}\n" for line in _lines(found)))

    def _found(self, document: Mapping[str, Any]) -> Any:
        try:
            found = self._compiled.search(document)
            json.dumps(found)  # an expression that finds a reference to an expression (&name) is no value
            return found
        # A slice with step 0 is a ValueError of Python's own (jmespath 1.1), ceil() of what is infinite an OverflowError.
        except (ValueError, TypeError, OverflowError, RecursionError) as error:
            if self._output == "jsonl":
                return None
            raise QueryError(f"the expression does not fit the document: {_words(error)}", hint=_HINT) from None


def _compiled(expression: str) -> Any:
    if not expression.strip():
        raise QueryError("the expression is empty", hint=_HINT)
    try:
        found = jmespath.compile(expression)
    except ParseError as error:
        raise QueryError(_words(error), expression=expression, column=error.lex_position + 1, hint=_HINT) from None
    except (ValueError, RecursionError):  # a thousand brackets
        raise QueryError("the expression cannot be read", expression=expression, column=1, hint=_HINT) from None
    # Before anything is sent: the library finds out when it comes to the function.
    try:
        calls = [*_calls(found.parsed)]
    except RecursionError:
        raise QueryError("the expression is nested too deeply", expression=expression, column=1, hint=_HINT) from None
    for name, given in calls:
        _check_call(expression, name, given)
    return found


def _check_call(expression: str, name: str, given: int) -> None:
    column = expression.find(name) + 1
    if name not in Functions.FUNCTION_TABLE:
        close = get_close_matches(name, Functions.FUNCTION_TABLE, 1)
        hint = f"did you mean {close[0]}()?" if close else f"known: {', '.join(sorted(Functions.FUNCTION_TABLE))}"
        raise QueryError(f"there is no function {name}()", expression=expression, column=column, hint=hint)
    wanted = Functions.FUNCTION_TABLE[name]["signature"]
    is_open = bool(wanted) and wanted[-1].get("variadic", False)
    if given < len(wanted) if is_open else given != len(wanted):
        least = "at least " if is_open else ""
        text = f"{name}() takes {least}{len(wanted)} argument{'s'[: len(wanted) != 1]}, and is given {given}"
        raise QueryError(text, expression=expression, column=column, hint=_HINT)


def _calls(node: Any) -> Iterator[tuple[str, int]]:
    """The functions in a parsed expression, and how many arguments each is given."""
    if isinstance(node, list):
        for child in node:
            yield from _calls(child)
    elif isinstance(node, dict) and node.get("type") != "literal":
        if node.get("type") == "function_expression":
            yield node["value"], len(node["children"])
        yield from _calls(node.get("children", []))


def _words(error: Exception) -> str:
    """The library's own words come with a caret and the whole document."""
    if isinstance(error, IncompleteExpressionError):
        return "the expression ends too early"
    if isinstance(error, LexerError):
        return f"the expression cannot be read: {error.message[:1].lower()}{error.message[1:]}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    if isinstance(error, TypeError):
        return "what it finds is an expression (&) and no value"
    if isinstance(error, ParseError):
        return f"the expression cannot be read: {error.token_value} is not expected here"
    if isinstance(error, JMESPathTypeError):
        wanted = " or ".join(error.expected_types)
        return f"{error.function_name}() takes {wanted}, and is given {error.actual_type}"
    return str(error)


def _lines(found: Any) -> Iterator[str]:
    if found is None:
        return
    for row in found if isinstance(found, list) else [found]:
        yield "\t".join(map(_cell, row)) if isinstance(row, list) else _cell(row)


def _cell(value: Any) -> str:
    """In one line, and fit for a terminal."""
    if isinstance(value, str):
        return sanitise(value)
    return "" if value is None else json.dumps(value)

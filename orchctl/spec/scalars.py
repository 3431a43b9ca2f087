"""What a plain (unquoted) scalar means: YAML 1.2's core schema, less what surprises.

Only ``true`` and ``false`` are booleans; ``yes``, ``no`` and ``on`` are texts, as are dates, ``22:22``
and ``0644`` (YAML 1.1 made a boolean, 1342 and 420 of them). Hexadecimal and octal numbers are texts
too: no field wants one. Numbers keep the text they were written as, so that ``1.10`` is never 1.1.
"""

from __future__ import annotations

import re

from orchctl.spec.nodes import Scalar

_INT = re.compile(r"[-+]?(?:0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?(?:(?:0|[1-9][0-9]*)(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
NULLS = frozenset(("", "~", "null", "Null", "NULL"))
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_LONGEST_NUMBER = 40
_MAX_INT = 2**63 - 1


class Int(int):
    """An int that remembers how it was written."""

    text: str


class Float(float):
    """A float that remembers how it was written."""

    text: str


Value = str | Int | Float | bool | None


def is_null(node: object) -> bool:
    return isinstance(node, Scalar) and node.plain and node.text in NULLS


def value_of(node: Scalar) -> Value:
    """The value of a scalar; ValueError for numbers that no field can hold."""
    text = node.text
    if not node.plain:
        return text
    if text in NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if text[0] in "+-.0123456789":
        return _number(text)
    return text


def _number(text: str) -> Value:
    if len(text) > _LONGEST_NUMBER:
        # int() of thousands of digits is quadratic, and Python refuses more than 4300 of them.
        if re.fullmatch(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?", text):
            raise ValueError(f"a number of {len(text)} characters is too long")
        return text
    if _INT.fullmatch(text):
        whole = Int(text)
        if abs(whole) > _MAX_INT:
            raise ValueError("a number of more than 19 digits is too large")
        whole.text = text
        return whole
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("infinity and not-a-number are not allowed")
    if _FLOAT.fullmatch(text):
        real = Float(text)
        if real in (float("inf"), float("-inf")):
            raise ValueError("the number is too large")
        real.text = text
        return real
    return text

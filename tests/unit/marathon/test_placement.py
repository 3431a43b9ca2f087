"""Placement as Marathon's constraints; values mean themselves and nothing else."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.service import Operator, Placement, Requirement
from orchctl_marathon.placement import HOST, constraints
from tests.unit.marathon.sample import sample

VALUES = st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=4, unique=True)


def placed(placement: Placement, groups: dict[str, int] | None = None) -> list[list[str]]:
    return constraints(sample(placement=placement, backends={"marathon": {"groups": groups or {}}}))


def required(key: str, op: Operator, *values: str) -> list[str]:
    (found,) = placed(Placement(require=(Requirement(key=key, op=op, values=values),)))
    return found


@pytest.mark.parametrize(
    ("op", "values", "expected"),
    [
        (Operator.IN, ("a",), ["zone", "LIKE", "a"]),
        (Operator.IN, ("a", "b.c"), ["zone", "LIKE", r"(a|b\.c)"]),
        (Operator.NOT_IN, ("a",), ["zone", "UNLIKE", "a"]),
        (Operator.NOT_IN, ("a|b", "c"), ["zone", "UNLIKE", r"(a\|b|c)"]),
        (Operator.EXISTS, (), ["zone", "LIKE", ".*"]),
        (Operator.NOT_EXISTS, (), ["zone", "UNLIKE", ".*"]),
    ],
)
def test_a_requirement_is_one_constraint(op: Operator, values: tuple[str, ...], expected: list[str]) -> None:
    assert required("zone", op, *values) == expected


@pytest.mark.parametrize("key", ["hostname", "node.hostname", "kubernetes.io/hostname", "@hostname"])
def test_the_name_of_the_host_is_no_attribute(key: str) -> None:
    assert required(key, Operator.IN, "a") == [HOST, "LIKE", "a"]
    assert placed(Placement(spread=(key,)), {key: 2}) == [[HOST, "GROUP_BY", "2"]]


def test_spread_says_how_many_values_there_are_where_that_is_known() -> None:
    found = placed(Placement(spread=("zone", "rack"), max_per_node=2), {"zone": 3})
    assert found == [["zone", "GROUP_BY", "3"], ["rack", "GROUP_BY"], [HOST, "MAX_PER", "2"]]


def test_nothing_asked_for_is_no_constraint() -> None:
    assert placed(Placement()) == []


@given(values=VALUES, others=st.lists(st.text(max_size=8)))
def test_exactly_the_values_match(values: list[str], others: list[str]) -> None:
    """Marathon matches the whole text with Java's expressions, which mean the same as Python's for what is used here."""
    pattern = required("zone", Operator.IN, *values)[2]
    assert all(re.fullmatch(pattern, value) for value in values)
    assert not [other for other in others if other not in values and re.fullmatch(pattern, other)]


@given(character=st.characters(min_codepoint=32, max_codepoint=126))
def test_every_printable_character_means_itself(character: str) -> None:
    pattern = required("zone", Operator.NOT_IN, f"a{character}b")[2]
    assert re.fullmatch(pattern, f"a{character}b")
    assert not re.fullmatch(pattern, "ab")
    assert not re.fullmatch(pattern, "axxb")

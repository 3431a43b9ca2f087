"""Durations, CPU and sizes against independent readers."""

from datetime import timedelta
from decimal import Decimal

import durationpy
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.units import format_bytes, format_cpu, format_duration, parse_bytes, parse_cpu, parse_duration

PART = st.tuples(st.integers(0, 9999), st.sampled_from(["ms", "s", "m", "h"]))


@given(st.lists(PART, min_size=1, max_size=4))
def test_durations_agree_with_durationpy(parts: list[tuple[int, str]]) -> None:
    text = "".join(f"{n}{unit}" for n, unit in parts)
    assert timedelta(milliseconds=parse_duration(text)) == durationpy.from_str(text)


@given(st.integers(0, 10**12))
def test_a_formatted_duration_reads_back(ms: int) -> None:
    assert parse_duration(format_duration(ms)) == ms


@given(st.integers(0, 10**9))
def test_a_formatted_cpu_reads_back(millis: int) -> None:
    assert parse_cpu(format_cpu(millis)) == millis


@given(st.integers(0, 2**60))
def test_a_formatted_size_reads_back(size: int) -> None:
    assert parse_bytes(format_bytes(size)) == size


@given(st.decimals(0, 10_000, places=3), st.sampled_from([("", 1), ("k", 1000), ("Mi", 2**20), ("G", 10**9)]))
def test_sizes_are_exact_and_round_up(number: Decimal, unit: tuple[str, int]) -> None:
    exact = number * unit[1]
    assert 0 <= parse_bytes(f"{number}{unit[0]}") - exact < 1


@pytest.mark.parametrize("text", ["", "5", "1x", "-1s", "1 s", "s", "1.5.5s", "1e3s", "0.0001ms", "٣s", "9" * 40 + "s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        parse_duration(text)


@given(st.text(max_size=40))
def test_only_value_errors_come_out(text: str) -> None:
    for parse in (parse_duration, parse_cpu, parse_bytes):
        try:
            assert parse(text) >= 0
        except ValueError:
            continue

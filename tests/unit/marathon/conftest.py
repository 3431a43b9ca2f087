"""Servers that answer instead of a Marathon."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front


@pytest.fixture
def front() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture
def other() -> Iterator[Front]:
    with Front() as front:
        yield front


@pytest.fixture(scope="module")
def leader() -> Iterator[Marathon]:
    with Marathon(processes=False, masters=2) as servers:
        yield servers

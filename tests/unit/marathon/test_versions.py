"""What an older Marathon would leave out in silence is refused; it is asked for its version only when that matters."""

from __future__ import annotations

import pytest

from orchctl.core.plan import Policy
from orchctl.core.service import Resources, Service
from orchctl_marathon.versions import Version, refusals
from tests.unit.marathon.sample import sample

MIB = 1 << 20
CPU = sample(resources=Resources(memory_bytes=MIB, cpu_millis=100, cpu_limit_millis=200))
MEMORY = sample(resources=Resources(memory_bytes=MIB, memory_limit_bytes=2 * MIB))
ROLE = sample(backends={"marathon": {"role": "web"}})


def never() -> Version:
    raise AssertionError("nobody needs to know")


@pytest.mark.parametrize(
    ("service", "path", "oldest"),
    [
        (CPU, "resources.limits.cpu", (1, 10)),
        (MEMORY, "resources.limits.memory", (1, 10)),
        (ROLE, "backends.marathon.role", (1, 9)),
    ],
)
def test_it_is_refused_before_the_version_that_has_it(service: Service, path: str, oldest: Version) -> None:
    before = (oldest[0], oldest[1] - 1)
    (found,) = refusals(service, lambda: before)
    assert (found.path, found.policy) == (path, Policy.REJECT)
    assert found.message.startswith(f"needs Marathon 1.{oldest[1]}; this is 1.{before[1]}; ")
    assert refusals(service, lambda: oldest) == []
    assert refusals(service, lambda: (2, 0)) == []


def test_all_of_them_at_once() -> None:
    resources = Resources(memory_bytes=MIB, memory_limit_bytes=2 * MIB, cpu_millis=1, cpu_limit_millis=2)
    service = sample(resources=resources, backends={"marathon": {"role": "web"}})
    assert len(refusals(service, lambda: (1, 8))) == 3
    assert [i.path for i in refusals(service, lambda: (1, 9))] == ["resources.limits.cpu", "resources.limits.memory"]


@pytest.mark.parametrize(
    "service",
    [
        sample(),
        sample(resources=Resources(memory_bytes=MIB, memory_limit_bytes=MIB)),
        sample(resources=Resources(memory_limit_bytes=MIB)),
        sample(backends={"marathon": {"role": 7}}),
    ],
    ids=["nothing asked for", "a limit that is the reservation", "a limit alone", "options that are wrong"],
)
def test_nobody_is_asked_when_nothing_depends_on_it(service: Service) -> None:
    assert list(refusals(service, never)) == []

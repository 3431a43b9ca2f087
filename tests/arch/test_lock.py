"""The lock file has what pyproject.toml asks for, in versions that it allows."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]


def _wanted() -> Iterator[Requirement]:
    """Everything of the extra ``dev``, and of the extras that it names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extras = project["project"]["optional-dependencies"]
    lines = [*project["project"]["dependencies"], *project["build-system"]["requires"], "orchctl[dev]"]
    while lines:
        one = Requirement(lines.pop())
        if one.name == "orchctl":
            lines += [line for extra in one.extras for line in extras[extra]]
        else:
            yield one


def test_every_requirement_is_pinned_in_a_version_that_it_allows() -> None:
    """Otherwise: ``make lock``."""
    text = (ROOT / "requirements" / "dev.txt").read_text("utf-8")
    pins = {canonicalize_name(name): version for name, version in re.findall(r"(?m)^([\w.-]+)==([^\s;\\]+)", text)}
    wanted = list(_wanted())
    assert len(wanted) > 25
    wrong = [str(r) for r in wanted if not r.specifier.contains(pins.get(canonicalize_name(r.name), "0"))]
    assert wrong == []


def test_every_pin_has_its_hashes() -> None:
    for name in ("dev.txt", "lock.txt"):
        text = (ROOT / "requirements" / name).read_text("utf-8")
        for entry in re.split(r"(?m)^(?=[\w.-]+==)", text)[1:]:
            assert "--hash=sha256:" in entry, entry.splitlines()[0]

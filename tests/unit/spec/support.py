"""Reading specs in tests."""

import io
from collections.abc import Mapping
from pathlib import Path

import pytest

from orchctl.core.service import Service
from orchctl.errors import SpecError
from orchctl.spec.source import Resolved, SpecRequest, load_services


def read(text: str | bytes, cwd: Path, environ: Mapping[str, str] = {}, sets: tuple[str, ...] = ()) -> list[Resolved]:
    data = text if isinstance(text, bytes) else text.encode()
    return load_services(SpecRequest(files=("-",), stdin=io.BytesIO(data), cwd=cwd, environ=environ, sets=sets))


def service(text: str, cwd: Path, environ: Mapping[str, str] = {}, sets: tuple[str, ...] = ()) -> Service:
    [resolved] = read(text, cwd, environ, sets)
    return resolved.service


def problems(
    text: str | bytes, cwd: Path, environ: Mapping[str, str] = {}, sets: tuple[str, ...] = ()
) -> list[SpecError]:
    with pytest.raises(SpecError) as caught:
        read(text, cwd, environ, sets)
    return [caught.value, *caught.value.problems]

from __future__ import annotations

import io

import pytest

from orchctl.cli.views.table import draw_table, short_image

COLUMNS = ["REVISION", "STATUS", "CREATED", "BY", "IMAGE", "REPLICAS", "REASON"]
ROW = [
    "12",
    "rolled back",
    "2030-01-01T00:00:42Z",
    "deployer@build-host-17",
    "registry.example.com/acme/web:1.10",
    "2 (now 4)",
    "automatic rollback",
]


def _draw(width: int, rows: list[list[str]], *, colour: bool = False) -> str:
    file = io.StringIO()
    draw_table(file, COLUMNS, rows, width=width, colour=colour)
    return file.getvalue()


@pytest.mark.parametrize("width", [40, 60, 80, 120, 200])
def test_table_fits_and_loses_no_character(width: int) -> None:
    text = _draw(width, [ROW])
    assert all(len(line) <= width for line in text.splitlines())
    shown = sorted(text.replace(" ", "").replace("\n", ""))
    assert shown == sorted("".join([*COLUMNS, *ROW]).replace(" ", ""))


def test_wide_table_has_one_line_a_row_without_trailing_blanks() -> None:
    lines = _draw(200, [ROW, ROW]).splitlines()
    assert len(lines) == 3
    assert all(line == line.rstrip() for line in lines)


def test_colour_only_when_asked_for() -> None:
    assert "\x1b" not in _draw(80, [ROW])
    assert "\x1b[1m" in _draw(80, [ROW], colour=True)


def test_digest_is_shortened_for_people() -> None:
    digest = "0123456789abcdef" * 4
    assert short_image(f"x/web:1@sha256:{digest}") == "x/web:1@sha256:0123456789ab"
    assert short_image("x/web:1") == "x/web:1"

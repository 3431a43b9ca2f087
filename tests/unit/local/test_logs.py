"""Time-stamped output files, merged, tailed and followed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchctl_local.logs import read_logs

T = 1_700_000_000_000


@pytest.fixture
def home(tmp_path: Path) -> Path:
    write(tmp_path, "web-1-1", "stdout", f"{T} one\n{T + 20} three\n")
    write(tmp_path, "web-1-1", "stderr", f"{T + 10} two\n")
    write(tmp_path, "web-2-1", "stdout", f"{T + 30} four without an end")
    return tmp_path


def write(home: Path, instance: str, stream: str, text: str) -> None:
    (home / instance).mkdir(exist_ok=True)
    with (home / instance / f"{stream}.log").open("a") as file:
        file.write(text)


def texts(home: Path, **options: object) -> list[str]:
    return [line.text for line in read_logs(home, **options)]  # type: ignore[arg-type]


def test_lines_of_all_streams_and_instances_come_in_the_order_of_time(home: Path) -> None:
    assert texts(home) == ["one", "two", "three", "four without an end"]


def test_a_line_tells_its_instance_stream_and_time(home: Path) -> None:
    line = list(read_logs(home))[1]
    assert (line.instance, line.stream, line.at_ms, line.text) == ("web-1-1", "stderr", T + 10, "two")


def test_one_instance_a_tail_and_a_start(home: Path) -> None:
    assert texts(home, instance="web-1-1") == ["one", "two", "three"]
    assert texts(home, tail=2) == ["three", "four without an end"]
    assert texts(home, since_ms=T + 15) == ["three", "four without an end"]


def test_a_service_without_output_has_no_lines(tmp_path: Path) -> None:
    assert texts(tmp_path / "absent") == []
    assert texts(tmp_path, instance="web-9-9") == []


def test_an_instance_is_no_path(home: Path) -> None:
    for name in (f"x/../../{home.name}/web-1-1", str(home / "web-1-1"), f"../{home.name}/web-1-1", "."):
        assert texts(home, instance=name) == []


def test_the_rotated_file_comes_first(home: Path) -> None:
    (home / "web-1-1" / "stdout.log").rename(home / "web-1-1" / "stdout.log.1")
    write(home, "web-1-1", "stdout", f"{T + 25} after the rotation\n")
    assert texts(home, instance="web-1-1") == ["one", "two", "three", "after the rotation"]


def test_following_goes_on_over_new_lines_a_rotation_and_a_new_instance(home: Path) -> None:
    lines = read_logs(home, tail=1, follow=True)
    assert next(lines).text == "four without an end"
    write(home, "web-1-1", "stdout", f"{T + 40} five\n")
    assert next(lines).text == "five"
    os.rename(home / "web-1-1" / "stdout.log", home / "web-1-1" / "stdout.log.1")
    write(home, "web-1-1", "stdout", f"{T + 50} six\n")
    assert next(lines).text == "six"
    write(home, "web-3-1", "stdout", f"{T + 60} seven\n")
    assert next(lines).text == "seven"


def test_bytes_that_are_no_utf8_are_shown_somehow(tmp_path: Path) -> None:
    (tmp_path / "web-1-1").mkdir()
    (tmp_path / "web-1-1" / "stdout.log").write_bytes(b"%d \xff\n" % T)
    assert texts(tmp_path) == ["�"]

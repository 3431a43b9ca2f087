"""Files that are replaced whole, and names as parts of paths."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.files import create_file, is_replaceable, path_part, replace_file, try_writing


@given(st.text() | st.sampled_from([".", "..", "...", "/", "\0", "\udc80", "x" * 500]))
def test_any_name_is_one_part_of_a_path(name: str) -> None:
    part = path_part(name)
    assert part.isascii()
    assert 0 < len(part) <= 200
    assert not {*part} & {"/", "\0", "\\"}
    assert part not in (".", "..")


@given(st.text(), st.text())
def test_two_names_are_two_parts(one: str, other: str) -> None:
    assert (path_part(one) == path_part(other)) == (one == other)


def test_long_names_differ_by_their_ends() -> None:
    assert path_part("x" * 300 + "a") != path_part("x" * 300 + "b")
    assert path_part("eu.prod_1-A") == "eu.prod_1-A"


def test_a_replaced_file_keeps_its_mode_unless_told(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_text("old")
    file.chmod(0o640)
    replace_file(file, b"new")
    assert (file.read_bytes(), stat.S_IMODE(file.stat().st_mode)) == (b"new", 0o640)
    replace_file(file, b"newer", mode=0o600)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert os.listdir(tmp_path) == ["f"]


def test_a_planted_link_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even by somebody who could guess the name."""
    monkeypatch.setattr(os, "urandom", lambda size: b"\0" * size)
    victim = tmp_path / "victim"
    victim.write_text("theirs")
    (tmp_path / f".orchctl-{'00' * 8}.tmp").symlink_to(victim)
    for write in (replace_file, create_file):
        with pytest.raises(FileExistsError):
            write(tmp_path / "f", b"ours")
    assert victim.read_text() == "theirs"
    assert not (tmp_path / "f").exists()


def test_what_is_there_is_not_created_again(tmp_path: Path) -> None:
    create_file(tmp_path / "f", b"one")
    with pytest.raises(FileExistsError):
        create_file(tmp_path / "f", b"two")
    assert (tmp_path / "f").read_bytes() == b"one"
    assert os.listdir(tmp_path) == ["f"]


def test_trying_leaves_nothing(tmp_path: Path) -> None:
    try_writing(tmp_path / "f")
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError):
        try_writing(tmp_path / "nowhere" / "f")


def test_a_device_or_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/dev/null")
    assert not is_replaceable(tmp_path / "pipe")
    assert not is_replaceable(tmp_path / "link")
    assert is_replaceable(tmp_path / "absent")

"""Programs are built once, whole or not at all."""

from __future__ import annotations

import multiprocessing
from pathlib import Path

import pytest

from tests.servers import golang
from tests.servers.built import built
from tests.servers.packages import Unavailable


def once(cache: Path, notes: Path) -> None:
    """Writes a line for every build that really happens."""

    def make(target: Path) -> None:
        with notes.open("a") as file:
            file.write("built\n")
        target.write_text("program")

    built("name", "program", make, "a test", cache)


def test_runs_that_start_together_build_once(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    runs = [fork.Process(target=once, args=(tmp_path / "cache", tmp_path / "notes")) for _ in range(4)]
    for run in runs:
        run.start()
    for run in runs:
        run.join(120)
    assert [run.exitcode for run in runs] == [0] * 4
    assert (tmp_path / "notes").read_text() == "built\n"
    assert (tmp_path / "cache" / "name" / "program").read_text() == "program"


def test_a_folder_is_kept_with_all_that_is_in_it(tmp_path: Path) -> None:
    def make(target: Path) -> None:
        (target / "package").mkdir(parents=True)
        (target / "package" / "module.py").write_text("VERSION = 1\n")

    for _ in range(2):
        folder = built("name", "packages", make, "a test", tmp_path)
        assert (folder / "package" / "module.py").read_text() == "VERSION = 1\n"


def test_a_build_that_fails_leaves_nothing_that_looks_finished(tmp_path: Path) -> None:
    def fail(target: Path) -> None:
        target.write_text("half of it")
        raise RuntimeError("no space left")

    with pytest.raises(RuntimeError, match="no space left"):
        built("name", "program", fail, "a test", tmp_path)
    assert list((tmp_path / "name").iterdir()) == []


def test_what_and_why_is_said_before_a_build_and_nothing_after_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for _ in range(2):
        built("name", "program", lambda target: target.touch(), "a server for a test; once", tmp_path)
    assert capsys.readouterr().err == f"building a server for a test; once (kept in {tmp_path}/name)\n"


def test_without_a_toolchain_it_is_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(golang.shutil, "which", lambda *_words, **_options: None)
    with pytest.raises(Unavailable, match="Go toolchain"):
        golang.toolchain()


def test_a_toolchain_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "go"
    old.write_text("#!/bin/sh\necho go1.19.8\n")
    old.chmod(0o755)
    monkeypatch.setattr(golang.shutil, "which", lambda *_words, **_options: str(old))
    with pytest.raises(Unavailable, match=r"not go1\.19\.8"):
        golang.toolchain()


def test_gos_own_cache_is_used_where_it_can_be_and_ours_otherwise(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert golang.build_cache(str(tmp_path / "new" / "deeper"), tmp_path / "ours") == str(tmp_path / "new" / "deeper")
    for unusable in ("", "off", str(tmp_path / "file" / "below")):
        assert golang.build_cache(unusable, tmp_path / "ours") == str(tmp_path / "ours")

"""What a dead run left goes, and nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from tests.servers import ledger, leftovers
from tests.servers.dying import ROOT, Dying, end, is_running
from tests.servers.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="a ledger is kept where /proc tells who lives")

_START = """
import os, subprocess
place = Path(sys.argv[2])
ledger.note("path", place)
place.mkdir()
def start(*command, **environment):
    found = subprocess.Popen(command, env={"PATH": os.environ["PATH"]} | environment, start_new_session=True)
    print(found.pid)
"""
_MARKED = _START + "start('sleep', '600', **ledger.mark())"
_WORKING = _START + "start('sleep', '600', STATE=f'{place}/state')"
_CHILD = (
    _START
    + """
command = ["sh", "-c", "env -i sleep 600 & echo $!; wait"]
parent = subprocess.Popen(command, env={"PATH": os.environ["PATH"], "STATE": str(place)}, stdout=subprocess.PIPE, text=True)
print(parent.stdout.readline())
"""
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "ledger"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "made" / "here"


@pytest.fixture
def start(folder: Path, place: Path) -> Iterator[Callable[[str], tuple[Dying, str]]]:
    """An owner that has made what it is told, and the process that it started."""
    pids: list[str] = []
    place.parent.mkdir()

    def started(made: str) -> tuple[Dying, str]:
        owner = Dying(folder, made, place)
        pids.append(str(owner.pid))
        [pid] = owner.wait()
        pids.append(pid)
        return owner, pid

    yield started
    for pid in pids:
        end(pid)


Start = Callable[[str], tuple[Dying, str]]


@pytest.mark.parametrize("made", [_MARKED, _WORKING, _CHILD], ids=["its mark", "its directory", "its parent"])
def test_what_a_dead_owner_left_goes(start: Start, folder: Path, place: Path, made: str) -> None:
    owner, pid = start(made)
    (place / "file").touch()
    until("sleep is itself, and not yet the shell or env before it", lambda: name_of(pid) == "sleep")
    owner.kill()
    assert is_running(pid)
    said = ledger.sweep(folder)
    assert f"process {pid} (sleep)" in said
    assert f"path {place}" in said
    assert not is_running(pid)
    assert not place.exists()
    assert [path.name for path in folder.iterdir()] == ["lock"]
    assert ledger.sweep(folder) == []


def test_what_a_living_owner_has_stays(start: Start, folder: Path, place: Path) -> None:
    owner, pid = start(_MARKED)
    assert ledger.sweep(folder) == []
    assert is_running(pid)
    assert is_running(owner.pid)
    assert place.is_dir()


def test_a_run_in_a_shell_that_a_dead_one_left_lives(start: Start, folder: Path, place: Path) -> None:
    run = (
        "import subprocess, sys; from pathlib import Path; from tests.servers import ledger; ledger.own(Path(sys.argv[1])); "
        "ledger.note('place', sys.argv[1]); child = subprocess.Popen(['sleep', '600']); print(child.pid, flush=True); "
        "child.wait()"
    )
    made = f"""
command = ["sh", "-c", '"$@"; exit', "sh", "env", "-u", ledger.MARK, sys.executable, "-c", {run!r}, sys.argv[1]]
print(subprocess.Popen(command, stdout=subprocess.PIPE, text=True).stdout.readline())
"""
    owner, pid = start(_START + made)
    owner.kill()
    said = ledger.sweep(folder)
    assert [line.split()[-1] for line in said] == ["(sh)", str(place)]
    found = leftovers.look(int(pid))
    assert found
    end(found.parent)


def test_what_a_dead_and_a_living_owner_wrote_down_stays(start: Start, folder: Path, place: Path) -> None:
    _owner, pid = start(_WORKING)
    dead(folder).write_text(f'{{"kind": "path", "name": "{place}"}}\n')
    assert ledger.sweep(folder) == []
    assert is_running(pid)
    assert place.is_dir()


def test_a_number_that_recurs_is_another_process(start: Start, folder: Path, place: Path, tmp_path: Path) -> None:
    owner, pid = start(_MARKED)
    *before, started = ledger._name(int(owner.pid)).split(".")
    (tmp_path / "old").mkdir()
    recurring = folder / ".".join([*before, str(int(started) - 1)])
    recurring.write_text(f'{{"kind": "path", "name": "{tmp_path}/old"}}\n')
    assert ledger.sweep(folder) == [f"path {tmp_path}/old"]
    assert is_running(owner.pid)
    found = leftovers.look(int(pid))
    assert found
    replace(found, start=found.start - 1).kill()
    assert is_running(pid)


def test_the_rest_of_a_torn_file_counts(folder: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    torn = dead(folder)
    torn.write_bytes(f'{{"kind": "path", "name": "{tmp_path}/one"}}\n{{"kind": "path", "na'.encode())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ledger.MARK, str(torn))
        ledger.note("path", tmp_path / "two")
    with torn.open("ab") as file:
        file.write(b'\0\xff\n7\n{"kind": "machine", "name": "/"}\n{"kind": "path"}\n{"kind": "path", "name"')
    assert ledger.sweep(folder) == [f"path {tmp_path}/one", f"path {tmp_path}/two"]


def test_what_was_forgotten_is_somebody_elses(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ledger.MARK, str(dead(folder)))
    ledger.note("path", tmp_path)
    ledger.forget("path", tmp_path)
    assert ledger.sweep(folder) == []
    assert tmp_path.is_dir()


def test_a_shell_in_a_directory_that_goes_is_left_alone(folder: Path, place: Path) -> None:
    place.mkdir(parents=True)
    dead(folder).write_text(f'{{"kind": "path", "name": "{place}"}}\n')
    shell = subprocess.Popen(["sleep", "600"], cwd=place, env={"PATH": os.environ["PATH"], "PWD": str(place)})
    try:
        assert ledger.sweep(folder) == [f"path {place}"]
        assert is_running(shell.pid)
    finally:
        shell.kill()
        shell.wait()


def test_a_place_stays_and_its_processes_go(start: Start, folder: Path, place: Path) -> None:
    owner, pid = start(_WORKING.replace('note("path"', 'note("place"'))
    owner.kill()
    assert ledger.sweep(folder) == [f"process {pid} (sleep)"]
    assert place.is_dir()


def test_two_sweeps_at_once_remove_everything_once(folder: Path, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / "made" / str(number)).mkdir(parents=True)
        dead(folder, number).write_text(f'{{"kind": "path", "name": "{tmp_path}/made/{number}"}}\n')
    with ThreadPoolExecutor(4) as pool:
        said = [line for lines in pool.map(lambda _: ledger.sweep(folder), range(4)) for line in lines]
    assert sorted(said) == sorted(f"path {tmp_path}/made/{number}" for number in range(20))


def test_a_sweep_that_was_killed_is_done_by_the_next(folder: Path, tmp_path: Path) -> None:
    for number in range(20):
        tree = tmp_path / "made" / str(number)
        for deep in range(50):
            (tree / str(deep)).mkdir(parents=True)
        dead(folder, number).write_text(f'{{"kind": "path", "name": "{tree}"}}\n')
    script = "import sys; from pathlib import Path; from tests.servers import ledger; ledger.sweep(Path(sys.argv[1]))"
    first = subprocess.Popen([sys.executable, "-c", script, str(folder)], cwd=ROOT)
    until("its first removal", lambda: not (tmp_path / "made" / "0" / "0").exists(), every=0.001)
    first.kill()
    first.wait()
    ledger.sweep(folder)
    assert list((tmp_path / "made").iterdir()) == []
    assert [path.name for path in folder.iterdir()] == ["lock"]


def test_what_cannot_be_removed_is_tried_again_and_keeps_nothing_else(folder: Path, tmp_path: Path) -> None:
    for name in ("kept", "made"):
        (tmp_path / name).mkdir()
    paths = [tmp_path / "kept" / ".." / "kept", tmp_path / "made"]
    dead(folder).write_text("".join(f'{{"kind": "path", "name": "{path}"}}\n' for path in paths))
    said = ledger.sweep(folder)
    assert [ledger.is_refusal(line) for line in said] == [True, False]
    assert [path.name for path in tmp_path.iterdir() if path != folder] == ["kept"]
    assert dead(folder).exists()


@pytest.mark.parametrize("known", ["elsewhere", "before"])
def test_another_containers_run_may_live_and_one_of_another_boot_does_not(
    folder: Path, tmp_path: Path, known: str
) -> None:
    boot, space, pid, started = ledger._name(os.getpid()).split(".")
    name = f"{boot}.{int(space) + 1}.{pid}.{started}" if known == "elsewhere" else f"00000000.{space}.{pid}.{started}"
    (tmp_path / "made").mkdir()
    folder.mkdir()
    (folder / name).write_text(f'{{"kind": "path", "name": "{tmp_path}/made"}}\n')
    assert (ledger.sweep(folder) == []) == (known == "elsewhere")
    assert (tmp_path / "made").exists() == (known == "elsewhere")


def test_without_an_owner_nothing_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ledger.MARK, raising=False)
    ledger.disown()
    ledger.note("path", tmp_path)
    assert ledger.mark() == {ledger.MARK: ""}


def test_the_workers_of_a_run_and_what_they_start_are_the_runs() -> None:
    assert Path(os.environ[ledger.MARK]).parent == ledger.FOLDER
    assert ledger._lives(Path(os.environ[ledger.MARK]).name)


def test_a_folder_of_somebody_elses_is_not_written_to(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    folder.symlink_to(tmp_path / "theirs")
    with pytest.raises(RuntimeError, match="somebody else"), ledger.alone(folder=folder):
        """Never."""


def test_the_command_says_what_it_takes(capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.main(["broom"]) == 2
    assert "sweep" in capsys.readouterr().err


def name_of(pid: str) -> str:
    process = leftovers.look(int(pid))
    assert process
    return process.name


def dead(folder: Path, number: int = 0) -> Path:
    """A file of an owner that has ended: nobody started before the machine did."""
    folder.mkdir(mode=0o700, exist_ok=True)
    boot, space, *_ = ledger._name(os.getpid()).split(".")
    return folder / f"{boot}.{space}.{2**22 + 1 + number}.0"

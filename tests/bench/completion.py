"""What a TAB costs: in bash alone, and through the program."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from functools import partial
from pathlib import Path

from orchctl.cli import names_cache
from tests.bench.measure import Row, pair, run

_SCRIPT = Path(__file__).parents[2] / "completions" / "orchctl.bash"
_SERVICES = 1000


def _press(line: str, expected: str) -> str:
    """A bash program: loads the script, completes ``line``, and fails when ``expected`` is not offered."""
    words = line.split(" ")
    return (
        f". {_SCRIPT}; COMP_LINE='{line}' COMP_WORDS=({' '.join(w or repr('') for w in words)}) "
        f'COMP_CWORD={len(words) - 1}; _orchctl; [[ " ${{COMPREPLY[*]}} " == *" {expected} "* ]]'
    )


def rows() -> list[Row]:
    """Beside a bare interpreter; the shell's rows start a shell, which a live TAB does not."""
    with tempfile.TemporaryDirectory() as home:
        env = {**os.environ, "HOME": home, "ORCHCTL_STATE_DIR": home, "ORCHCTL_CONFIG": os.devnull}
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        env["PYTHONPYCACHEPREFIX"] = str(Path(home) / "bytecode")
        env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env['PATH']}"
        _fill(names_cache.cache_dir(env))
        bare = partial(run, [sys.executable, "-c", "pass"], env)
        asked = [str(Path(sys.executable).parent / "orchctl"), "__complete", "services", "status", "--backend", "local"]
        found = [
            pair("TAB, program", partial(run, asked, env), bare, peer_name="python -c pass", goal="<= 1.5x", runs=15)
        ]
        if not shutil.which("bash"):
            return found
        bash = ["bash", "--norc", "--noprofile", "-c"]
        verbs = partial(run, [*bash, _press("orchctl deploy --dr", "--dry-run")], env)
        names = partial(run, [*bash, _press("orchctl status --backend local s", "s999")], env)
        return [
            pair("TAB, verbs and options", verbs, bare, peer_name="python -c pass", goal="<= 0.5x", runs=15),
            pair("TAB, the same", verbs, partial(run, [*bash, ":"], env), peer_name="bash -c :", runs=15),
            *found,
            pair("TAB, names in bash", names, bare, peer_name="python -c pass", runs=15),
        ]


def _fill(directory: str) -> None:
    path = Path(names_cache.services_path(directory, "local"))
    path.parent.mkdir(parents=True)
    path.write_text("".join(f"default\ts{number}\t3 2 1\n" for number in range(_SERVICES)))

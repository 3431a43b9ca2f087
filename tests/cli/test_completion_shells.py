"""TAB in real shells."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.shells import SCRIPTS, Shell, cache, install, must_have

# Where a shell has to be installed first, only one worker waits for it.
pytestmark = pytest.mark.xdist_group("shells")
SHELLS = ("bash", "zsh", "fish")
SERVICES = "default\tapi\t1\ndefault\tweb\t3 2 1\nshop\tcart\t7\n"
CONTEXTS = "*\tlocal\tdefault\tlocal\n-\tprod\tshop\tlocal\n"

Open = Callable[..., Shell]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Open]:
    must_have(request.param)
    opened: list[Shell] = []

    def start(**environment: str) -> Shell:
        opened.append(Shell(request.param, tmp_path, **environment))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


@pytest.fixture
def recorder(tmp_path: Path) -> Path:
    """An ``orchctl`` that only notes that it was called."""
    install(tmp_path, 'echo "$@" >> "$HOME/called"')
    return tmp_path / "called"


@pytest.fixture
def names(tmp_path: Path) -> None:
    """The real program, and a cache."""
    install(tmp_path)
    cache(tmp_path, SERVICES, CONTEXTS)


def test_what_the_verbs_say_completes_without_the_program(shell: Open, recorder: Path, tmp_path: Path) -> None:
    for name in ("web.yaml", "web.txt", "web.json"):
        (tmp_path / name).write_text("")
    (tmp_path / "webs").mkdir()
    one = shell()
    one.completes("orchctl dep", "orchctl deploy")
    one.completes("orchctl lock br", "orchctl lock break")
    one.completes("orchctl help rollb", "orchctl help rollback")
    one.completes("orchctl deploy --dry", "orchctl deploy --dry-run")
    one.completes("orchctl status -o wi", "orchctl status -o wide")
    one.completes("orchctl status --output wi", "orchctl status --output wide")
    one.completes("orchctl status --output=wi", "orchctl status --output=wide")
    one.completes("orchctl deploy --progress pl", "orchctl deploy --progress plain")
    one.completes("orchctl plan --backend swa", "orchctl plan --backend swarm")
    one.completes("orchctl completion z", "orchctl completion zsh")
    one.completes("orchctl schema Outc", "orchctl schema Outcome")
    one.completes("orchctl deploy -f web.y", "orchctl deploy -f web.yaml")
    one.completes("orchctl deploy --file=web.j", "orchctl deploy --file=web.json")
    one.completes("orchctl deploy --env-file web.t", "orchctl deploy --env-file web.txt")
    one.completes("orchctl deploy -f ~/web.y", "orchctl deploy -f ~/web.yaml")
    assert not recorder.exists()


def test_lists(shell: Open, recorder: Path, tmp_path: Path) -> None:
    for name in ("web.yaml", "web.txt", "web.yml"):
        (tmp_path / name).write_text("")
    (tmp_path / "webs").mkdir()
    one = shell()
    one.lists("orchctl ", "init", "deploy", "rollback", "completion", "help")
    one.lists("orchctl deploy --", "--dry-run", "--context", "--lock-timeout", "--yes")
    one.lists("orchctl status -o ", "table", "wide", "json", "yaml", "jsonl", "name")
    assert "web.txt" not in one.lists("orchctl deploy -f web", "web.yaml", "web.yml", "webs/")
    assert not recorder.exists()


def test_names_come_from_the_cache(shell: Open, names: None) -> None:
    one = shell()
    one.lists("orchctl status ", "api", "web")
    one.completes("orchctl status w", "orchctl status web")
    one.completes("orchctl delete web a", "orchctl delete web api")
    one.lists("orchctl rollback web --to ", "1", "2", "3")
    one.lists("orchctl scale ", "api=", "web=")
    one.completes("orchctl status -n sh", "orchctl status -n shop")
    one.completes("orchctl status -n shop ca", "orchctl status -n shop cart")
    one.completes("orchctl status --context pr", "orchctl status --context prod")
    one.completes("orchctl status --context=prod c", "orchctl status --context=prod cart")
    one.completes("orchctl lock show w", "orchctl lock show web")
    one.completes("orchctl context use pr", "orchctl context use prod")


def test_a_count_follows_without_a_blank(shell: Open, names: None) -> None:
    one = shell()
    one.type("orchctl scale w\t5 a\t")
    one.until(lambda _: one.line == "orchctl scale web=5 api=")


def test_where_anything_may_stand_nothing_is_offered(shell: Open, names: None) -> None:
    one = shell()
    one.nothing_for("orchctl deploy --reason ")
    one.nothing_for("orchctl rollback web a")
    one.nothing_for("orchctl rollback unknown --to ")
    one.nothing_for("orchctl status --backend swarm w")
    one.nothing_for("orchctl nonsense ")


def test_without_a_cache_and_without_the_program_it_is_quiet(shell: Open, tmp_path: Path) -> None:
    one = shell()
    one.nothing_for("orchctl status ")
    install(tmp_path)
    one.nothing_for("orchctl status ")


HOSTILE = ("$(touch pwned)", "`touch pwned`", "a b", "x;touch pwned", "'quoted", "*", "a\\b", "~", "-f")


def test_hostile_lines_in_the_cache_are_not_offered(shell: Open, tmp_path: Path) -> None:
    install(tmp_path)
    lines = [f"default\t{name}\t1" for name in (*HOSTILE, "\x1b]0;owned\x07", "a\rb")]
    cache(tmp_path, "\n".join([*lines, "default\tweb\t1 $(touch pwned)", "junk", "default\tw"]) + "\n")
    one = shell()
    one.completes("orchctl status ", "orchctl status web")
    one.completes("orchctl rollback web --to ", "orchctl rollback web --to 1")
    assert not (tmp_path / "pwned").exists()


def test_even_if_the_program_said_such_names_nobody_would_obey(shell: Open, tmp_path: Path) -> None:
    (tmp_path / "answer").write_text("".join(f"{name}\n" for name in (*HOSTILE, "\x1b]0;owned\x07", "web")))
    install(tmp_path, 'exec cat "$HOME/answer"')
    one = shell()
    for typed in ("orchctl status --context ", "orchctl status ", "orchctl rollback web --to "):
        one.type(f"{typed}\t@")
        one.until(lambda _: one.line.endswith("@"))
        assert one.line in (f"{typed}@", f"{typed}web @")  # bash takes nothing from such an answer
    assert not (tmp_path / "pwned").exists()


def test_a_hostile_file_arrives_as_one_word(shell: Open, tmp_path: Path) -> None:
    name = "spec $(touch pwned) `touch pwned`;x.yaml"
    (tmp_path / name).write_text("")
    install(tmp_path, 'printf "%s\\n" "$@" > "$HOME/got"')
    one = shell()
    one.type("orchctl deploy -f sp\t")
    one.until(lambda _: "yaml" in one.line)
    one.enter()
    assert (tmp_path / "got").read_text() == f"deploy\n-f\n{name}\n"
    assert not (tmp_path / "pwned").exists()


def test_words_on_the_line_are_not_evaluated(shell: Open, names: None, tmp_path: Path) -> None:
    one = shell()
    one.completes("orchctl status '$(touch pwned)' w", "orchctl status '$(touch pwned)' web")
    one.completes("orchctl deploy --reason 'x;touch pwned' w", "orchctl deploy --reason 'x;touch pwned' web")
    assert not (tmp_path / "pwned").exists()


def test_zsh_finds_it_in_fpath(tmp_path: Path) -> None:
    must_have("zsh")
    install(tmp_path)
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "_orchctl").write_text(SCRIPTS["zsh"].read_text())
    rc = tmp_path / "rc"
    rc.write_text("fpath=($HOME/site $fpath); autoload -Uz compinit; compinit -u -D\n")
    one = Shell("zsh", tmp_path, script=rc)
    one.completes("orchctl dep", "orchctl deploy")
    one.completes("orchctl deploy --dry", "orchctl deploy --dry-run")
    one.close()

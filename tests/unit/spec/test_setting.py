"""Values from the command line."""

from pathlib import Path

import pytest

from tests.unit.spec.support import problems, read, service

WEB = "name: web\nimage: web:1\nports: [{name: http, port: 80, expose: host}]\nenv: {LOG: info, S: {secret: db}}\n"


def test_a_setting_replaces_a_value(tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=("replicas=3",)).replicas == 3


@pytest.mark.parametrize(
    "text", ["command=foo", "command=[a, b]", "command[0]=foo", "placement.spread=zone", "health=x"]
)
def test_no_advice_that_a_setting_cannot_follow(text: str, tmp_path: Path) -> None:
    [problem] = problems(WEB, tmp_path, sets=(text,))
    assert problem.code == "E0222"
    assert problem.hint.startswith("--set lays one value over a field, and a ")
    assert problem.hint.endswith("only a file can write")


def test_later_settings_win(tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=("replicas=3", "replicas=4")).replicas == 4


def test_a_setting_makes_what_was_not_there(tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=("resources.limits.memory=1Gi",)).resources.memory_limit_bytes == 2**30


def test_ports_are_set_by_name(tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=("ports.http.published=8080",)).port("http").published == 8080


def test_keys_with_slashes_stand_in_brackets(tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=("files[/etc/a.b].content=x=y",)).files["/etc/a.b"].content == b"x=y"


@pytest.mark.parametrize("value", ["true", "1.10", "no", "", "a: b", "$HOME", "${X}"])
def test_environment_values_are_texts_as_they_are(value: str, tmp_path: Path) -> None:
    assert service(WEB, tmp_path, sets=(f"env.LOG={value}",)).env["LOG"] == value


def test_null_removes(tmp_path: Path) -> None:
    assert "LOG" not in service(WEB, tmp_path, sets=("env.LOG=null",)).env


def test_quotes_make_a_text(tmp_path: Path) -> None:
    assert [p.code for p in problems(WEB, tmp_path, sets=('replicas="3"',))] == ["E0222"]


def test_one_of_several_services_must_be_named(tmp_path: Path) -> None:
    several = "services: {a: {image: x}, b: {image: x}}"
    [a, b] = read(several, tmp_path, sets=("b:replicas=3",))
    assert (a.service.replicas, b.service.replicas) == (None, 3)
    assert problems(several, tmp_path, sets=("replicas=3",))[0].code == "E0245"
    assert problems(several, tmp_path, sets=("c:replicas=3",))[0].code == "E0245"


@pytest.mark.parametrize("text", ["", "=", "replicas", "=3", ".a=1", "a..b=1", "a b=1", "a[=1", "a[]=1"])
def test_what_is_no_setting_is_refused(text: str, tmp_path: Path) -> None:
    [problem] = problems(WEB, tmp_path, sets=(text,))
    assert (problem.code, problem.file, problem.line, problem.column) == ("E0245", "--set", 1, 1)


@pytest.mark.parametrize(
    "text", ["env.S=hunter2", "env.S.secret=hunter2", "env.NEW.secret=hunter2", "files[/a].secret=hunter2"]
)
def test_secrets_are_refused_and_not_repeated(text: str, tmp_path: Path) -> None:
    [problem] = problems(WEB, tmp_path, sets=(text,))
    assert problem.code == "E0246"
    assert "hunter2" not in problem.message + problem.source_line + problem.hint


def test_environment_values_are_not_repeated_in_messages(tmp_path: Path) -> None:
    [problem] = problems(WEB, tmp_path, sets=("env.9A=hunter2",))
    assert "hunter2" not in problem.message + problem.source_line + problem.hint


def test_an_unknown_field_is_refused(tmp_path: Path) -> None:
    [problem] = problems(WEB, tmp_path, sets=("replcas=3",))
    assert (problem.code, problem.file, problem.hint) == ("E0220", "--set", "did you mean 'replicas'?")

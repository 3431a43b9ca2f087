"""Provider secrets: fetched, fingerprinted, never shown."""

import base64
import os
from pathlib import Path

import pytest

from orchctl.core.codec import to_plain
from orchctl.core.secret import Secret
from orchctl.core.service import File, SecretRef, Service
from orchctl.errors import Conflict, UsageError
from orchctl.secrets.resolve import resolve
from orchctl.secrets.unrepeated import Unrepeated

CANARY = "s3cr3t-c4n4ry"


def service(source: str, name: str) -> Service:
    return Service(name="web", namespace="n", files={"/key": File(secret=SecretRef(name, source=source))})


@pytest.mark.parametrize("source", ["env", "file", "exec"])
def test_every_provider_yields_the_value_and_only_a_fingerprint_is_recorded(tmp_path: Path, source: str) -> None:
    (tmp_path / "pw").write_text(CANARY + "\n")
    name = {"env": "PW", "file": str(tmp_path / "pw"), "exec": f"cat {tmp_path / 'pw'}"}[source]
    resolved, values = resolve(service(source, name), environ={"PW": CANARY}, state_dir=tmp_path / "state")
    (value,) = values.values()
    assert value.reveal() == CANARY.encode()
    assert CANARY not in repr(values) + repr(resolved) + str(to_plain(resolved))
    ref = resolved.files["/key"].secret
    assert ref is not None
    assert len(ref.version) == 12
    assert ref in values


def test_the_fingerprint_follows_the_value_and_the_installation(tmp_path: Path) -> None:
    def version(value: str, state: str) -> str:
        resolved, _ = resolve(service("env", "PW"), environ={"PW": value}, state_dir=tmp_path / state)
        ref = resolved.files["/key"].secret
        assert ref is not None
        return ref.version

    assert version("a", "one") == version("a", "one")
    assert version("a", "one") != version("b", "one")
    assert version("a", "one") != version("a", "two")


@pytest.mark.parametrize(
    ("source", "name"),
    [("env", "ABSENT"), ("file", "/absent"), ("exec", f"echo {CANARY}; exit 3"), ("exec", "true")],
)
def test_a_provider_that_does_not_answer_is_an_error_without_its_output(tmp_path: Path, source: str, name: str) -> None:
    with pytest.raises(UsageError) as caught:
        resolve(service(source, name), environ={}, state_dir=tmp_path)
    assert "/key" in str(caught.value)
    if source == "exec":
        assert CANARY not in str(caught.value)


def test_a_command_that_fails_says_which_and_why(tmp_path: Path) -> None:
    def said(command: str) -> str:
        with pytest.raises(UsageError) as caught:
            resolve(service("exec", command), environ={}, state_dir=tmp_path)
        return str(caught.value)

    place = "files[/key]: the secret command"
    assert said("TOKEN=hush no-such-vault read x").startswith(f"{place} 'no-such-vault' ended with exit code 127: ")
    assert "hush" not in said("TOKEN=hush no-such-vault read x")
    assert said("sh -c 'exit 3'") == f"{place} 'sh' ended with exit code 3"
    assert said("printf 'one\ntwo\n\n' >&2; exit 1") == f"{place} 'printf' ended with exit code 1: two"
    assert said(f"echo {CANARY}; echo no {CANARY} >&2; exit 1") == f"{place} 'echo' ended with exit code 1: no ***"
    assert len(said("head -c 300000 /dev/zero | tr '\\0' x >&2; exit 1")) < 300


def test_what_a_command_leaves_behind_is_not_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    held = "sleep 600 >/dev/null & echo $! > pid; echo value"
    monkeypatch.chdir(tmp_path)
    try:
        _, values = resolve(service("exec", held), environ={}, state_dir=tmp_path)
    finally:
        os.kill(int((tmp_path / "pid").read_text()), 9)
    assert [v.reveal() for v in values.values()] == [b"value"]


PASSWORD = SecretRef("PW", source="env")


def _refuse(said: str) -> None:
    try:
        raise ValueError(f"data.password: {said}")
    except ValueError as error:
        raise Conflict(f"refused: {said}", hint=f"not {said}") from error


@pytest.mark.parametrize("said", [CANARY, base64.b64encode(CANARY.encode()).decode(), repr(CANARY.encode())])
def test_what_a_backend_repeats_of_a_secret_is_hidden_wherever_it_stands(said: str) -> None:
    with pytest.raises(Conflict) as caught, Unrepeated({PASSWORD: Secret(CANARY.encode())}):
        _refuse(said)
    told = f"{caught.value} {caught.value.message} {caught.value.hint} {caught.value.__cause__}"
    assert said.strip("b'") not in told
    assert told.count("***") == 4


def test_a_secret_of_two_letters_does_not_change_what_is_said() -> None:
    with pytest.raises(Conflict) as caught, Unrepeated({PASSWORD: Secret(b"re")}):
        raise Conflict("refused")
    assert caught.value.message == "refused"


def test_a_key_is_never_read_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed while it is written: the next run makes one, and guesses cannot be tested against an empty key."""

    def killed(_descriptor: int) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            resolve(service("env", "PW"), environ={"PW": CANARY}, state_dir=tmp_path)
    assert not (tmp_path / "fingerprint.key").exists()
    resolve(service("env", "PW"), environ={"PW": CANARY}, state_dir=tmp_path)
    assert len((tmp_path / "fingerprint.key").read_bytes()) == 32
    assert os.listdir(tmp_path) == ["fingerprint.key"]


@pytest.mark.parametrize("size", [0, 15])
def test_a_broken_key_is_refused(tmp_path: Path, size: int) -> None:
    (tmp_path / "fingerprint.key").write_bytes(b"k" * size)
    with pytest.raises(UsageError, match=f"is broken: it has {size} bytes"):
        resolve(service("env", "PW"), environ={"PW": CANARY}, state_dir=tmp_path)


def test_a_pipe_for_a_secret_file_hangs_nobody(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError, match="not a regular file"):
        resolve(service("file", str(tmp_path / "pipe")), environ={}, state_dir=tmp_path / "state")


@pytest.mark.parametrize("command", ["yes", "head -c 600000 /dev/zero", "yes & yes & wait"])
def test_a_command_is_read_as_far_as_a_secret_may_go(tmp_path: Path, command: str) -> None:
    """Without an end, it would fill the memory until its time is over."""
    with pytest.raises(UsageError, match="larger than 500000 bytes"):
        resolve(service("exec", command), environ={}, state_dir=tmp_path)


def test_a_command_that_leaves_its_output_open_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchctl.secrets.providers._COMMAND_TIMEOUT_S", 0.2)
    os.mkfifo(tmp_path / "pipe")
    left = f"cat {tmp_path}/pipe & echo started"
    with pytest.raises(UsageError, match="did not end within"):
        resolve(service("exec", left), environ={}, state_dir=tmp_path)
    (tmp_path / "pipe").write_bytes(b"")  # and cat ends

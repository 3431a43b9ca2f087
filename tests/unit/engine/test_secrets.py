"""Provider secrets: fetched, fingerprinted, never shown."""

import base64
from pathlib import Path

import pytest

from orchctl.core.codec import to_plain
from orchctl.core.secret import Secret
from orchctl.core.service import File, SecretRef, Service
from orchctl.engine.secrets import Unrepeated, resolve
from orchctl.errors import Conflict, UsageError

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

"""Which Consul a catalog means, and what is said when it cannot be told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchctl.catalog.target import resolve
from orchctl.core.context import Catalog
from orchctl.errors import ConfigError
from tests.unit.catalog.support import target_of

SECRET = "8f1b2c3d-0000-4000-8000-s3cret"


@pytest.mark.parametrize(
    ("address", "found"),
    [
        ("http://127.0.0.1:8500", ("http", "127.0.0.1", 8500)),
        ("http://consul.example.com", ("http", "consul.example.com", 8500)),
        ("https://consul.example.com/", ("https", "consul.example.com", 8501)),
        ("http://[::1]:18500", ("http", "[::1]", 18500)),
    ],
)
def test_an_address_has_scheme_host_and_port(address: str, found: tuple[str, str, int]) -> None:
    target = target_of(address)
    assert (target.scheme, target.host, target.port) == found


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:8500",
        "localhost",
        "",
        "unix:///run/consul.sock",
        "http://h:8500/v1",
        "ftp://h",
        "http://h:99999",
        "http://h?dc=x",
    ],
)
def test_what_is_no_address_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(ConfigError, match="is not the address of a Consul agent") as caught:
        target_of(address)
    assert 'consul = "http://HOST:8500"' in caught.value.hint


def test_a_password_in_the_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError) as caught:
        target_of("http://user:hunter2@h:8500")
    assert "hunter2" not in str(caught.value) + caught.value.hint


def test_the_environment_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {
        "CONSUL_HTTP_ADDR": "http://elsewhere:1",
        "CONSUL_HTTP_TOKEN": SECRET,
        "CONSUL_HTTP_SSL": "true",
        "CONSUL_HTTP_SSL_VERIFY": "false",
    }
    assert target_of("http://h:8500", environ=environ) == target_of("http://h:8500")


def test_the_token_is_read_from_its_file_and_never_shown(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    target = target_of("http://h:8500", tmp_path, token_file="token")
    assert target.token is not None
    assert target.token.reveal() == SECRET.encode()
    assert SECRET not in repr(target) + target.words


@pytest.mark.parametrize("text", ["", "  \n", "two words", "Schlüssel"])
def test_a_token_file_without_one_token_is_refused_and_not_repeated(tmp_path: Path, text: str) -> None:
    (tmp_path / "token").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="token_file") as caught:
        target_of("http://h:8500", tmp_path, token_file="token")
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize("key", ["token_file", "ca"])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, key: str) -> None:
    with pytest.raises(ConfigError, match=rf"{key}: no file .*/nowhere"):
        target_of("https://h:8501", tmp_path, None, **{key: "nowhere"})


def test_a_certificate_needs_its_key(tmp_path: Path) -> None:
    (tmp_path / "c.pem").touch()
    with pytest.raises(ConfigError, match="both cert and key"):
        target_of("https://h:8501", tmp_path, cert="c.pem")


def test_an_authority_for_an_address_without_tls_is_refused(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    with pytest.raises(ConfigError, match="ca needs an address with https"):
        target_of("http://h:8500", tmp_path, ca="ca.pem")


def test_the_configured_authority_stands_over_the_environments(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").touch()
    environ = {"REQUESTS_CA_BUNDLE": "/bundle.pem"}
    assert target_of("https://h:8501", tmp_path, environ, ca="ca.pem").verify == str(tmp_path / "ca.pem")
    assert target_of("https://h:8501", tmp_path, environ).verify == "/bundle.pem"
    assert target_of("https://h:8501", tmp_path).verify is True


@pytest.mark.parametrize(
    ("settings", "message", "hint"),
    [
        ({"tokenfile": "x"}, "no setting 'tokenfile'", "did you mean 'token_file'?"),
        ({"zzz": "x"}, "no setting 'zzz'", "known: consul, token_file, ca, cert, key, datacenter, dns, domain, mesh"),
        ({"datacenter": 1}, "datacenter must be a text", ""),
    ],
)
def test_unknown_settings_and_wrong_types(settings: dict[str, Any], message: str, hint: str) -> None:
    catalog = Catalog(name="main", kind="consul", settings={"consul": "http://h:8500", **settings})
    with pytest.raises(ConfigError, match=message) as caught:
        resolve(catalog, {})
    assert str(caught.value).startswith("catalog 'main': ")
    assert caught.value.hint == hint

"""Which Marathon a context means, and what it may say about it."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl.errors import ConfigError
from orchctl_marathon.target import DNS_DOMAIN, Target, origin_of, resolve

ONE = "http://one:8080"


def target(folder: Path, environ: dict[str, str] | None = None, **settings: Any) -> Target:
    context = Context(name="prod", backend="marathon", state_dir=folder, base_dir=folder, settings=settings)
    return resolve(context, environ or {})


def test_the_contexts_urls_win_over_the_environment(tmp_path: Path) -> None:
    found = target(tmp_path, {"MARATHON_URL": "http://other"}, urls=[ONE, "https://two/service/marathon/"])
    assert found.urls == (ONE, "https://two/service/marathon")
    assert found.words == "http://one:8080, https://two/service/marathon (context prod)"
    assert (found.verify, found.mesos, found.dns_domain, found.auth.header()) == (True, (), DNS_DOMAIN, {})


def test_one_url_needs_no_list(tmp_path: Path) -> None:
    assert target(tmp_path, urls=ONE).urls == (ONE,)


def test_the_environment_may_name_several(tmp_path: Path) -> None:
    found = target(tmp_path, {"MARATHON_URL": f" {ONE}/, http://two:8080 ,"})
    assert found.urls == (ONE, "http://two:8080")
    assert found.words.endswith("(MARATHON_URL)")


@pytest.mark.parametrize("environ", [{}, {"MARATHON_URL": ""}, {"MARATHON_URL": " , "}], ids=str)
def test_without_any_the_message_says_where_to_write_it(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="'prod' does not say where Marathon is") as caught:
        target(tmp_path, environ)
    assert "urls = [" in caught.value.hint
    assert "MARATHON_URL" in caught.value.hint


def test_an_unknown_setting_is_named_with_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="'url'") as caught:
        target(tmp_path, url=ONE)
    assert "urls, auth, ca, mesos, dns_domain" in caught.value.hint


@pytest.mark.parametrize(
    "url",
    ["", "one:8080", "ftp://one", "http://", "http://one:port", "http://one:0", "http://[::1", "http://one:99999"],
)
@pytest.mark.parametrize("setting", ["urls", "mesos"])
def test_what_is_no_address_is_refused_with_an_example(tmp_path: Path, setting: str, url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        target(tmp_path, None, **{"urls": ONE, setting: url})
    assert "http://HOST:PORT" in caught.value.hint


@pytest.mark.parametrize("url", [f"{ONE}?force=true", f"{ONE}/#apps"])
def test_an_address_has_nothing_behind_its_path(tmp_path: Path, url: str) -> None:
    with pytest.raises(ConfigError, match="more than an address and a base path"):
        target(tmp_path, urls=url)


@pytest.mark.parametrize(
    "url", ["http://me:s3cret@one", "http://s3cret@one", "http://me:s3cret@one:port", "me:s3cret@one"]
)
@pytest.mark.parametrize("where", ["urls", "mesos", "MARATHON_URL"])
def test_credentials_in_an_address_are_refused_and_not_shown(tmp_path: Path, where: str, url: str) -> None:
    settings = {"urls": ONE, where: url} if where != "MARATHON_URL" else {}
    with pytest.raises(ConfigError, match="credentials") as caught:
        target(tmp_path, {"MARATHON_URL": url}, **settings)
    assert "s3cret" not in str(caught.value) + caught.value.hint
    assert "password_file" in caught.value.hint


@pytest.mark.parametrize("urls", [7, True, [7], [""], {"one": ONE}], ids=str)
def test_urls_of_another_type_are_refused(tmp_path: Path, urls: Any) -> None:
    with pytest.raises(ConfigError, match="urls must be"):
        target(tmp_path, urls=urls)


def test_the_password_is_the_first_line_of_its_file(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("pässword \nnot this\n", "utf-8")
    auth = target(tmp_path, urls=ONE, auth={"user": "me", "password_file": "password"}).auth
    assert auth.header() == {"Authorization": "Basic " + base64.b64encode("me:pässword".encode()).decode()}


def test_a_rotated_token_is_used_at_once(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    auth = target(tmp_path, urls=ONE, auth={"token_file": "token"}).auth
    assert auth.header() == {"Authorization": "token=first"}
    token.write_text("second\n")
    assert auth.header() == {"Authorization": "token=second"}
    token.unlink()
    with pytest.raises(ConfigError, match="token"):
        auth.header()


@pytest.mark.parametrize("content", [b"", b"\nsecond line\n", b"\xff\xfe", "token\u20ac".encode(), b"a\x00b"])
def test_a_token_that_cannot_be_sent_is_named_by_its_file_and_not_shown(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "token").write_bytes(content)
    auth = target(tmp_path, urls=ONE, auth={"token_file": "token"}).auth
    with pytest.raises(ConfigError) as caught:
        auth.header()
    assert str(tmp_path / "token") in str(caught.value)
    assert "second" not in str(caught.value)


@pytest.mark.parametrize(
    "auth",
    [
        {},
        "me:secret",
        {"user": "me"},
        {"user": "me", "password": "s3cret"},
        {"password_file": "file"},
        {"user": "me", "password_file": "file", "token_file": "file"},
        {"token_file": 7},
    ],
    ids=str,
)
def test_auth_is_one_of_two_forms(tmp_path: Path, auth: Any) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigError, match="user and password_file, or token_file") as caught:
        target(tmp_path, urls=ONE, auth=auth)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "settings",
    [
        {"ca": "absent.pem"},
        {"auth": {"token_file": "absent.pem"}},
        {"auth": {"user": "a", "password_file": "absent.pem"}},
    ],
    ids=str,
)
def test_a_file_that_is_not_there_is_named(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"absent\.pem"):
        target(tmp_path, urls=ONE, **settings)


def test_the_contexts_own_authority_wins_over_the_environments_bundle(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("x")
    environ = {"REQUESTS_CA_BUNDLE": "/bundle", "CURL_CA_BUNDLE": "/other"}
    assert target(tmp_path, environ, urls=ONE, ca="ca.pem").verify == str(tmp_path / "ca.pem")
    assert target(tmp_path, environ, urls=ONE).verify == "/bundle"


def test_the_same_server_is_known_by_scheme_host_and_port() -> None:
    assert origin_of("HTTPS://One/a") == origin_of("https://one:443/b") == ("https", "one", 443)
    assert origin_of("http://one") != origin_of("https://one")
    assert origin_of("http://one") != origin_of("http://one:8080")

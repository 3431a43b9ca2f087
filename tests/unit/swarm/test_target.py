"""Which engine a context means."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl.errors import ConfigError, OrchctlError, UsageError
from orchctl_swarm.target import DEFAULT_HOST, Target, resolve


def target(tmp_path: Path, environ: dict[str, str] | None = None, **settings: Any) -> Target:
    context = Context(name="prod", backend="swarm", state_dir=tmp_path, base_dir=tmp_path, settings=settings)
    return resolve(context, {"DOCKER_CONFIG": str(tmp_path / "docker")} | (environ or {}))


def docker_context(tmp_path: Path, name: str, host: str, *tls: str) -> None:
    identity = hashlib.sha256(name.encode()).hexdigest()
    meta = tmp_path / "docker" / "contexts" / "meta" / identity
    meta.mkdir(parents=True)
    (meta / "meta.json").write_text(json.dumps({"Name": name, "Endpoints": {"docker": {"Host": host}}}))
    for file in tls:
        folder = tmp_path / "docker" / "contexts" / "tls" / identity / "docker"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{file}.pem").write_text("x")


def test_the_contexts_host_wins_over_the_environment(tmp_path: Path) -> None:
    found = target(tmp_path, {"DOCKER_HOST": "tcp://other:1"}, host="unix:///here.sock")
    assert (found.host, found.words) == ("unix:///here.sock", "unix:///here.sock (context prod)")


def test_then_docker_host_then_the_current_docker_context_then_the_usual_socket(tmp_path: Path) -> None:
    assert target(tmp_path).host == DEFAULT_HOST
    docker_context(tmp_path, "edge", "tcp://edge:2376", "ca")
    (tmp_path / "docker" / "config.json").write_text('{"currentContext": "edge"}')
    assert target(tmp_path).words == "tcp://edge:2376 (docker context edge)"
    assert target(tmp_path, {"DOCKER_HOST": "tcp://host:1"}).words == "tcp://host:1 (DOCKER_HOST)"
    assert target(tmp_path, {"DOCKER_CONTEXT": "default"}).host == DEFAULT_HOST


def test_a_docker_context_brings_its_certificates(tmp_path: Path) -> None:
    docker_context(tmp_path, "edge", "tcp://edge:2376", "ca", "cert", "key")
    found = target(tmp_path, docker_context="edge")
    assert found.tls
    assert str(found.verify).endswith("docker/ca.pem")
    assert found.cert is not None


def test_an_unknown_docker_context_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'absent'"):
        target(tmp_path, docker_context="absent")


def test_certificates_are_relative_to_the_configuration_and_win_over_the_environments_bundle(tmp_path: Path) -> None:
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("x")
    tls = {"ca": "ca.pem", "cert": "cert.pem", "key": "key.pem"}
    found = target(tmp_path, {"REQUESTS_CA_BUNDLE": "/bundle"}, host="tcp://h:2376", tls=tls)
    assert found.verify == str(tmp_path / "ca.pem")
    assert found.cert == (str(tmp_path / "cert.pem"), str(tmp_path / "key.pem"))


def test_without_a_ca_of_its_own_the_environments_bundle_holds(tmp_path: Path) -> None:
    found = target(tmp_path, {"REQUESTS_CA_BUNDLE": "/bundle"}, host="tcp://h:2376", tls=True)
    assert found.verify == "/bundle"


@pytest.mark.parametrize(
    "settings",
    [
        {"hots": "unix:///x"},
        {"host": "unix:///x", "docker_context": "y"},
        {"host": "tcp://h:1", "tls": {"ca": "absent.pem"}},
        {"host": "tcp://h:1", "tls": {"certificate": "x"}},
    ],
)
def test_wrong_settings_are_configuration_errors(tmp_path: Path, settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        target(tmp_path, **settings)


@pytest.mark.parametrize("host", ["ssh://manager", "manager:2376", "npipe:////./pipe/x", "unix://"])
def test_addresses_that_cannot_work_are_refused_with_a_hint(tmp_path: Path, host: str) -> None:
    with pytest.raises(UsageError) as caught:
        target(tmp_path, host=host)
    assert caught.value.hint


@pytest.mark.parametrize(
    "host", ["tcp://ci:s3cr3t@10.0.0.5:2375", "ssh://ci:s3cr3t@host", "bogus://a:s3cr3t@b", "ci:s3cr3t@host"]
)
def test_a_password_in_an_address_is_never_shown(tmp_path: Path, host: str) -> None:
    context = Context(name="prod", backend="swarm", state_dir=tmp_path, base_dir=tmp_path, settings={"host": host})
    try:
        shown = resolve(context, {}).words
    except OrchctlError as error:
        shown = f"{error} {error.hint}"
    assert "s3cr3t" not in shown

"""What ``orchctl doctor`` says about a Marathon."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme

from orchctl.core.check import Check, Health
from orchctl_marathon.checks import checks
from orchctl_marathon.client import Reading
from orchctl_marathon.target import Target
from tests.servers.marathon import Marathon
from tests.servers.marathon.front import Front
from tests.servers.marathon.messages import Request, Response, answer


@pytest.fixture(scope="module")
def server() -> Iterator[Marathon]:
    with Marathon(processes=False, masters=2) as running:
        yield running


@pytest.fixture
def front(server: Marathon) -> Iterator[Front]:
    with Front(server.url) as front:
        yield front


def found(*urls: str, **settings: Any) -> dict[str, Check]:
    reading = Reading(Target(urls=urls, source="test", **settings))
    try:
        return {check.name: check for check in checks(reading)}
    finally:
        reading.close()


def says(front: Front, **info: Any) -> None:
    """``/v2/info`` with other values, everything else as it is."""
    known = {"version": "1.8.248", "leader": "one:8080", "frameworkId": "f-0000"} | info

    def strike(request: Request) -> Response | None:
        return answer(known) if request.path == "/v2/info" else None

    front.strike = strike


def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def test_all_is_well_with_a_marathon_and_its_mesos(server: Marathon) -> None:
    said = found(server.url, mesos=(server.mesos_url,))
    assert list(said) == ["version", "leader", "clock", "logs"]
    assert {check.health for check in said.values()} == {Health.GOOD}
    assert said["version"].finding == "Marathon 1.8.248"
    assert said["logs"].finding == "Mesos answers, agents: 3"


@pytest.mark.parametrize(
    ("version", "health", "code"),
    [
        ("1.8.0", Health.GOOD, 0),
        ("1.11.24", Health.GOOD, 0),
        ("1.12.0", Health.WARNING, 0),
        ("2.0.0", Health.WARNING, 0),
        ("1.7.9", Health.BAD, 2),
        ("0.16.0", Health.BAD, 2),
    ],
)
def test_a_version_is_good_bad_or_newer_than_known(front: Front, version: str, health: Health, code: int) -> None:
    says(front, version=version)
    said = found(front.url)["version"]
    assert said.health is health
    assert version in said.finding
    if code:
        assert said.exit_code == code


def test_without_a_leader_nothing_can_be_done(front: Front) -> None:
    says(front, leader=None)
    said = found(front.url)["leader"]
    assert (said.health, said.exit_code, bool(said.hint)) == (Health.BAD, 9, True)


def test_a_marathon_that_is_not_registered_starts_nothing(front: Front) -> None:
    says(front, frameworkId=None)
    said = found(front.url)["leader"]
    assert said.health is Health.WARNING
    assert "not registered with Mesos" in said.finding


@pytest.mark.parametrize(
    ("date", "health"),
    [
        ("Wed, 01 Jan 2020 00:00:00 GMT", Health.WARNING),
        ("yesterday", Health.UNKNOWN),
    ],
)
def test_a_clock_that_is_wrong_is_seen(server: Marathon, date: str, health: Health) -> None:
    reading = Reading(Target(urls=(server.url,), source="test"))
    said = {}
    for check in checks(reading):
        said[check.name] = check
        if check.name == "leader":  # what was read so far decides the next one
            reading.last_date = date
    assert said["clock"].health is health


def test_every_server_of_the_set_is_asked(server: Marathon) -> None:
    gone = nobody()
    said = found(*server.urls, gone)
    assert [said[f"server {url}"].health for url in server.urls] == [Health.GOOD, Health.GOOD]
    assert said[f"server {gone}"].health is Health.WARNING
    assert said["version"].health is Health.GOOD


@pytest.mark.parametrize("mesos", [(), ("nobody",)])
def test_without_mesos_there_is_no_output_of_tasks(server: Marathon, mesos: tuple[str, ...]) -> None:
    said = found(server.url, mesos=tuple(nobody() for _ in mesos))["logs"]
    assert said.health is Health.WARNING
    assert "mesos" in said.hint


def test_a_mesos_that_is_none_is_told(server: Marathon, front: Front) -> None:
    front.strike = lambda _request: Response(200, b"<html>It works!</html>")
    assert found(server.url, mesos=(front.url,))["logs"].health is Health.WARNING


@pytest.mark.parametrize(("days", "health"), [(99, Health.GOOD), (5, Health.WARNING)])
def test_the_certificate_has_a_last_day(tmp_path: Path, days: int, health: Health) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    own = authority.issue_cert("127.0.0.1", not_after=datetime.now(UTC) + timedelta(days=days))
    own.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    own.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    with Marathon(processes=False, certificate=(tmp_path / "cert.pem", tmp_path / "key.pem")) as server:
        said = found(server.url, verify=str(tmp_path / "ca.pem"))
        assert said["certificate"].health is health

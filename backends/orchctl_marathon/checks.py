"""What ``orchctl doctor`` looks at in a Marathon: version, leader, clock, certificates, every server, the source of logs."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from orchctl.core.check import Check, Health, clock, last_day, moment
from orchctl.core.sdk import need
from orchctl.errors import OrchctlError, Unreachable, UsageError
from orchctl_marathon.client import CONNECT_S, Reading
from orchctl_marathon.mesos import Mesos
from orchctl_marathon.target import origin_of

NEWEST = (1, 11)


def checks(reading: Reading) -> Iterator[Check]:
    yield version(reading)
    yield leader(reading)
    yield clock(_date(reading.last_date), datetime.now(UTC), whose="server")
    for url in reading.target.urls:
        if end := _certificate_end(url, reading.target.verify):
            yield last_day(_named("certificate", url, reading), end, datetime.now(UTC))
    if len(reading.target.urls) > 1:
        yield from _servers(reading)
    yield logs(reading)


def version(reading: Reading) -> Check:
    try:
        found = reading.version()
    except UsageError as error:
        return Check(name="version", health=Health.BAD, finding=str(error), exit_code=error.exit_code)
    text = f"Marathon {reading.info().get('version')}"
    if found > NEWEST:
        hint = "it should work; report what does not"
        return Check(name="version", health=Health.WARNING, finding=f"{text}, newer than this orchctl knows", hint=hint)
    return Check(name="version", health=Health.GOOD, finding=text)


def leader(reading: Reading) -> Check:
    """Without one nothing can be changed, and most of what is read is refused."""
    info = reading.info()
    if not info.get("leader"):
        hint = "is the majority of ZooKeeper there? Marathon elects its leader through it"
        code = Unreachable.exit_code
        return Check(name="leader", health=Health.BAD, finding="there is no leader", hint=hint, exit_code=code)
    framework = info.get("frameworkId") or "not registered with Mesos"
    finding = f"{info['leader']}, framework {framework}"
    if not info.get("frameworkId"):
        return Check(name="leader", health=Health.WARNING, finding=finding, hint="does the Mesos master answer?")
    return Check(name="leader", health=Health.GOOD, finding=finding)


def logs(reading: Reading) -> Check:
    """Output of tasks is with the agents, whose addresses the Mesos master has."""
    if not reading.target.mesos:
        hint = 'set mesos = ["http://MASTER:5050"] in the context'
        finding = "without the address of Mesos there is no output of tasks, and none is kept of failed ones"
        return Check(name="logs", health=Health.WARNING, finding=finding, hint=hint)
    try:
        agents = Mesos(reading).agents()
    except OrchctlError as error:
        hint = "is mesos the address of its master? output of tasks cannot be read"
        return Check(name="logs", health=Health.WARNING, finding=str(error), hint=hint)
    return Check(name="logs", health=Health.GOOD, finding=f"Mesos answers, agents: {len(agents)}")


def _certificate_end(url: str, verify: bool | str) -> datetime | None:
    """Of the certificate that the server shows; None without TLS, or when the authority does not vouch for it."""
    if urlsplit(url).scheme != "https":
        return None
    _, host, port = origin_of(url)
    try:
        trust = ssl.create_default_context(cafile=verify if isinstance(verify, str) else _usual_authorities())
        plain = socket.create_connection((host, port), CONNECT_S)
        with plain, trust.wrap_socket(plain, server_hostname=host) as secure:
            shown = secure.getpeercert() or {}
        return moment(str(shown["notAfter"]))
    except (OSError, KeyError, ValueError):
        return None


def _usual_authorities() -> str:
    return str(need("requests", extra="marathon").certs.where())


def _named(what: str, url: str, reading: Reading) -> str:
    return f"{what} {url}" if len(reading.target.urls) > 1 else what


def _servers(reading: Reading) -> Iterator[Check]:
    for url in reading.target.urls:
        name = f"server {url}"
        try:
            reading.fetch(f"{url}/v2/info", ours=True)
        except OrchctlError as error:
            hint = "the others are used meanwhile"
            yield Check(name=name, health=Health.WARNING, finding=str(error), hint=hint)
        else:
            yield Check(name=name, health=Health.GOOD, finding="answers")


def _date(text: str) -> datetime | None:
    try:
        return parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return None

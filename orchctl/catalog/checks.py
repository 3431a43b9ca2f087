"""What ``orchctl doctor`` looks at in Consul: does it answer, which version, and may we do what we have to."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from orchctl.catalog.consul import ConsulPort, Refused, Step
from orchctl.catalog.target import Target
from orchctl.core.check import Check, Health, certificate_end, last_day
from orchctl.errors import AuthRefused, OrchctlError, Unreachable

_NAME = "store"
_OTHER_PACKAGES = ("python-consul", "python-consul2")


def checks(port: ConsulPort, target: Target, root: str, namespace: str) -> Iterator[Check]:
    """Looks only, and raises no error of ours: the backend is looked at afterwards, whatever is found here."""
    try:
        leader = port.leader()
    except OrchctlError as error:
        yield _bad(_NAME, error)
        return
    if not leader:
        headless = Unreachable(f"{port.words} has no leader", hint="have its servers lost their majority?")
        yield _bad(_NAME, headless)
        return
    yield Check(name=_NAME, health=Health.GOOD, finding=f"answered by {port.words}, records below {root}/")
    yield _version(port)
    yield from _rights(port, f"{root}/{namespace}/")
    if target.cert and (until := certificate_end(target.cert[0])):
        yield last_day("store certificate", until, datetime.now(UTC))
    yield from _packages()


def _version(port: ConsulPort) -> Check:
    name = "store version"
    try:
        return Check(name=name, health=Health.GOOD, finding=f"Consul {port.version()}")
    except AuthRefused as error:
        finding = "the agent does not tell this token its version; nothing else needs that right"
        return Check(name=name, health=Health.UNKNOWN, finding=finding, hint=error.hint)
    except OrchctlError as error:
        return _bad(name, error)


def _rights(port: ConsulPort, prefix: str) -> Iterator[Check]:
    """Each asked for by something that Consul refuses to do for another reason, if not for this one."""
    asked: list[Callable[[], object]] = [
        lambda: port.list(prefix),
        lambda: port.transact([Step(verb="check-not-exists", key=f"{prefix}:")]),
        port.may_create_sessions,
    ]
    found = [check for ask in asked if (check := _missing(ask))]
    yield from found
    if not found:
        finding = f"may read and write below {prefix} and create sessions"
        yield Check(name="store rights", health=Health.GOOD, finding=finding)


def _missing(ask: Callable[[], object]) -> Check | None:
    try:
        ask()
    except OrchctlError as error:
        return _bad("store rights", error)
    except Refused:  # somebody made that very key: then it may be asked for
        return None
    return None


def _packages() -> Iterator[Check]:
    from importlib import metadata

    for name in _OTHER_PACKAGES:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            continue
        finding = f"{name} is installed beside py-consul; both have the same files, and removing one breaks the other"
        hint = f"pip uninstall {name} && pip install --force-reinstall 'py-consul>=1.8,<2'"
        yield Check(name="store package", health=Health.WARNING, finding=finding, hint=hint)


def _bad(name: str, error: OrchctlError) -> Check:
    return Check(name=name, health=Health.BAD, finding=str(error), hint=error.hint, exit_code=error.exit_code)

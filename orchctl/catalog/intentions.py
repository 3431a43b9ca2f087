"""Who may call a service, as Consul intentions: one config entry for each service, ours by its Meta.

An entry names the callers that are allowed and, once it is settled, denies everybody else in so many words: what Consul
makes of a caller whom nothing names depends on the rest of the mesh. The most exact rule decides, so neither a rule for
all services nor the default is stronger than ours.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from orchctl.catalog.connect import ConnectClient, ConnectPort, Entry, Json
from orchctl.catalog.target import resolve
from orchctl.core.check import Check, Health
from orchctl.core.context import Context
from orchctl.core.mesh import Mesh, Rule
from orchctl.errors import AuthRefused, ConfigError, OrchctlError, StalePlan

OWNER = "orchctl"
_MANAGED, _CLUSTER, _NAMESPACE, _SERVICE = "managed_by", "orchctl_cluster", "orchctl_namespace", "orchctl_service"
_EVERYBODY = "*"
_DENY_OTHERS: Json = {"Name": _EVERYBODY, "Action": "deny"}
# What Consul adds to a source of its own accord (1.20), and takes back without a word or not at all.
_FILLED_IN = ("Precedence", "Type", "LegacyID", "LegacyCreateTime", "LegacyUpdateTime")
_PLAIN = {"Name", "Action", "Description"}


def mesh_of(context: Context) -> Mesh:
    """The Consul of the context's catalog. Contacts nobody, and loads no client until it is asked something."""
    assert context.catalog is not None, "open_mesh has looked"
    if not isinstance(context.catalog.settings.get("mesh"), bool):
        raise ConfigError(f"catalog {context.catalog.name!r}: mesh must be true or false")
    target = resolve(context.catalog, os.environ)
    return ConsulMesh(lambda: ConnectClient(target), target.words, context.cluster or context.name)


class ConsulMesh(Mesh):
    """``cluster`` is what everybody calls the cluster behind the context: rules of another one are not ours.

    Requests: one for each call, and one more to look again before what stands is written over; the port is opened with the
    first.
    """

    def __init__(self, open_port: Callable[[], ConnectPort], words: str, cluster: str) -> None:
        self.words = words
        self._open_port, self._cluster = open_port, cluster
        self._opened: ConnectPort | None = None
        self._patience_s: float | None = None

    @property
    def _port(self) -> ConnectPort:
        if self._opened is None:
            self._opened = self._open_port()
            if self._patience_s is not None:
                self._opened.set_patience(self._patience_s)
        return self._opened

    def obstacle(self) -> str:
        return "" if self._port.is_on() else f"Connect is off in {self.words} (connect.enabled of its servers)"

    def rule(self, namespace: str, name: str) -> Rule | None:
        entry = self._port.intentions(name)
        if entry is None:
            return None
        callers = {word for source in entry.sources if (word := _word(source))}
        return Rule(
            callers=tuple(sorted(callers)),
            only=any(_is_deny_others(source) for source in entry.sources),
            expect=str(entry.index),
            owner=_foreign(entry.meta, self._meta(namespace, name)),
        )

    def has_proxy(self, name: str) -> bool:
        return self._port.proxies(name) > 0

    def admit(self, namespace: str, name: str, callers: Sequence[str], rule: Rule | None) -> None:
        standing = self._standing(name, rule)
        kept = [_without_filled_in(s) for s in standing.sources if _plain_name(s) not in callers]
        self._write(namespace, name, [*map(_allow, callers), *kept], standing)

    def settle(self, namespace: str, name: str, callers: Sequence[str], rule: Rule | None) -> None:
        self._write(namespace, name, [*map(_allow, callers), _DENY_OTHERS], self._standing(name, rule))

    def remove(self, name: str, rule: Rule) -> None:
        if not self._port.remove(name, index=int(rule.expect)):
            raise self._stale(name)

    def set_patience(self, seconds: float) -> None:
        self._patience_s = seconds
        if self._opened:
            self._opened.set_patience(seconds)

    def checks(self) -> Iterator[Check]:
        """Raises no error of ours."""
        try:
            if obstacle := self.obstacle():
                hint = "set connect.enabled of the servers, or take mesh = true out of the catalog"
                yield Check(name="mesh", health=Health.BAD, finding=obstacle, hint=hint, exit_code=2)
                return
            yield Check(name="mesh", health=Health.GOOD, finding=f"Connect is on in {self.words}")
            self._port.may_write("orchctl-doctor")
            self._port.proxies("orchctl-doctor")
            yield Check(name="mesh rights", health=Health.GOOD, finding="may say who may call a service")
        except AuthRefused as error:  # a policy may name the services one by one, and none is called like this one
            finding = f"may not say of every service who may call it: {error}"
            yield Check(name="mesh rights", health=Health.WARNING, finding=finding, hint=error.hint)
        except OrchctlError as error:
            yield Check(name="mesh", health=Health.BAD, finding=str(error), hint=error.hint, exit_code=error.exit_code)

    def close(self) -> None:
        if self._opened:
            self._opened.close()

    def _standing(self, name: str, rule: Rule | None) -> Entry:
        """What ``rule`` was read from; StalePlan when that has moved."""
        if rule is None:
            return Entry()
        entry = self._port.intentions(name)
        if entry is None or str(entry.index) != rule.expect:
            raise self._stale(name)
        return entry

    def _write(self, namespace: str, name: str, sources: Sequence[Json], standing: Entry) -> None:
        """What others say in the entry beside its sources stays: none of it is ours to take away."""
        meta = {**standing.meta, **self._meta(namespace, name)}
        if not self._port.write(name, replace(standing, sources=tuple(sources), meta=meta)):
            raise self._stale(name)

    def _stale(self, name: str) -> StalePlan:
        return StalePlan(f"{self.words}: the intentions of {name!r} have changed since they were read")

    def _meta(self, namespace: str, name: str) -> dict[str, str]:
        return {_MANAGED: OWNER, _CLUSTER: self._cluster, _NAMESPACE: namespace, _SERVICE: name}


def _foreign(meta: Mapping[str, str], ours: Mapping[str, str]) -> str:
    """Whose it is, in words; "" = ours. The same name in another namespace or cluster is another service."""
    if meta.get(_MANAGED) != OWNER:
        return "intentions that were not made by orchctl"
    if all(meta.get(key) == value for key, value in ours.items()):
        return ""
    return (
        f"intentions of the service {meta.get(_SERVICE, '?')!r} in namespace {meta.get(_NAMESPACE, '?')!r}"
        f" of cluster {meta.get(_CLUSTER, '?')!r}"
    )


def _allow(caller: str) -> Json:
    return {"Name": caller, "Action": "allow"}


def _without_filled_in(source: Json) -> Json:
    return {key: value for key, value in source.items() if key not in _FILLED_IN and value not in ("", None, [])}


def _plain_name(source: Json) -> str:
    """Of a source that says no more than whom it lets in or keeps out; "" for others."""
    kept = _without_filled_in(source)
    return str(kept.get("Name", "")) if {*kept} <= _PLAIN and kept.get("Action") in ("allow", "deny") else ""


def _is_deny_others(source: Json) -> bool:
    return _plain_name(source) == _EVERYBODY and source["Action"] == "deny"


def _word(source: Json) -> str:
    """How a source stands in a plan: the name that is allowed, or words for what orchctl does not write."""
    name, plain = str(source.get("Name", "")), _plain_name(source)
    if plain and source["Action"] == "allow":
        return "(everybody)" if plain == _EVERYBODY else plain
    if plain:
        return "" if plain == _EVERYBODY else f"(not {name})"
    return f"({name}, by a rule that orchctl does not write)"

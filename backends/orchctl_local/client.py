"""The files of one context, as the adapter reads and writes them. Every write is made under the context's lock."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchctl.core.codec import canonical_json
from orchctl.core.service import Protocol, Service
from orchctl.errors import ForeignObject, NotFound, StalePlan, UnsupportedFeature
from orchctl_local.daemon_lock import is_running, life
from orchctl_local.files import next_version, prune_empty, read_json, remove, state_lock, write_durable
from orchctl_local.layout import FILES, TREES, Layout
from orchctl_local.model import Desired, Status, desired_from, status_from
from orchctl_local.translate import body_of

KEEPER_SILENT_S = 15.0


@dataclass(frozen=True, slots=True)
class Found:
    """A definition file. ``desired`` None = not ours."""

    expect: str
    desired: Desired | None


class Client:
    """No state but the paths."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout

    def definitions(self, namespace: str, names: Sequence[str]) -> Mapping[str, Found]:
        """By name; of those not asked for by name, only ours."""
        wanted = names or sorted(path.stem for path in self.layout.desired.glob(f"{namespace}/*.json"))
        found = {name: item for name in wanted if (item := self.definition(namespace, name)) is not None}
        return {name: item for name, item in found.items() if names or item.desired is not None}

    def definition(self, namespace: str, name: str) -> Found | None:
        try:
            data = self.layout.desired_file(namespace, name).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return _found(data)

    def status(self, namespace: str, name: str) -> Status | None:
        """What the keeper saw; what it saw under a supervisord that is dead has died with that."""
        status = status_from(read_json(self.layout.status_file(namespace, name)))
        if status is not None and status.life != life(self.layout):
            status.forget_processes()
            status.replicas = [replica for replica in status.replicas if not replica.leaving]
        return status

    def known(self, namespace: str) -> list[str]:
        """Services that have a definition or that are still being stopped."""
        paths = [*self.layout.desired.glob(f"{namespace}/*.json"), *self.layout.root.glob(f"status/{namespace}/*.json")]
        return sorted({path.stem for path in paths})

    def keeper_alive(self) -> bool:
        """Has the keeper been heard of lately? True also while a new one may still be starting."""
        try:
            silent = time.time() - max(self.layout.keeper_beat.stat().st_mtime, self.layout.daemon_lock.stat().st_mtime)
        except FileNotFoundError:
            return True
        return silent < KEEPER_SILENT_S

    def ensure_daemon(self) -> None:
        """Start supervisord where services are defined and it is dead; changes no definition."""
        if any(self.layout.desired.glob("*/*.json")) and not is_running(self.layout):
            with state_lock(self.layout):
                _start(self.layout)

    def change(
        self,
        namespace: str,
        name: str,
        expect: str,
        make: Callable[[Desired | None], Desired],
        *,
        secrets: Mapping[str, bytes] | None = None,
    ) -> Desired:
        """Write ``make(present)`` if the version is still ``expect``, and have it kept."""
        with state_lock(self.layout):
            present = self._expected(namespace, name, expect)
            wanted = make(present)
            asked = present is None or present.service.ports != wanted.service.ports
            if asked and (taken := self.taken_ports(wanted.service)):
                raise UnsupportedFeature(name, "local", taken)
            # First, so that a definition is never written that nobody acts on.
            _start(self.layout)
            for digest, value in (secrets or {}).items():
                write_durable(self.layout, self.layout.secret_file(namespace, name, digest), value)
            desired = replace(wanted, version=next_version(self.layout))
            self._write(namespace, name, desired)
            return desired

    def taken_ports(self, service: Service) -> list[tuple[str, str]]:
        """(path in the spec, why) of every fixed port that another service of this context has: whichever process came
        second would be taken for ready while the first one answers."""
        fixed = {(p.published, p.protocol is Protocol.UDP): p for p in service.ports if p.published}
        if not fixed:
            return []
        from orchctl.core.diff import join  # what only looks does not load what plans consist of

        found = []
        for path in sorted(self.layout.desired.glob("*/*.json")):
            other = self.definition(path.parent.name, path.stem)
            if other is None or other.desired is None or path == self._path(service.namespace, service.name):
                continue
            owner = other.desired.service
            for port in owner.ports:
                if port.published and (mine := fixed.get((port.published, port.protocol is Protocol.UDP))):
                    text = (
                        f"port {port.published} of this machine belongs to {owner.name} in namespace {owner.namespace}"
                    )
                    found.append((f"{join('ports', mine.name)}.published", text))
        return found

    def delete(self, namespace: str, name: str, expect: str) -> None:
        """Remove the definition if the version is still ``expect``; the keeper stops what runs."""
        with state_lock(self.layout):
            if self._expected(namespace, name, expect) is None:
                raise NotFound(f"there is no service {name!r} in namespace {namespace!r}")
            _start(self.layout)
            next_version(self.layout)
            path = self.layout.desired_file(namespace, name)
            path.unlink()
            prune_empty(path.parent)

    def forget(self, namespace: str, name: str, *, secrets: frozenset[str]) -> None:
        """Remove what was generated for the service, except the secrets of that digest."""
        with state_lock(self.layout):
            directory = self.layout.secret_file(namespace, name, "x").parent
            for path in directory.glob("*"):
                if path.name not in secrets:
                    remove(path)
            if self.definition(namespace, name) is None and not secrets:
                for path in self.layout.of_service(namespace, name):
                    remove(path)

    def close_if_empty(self) -> None:
        """Without services and without entries in the store nothing stays: no process, no file, no directory."""
        from orchctl_local.daemon import stop

        if not self.layout.root.is_dir() or any(self.layout.desired.glob("*/*")):
            return
        with state_lock(self.layout):
            if any(self.layout.desired.glob("*/*")) or any(self.layout.root.glob("status/*/*.json")):
                return
            stop(self.layout)
            if any(self.layout.store.iterdir()):
                return
            for name in (*TREES, *FILES):
                remove(self.layout.root / name)
        prune_empty(self.layout.root)
        if self.layout.parent is not None:
            prune_empty(self.layout.parent)

    def _expected(self, namespace: str, name: str, expect: str) -> Desired | None:
        found = self.definition(namespace, name)
        if found is not None and found.desired is None:
            raise ForeignObject(
                f"{self._path(namespace, name)} was not made by orchctl", hint="remove it, or use another name"
            )
        if (found.expect if found else "") != expect:
            raise StalePlan(f"service {name} in {namespace} was changed meanwhile", hint="plan again")
        return found.desired if found else None

    def _write(self, namespace: str, name: str, desired: Desired) -> None:
        write_durable(self.layout, self._path(namespace, name), canonical_json(body_of(desired)).encode())

    def _path(self, namespace: str, name: str) -> Path:
        return self.layout.desired_file(namespace, name)


def _start(layout: Layout) -> None:
    """Nothing to do while it runs; the caller holds the state lock."""
    from orchctl_local.daemon import ensure_running  # what only looks does not load how processes are started

    ensure_running(layout)


def _found(data: bytes) -> Found:
    """The version is the number of the last write and a digest, so that an edit by hand is noticed, too."""
    import hashlib

    try:
        desired = desired_from(json.loads(data))
    except ValueError:
        desired = None
    digest = hashlib.sha256(data).hexdigest()[:8]
    return Found(f"{desired.version if desired else 0}.{digest}", desired)

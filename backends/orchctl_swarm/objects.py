"""What a service needs beside itself in the swarm: network, configs, secrets. Made before it, removed after it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from orchctl.core.backend import Secrets
from orchctl.core.service import SecretRef, Service
from orchctl.errors import AlreadyExists, Conflict, NotFound, OrchctlError, StalePlan, attempt
from orchctl_swarm import translate
from orchctl_swarm.client import Reading, Writing
from orchctl_swarm.names import NAME, NAMESPACE, config_name, digests_of, is_ours, network_name, secret_name

Json = dict[str, Any]

_IN_USE_S = 5.0  # a config stays in use until the last task that had it is cleaned up


class Objects:
    """Names are content-hashed, so that an object of the right name is the right one."""

    def __init__(self, reading: Reading, writing: Writing) -> None:
        self._reading = reading
        self._writing = writing

    def ensure_network(self, namespace: str) -> None:
        name = network_name(namespace)
        listed = self._reading.get("/networks", filters={"name": [name], "scope": ["swarm"]})
        if not any(n["Name"] == name for n in listed):
            self._create_network(namespace)

    def with_network(self, namespace: str, action: Callable[[], str]) -> str:
        """A network just removed is listed until its last container is gone, and yet not there for a new service."""
        try:
            return action()
        except OrchctlError as error:
            if f"network {network_name(namespace)} not found" not in error.message:
                raise
        self._create_network(namespace)
        return action()

    def _create_network(self, namespace: str) -> None:
        attempt(partial(self._writing.post, "/networks/create", translate.network(namespace)), AlreadyExists)

    def configs(self, service: Service) -> dict[str, str]:
        """ID by name of the service's configs, all of them there."""
        contents = translate.contents(service)
        digests = {config_name(service, d): d for d in digests_of(service).values()}

        def body(name: str) -> Json:
            return translate.config(service, digests[name], contents[name].content or b"")

        return self._ensure("/configs", sorted(contents), body)

    def secrets(self, service: Service, values: Secrets) -> dict[str, str]:
        """ID by name of the service's secrets. A value is looked at only where its secret is not there yet."""
        refs = {secret_name(service, f.secret): f.secret for f in service.files.values() if f.secret}

        def body(name: str) -> Json:
            ref = refs[name]
            if not ref.source or ref not in values:
                raise NotFound(f"there is no secret {name!r} in the swarm")
            data = base64.b64encode(values[ref].reveal()).decode("ascii")
            return translate.secret(service, name) | {"Data": data}

        return self._ensure("/secrets", sorted(refs), body)

    def _ensure(self, path: str, names: list[str], body: Callable[[str], Json]) -> dict[str, str]:
        if not names:
            return {}
        found = self._ids(path, names)
        for name in sorted(set(names) - set(found)):
            made = attempt(partial(self._writing.create, f"{path}/create", body(name)), AlreadyExists)
            if made:
                found[name] = made
        return found if len(found) == len(names) else self._ids(path, names)

    def _ids(self, path: str, names: list[str]) -> dict[str, str]:
        """Name filters of the API match prefixes: equality is judged here."""
        listed = self._reading.get(path, filters={"name": names})
        return {o["Spec"]["Name"]: o["ID"] for o in listed if o["Spec"]["Name"] in names}

    def prune(self, namespace: str, name: str, keep: Sequence[Service]) -> None:
        """Remove the configs and secrets of this service that none of ``keep`` refers to."""
        configs = {c for s in keep for c in translate.contents(s)}
        secrets = {secret_name(s, ref) for s in keep for ref in _provider_refs(s)}
        for path, kept in (("/configs", configs), ("/secrets", secrets)):
            labels = [f"{NAMESPACE}={namespace}", f"{NAME}={name}"]
            for found in self._reading.get(path, filters={"label": labels}):
                if found["Spec"]["Name"] not in kept and is_ours(found["Spec"].get("Labels"), namespace, name):
                    self._remove(f"{path}/{found['ID']}")

    def remove_network(self, namespace: str) -> None:
        for network in self._reading.get("/networks", filters={"label": [f"{NAMESPACE}={namespace}"]}):
            if network["Name"] == network_name(namespace) and is_ours(network.get("Labels"), namespace):
                self._remove(f"/networks/{network['Id']}")

    def _remove(self, path: str) -> None:
        """Gone, or still used by somebody after a while: then it stays, and the next prune finds it."""
        deadline = time.monotonic() + _IN_USE_S
        while True:
            try:
                self._writing.delete(path)
            except NotFound:
                return
            except StalePlan:
                raise
            except Conflict:
                if time.monotonic() > deadline:
                    return
                time.sleep(0.2)
            else:
                return


def _provider_refs(service: Service) -> list[SecretRef]:
    return [f.secret for f in service.files.values() if f.secret and f.secret.source]

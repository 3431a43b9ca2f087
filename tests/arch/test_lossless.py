"""Lossless or loudly refusing: on every backend, changing any leaf of the spec changes the rendered bytes or is told.

What orchctl notes for itself does not count: a Swarm service carries the whole spec in a label and its hash in another,
so that with them every change would be "rendered" and the test could not fail.
"""

from __future__ import annotations

import copy
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core import registry
from orchctl.core.backend import Backend
from orchctl.core.codec import canonical_json, to_plain
from orchctl.core.diff import diff
from orchctl.core.document import spec_hash, template_hash
from orchctl.core.plan import Issue, Policy
from orchctl.core.service import Service
from orchctl.spec.fields import leaves
from orchctl.spec.source import SpecRequest, load_services
from orchctl.testing.fake import FakeBackend
from orchctl.testing.fake_cluster import FakeCluster
from orchctl_swarm.names import INTENT, TEMPLATE

BACKENDS: dict[str, Backend] = {name: registry.load(name) for name in registry.BUILT_IN} | {
    "fake": FakeBackend(FakeCluster(now=lambda: 0.0))
}

BASE: dict[str, Any] = {
    "apiVersion": "orchctl.dev/v1",
    "name": "web",
    "image": "web:1",
    "command": ["serve"],
    "replicas": 2,
    "ports": [{"name": "http", "port": 8080}, {"name": "admin", "port": 8081}],
}
PROBE = {"http": {"port": "http"}}
LOOSE = {"max_surge": 0, "max_unavailable": 1}


def probe(kind: str) -> dict[str, tuple[dict[str, Any], Any, Any]]:
    """The leaves below ``health.<kind>``."""
    at = f"health.{kind}"
    return {
        f"{at}.http.path": ({at: PROBE}, "/a", "/b"),
        f"{at}.http.port": ({at: PROBE}, "http", "admin"),
        f"{at}.tcp.port": ({at: {"tcp": {"port": "http"}}}, "http", "admin"),
        f"{at}.exec.command": ({at: {"exec": {"command": ["true"]}}}, ["true"], ["test", "-f", "/up"]),
        f"{at}.grpc.port": ({at: {"grpc": {"port": "http"}}}, "http", "admin"),
        f"{at}.interval": ({at: PROBE}, "1s", "2s"),
        f"{at}.timeout": ({at: PROBE}, "1s", "2s"),
        f"{at}.failures": ({at: PROBE}, 2, 4),
    }


# leaf -> (what must stand around it, one value, another value); None as a value = the leaf is absent
CASES: dict[str, tuple[dict[str, Any], Any, Any]] = {
    "name": ({}, "web", "api"),
    "namespace": ({}, "shop", "lab"),
    "image": ({}, "web:1", "web:2"),
    "command": ({}, ["serve"], ["serve", "--fast"]),
    "args": ({}, ["-v"], ["-q"]),
    "working_dir": ({}, "/a", "/b"),
    "user": ({}, "1000", "1001"),
    "labels.*": ({"labels": {"team": "x"}}, "a", "b"),
    "replicas": ({}, 2, 3),
    "scale.min": ({"replicas": None, "scale": {"min": 1, "max": 5}}, 1, 2),
    "scale.max": ({"replicas": None, "scale": {"min": 1, "max": 5}}, 5, 6),
    "scale.cpu": (
        {"replicas": None, "scale": {"min": 1, "max": 5}, "resources": {"cpu": "100m"}},
        "60%",
        "70%",
    ),
    "ports[].name": ({}, "http", "web"),
    "ports[].port": ({}, 8080, 9090),
    # Inside a Swarm network every protocol passes and the word is only shown by discover; published, it is sent.
    "ports[].protocol": ({"ports.0.expose": "host", "rollout": LOOSE}, "tcp", "udp"),
    "ports[].expose": ({"rollout": LOOSE}, "internal", "host"),
    "ports[].published": ({"ports.0.expose": "host", "rollout": LOOSE, "replicas": 1}, 18080, 18081),
    "env.*": ({"env": {"LOG": "x"}}, "a", "b"),
    "env.*.secret": ({"env": {"LOG": {"secret": "db"}}}, "db", "other"),
    "env.*.key": ({"env": {"LOG": {"secret": "db", "key": "k"}}}, "k", "l"),
    "files.*.source": ({"files": {"/x": {"source": "a.txt"}}}, "a.txt", "b.txt"),
    "files.*.content": ({"files": {"/x": {"content": "a"}}}, "a", "b"),
    "files.*.secret": ({"files": {"/x": {"secret": "db"}}}, "db", "other"),
    "files.*.key": ({"files": {"/x": {"secret": "db", "key": "k"}}}, "k", "l"),
    "files.*.mode": ({"files": {"/x": {"content": "a"}}}, "0444", "0400"),
    "volumes.*.name": ({"volumes": {"/v": {"name": "a"}}}, "a", "b"),
    "volumes.*.size": ({"volumes": {"/v": {"name": "a"}}}, "1Gi", "2Gi"),
    "volumes.*.tmpfs": ({"volumes": {"/v": {"tmpfs": "1Mi"}}}, "1Mi", "2Mi"),
    "volumes.*.host": ({"volumes": {"/v": {"host": "/a"}}}, "/a", "/b"),
    "volumes.*.read_only": ({"volumes": {"/v": {"host": "/a"}}}, True, False),
    "resources.cpu": ({}, "100m", "200m"),
    "resources.memory": ({}, "64Mi", "65Mi"),
    "resources.limits.cpu": ({}, "100m", "200m"),
    "resources.limits.memory": ({}, "64Mi", "65Mi"),
    **probe("ready"),
    **probe("live"),
    "health.start.deadline": ({"health.ready": PROBE}, "30s", "40s"),
    "rollout.strategy": ({}, "rolling", "recreate"),
    "rollout.max_surge": ({}, 1, 2),
    "rollout.max_unavailable": ({"rollout.max_surge": 0}, 1, 2),
    "rollout.min_ready": ({}, "1s", "3s"),
    "rollout.deadline": ({}, "1m", "2m"),
    "rollout.on_failure": ({}, "rollback", "pause"),
    "restart": ({}, "always", "on-failure"),
    "stop.signal": ({}, "SIGTERM", "SIGINT"),
    "stop.grace": ({}, "5s", "6s"),
    # Swarm serves on for two seconds whatever is asked: up to that every value holds, beyond it is told.
    "stop.drain": ({}, "1s", "5s"),
    "placement.require[].key": ({"placement.require": [{"key": "zone", "in": ["a"]}]}, "zone", "rack"),
    "placement.require[].in": ({"placement.require": [{"key": "zone", "in": ["a"]}]}, ["a"], ["b"]),
    "placement.require[].not_in": ({"placement.require": [{"key": "zone", "not_in": ["a"]}]}, ["a"], ["b"]),
    "placement.require[].exists": ({"placement.require": [{"key": "zone", "exists": True}]}, True, False),
    "placement.spread": ({}, ["zone"], ["rack"]),
    "placement.max_per_node": ({}, 1, 2),
    "needs.*": ({"needs": {"db": "*"}}, "*", ">=2"),
    "provides.*": ({"provides": {"api": "1"}}, "1", "2"),
    "register": ({}, True, False),
    "register.name": ({"register": {}}, "www", "web"),
    "register.tags": ({"register": {}}, ["a"], ["b"]),
    "register.address": ({"register": {}}, "service", "instance"),
    "register.shared": ({"register": {}}, True, False),
    "allow": ({}, ["api"], []),
}


# Carried out by orchctl itself, the same on every backend: recorded in the live document and nowhere else.
OWN = {"rollout.deadline", "rollout.on_failure", "rollout.min_ready", "needs.*", "provides.*", "scale.min", "scale.max"}
# As long as a service is deployed; backends hold a process that starts to it as well, where they check liveness.
OWN |= {"health.start.deadline"}

# Carried out by orchctl beside the backend, which is not even told: Marathon replaces every instance for a changed label.
BESIDE = {"allow", "register", "register.name", "register.tags", "register.address", "register.shared"}
ON_BACKEND = [leaf for leaf in CASES if leaf not in BESIDE]

GRPC = {"health.ready.grpc.port", "health.live.grpc.port"}
SECRETS = {"env.*.secret", "env.*.key"}
# What a backend does not take at all; everything else is rendered, and must show in the plan.
REFUSED: dict[str, set[str]] = {
    "fake": GRPC,
    "kubernetes": {"restart"},
    "local": GRPC | {"user", *(leaf for leaf in CASES if leaf.startswith(("volumes.", "placement.require[].")))},
    "marathon": GRPC | SECRETS | {"restart", "files.*.secret", "files.*.key"},
    "swarm": GRPC | SECRETS | {"placement.require[].exists"},
}
TAKEN = [(leaf, name) for leaf in ON_BACKEND for name in BACKENDS if leaf not in REFUSED[name]]
NOT_TAKEN = [(leaf, name) for leaf in ON_BACKEND for name in BACKENDS if leaf in REFUSED[name]]


def test_every_leaf_of_the_spec_has_a_case() -> None:
    assert {path for path, _ in leaves()} - {"backends.*.*", "backends.*"} <= set(CASES)


@pytest.mark.parametrize(("leaf", "name"), NOT_TAKEN)
def test_what_is_refused_is_refused_at_its_place(tmp_path: Path, leaf: str, name: str) -> None:
    around, one, other = CASES[leaf]
    issues = [
        i for value in (one, other) for i in refusals(BACKENDS[name], service_with(tmp_path, leaf, around, value))
    ]
    assert any(stands_at(issue, leaf) for issue in issues), issues


@pytest.mark.parametrize(("leaf", "name"), TAKEN)
def test_a_change_is_rendered_or_told(tmp_path: Path, leaf: str, name: str) -> None:
    backend = BACKENDS[name]
    around, one, other = CASES[leaf]
    before, after = (service_with(tmp_path, leaf, around, value) for value in (one, other))
    assert before != after, "the case changes nothing"
    assert not refusals(backend, before) + refusals(backend, after)
    rendered_differs = natively(backend, before) != natively(backend, after)
    told = any(concerns(issue, leaf) for issue in (*backend.check(before), *backend.check(after)))
    kept = leaf in OWN and backend.project(sized(before)) != backend.project(sized(after))
    assert rendered_differs or told or kept


@pytest.mark.parametrize("backend", list(BACKENDS.values()), ids=list(BACKENDS))
@pytest.mark.parametrize("leaf", sorted(BESIDE))
def test_what_is_carried_out_beside_the_backend_changes_nothing_there(
    tmp_path: Path, leaf: str, backend: Backend
) -> None:
    around, one, other = CASES[leaf]
    before, after = (service_with(tmp_path, leaf, around, value) for value in (one, other))
    assert spec_hash(before) != spec_hash(after), "a revision of its own"
    assert template_hash(before, backend.name) == template_hash(after, backend.name), "nothing restarts"
    if not refusals(backend, before):
        assert rendered(backend, before.on_backend()) == rendered(backend, after.on_backend())


@pytest.mark.parametrize(("leaf", "name"), [pair for pair in TAKEN if pair[0] not in ("name", "namespace")])
def test_a_change_that_is_rendered_shows_in_the_plan(tmp_path: Path, leaf: str, name: str) -> None:
    """What is sent is compared: a rendered change with an equal projected document would never be deployed."""
    backend = BACKENDS[name]
    around, one, other = CASES[leaf]
    before, after = (service_with(tmp_path, leaf, around, value) for value in (one, other))
    assert rendered(backend, before) != rendered(backend, after)
    assert backend.project(sized(before)) != backend.project(sized(after))


@pytest.mark.parametrize("backend", list(BACKENDS.values()), ids=list(BACKENDS))
def test_the_order_of_ports_is_part_of_the_plan(tmp_path: Path, backend: Backend) -> None:
    service = service_with(tmp_path, "replicas", {}, 2)
    turned = replace(service, ports=service.ports[::-1])
    assert template_hash(service, backend.name) != template_hash(turned, backend.name)
    changes = diff(backend.project(service), backend.project(turned), restarts=backend.restarts)
    assert [(c.path, c.before, c.after, c.restarts) for c in changes] == [
        ("ports", ["http", "admin"], ["admin", "http"], True)
    ]


@pytest.mark.parametrize("backend", list(BACKENDS.values()), ids=list(BACKENDS))
def test_a_deadline_of_checks_without_a_check_is_no_template(tmp_path: Path, backend: Backend) -> None:
    before, after = (service_with(tmp_path, "health.start.deadline", {}, value) for value in ("30s", "40s"))
    assert before != after
    assert template_hash(before, backend.name) == template_hash(after, backend.name)
    assert backend.project(sized(before)) == backend.project(sized(after))


def service_with(directory: Path, leaf: str, around: dict[str, Any], value: Any) -> Service:
    document = copy.deepcopy(BASE)
    for path, part in around.items():
        put(document, path.split("."), copy.deepcopy(part))
    put(document, steps(leaf), value)
    for name in ("a.txt", "b.txt"):
        (directory / name).write_text(name, "utf-8")
    path = directory / "orch.yaml"
    path.write_text(json.dumps(document), "utf-8")
    (resolved,) = load_services(SpecRequest(files=(str(path),), cwd=directory, known_backends=tuple(registry.BUILT_IN)))
    return resolved.service


def steps(leaf: str) -> list[str]:
    """``ports[].name`` -> ports, 0, name; ``env.*.key`` -> env, *, key (the only key there)."""
    return leaf.replace("[]", ".0").split(".")


def put(document: Any, path: list[str], value: Any) -> None:
    *parents, last = path
    for step in parents:
        if isinstance(document, list):
            document = document[int(step)]
        else:
            key = next(iter(document)) if step == "*" else step
            document = document.setdefault(key, {})
    if isinstance(document, list):
        document[int(last)] = value
    elif value is None:
        document.pop(last, None)
    else:
        document[next(iter(document)) if last == "*" else last] = value


def refusals(backend: Backend, service: Service) -> list[Issue]:
    return [i for i in backend.check(service) if i.policy is Policy.REJECT]


def stands_at(issue: Issue, leaf: str) -> bool:
    """At the leaf, above it or below it: ``volumes[/v]`` is above ``volumes.*.size``."""
    at = re.findall(r"\[[^]]*\]|[^.[\]]+", issue.path)
    wanted = re.findall(r"\[[^]]*\]|[^.[\]]+", leaf)
    return all(a == w or w in ("*", "[]") or a.startswith("[") for a, w in zip(at, wanted, strict=False))


def sized(service: Service) -> Service:
    return service if service.replicas is not None else service.sized(1)


def rendered(backend: Backend, service: Service) -> str:
    return canonical_json(to_plain(tuple(backend.render(service))))


def natively(backend: Backend, service: Service) -> str:
    """The rendered objects without orchctl's notes."""
    return canonical_json([_without_notes(to_plain(o)) for o in backend.render(service.on_backend())])


def _without_notes(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_notes(v) for k, v in value.items() if k not in (INTENT, TEMPLATE)}
    return [_without_notes(v) for v in value] if isinstance(value, list) else value


def concerns(issue: Issue, leaf: str) -> bool:
    """The issue stands at the leaf, above it or below it."""
    top = leaf.split(".")[0].split("[")[0]
    rest = [s for s in leaf.replace("[]", "").split(".")[1:] if s != "*"]
    return issue.path.split(".")[0].split("[")[0] == top and (not rest or rest[0] in issue.path or issue.path == top)

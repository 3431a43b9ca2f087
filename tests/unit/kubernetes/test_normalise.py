"""The live definition in the spec's words: equal after a deploy, and every change by hand is seen."""

from __future__ import annotations

import copy
import functools
import json
from typing import Any

import pytest

from orchctl.core.diff import diff, join
from orchctl.core.document import document_of
from orchctl.core.service import Health, Probe, ProbeKind, Resources, Rollout, Service, Strategy
from orchctl_kubernetes import names
from orchctl_kubernetes.adapter import KubernetesBackend
from orchctl_kubernetes.normalise import LEFT_OVER, MISSING, document, replicas_of, stands
from orchctl_kubernetes.translate import render
from tests.unit.kubernetes.living import live_of, managed, quantity
from tests.unit.kubernetes.observed import Raw
from tests.unit.kubernetes.sample import FULL, bodies, deployment, sample

BACKEND = KubernetesBackend()
NATIVE = "backends.kubernetes.native"
POD = ("spec", "template", "spec")
WEB = (*POD, "containers", 0)


def lived(service: Service) -> list[Raw]:
    """Everything of ``service`` as a read finds it, the Deployment last; ConfigMaps and Secrets are not looked at."""
    return [live_of(b) for (kind, _), b in bodies(service).items() if kind not in ("ConfigMap", "Secret")]


def shown(service: Service, found: list[Raw]) -> list[tuple[str, Any]]:
    """(path, live value) of every difference between what ``service`` asks for and what was found."""
    before, after = BACKEND.project(service), document(found[-1], found[:-1])
    return [(c.path, c.after) for c in diff(before, after, restarts=BACKEND.restarts)]


def put(found: Raw, path: tuple[str | int, ...], value: Any) -> None:
    """Set ``value`` at ``path``, or remove what is there when it is None."""
    target: Any = found
    for key in path[:-1]:
        target = target[key] if isinstance(key, int) else target.setdefault(key, {})
    if value is None:
        del target[path[-1]]
    else:
        target[path[-1]] = value


def changed(path: tuple[str | int, ...], value: Any, service: Service = FULL) -> list[tuple[str, Any]]:
    found = lived(service)
    put(found[-1], path, value)
    return shown(service, found)


def test_the_projected_document_is_the_services_own() -> None:
    assert BACKEND.project(FULL) == document_of(FULL)


DOWNWARD = {"name": "pod", "downwardAPI": {"items": [{"path": "name", "fieldRef": {"fieldPath": "metadata.name"}}]}}
SERVICES = {
    "everything": FULL,
    "hardly anything": sample(ports=(), replicas=1),
    "a headless service": sample(backends={"kubernetes": {"headless": True}}),
    "odd amounts": sample(
        resources=Resources(cpu_millis=1500, memory_bytes=1000, cpu_limit_millis=1_000_000, memory_limit_bytes=10**9)
    ),
    "nothing to wait for": sample(rollout=Rollout(min_ready_ms=0), env={"EMPTY": ""}),
    "recreate": sample(rollout=Rollout(strategy=Strategy.RECREATE)),
    "a volume of Kubernetes' own": sample(
        backends={"kubernetes": {"patch": {"spec": {"template": {"spec": {"volumes": [DOWNWARD]}}}}}}
    ),
    "grpc": sample(health=Health(ready=Probe(kind=ProbeKind.GRPC, port="http"))),
}


@pytest.mark.parametrize("name", SERVICES)
def test_what_the_api_server_fills_in_is_no_difference(name: str) -> None:
    found = lived(SERVICES[name])
    assert document(found[-1], found[:-1]) == BACKEND.project(SERVICES[name])


@pytest.mark.parametrize(
    ("sent", "kept"), [("1000m", "1"), ("1000", "1k"), ("1500m", "1500m"), ("1024Ki", "1Mi"), ("1000000000", "1G")]
)
def test_amounts_are_written_as_the_api_server_writes_them(sent: str, kept: str) -> None:
    assert quantity(sent) == kept


@pytest.mark.parametrize(
    ("path", "value", "differences"),
    [
        (("spec", "replicas"), 5, [("replicas", 5)]),
        (("spec", "replicas"), 0, [("replicas", 0)]),
        ((*WEB, "image"), "other:2", [("image", "other:2")]),
        ((*WEB, "env", 1, "value"), "tampered", [("env.GREETING", "tampered")]),
        ((*WEB, "env", 1, "value"), "1 $$ of $$(X)", [("env.GREETING", "1 $ of $(X)")]),
        ((*WEB, "env", 6, "value"), "1", [("env.PORT_HTTP", "1")]),
        ((*WEB, "args"), ["x"], [("args", ["x"])]),
        ((*WEB, "command"), ["x"], [("command", ["x"])]),
        ((*WEB, "workingDir"), "/x", [("working_dir", "/x")]),
        ((*WEB, "workingDir"), None, [("working_dir", None)]),
        ((*WEB, "resources", "requests", "cpu"), "1", [("resources.cpu", "1")]),
        ((*WEB, "resources", "requests", "memory"), "1Gi", [("resources.memory", "1Gi")]),
        ((*WEB, "resources", "limits", "memory"), None, [("resources.limits.memory", None)]),
        (("spec", "minReadySeconds"), 90, [("rollout.min_ready", "1m30s")]),
        (("spec", "progressDeadlineSeconds"), 600, [("rollout.deadline", "10m")]),
        (("spec", "strategy", "rollingUpdate", "maxSurge"), "50%", [("rollout.max_surge", "50%")]),
        (("spec", "strategy", "rollingUpdate", "maxUnavailable"), 2, [("rollout.max_unavailable", "2")]),
        (("metadata", "labels", "team"), "other", [("labels.team", "other")]),
        (("metadata", "labels", "team"), None, [("labels.team", None)]),
    ],
)
def test_a_change_by_hand_is_shown_in_the_specs_words(
    path: tuple[str | int, ...], value: Any, differences: list[tuple[str, Any]]
) -> None:
    assert changed(path, value) == differences


@pytest.mark.parametrize(
    ("path", "value", "after"),
    [
        ((*WEB, "securityContext", "runAsUser"), 0, 0),
        ((*WEB, "lifecycle", "preStop", "sleep", "seconds"), None, MISSING),
        ((*POD, "serviceAccountName"), "root", "root"),
        ((*POD, "terminationGracePeriodSeconds"), 0, 0),
        (("spec", "paused"), True, True),
        (("spec", "template", "metadata", "labels", names.NAME), "x", "x"),
    ],
)
def test_a_change_that_the_spec_has_no_word_for_is_shown_in_kubernetes_words(
    path: tuple[str | int, ...], value: Any, after: Any
) -> None:
    words = ("backends", "kubernetes", "native", "Deployment", *("web" if key == 0 else str(key) for key in path))
    assert changed(path, value) == [(functools.reduce(join, words), after)]


def test_a_variable_that_was_removed_is_seen_even_when_it_was_empty() -> None:
    found = lived(FULL)
    found[-1]["spec"]["template"]["spec"]["containers"][0]["env"].pop(0)
    assert [after for _, after in shown(FULL, found)] == [MISSING]


def test_a_strategy_changed_by_hand_is_shown() -> None:
    after = changed(("spec", "strategy"), {"type": "Recreate"}, sample())
    assert after == [(f"{NATIVE}.Deployment.spec.strategy.type", "Recreate"), ("rollout.max_surge", None)]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("metadata", "annotations", names.REVISION), "7"),
        (("metadata", "annotations", "kubectl.kubernetes.io/last-applied-configuration"), "{}"),
        (("metadata", "labels", "argocd.argoproj.io/instance"), "x"),
        (("spec", "template", "metadata", "annotations"), {"sidecar.istio.io/inject": "true"}),
        ((*POD, "hostNetwork"), True),
        ((*WEB, "stdin"), True),
    ],
)
def test_what_others_have_added_is_nobodys_difference(path: tuple[str | int, ...], value: Any) -> None:
    assert changed(path, value) == []


def test_a_container_that_somebody_put_beside_ours_is_no_difference() -> None:
    found = lived(FULL)
    found[-1]["spec"]["template"]["spec"]["containers"].insert(0, {"name": "proxy", "image": "proxy:1"})
    assert shown(FULL, found) == []


def around(kind: str, name: str) -> tuple[list[Raw], Raw]:
    """Everything of FULL, and of it the object of that kind and name."""
    found = lived(FULL)
    return found, next(o for o in found if (o["kind"], o["metadata"]["name"]) == (kind, name))


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Service", "web"),
        ("Service", "web-nodes"),
        ("PodDisruptionBudget", "web"),
        ("HorizontalPodAutoscaler", "web"),
        ("PersistentVolumeClaim", "data"),
    ],
)
def test_an_object_that_was_removed_by_hand_is_shown(kind: str, name: str) -> None:
    found, gone = around(kind, name)
    found.remove(gone)
    [(path, after)] = shown(FULL, found)
    assert name in path
    assert (path.startswith(f"{NATIVE}.{kind}"), after) == (True, MISSING)


def test_an_object_that_is_left_over_is_shown() -> None:
    left = live_of(bodies(FULL)["Service", "web-nodes"])
    [(path, after)] = shown(sample(), [left, *lived(sample())])
    assert ("web-nodes" in path, after) == (True, LEFT_OVER)


@pytest.mark.parametrize(
    ("kind", "name", "path", "value"),
    [
        ("Service", "web-nodes", ("spec", "ports", 0, "nodePort"), 32_000),
        ("Service", "web-external", ("spec", "type"), "ClusterIP"),
        ("Service", "web", ("spec", "clusterIP"), "None"),
        ("Service", "web", ("spec", "selector", names.NAME), "other"),
        ("PodDisruptionBudget", "web", ("spec", "maxUnavailable"), 3),
        ("HorizontalPodAutoscaler", "web", ("spec", "maxReplicas"), 99),
        ("PersistentVolumeClaim", "data", ("spec", "resources", "requests", "storage"), "1Gi"),
    ],
)
def test_an_object_changed_by_hand_is_shown(kind: str, name: str, path: tuple[str | int, ...], value: Any) -> None:
    found, one = around(kind, name)
    put(one, path, value)
    [(where, _)] = shown(FULL, found)
    assert where.startswith(f"{NATIVE}.{kind}")


EXTRA = {"name": "debug", "port": 9999, "protocol": "TCP", "targetPort": 9999}


def with_extra_port(manager: str, operation: str = "Apply") -> Raw:
    """The main Service of FULL with one port more, set by ``manager``."""
    sent = bodies(FULL)["Service", "web"]
    live, more = live_of(sent), copy.deepcopy(sent)
    live["spec"]["ports"].append(EXTRA)
    ours = (manager, operation) == ("orchctl", "Apply")
    more["spec"]["ports"] = [*sent["spec"]["ports"], EXTRA] if ours else [EXTRA]
    entries = [] if ours else live["metadata"]["managedFields"]
    live["metadata"]["managedFields"] = [*entries, managed(more, manager, operation)]
    return live


def test_a_port_that_our_own_unfinished_deploy_left_is_shown() -> None:
    others = [o for o in lived(FULL) if (o["kind"], o["metadata"]["name"]) != ("Service", "web")]
    paths = [path for path, _ in shown(FULL, [with_extra_port("orchctl"), *others])]
    assert paths
    assert all("9999/TCP" in path for path in paths)


@pytest.mark.parametrize(
    ("manager", "operation"), [("helm", "Apply"), ("kubectl-edit", "Update"), ("orchctl", "Update")]
)
def test_a_port_that_nobody_applied_in_our_name_is_not(manager: str, operation: str) -> None:
    others = [o for o in lived(FULL) if (o["kind"], o["metadata"]["name"]) != ("Service", "web")]
    assert shown(FULL, [with_extra_port(manager, operation), *others]) == []


@pytest.mark.parametrize(
    "body", [dict(o.body) for o in render(FULL)], ids=lambda b: f"{b['kind']} {b['metadata']['name']}"
)
def test_an_object_stands_as_it_was_applied(body: Raw) -> None:
    assert stands(body, live_of(body))


def test_an_object_does_not_stand_when_it_differs_or_when_we_left_more_in_it() -> None:
    wanted = bodies(FULL)["Service", "web"]
    other = copy.deepcopy(wanted)
    other["spec"]["ports"][0]["port"] = 1
    assert not stands(other, live_of(wanted))
    assert not stands(wanted, with_extra_port("orchctl"))
    assert stands(wanted, with_extra_port("helm"))


@pytest.mark.parametrize(
    "annotation",
    [
        None,
        "",
        "{}",
        "[]",
        "null",
        "not json",
        '{"service": 3, "files": {}}',
        '{"service": {"name": "web", "namespace": "shop"}}',
        '{"service": {"name": "web", "namespace": "shop", "replicas": "two"}, "files": {}}',
    ],
)
def test_without_a_usable_intent_everything_live_is_a_difference(annotation: str | None) -> None:
    found = lived(sample())
    put(found[-1], ("metadata", "annotations", names.INTENT), annotation)
    after = document(found[-1], found[:-1])
    assert after != BACKEND.project(sample())
    assert "image" not in after
    assert after["backends"]["kubernetes"]["native"]["Service"] == {"web": LEFT_OVER}


@pytest.mark.parametrize(
    "spoil",
    [
        {"backends": {"kubernetes": {"from_a_later_version": True}}},
        {"backends": {"kubernetes": {"patch": 7}}},
        {"backends": {"kubernetes": {"disruption_budget": {"most": 1}}}},
        {"health": {"ready": {"kind": "grpc", "port": "absent"}}},
        {"files": {"/x": {"content": "", "mode": "rw"}}},
    ],
    ids=str,
)
def test_an_intent_that_this_version_cannot_follow_shows_differences_and_does_not_fail(spoil: Raw) -> None:
    found = lived(sample())
    noted = json.loads(found[-1]["metadata"]["annotations"][names.INTENT])
    noted["service"] |= spoil
    noted["files"] = dict.fromkeys(noted["service"].get("files", {}), "sha256:1")
    found[-1]["metadata"]["annotations"][names.INTENT] = json.dumps(noted)
    assert document(found[-1], found[:-1]) != BACKEND.project(sample())


@pytest.mark.parametrize(("spec", "count"), [({"replicas": 3}, 3), ({"replicas": 0}, 0), ({}, 1), (None, 1)])
def test_a_count_that_nobody_asked_for_is_one(spec: Raw | None, count: int) -> None:
    assert replicas_of({"spec": spec}) == count


def test_the_count_is_not_part_of_the_intent() -> None:
    before, after = (deployment(sample(replicas=n))["metadata"]["annotations"] for n in (1, 5))
    assert before == after


def test_policy_changes_restart_nothing_and_template_changes_do() -> None:
    assert not any(BACKEND.restarts(p) for p in ("replicas", "rollout.deadline", "labels.team", "needs.db", "provides"))
    assert not BACKEND.restarts(f"{NATIVE}.Deployment.spec.minReadySeconds")
    assert not BACKEND.restarts(f"{NATIVE}.Service.web")
    assert not BACKEND.restarts("backends.local.command")
    assert all(BACKEND.restarts(p) for p in ("image", "env.A", "files[/x].content", "stop.grace", "ports.http.port"))
    assert BACKEND.restarts("backends.kubernetes.service_account")
    assert BACKEND.restarts(f"{NATIVE}.Deployment.spec.template.spec.hostNetwork")

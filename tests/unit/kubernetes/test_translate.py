"""The objects that are sent: which there are, and what the Deployment around the pod says."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from orchctl.core.document import template_hash
from orchctl.core.service import (
    Amount,
    Expose,
    File,
    Port,
    Rollout,
    Scaling,
    SecretRef,
    Service,
    Strategy,
    Volume,
    VolumeKind,
)
from orchctl_kubernetes import names
from orchctl_kubernetes.translate import generated_names, is_label_value, render
from tests.unit.kubernetes import golden
from tests.unit.kubernetes.sample import FULL, bodies, deployment, pod, sample

SECRET = SecretRef(name="KEY", source="env", version="1")


def kubernetes(**options: Any) -> dict[str, Any]:
    return {"backends": {"kubernetes": options}}


def kinds(service: Service) -> list[tuple[str, str]]:
    return list(bodies(service))


def config_map(*files: tuple[str, bytes], mode: str = "0444") -> dict[str, Any]:
    found = bodies(sample(ports=(), files={path: File(content=content, mode=mode) for path, content in files}))
    return next(iter(found.values()))


def secret(*refs: SecretRef) -> dict[str, Any]:
    found = bodies(sample(ports=(), env={f"V{i}": ref for i, ref in enumerate(refs)}))
    return next(iter(found.values()))


def test_everything_a_service_can_ask_for_is_rendered_as_recorded() -> None:
    golden.compare("rendered", [dict(o.body) for o in render(FULL)])


def test_rendering_is_deterministic() -> None:
    assert json.dumps([o.body for o in render(FULL)]) == json.dumps([o.body for o in render(FULL)])


def test_what_pods_need_is_written_first_and_the_definition_last() -> None:
    assert [kind for kind, _ in kinds(FULL)] == [
        "PersistentVolumeClaim",
        "ConfigMap",
        "Secret",
        "Service",
        "Service",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "Deployment",
    ]


def test_a_service_without_anything_is_a_deployment() -> None:
    assert kinds(sample(ports=())) == [("Deployment", "web")]


@pytest.mark.parametrize(
    ("expose", "also"),
    [
        (Expose.INTERNAL, []),
        (Expose.HOST, []),
        (Expose.CLUSTER, [("Service", "web-nodes")]),
        (Expose.EXTERNAL, [("Service", "web-external")]),
    ],
)
def test_what_goes_outside_has_a_service_of_its_own(expose: Expose, also: list[tuple[str, str]]) -> None:
    ports = (Port(name="http", port=80, expose=expose), Port(name="admin", port=9090))
    assert kinds(sample(ports=ports)) == [("Service", "web"), *also, ("Deployment", "web")]


def test_the_main_service_has_every_port_and_the_others_their_own_alone() -> None:
    found = {name: body["spec"] for (kind, name), body in bodies(FULL).items() if kind == "Service"}
    assert {name: (s["type"], [p["name"] for p in s["ports"]]) for name, s in found.items()} == {
        "web": ("ClusterIP", ["http", "metrics", "dns", "web"]),
        "web-nodes": ("NodePort", ["dns"]),
        "web-external": ("LoadBalancer", ["web"]),
    }


def test_published_is_the_node_port_or_the_port_of_the_balancer() -> None:
    found = bodies(FULL)
    [node] = found["Service", "web-nodes"]["spec"]["ports"]
    assert (node["port"], node["nodePort"], node["protocol"]) == (53, 30053, "UDP")
    [outside] = found["Service", "web-external"]["spec"]["ports"]
    assert (outside["port"], outside["targetPort"]) == (443, "web")


def test_a_port_that_is_not_published_is_left_to_the_cluster() -> None:
    ports = (Port(name="http", port=80, expose=Expose.CLUSTER), Port(name="tls", port=443, expose=Expose.EXTERNAL))
    found = bodies(sample(ports=ports))
    assert "nodePort" not in found["Service", "web-nodes"]["spec"]["ports"][0]
    assert found["Service", "web-external"]["spec"]["ports"][0]["port"] == 443


@pytest.mark.parametrize(("headless", "address"), [(True, "None"), (False, None)])
def test_a_headless_service_has_no_address(headless: bool, address: str | None) -> None:
    found = bodies(sample(**kubernetes(headless=headless)))
    assert found["Service", "web"]["spec"].get("clusterIP") == address


def test_services_and_pods_are_tied_by_labels_that_never_change() -> None:
    found = bodies(FULL)
    main, made = found["Service", "web"]["spec"]["selector"], found["Deployment", "web"]["spec"]
    assert main == made["selector"]["matchLabels"] == {names.NAMESPACE: "shop", names.NAME: "web"}
    assert main.items() <= made["template"]["metadata"]["labels"].items()


def test_an_absent_count_renders_as_one() -> None:
    assert deployment(sample(replicas=None))["spec"]["replicas"] == 1


@pytest.mark.parametrize(
    ("rollout", "sent"),
    [
        (Rollout(), {"maxSurge": 1, "maxUnavailable": 0}),
        (Rollout(max_surge=Amount(25, percent=True)), {"maxSurge": "25%", "maxUnavailable": 0}),
        (
            Rollout(max_surge=Amount(0), max_unavailable=Amount(50, percent=True)),
            {"maxSurge": 0, "maxUnavailable": "50%"},
        ),
    ],
)
def test_surge_and_unavailability_go_out_as_they_are(rollout: Rollout, sent: dict[str, Any]) -> None:
    assert deployment(sample(rollout=rollout))["spec"]["strategy"] == {"type": "RollingUpdate", "rollingUpdate": sent}


def test_recreate_has_no_amounts() -> None:
    found = deployment(sample(rollout=Rollout(strategy=Strategy.RECREATE)))
    assert found["spec"]["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize(
    ("min_ready_ms", "deadline_ms", "sent"), [(1_500, 60_000, (2, 60)), (5_000, 5_000, (5, 6)), (0, 500, (0, 1))]
)
def test_times_are_rounded_up_and_the_deadline_is_after_min_ready(
    min_ready_ms: int, deadline_ms: int, sent: tuple[int, int]
) -> None:
    found = deployment(sample(rollout=Rollout(min_ready_ms=min_ready_ms, deadline_ms=deadline_ms)))["spec"]
    assert (found["minReadySeconds"], found["progressDeadlineSeconds"]) == sent


def test_labels_that_are_none_of_kubernetes_become_annotations() -> None:
    metadata = deployment(sample(labels={"team": "shop", "motto": "two words", "empty": ""}))["metadata"]
    assert metadata["labels"].items() >= {"team": "shop", "empty": ""}.items()
    assert "motto" not in metadata["labels"]
    assert metadata["annotations"]["motto"] == "two words"


@pytest.mark.parametrize(
    ("text", "good"),
    [("", True), ("a", True), ("A-b_c.9", True), ("x" * 63, True), ("x" * 64, False), ("-a", False), ("a.", False)]
    + [(text, False) for text in ("a b", "ä", "a/b", "-", "٣")],
)
def test_what_may_be_the_value_of_a_label(text: str, good: bool) -> None:
    assert is_label_value(text) is good


def test_the_template_hash_stands_where_pods_carry_it_and_the_revision_does_not() -> None:
    labels = deployment(sample())["spec"]["template"]["metadata"]["labels"]
    assert labels[names.TEMPLATE] == template_hash(sample(), "kubernetes")
    assert names.REVISION not in labels


@pytest.mark.parametrize(
    ("given", "sent"),
    [({"min_available": 2}, {"minAvailable": 2}), ({"max_unavailable": "25%"}, {"maxUnavailable": "25%"})],
)
def test_a_disruption_budget_is_about_the_services_pods(given: dict[str, Any], sent: dict[str, Any]) -> None:
    found = bodies(sample(**kubernetes(disruption_budget=given)))["PodDisruptionBudget", "web"]
    pods = {names.NAMESPACE: "shop", names.NAME: "web"}
    assert found["spec"] == {**sent, "selector": {"matchLabels": pods}}


def test_bounds_without_a_target_make_no_autoscaler() -> None:
    assert ("HorizontalPodAutoscaler", "web") not in kinds(sample(scaling=Scaling(min=1, max=3)))


def test_an_autoscaler_aims_at_the_deployment() -> None:
    found = bodies(sample(scaling=Scaling(min=1, max=3, cpu_percent=70)))["HorizontalPodAutoscaler", "web"]["spec"]
    assert found["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
    assert (found["minReplicas"], found["maxReplicas"]) == (1, 3)
    assert found["metrics"][0]["resource"]["target"]["averageUtilization"] == 70


def test_a_claim_is_made_once_and_belongs_to_the_namespace() -> None:
    data = Volume(kind=VolumeKind.NAMED, name="data")
    found = bodies(sample(volumes={"/a": data, "/b": data, "/c": Volume(kind=VolumeKind.TMPFS)}))
    [claim] = [body for (kind, _), body in found.items() if kind == "PersistentVolumeClaim"]
    assert claim["metadata"]["labels"] == {names.MANAGED_BY: "orchctl", names.NAMESPACE: "shop"}
    assert claim["spec"] == {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def test_a_claim_is_of_the_size_and_the_class_asked_for() -> None:
    spec = bodies(FULL)["PersistentVolumeClaim", "data"]["spec"]
    assert spec["resources"]["requests"]["storage"] == "5Gi"
    assert (spec["storageClassName"], spec["accessModes"]) == ("fast", ["ReadWriteMany"])


def test_text_stays_readable_and_other_bytes_are_whole() -> None:
    found = config_map(("/a.txt", b"hello\n"), ("/b.png", b"\x89\xff"), ("/empty", b""))
    assert sorted(found["data"].values()) == ["", "hello\n"]
    assert [base64.b64decode(v) for v in found["binaryData"].values()] == [b"\x89\xff"]
    assert found["immutable"] is True


def test_files_have_another_name_when_their_contents_change_and_only_then() -> None:
    def name(*files: tuple[str, bytes], mode: str = "0444") -> str:
        return str(config_map(*files, mode=mode)["metadata"]["name"])

    assert name(("/a", b"1")) == name(("/a", b"1"), mode="0400")
    assert len({name(("/a", b"1")), name(("/a", b"2")), name(("/b", b"1")), name(("/a", b"1"), ("/b", b"1"))}) == 4


def test_a_secret_has_another_name_when_a_value_has_another_version() -> None:
    other = SecretRef(name="KEY", source="env", version="2")
    assert secret(SECRET)["metadata"]["name"] == secret(SECRET, SECRET)["metadata"]["name"]
    assert secret(SECRET)["metadata"]["name"] != secret(other)["metadata"]["name"]


def test_a_secret_is_rendered_without_its_values() -> None:
    assert set(secret(SECRET)) == {"apiVersion", "kind", "metadata", "type", "immutable"}


def test_a_secret_of_the_clusters_own_is_not_made() -> None:
    assert kinds(sample(ports=(), env={"A": SecretRef(name="db")})) == [("Deployment", "web")]


def test_generated_names_are_those_of_the_objects_that_are_rendered() -> None:
    generated = {key for key in kinds(FULL) if key[0] in ("ConfigMap", "Secret")}
    assert generated_names(FULL) == generated
    assert generated_names(sample()) == set()


def test_patch_merges_into_the_finished_deployment_and_null_removes() -> None:
    patch = {"spec": {"template": {"spec": {"hostNetwork": True, "enableServiceLinks": None}}}}
    found = pod(sample(**kubernetes(patch=patch)))
    assert found["hostNetwork"] is True
    assert "enableServiceLinks" not in found


def test_service_patch_touches_the_main_service_alone() -> None:
    found = bodies(FULL)
    affinity = {name: body["spec"].get("sessionAffinity") for (kind, name), body in found.items() if kind == "Service"}
    assert affinity == {"web": "ClientIP", "web-nodes": None, "web-external": None}


def test_generated_names_fit_at_the_longest_names_a_spec_may_have() -> None:
    longest = sample(name="n" * 38, namespace="s" * 24)
    assert len(names.external_service_name(longest.name)) <= 63
    assert len(names.nodes_service_name(longest.name)) <= 63
    assert len(names.volume_of("v" * 253)) <= 63
    assert len(names.file_key("/" + "f" * 4096)) <= 253
    assert len(names.secret_key(SecretRef("V" * 400, source="env"))) <= 253

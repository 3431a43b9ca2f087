"""What is around the Deployment: written before it, removed after it, and never taken from anybody."""

from __future__ import annotations

import base64
import copy
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.service import Expose, File, Port, Scaling, SecretRef, Service, Volume, VolumeKind
from orchctl.errors import ForeignObject, Locked
from orchctl_kubernetes.translate import render
from tests.unit.kubernetes.cluster import cluster
from tests.unit.kubernetes.observed import MADE, Raw
from tests.unit.kubernetes.sample import FULL, bodies, sample
from tests.unit.kubernetes.writing import CORE, SCALERS, SERVICE, WEB, World

HTTP = Port(name="http", port=8080)
OUTSIDE = sample(ports=(replace(HTTP, expose=Expose.CLUSTER),))
FOLLOWED = sample(ports=(), scaling=Scaling(min=2, max=9, cpu_percent=70))
NODES = f"{CORE}/services/web-nodes"


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with cluster("shop") as found:
        yield World(found, tmp_path)


def filed(content: bytes) -> Service:
    return sample(files={"/etc/web.toml": File(content=content)})


def generated(world: World, plural: str) -> set[str]:
    return {path.rpartition("/")[2] for path in world.cluster.objects if f"/{plural}/" in path}


def test_the_definition_is_sent_last(world: World) -> None:
    world.deploy(FULL)
    sent = [body["kind"] for _, _, body in world.cluster.writes]
    assert sent == [o.kind for o in render(FULL)]
    assert sent[-1] == "Deployment"


def test_what_stands_is_not_written_again(world: World) -> None:
    world.deploy(FULL)
    before = len(world.wrote())
    world.deploy(replace(FULL, image_digest="sha256:" + "cd" * 32))
    assert set(world.wrote(since=before)) == {"PATCH deployments/web"}


def test_what_was_changed_by_hand_is_put_right(world: World) -> None:
    world.deploy(OUTSIDE)
    world.cluster.change(SERVICE, {"spec": {"selector": {"orchctl.dev/name": "other"}}})
    world.deploy(OUTSIDE)
    assert world.wrote()[-2:] == ["PATCH services/web", "PATCH deployments/web"]
    assert world.cluster.objects[SERVICE]["spec"]["selector"]["orchctl.dev/name"] == "web"


def test_what_is_not_asked_for_any_more_goes_after_the_definition(world: World) -> None:
    world.deploy(OUTSIDE)
    world.deploy(sample())
    assert world.wrote()[-2:] == ["PATCH deployments/web", "DELETE services/web-nodes"]
    assert NODES not in world.cluster.objects


def test_a_former_autoscaler_goes_before_it_can_undo_the_count(world: World) -> None:
    world.deploy(FOLLOWED)
    world.deploy(sample(ports=()))
    assert world.wrote()[-2:] == ["DELETE horizontalpodautoscalers/web", "PATCH deployments/web"]


@pytest.mark.parametrize(("kind", "path"), [("Service", SERVICE), ("HorizontalPodAutoscaler", f"{SCALERS}/web")])
@pytest.mark.parametrize("labels", [{}, {"orchctl.dev/name": "api"}], ids=["nobody's", "another service's"])
def test_an_object_of_somebody_else_is_told_before_anything_is_written(
    world: World, kind: str, path: str, labels: dict[str, str]
) -> None:
    theirs = copy.deepcopy(bodies(FULL)[kind, "web"])
    theirs["metadata"]["labels"] = theirs["metadata"]["labels"] | labels if labels else {}
    world.cluster.put(path, theirs)
    with pytest.raises(ForeignObject, match=kind):
        world.deploy(FULL, expect="")
    assert world.wrote() == []


@pytest.mark.parametrize("headless", [True, False])
def test_a_service_that_loses_or_gets_an_address_is_made_anew(world: World, headless: bool) -> None:
    before, after = (sample(backends={"kubernetes": {"headless": h}}) for h in (not headless, headless))
    world.deploy(before)
    world.deploy(after)
    assert world.wrote(since=2) == ["DELETE services/web", "PATCH services/web", "PATCH deployments/web"]
    assert ("clusterIP" in world.cluster.objects[SERVICE]["spec"]) is headless


def test_a_claim_that_fits_is_used_whoever_has_made_it(world: World) -> None:
    volume = Volume(kind=VolumeKind.NAMED, name="data", size_bytes=5 << 30)
    service = sample(ports=(), volumes={"/data": volume})
    claim = bodies(service)["PersistentVolumeClaim", "data"]
    world.cluster.put(f"{CORE}/persistentvolumeclaims/data", claim)
    world.deploy(service, expect="")
    assert world.wrote() == ["PATCH deployments/web"]


@pytest.mark.parametrize(
    ("live_gi", "ours", "written"),
    [(20, True, []), (1, True, ["PATCH persistentvolumeclaims/data"]), (1, False, []), (20, False, [])],
)
def test_a_claim_is_made_larger_where_it_is_ours_and_never_smaller(
    world: World, live_gi: int, ours: bool, written: list[str]
) -> None:
    volume = Volume(kind=VolumeKind.NAMED, name="data", size_bytes=5 << 30)
    service = sample(ports=(), volumes={"/data": volume})
    claim = copy.deepcopy(bodies(service)["PersistentVolumeClaim", "data"])
    claim["spec"]["resources"]["requests"]["storage"] = f"{live_gi}Gi"
    claim["metadata"]["labels"] = claim["metadata"]["labels"] if ours else {}
    world.cluster.put(f"{CORE}/persistentvolumeclaims/data", claim)
    world.deploy(service, expect="")
    assert world.wrote() == [*written, "PATCH deployments/web"]


def test_an_object_that_is_still_being_deleted_does_not_stand(world: World) -> None:
    """A load balancer keeps its Service for minutes; what counted as standing would be gone after the deploy."""
    world.deploy(OUTSIDE)
    world.cluster.change(NODES, {"metadata": {"deletionTimestamp": MADE}})
    with pytest.raises(Locked, match="web-nodes"):
        world.deploy(OUTSIDE)
    del world.cluster.objects[NODES]
    world.deploy(OUTSIDE)
    assert NODES in world.cluster.objects


def test_an_object_that_is_being_deleted_and_shall_be_is_no_difference(world: World) -> None:
    world.deploy(OUTSIDE)
    world.cluster.change(NODES, {"metadata": {"deletionTimestamp": MADE}})
    world.deploy(sample())
    live = world.reader.live("shop", ["web"])["web"]
    assert "left over" not in str(live.document)
    assert world.wrote()[-1] == "PATCH deployments/web"


def test_a_copy_with_our_labels_and_another_name_is_left_alone(world: World) -> None:
    world.deploy(OUTSIDE)
    path, body = f"{NODES.rpartition('/')[0]}/web-copy", world.cluster.objects[NODES]
    world.cluster.put(path, {**body, "metadata": {**body["metadata"], "name": "web-copy"}})
    world.deploy(sample())
    assert NODES not in world.cluster.objects
    assert path in world.cluster.objects


def test_a_removed_object_that_somebody_has_replaced_is_left_alone(world: World) -> None:
    world.deploy(OUTSIDE)

    def replaced() -> None:
        theirs = world.cluster.objects.pop(NODES)
        world.cluster.put(NODES, {**theirs, "metadata": {"name": "web-nodes", "labels": {}}})

    world.cluster.before = [None, replaced]
    world.deploy(sample())
    assert world.wrote()[-1] == "DELETE services/web-nodes"
    assert NODES in world.cluster.objects


class TestGenerated:
    """ConfigMaps and Secrets: one for each content, never changed."""

    def test_values_of_secrets_are_in_their_secret_and_nowhere_else(self, world: World) -> None:
        token = SecretRef("TOKEN", source="env", version="1")
        world.deploy(sample(env={"A": token}, files={"/key": File(secret=token)}))
        value = base64.b64encode(b"TOKEN").decode()
        holding = [body["kind"] for _, _, body in world.cluster.writes if value in str(body)]
        [made] = [o for o in world.cluster.objects.values() if o["kind"] == "Secret"]
        assert (holding, list(made["data"].values()), made["immutable"]) == (["Secret"], [value], True)

    def test_one_that_is_there_already_is_not_written_again(self, world: World) -> None:
        world.deploy(filed(b"1"))
        [name] = generated(world, "configmaps")
        world.cluster.change(f"{CORE}/configmaps/{name}", {"metadata": {"labels": {"app.kubernetes.io/name": "x"}}})
        world.deploy(filed(b"2"))
        before = len(world.wrote())
        world.deploy(filed(b"1"))
        assert world.wrote(since=before) == ["PATCH deployments/web"]
        assert len(generated(world, "configmaps")) == 2

    def test_prune_keeps_what_a_kept_definition_needs(self, world: World) -> None:
        for content in (b"1", b"2", b"3"):
            world.deploy(filed(content))
        world.writer.prune("shop", "web", [filed(b"3"), filed(b"2")])
        kept = {o.name for content in (b"2", b"3") for o in render(filed(content)) if o.kind == "ConfigMap"}
        assert generated(world, "configmaps") == kept

    def test_prune_touches_neither_records_nor_what_belongs_to_others(self, world: World) -> None:
        made = bodies(filed(b"1"))
        [mine] = [body for (kind, _), body in made.items() if kind == "ConfigMap"]
        others: list[tuple[str, Raw]] = [
            ("secrets/record", {"annotations": {"orchctl.dev/key": "shop/web/r/1"}}),
            ("secrets/theirs", {"labels": {}}),
            ("configmaps/api", {"labels": mine["metadata"]["labels"] | {"orchctl.dev/name": "api"}}),
            ("configmaps/away", {"labels": mine["metadata"]["labels"] | {"orchctl.dev/namespace": "away"}}),
        ]
        for path, metadata in others:
            name = path.rpartition("/")[2]
            world.cluster.put(f"{CORE}/{path}", {"metadata": mine["metadata"] | {"name": name} | metadata})
        world.writer.prune("shop", "web", [])
        assert world.wrote() == []

    def test_prune_removes_what_a_deploy_that_was_killed_has_left(self, world: World) -> None:
        world.deploy(sample())
        world.cluster.put(NODES, bodies(OUTSIDE)["Service", "web-nodes"])
        world.writer.prune("shop", "web", [sample()])
        assert world.wrote()[-1] == "DELETE services/web-nodes"
        assert {SERVICE, WEB} <= set(world.cluster.objects)


class TestDelete:
    def test_the_deployment_goes_first_and_exactly_the_one_that_was_read(self, world: World) -> None:
        world.deploy(OUTSIDE)
        live = world.deployment["metadata"]
        handle = world.writer.delete("shop", "web", expect=world.expect)
        assert world.wrote()[-3:] == ["DELETE deployments/web", "DELETE services/web", "DELETE services/web-nodes"]
        options = world.cluster.writes[-3][2]
        assert options["preconditions"] == {"uid": live["uid"], "resourceVersion": live["resourceVersion"]}
        assert options["propagationPolicy"] == "Foreground"
        assert (handle.template_hash, handle.replicas, handle.ref) == ("", 0, live["uid"])

    def test_everything_else_is_removed_by_its_identity(self, world: World) -> None:
        world.deploy(FULL)
        identities = {path: found["metadata"]["uid"] for path, found in world.cluster.objects.items()}
        world.writer.delete("shop", "web", expect=world.expect)
        removed = {path: body["preconditions"] for m, path, body in world.cluster.writes if m == "DELETE"}
        assert {path: conditions["uid"] for path, conditions in removed.items()}.items() <= identities.items()
        assert {path.split("/")[-2] for path in removed} == {
            "deployments",
            "services",
            "poddisruptionbudgets",
            "horizontalpodautoscalers",
        }

    def test_one_that_has_just_gone_is_as_good_as_removed(self, world: World) -> None:
        world.deploy(sample())
        world.cluster.before = [lambda: world.cluster.objects.clear()]
        world.writer.delete("shop", "web", expect=world.expect)
        assert world.cluster.objects == {}

    def test_what_holds_data_stays(self, world: World) -> None:
        world.deploy(FULL)
        world.writer.delete("shop", "web", expect=world.expect)
        world.writer.prune("shop", "web", [])
        left: list[Any] = [o["kind"] for o in world.cluster.objects.values()]
        assert left == ["PersistentVolumeClaim"]

"""Why a release failed, as a real kubelet words it: in one sentence, with its kind."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import FailureKind, OutcomeState
from orchctl.core.service import Resources
from orchctl.testing.driver import Driver
from orchctl.testing.world import Behaviour
from tests.contract.kills import Shell
from tests.servers.kubernetes.account import admit
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

MEMORY = 16 << 20


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


def test_what_is_never_ready_says_what_its_check_found(world: KubernetesWorld, driver: Driver) -> None:
    service = world.service(Behaviour.NEVER_READY)
    outcome = driver.deploy(replace(service, health=replace(service.health, start_deadline_ms=10_000)))
    (failure,) = outcome.failures
    assert (outcome.state, failure.kind) == (OutcomeState.FAILED, FailureKind.UNHEALTHY)
    assert failure.count in (1, 2), "one, where the other pod began later on a busy machine"
    assert "not ready within 10s (health.start.deadline): Readiness probe failed:" in failure.message
    assert "connection refused" in failure.message


def test_a_process_that_takes_too_much_memory(world: KubernetesWorld, driver: Driver) -> None:
    driver.deploy(world.service(greeting="one"))
    old = set(world.truth("web").running)
    limits = Resources(memory_bytes=MEMORY, memory_limit_bytes=MEMORY)
    outcome = driver.deploy(replace(world.service(greeting="bad"), args=("exec tail /dev/zero",), resources=limits))
    assert outcome.state is OutcomeState.ROLLED_BACK
    assert {f.kind for f in outcome.failures} == {FailureKind.OUT_OF_MEMORY}
    assert "out of memory" in outcome.failures[0].message
    assert set(world.truth("web").running) == old


def test_doctor_names_the_rights_that_an_account_does_not_have(world: KubernetesWorld, tmp_path: Path) -> None:
    from orchctl_kubernetes import access

    account, role, binding = (dict(o.body) for o in access.objects(NAMESPACE))
    role["rules"] = [r for r in role["rules"] if r["resources"] not in (["leases"], ["pods/log"])]
    for body in (account, role, binding):
        body["metadata"] = body["metadata"] | {"name": "less"}
    binding["roleRef"] = binding["roleRef"] | {"name": "less"}
    binding["subjects"] = [binding["subjects"][0] | {"name": "less"}]
    token = admit(world.api, NAMESPACE, "less", [account, role, binding])
    kubeconfig = world.cluster.kubeconfig(tmp_path / "less", {"token": token})
    config = tmp_path / "config.toml"
    config.write_text(f'[contexts.here]\nbackend = "kubernetes"\nkubeconfig = "{kubeconfig}"\n', "utf-8")
    done = Shell(tmp_path, config, tmp_path / "state").run("doctor", "-o", "json")
    (examined,) = json.loads(done.stdout)["items"]
    found = {c["name"]: c for c in examined["checks"]}["permissions"]
    assert done.returncode == 10
    missing = [f"{verb} leases" for verb in ("get", "list", "create", "patch", "delete")]
    assert found["finding"] == f"missing in {NAMESPACE}: {', '.join(['get pods/log', *missing])}"
    assert "orchctl render rbac" in found["hint"]

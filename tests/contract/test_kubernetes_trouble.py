"""What may go wrong between orchctl and a real cluster: each with its exit code and a sentence that helps."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.rollout import Event, FailureKind, Outcome, OutcomeState
from orchctl.errors import UsageError
from orchctl.testing.driver import Driver
from tests.children import LONGEST_S
from tests.contract.kills import Shell
from tests.pace import promised
from tests.servers.kubernetes.account import admit
from tests.servers.kubernetes.api import path_of
from tests.servers.waiting import until
from tests.worlds.kubernetes import NAMESPACE, KubernetesWorld

pytestmark = pytest.mark.world_kubernetes

SPEC = """\
apiVersion: orchctl.dev/v1
name: web
image: "{image}"
command: [sleep, "3600"]
"""
POLICIES = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies"
BINDINGS = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings"


@pytest.fixture
def world(kubernetes_world: KubernetesWorld) -> KubernetesWorld:
    return kubernetes_world


class Place:
    """Runs orchctl as a user would, with one kubeconfig or another."""

    def __init__(self, world: KubernetesWorld, folder: Path) -> None:
        self._world, self._folder = world, folder
        self._spec = folder / "web.orch.yaml"
        self._spec.write_text(SPEC.format(image=world.image), "utf-8")

    def deploy(self, kubeconfig: Path, **settings: str) -> subprocess.CompletedProcess[str]:
        config = self._folder / "config.toml"
        lines = ["[contexts.here]", 'backend = "kubernetes"', f'kubeconfig = "{kubeconfig}"']
        lines += [f'{key} = "{value}"' for key, value in settings.items()]
        config.write_text("\n".join(lines) + "\n", "utf-8")
        return Shell(self._spec, config, self._folder / "state").deploy("one")

    def kubeconfig(self, server: str, **user: str) -> Path:
        from tests.servers.kubernetes.kubeconfigs import write_kubeconfig

        return write_kubeconfig(self._folder / "kubeconfig.json", server, b"", user or {"token": "none"})


@pytest.fixture
def place(world: KubernetesWorld, tmp_path: Path) -> Place:
    return Place(world, tmp_path)


class TestWhoAndWhere:
    def test_a_context_that_is_not_in_the_kubeconfig(self, world: KubernetesWorld, place: Place) -> None:
        done = place.deploy(world.kubeconfig, kube_context="prod")
        assert done.returncode == 2
        assert "prod" in done.stderr
        assert "Traceback" not in done.stderr

    def test_a_token_that_nobody_knows(self, world: KubernetesWorld, place: Place) -> None:
        bad = world.cluster.kubeconfig(world.kubeconfig.with_name("bad"), {"token": "n0body-knows-me"})
        done = place.deploy(bad)
        assert done.returncode == 10
        assert "401" in done.stderr
        assert "n0body" not in done.stdout + done.stderr

    def test_a_client_certificate_that_has_ended(self, world: KubernetesWorld, place: Place) -> None:
        late = world.own("an ended certificate").places.pki / "late.kubeconfig"
        done = place.deploy(late)
        assert done.returncode == 10
        assert "doctor" in done.stderr

    def test_an_authority_that_did_not_sign_the_servers_certificate(self, world: KubernetesWorld, place: Place) -> None:
        done = place.deploy(place.kubeconfig(world.api.server))  # no authority: this machine's count
        assert done.returncode == 9
        assert "certificate-authority" in done.stderr

    @pytest.mark.parametrize("host", ["127.0.0.1:1", "nobody"])
    def test_a_server_that_cannot_be_reached(self, world: KubernetesWorld, place: Place, host: str) -> None:
        """Refused at once; an address of the cluster's own cable where nobody answers."""
        if host == "nobody":
            host = world.own("an address without a machine").places.gateway.rpartition(".")[0] + ".250:6443"
        with promised(12):  # 10 s, and the start of Python
            done = place.deploy(place.kubeconfig(f"https://{host}"))
        assert done.returncode == 9

    def test_a_right_that_is_missing_is_named(self, world: KubernetesWorld, place: Place) -> None:
        from orchctl_kubernetes import access

        account, role, binding = (dict(o.body) for o in access.objects(NAMESPACE))
        role["rules"] = [r for r in role["rules"] if r["resources"] != ["deployments"]]
        role["rules"].append({"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]})
        role["metadata"] = binding["metadata"] = role["metadata"] | {"name": "few"}
        account["metadata"] = account["metadata"] | {"name": "few"}
        binding["roleRef"] = binding["roleRef"] | {"name": "few"}
        binding["subjects"] = [binding["subjects"][0] | {"name": "few"}]
        token = admit(world.api, NAMESPACE, "few", [account, role, binding])
        done = place.deploy(world.cluster.kubeconfig(world.kubeconfig.with_name("few"), {"token": token}))
        assert done.returncode == 10
        assert "the right to patch deployments.apps is missing" in done.stderr
        assert "orchctl render rbac" in done.stderr


class TestRefusals:
    def test_an_admission_rule_that_refuses_the_deployment(self, world: KubernetesWorld, driver: Driver) -> None:
        with refusing_deployments(world), pytest.raises(UsageError, match="no deployments today"):
            driver.deploy(world.service())
        assert driver.deploy(world.service()).state is OutcomeState.CONVERGED

    def test_pod_security_that_refuses_the_pods(self, world: KubernetesWorld, driver: Driver) -> None:
        driver.deploy(world.service(greeting="one"))
        old = set(world.truth("web").running)
        label = "pod-security.kubernetes.io/enforce"
        namespace = path_of("namespaces", name=NAMESPACE)
        world.api.patch(namespace, {"metadata": {"labels": {label: "restricted"}}}, kind="merge")
        try:
            started, known = world.clock.now(), []
            driver.on_event = lambda e: known.append(world.clock.now()) if e.kind.value == "problem" else None
            outcome = driver.deploy(world.service(greeting="two"))
        finally:
            world.api.patch(namespace, {"metadata": {"labels": {label: None}}}, kind="merge")
        assert (outcome.state, outcome.failures[0].kind) == (OutcomeState.ROLLED_BACK, FailureKind.REFUSED)
        assert "violates PodSecurity" in outcome.failures[0].message
        assert known[0] - started <= 5.0
        assert set(world.truth("web").running) == old


@contextmanager
def refusing_deployments(world: KubernetesWorld) -> Iterator[None]:
    """As policy engines do it, by the API server's own means."""
    rule = {"apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["deployments"]}
    validation = {"expression": "false", "message": "no deployments today"}
    spec: dict[str, Any] = {"matchConstraints": {"resourceRules": [rule]}, "validations": [validation]}
    policy = {"metadata": {"name": "today"}, "spec": spec | {"failurePolicy": "Fail"}}
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": NAMESPACE}}}
    binding = {
        "metadata": {"name": "today"},
        "spec": {"policyName": "today", "validationActions": ["Deny"], "matchResources": where},
    }
    world.api.post(POLICIES, policy)
    world.api.post(BINDINGS, binding)
    try:
        until("the policy holds", lambda: _is_refused(world))
        yield
    finally:
        world.api.delete(f"{BINDINGS}/today")
        world.api.delete(f"{POLICIES}/today")
        until("the policy is gone", lambda: not _is_refused(world))


def _is_refused(world: KubernetesWorld) -> bool:
    from tests.servers.kubernetes.api import ApiError

    labels = {"app": "probe"}
    spec = {"containers": [{"name": "main", "image": world.image}]}
    body = {
        "metadata": {"name": "probe"},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }
    try:
        world.api.post(path_of("deployments", NAMESPACE), body, dryRun="All")
    except ApiError as error:
        return "no deployments today" in error.message
    return False


class TestFlakes:
    @pytest.mark.parametrize("how", ["killed", pytest.param("frozen", marks=pytest.mark.soak)])
    def test_an_api_server_that_is_gone_for_a_while_decides_nothing(
        self, world: KubernetesWorld, driver: Driver, how: str
    ) -> None:
        """In the middle of the wait; a frozen one takes the request and does not answer."""
        cluster = world.own("an API server that can be stopped")
        server = cluster.programs["kube-apiserver"]
        service = world.service(greeting="two")
        slow = replace(service, rollout=replace(service.rollout, min_ready_ms=10_000))
        driver.deploy(world.service(greeting="one"))
        waiting, noticed = threading.Event(), threading.Event()

        def heard(event: Event) -> None:
            if "ready" in event.text:
                waiting.set()
            if "cannot look" in event.text:
                noticed.set()

        driver.on_event = heard
        done: list[Outcome] = []
        deployer = threading.Thread(target=lambda: done.append(driver.deploy(slow)))
        deployer.start()
        assert waiting.wait(LONGEST_S)
        (server.kill if how == "killed" else server.freeze)()
        try:
            assert noticed.wait(LONGEST_S), "the API server was gone and nobody noticed"
        finally:
            (server.start if how == "killed" else server.thaw)()
        until("the API server again", cluster.is_ready)
        deployer.join(LONGEST_S)
        assert [(o.state, o.revision) for o in done] == [(OutcomeState.CONVERGED, 2)]

"""Definition, document and claims: pure."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from orchctl.core.capability import Feature
from orchctl.core.document import template_hash
from orchctl.core.plan import Policy
from orchctl.core.service import Amount, File, Port, Rollout, SecretRef, Service
from orchctl.errors import UnsupportedFeature
from orchctl_local.adapter import LocalBackend
from orchctl_local.claims import CLAIMS
from orchctl_local.model import desired_from
from orchctl_local.normalise import normalise

BACKEND = LocalBackend()
WEB = Service(
    name="web",
    namespace="shop",
    command=("serve",),
    args=("--port", "$(PORT_HTTP)"),
    replicas=2,
    labels={"team": "checkout"},
    ports=(Port(name="http", port=8080),),
    env={"LOG": "info", "PASSWORD": SecretRef("db", "password")},
    files={"/etc/web.toml": File(content=b"a = 1\n")},
    backends={"local": {"command": ["sh", "-c", "serve"]}, "swarm": {"networks": ["edge"]}},
)


def rejected(service: Service) -> list[str]:
    return [i.path for i in BACKEND.check(service) if i.policy is Policy.REJECT]


def test_the_definition_as_it_stands_in_the_file() -> None:
    (rendered,) = BACKEND.render(WEB)
    assert (rendered.kind, rendered.name) == ("service", "shop/web")
    assert rendered.body == {
        "owner": "orchctl",
        "template_hash": template_hash(WEB, "local"),
        "replicas": 2,
        "service": {
            "name": "web",
            "namespace": "shop",
            "command": ["serve"],
            "args": ["--port", "$(PORT_HTTP)"],
            "labels": {"team": "checkout"},
            "ports": [{"name": "http", "port": 8080}],
            "env": {"LOG": "info", "PASSWORD": {"name": "db", "key": "password"}},
            "files": {"/etc/web.toml": {"content": "YSA9IDEK"}},
            "backends": {"local": {"command": ["sh", "-c", "serve"]}},
        },
    }


def test_what_was_written_reads_back_as_the_projected_document() -> None:
    written = json.loads(json.dumps(BACKEND.render(WEB)[0].body))
    desired = desired_from(written)
    assert desired is not None
    assert normalise(desired) == BACKEND.project(WEB)
    assert BACKEND.project(WEB)["replicas"] == 2


@pytest.mark.parametrize("plain", [None, 3, [], {}, {"owner": "somebody"}, {"owner": "orchctl", "replicas": "two"}])
def test_what_is_not_a_definition_of_ours_is_not_read_as_one(plain: object) -> None:
    assert desired_from(plain) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("env.LOG", True),
        ("files[/etc/web.toml].content", True),
        ("backends.local.command", True),
        ("image", True),
        ("replicas", False),
        ("labels.team", False),
        ("rollout.max_surge", False),
        ("scale.max", False),
        ("backends.swarm.networks", False),
    ],
)
def test_which_paths_restart(path: str, expected: bool) -> None:
    assert BACKEND.restarts(path) is expected


def test_options_of_another_backend_change_nothing_here() -> None:
    other = replace(WEB, backends={"local": WEB.backends["local"]})
    assert BACKEND.project(other) == BACKEND.project(WEB)


def test_every_feature_is_claimed() -> None:
    assert set(CLAIMS) == set(Feature)


def test_an_image_without_a_command_is_refused_with_the_remedy() -> None:
    image_only = Service(name="web", namespace="shop", image="web:1")
    (refusal,) = [i for i in BACKEND.check(image_only) if i.policy is Policy.REJECT]
    assert refusal.path == "command"
    assert "backends.local.command" in refusal.message
    with pytest.raises(UnsupportedFeature):
        BACKEND.render(image_only)


def test_an_image_beside_a_command_is_told_and_beside_a_local_command_it_is_not() -> None:
    both = Service(name="web", namespace="shop", image="web:1", command=("serve",))
    assert [(i.path, i.policy) for i in BACKEND.check(both) if i.path == "image"] == [("image", Policy.WARN)]
    local = replace(both, backends={"local": {"command": ["serve"]}})
    assert [i for i in BACKEND.check(local) if i.path == "image"] == []


def test_a_fixed_port_needs_one_replica_and_no_surge() -> None:
    fixed = replace(WEB, ports=(Port(name="http", port=8080, published=18080),))
    assert rejected(fixed) == ["ports.http.published"]
    assert rejected(fixed.sized(1)) == ["ports.http.published"]
    careful = Rollout(max_surge=Amount(0), max_unavailable=Amount(1))
    assert rejected(replace(fixed.sized(1), rollout=careful)) == []


@pytest.mark.parametrize(
    "options", [{"comand": ["x"]}, {"command": "serve"}, {"args": [1]}, {"env": {"A": 1}}, {"env": ["A"]}]
)
def test_a_wrong_option_is_refused(options: dict[str, object]) -> None:
    assert rejected(replace(WEB, backends={"local": options})) == [f"backends.local.{next(iter(options))}"]


@pytest.mark.parametrize("target", ["../x", "/a/../../x", "/"])
def test_a_file_that_leaves_the_instance_is_refused(target: str) -> None:
    assert rejected(replace(WEB, files={target: File(content=b"")})) == [f"files[{target}]"]


def test_an_unknown_signal_is_refused() -> None:
    assert rejected(replace(WEB, stop=replace(WEB.stop, signal="SIGNOPE"))) == ["stop.signal"]

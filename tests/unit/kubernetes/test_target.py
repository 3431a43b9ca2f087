"""Which API server a context means, and what its settings may say."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.context import Context
from orchctl.errors import ConfigError, UsageError
from orchctl_kubernetes.target import Target, configuration, resolve
from tests.unit.kubernetes.api_server import kubeconfig

IN_A_POD = {"HOME": "/nowhere", "KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def target(folder: Path, environ: dict[str, str] | None = None, *, protected: bool = False, **settings: Any) -> Target:
    context = Context(
        name="prod", backend="kubernetes", state_dir=folder, base_dir=folder, settings=settings, protected=protected
    )
    return resolve(context, {"HOME": str(folder)} | (environ or {}))


def test_the_source_is_told_in_words(tmp_path: Path) -> None:
    path = str(kubeconfig(tmp_path / "k", "https://127.0.0.1:1"))
    assert target(tmp_path, kubeconfig="k").source == path
    assert target(tmp_path, kubeconfig="k", kube_context="edge").source == f"context edge of {path}"
    assert target(tmp_path, in_cluster=True).source == "the pod's own ServiceAccount"


def test_several_files_of_the_environment_are_merged_in_their_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / name).write_text("{}")
    several = os.pathsep.join([str(tmp_path / "b"), "", str(tmp_path / "absent"), str(tmp_path / "a")])
    assert target(tmp_path, {"KUBECONFIG": several}).files == (str(tmp_path / "b"), str(tmp_path / "a"))


def test_an_environment_that_names_no_file_is_told_and_the_usual_file_not_taken(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("{}")
    with pytest.raises(UsageError, match="/absent"):
        target(tmp_path, {"KUBECONFIG": "/absent"})


def test_a_context_of_a_kubeconfig_is_never_the_pods_own_account(tmp_path: Path) -> None:
    assert target(tmp_path, IN_A_POD).files == ()
    with pytest.raises(UsageError, match="no kubeconfig"):
        target(tmp_path, IN_A_POD, kube_context="edge")


def test_the_pods_own_account_can_be_asked_for_where_there_is_a_file_as_well(tmp_path: Path) -> None:
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").write_text("{}")
    assert target(tmp_path, in_cluster=False).files
    assert target(tmp_path, in_cluster=True).files == ()


@pytest.mark.parametrize(
    "settings", [{"in_cluster": "yes"}, {"in_cluster": 1}, {"in_cluster": True, "kubeconfig": "k"}], ids=str
)
def test_settings_that_say_nothing_clear_are_refused(tmp_path: Path, settings: dict[str, Any]) -> None:
    kubeconfig(tmp_path / "k", "https://127.0.0.1:1")
    with pytest.raises(ConfigError, match="in_cluster"):
        target(tmp_path, **settings)


def test_outside_of_a_pod_its_own_account_is_a_configuration_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ConfigError, match="the pod's own ServiceAccount"):
        configuration(target(tmp_path, in_cluster=True))


def test_a_context_is_protected_wherever_it_points(tmp_path: Path) -> None:
    kubeconfig(tmp_path / "k", "https://127.0.0.1:1")
    assert target(tmp_path, protected=True, kubeconfig="k").protected
    assert target(tmp_path, protected=True, in_cluster=True).protected


@pytest.mark.parametrize("key", ["as", "as-groups", "as-uid", "as-user-extra"])
def test_a_user_who_acts_as_somebody_else_is_refused(tmp_path: Path, key: str) -> None:
    """The client library leaves it out, and everything would be done with the rights of the person."""
    path = kubeconfig(tmp_path / "k", "https://127.0.0.1:1")
    config = json.loads(path.read_text())
    config["users"][0]["user"] |= {key: "deployer", "token": "t"}
    path.write_text(json.dumps(config))
    with pytest.raises(ConfigError, match=rf"acts as somebody else \({key}\)"):
        configuration(target(tmp_path, kubeconfig="k"))

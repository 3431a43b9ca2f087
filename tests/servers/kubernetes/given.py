"""A cluster that somebody else runs: ORCHCTL_TEST_KUBECONFIG names a kubeconfig that may make a namespace in it."""

from __future__ import annotations

import os
from pathlib import Path

from tests.servers.kubernetes.api import Api, from_kubeconfig
from tests.servers.kubernetes.kubeconfigs import write_kubeconfig

VARIABLE = "ORCHCTL_TEST_KUBECONFIG"


class Given:
    """As much of ``Cluster`` as any cluster has."""

    def __init__(self, admin: Path) -> None:
        self.admin = admin
        self.api: Api = from_kubeconfig(admin)

    def kubeconfig(self, path: Path, user: dict[str, str], *, namespace: str = "") -> Path:
        return write_kubeconfig(path, self.api.server, self.api.authority, user, namespace=namespace)


def given() -> Given | None:
    path = os.environ.get(VARIABLE)
    return Given(Path(path)) if path else None

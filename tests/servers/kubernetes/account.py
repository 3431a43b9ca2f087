"""ServiceAccounts: tests run with the rights that users are told to give, and no others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.servers.kubernetes.api import Api, path_of


def admit(api: Api, namespace: str, account: str, objects: Iterable[dict[str, Any]]) -> str:
    """A bearer token of ``account`` after ``objects`` (manifests: the account, its Role and what binds it) were applied.

    The API server knows its user as ``system:serviceaccount:NAMESPACE:ACCOUNT``.
    """
    for body in objects:
        api.apply(body)
    request = {
        "apiVersion": "authentication.k8s.io/v1",
        "kind": "TokenRequest",
        "spec": {"expirationSeconds": 86_400},
    }
    return str(api.post(path_of("serviceaccounts", namespace, account, "token"), request)["status"]["token"])

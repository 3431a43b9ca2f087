"""The rights that orchctl needs in a namespace: exactly those, nothing of the whole cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from orchctl.core.plan import NativeObject
from orchctl_kubernetes.names import MANAGED_BY
from orchctl_kubernetes.resources import (
    AUTOSCALERS,
    BUDGETS,
    CLAIMS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    LEASES,
    PODS,
    REPLICA_SETS,
    SECRETS,
    SERVICES,
    SLICES,
    Resource,
)

ACCOUNT = "orchctl"
_WHOLE = ("get", "list", "create", "patch", "delete")


@dataclass(frozen=True, slots=True)
class Right:
    """``sub`` is a subresource ("log"), "" = the resource itself."""

    resource: Resource
    verbs: tuple[str, ...]
    sub: str = ""

    @property
    def words(self) -> str:
        return f"{self.resource.plural}/{self.sub}" if self.sub else self.resource.plural


# An apply that makes an object is a patch and a create to the authorizer.
RIGHTS = (
    Right(DEPLOYMENTS, ("list", "create", "patch", "delete")),
    Right(DEPLOYMENTS, ("patch",), "scale"),
    Right(REPLICA_SETS, ("list",)),
    Right(PODS, ("get", "list")),
    Right(PODS, ("get",), "log"),
    Right(SERVICES, _WHOLE),
    Right(CONFIG_MAPS, _WHOLE),
    Right(SECRETS, _WHOLE),
    Right(CLAIMS, ("get", "list", "create", "patch")),
    Right(EVENTS, ("list",)),
    Right(AUTOSCALERS, _WHOLE),
    Right(BUDGETS, _WHOLE),
    Right(SLICES, ("list",)),
    Right(LEASES, _WHOLE),
)


def rules() -> list[dict[str, Any]]:
    """As a Role has them."""
    return [{"apiGroups": [r.resource.group], "resources": [r.words], "verbs": list(r.verbs)} for r in RIGHTS]


def objects(namespace: str) -> list[NativeObject]:
    """A ServiceAccount for orchctl in ``namespace``, its Role, and what binds them."""
    subject = {"kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": ACCOUNT}
    return list(
        _named(
            namespace,
            ("ServiceAccount", "v1", {}),
            ("Role", "rbac.authorization.k8s.io/v1", {"rules": rules()}),
            ("RoleBinding", "rbac.authorization.k8s.io/v1", {"subjects": [subject], "roleRef": reference}),
        )
    )


def _named(namespace: str, *kinds: tuple[str, str, dict[str, Any]]) -> Iterator[NativeObject]:
    for kind, version, body in kinds:
        metadata = {"name": ACCOUNT, "namespace": namespace, "labels": {MANAGED_BY: "orchctl"}}
        whole = {"apiVersion": version, "kind": kind, "metadata": metadata} | body
        yield NativeObject(kind=kind, name=ACCOUNT, body=whole)

"""The Kubernetes API by the standard library alone: the truth that the adapter is measured against."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import tempfile
import threading
import urllib.parse
from pathlib import Path
from typing import Any

import yaml

TIMEOUT = 60.0
USER_AGENT = "orchctl-test-harness"
# Kind: (its plural, the API that has it)
_KINDS = {
    "APIService": ("apiservices", "apiregistration.k8s.io/v1"),
    "ClusterRole": ("clusterroles", "rbac.authorization.k8s.io/v1"),
    "ClusterRoleBinding": ("clusterrolebindings", "rbac.authorization.k8s.io/v1"),
    "ConfigMap": ("configmaps", "v1"),
    "Deployment": ("deployments", "apps/v1"),
    "EndpointSlice": ("endpointslices", "discovery.k8s.io/v1"),
    "Event": ("events", "v1"),
    "HorizontalPodAutoscaler": ("horizontalpodautoscalers", "autoscaling/v2"),
    "Lease": ("leases", "coordination.k8s.io/v1"),
    "LimitRange": ("limitranges", "v1"),
    "Namespace": ("namespaces", "v1"),
    "Node": ("nodes", "v1"),
    "PersistentVolume": ("persistentvolumes", "v1"),
    "PersistentVolumeClaim": ("persistentvolumeclaims", "v1"),
    "Pod": ("pods", "v1"),
    "PodDisruptionBudget": ("poddisruptionbudgets", "policy/v1"),
    "ReplicaSet": ("replicasets", "apps/v1"),
    "ResourceQuota": ("resourcequotas", "v1"),
    "Role": ("roles", "rbac.authorization.k8s.io/v1"),
    "RoleBinding": ("rolebindings", "rbac.authorization.k8s.io/v1"),
    "Secret": ("secrets", "v1"),
    "Service": ("services", "v1"),
    "ServiceAccount": ("serviceaccounts", "v1"),
    "StorageClass": ("storageclasses", "storage.k8s.io/v1"),
}
RESOURCES = {kind: plural for kind, (plural, _) in _KINDS.items()}
_VERSIONS = dict(_KINDS.values())


class ApiError(Exception):
    """An answer of 400 and more; ``body`` is the Status object."""

    def __init__(self, status: int, body: Any) -> None:
        self.status, self.body = status, body
        self.message = str(body.get("message", body) if isinstance(body, dict) else body)
        super().__init__(f"{status}: {self.message}")


class Api:
    """For any number of threads. ``headers`` carry the credentials, ``tls`` the client certificate."""

    def __init__(
        self, server: str, tls: ssl.SSLContext, headers: dict[str, str] | None = None, authority: bytes = b""
    ) -> None:
        self.server, self.authority, self._tls = server, authority, tls
        self._headers = {"User-Agent": USER_AGENT, "Accept": "application/json"} | (headers or {})
        self._address = urllib.parse.urlsplit(server)
        self._threads = threading.local()

    def get(self, path: str, **query: str) -> Any:
        return self.call("GET", path, **query)

    def post(self, path: str, body: Any, **query: str) -> Any:
        return self.call("POST", path, body, **query)

    def patch(self, path: str, body: Any, *, kind: str, **query: str) -> Any:
        """``kind``: ``json``, ``merge``, ``strategic`` or ``apply``."""
        names = {"json": "json-patch+json", "merge": "merge-patch+json", "strategic": "strategic-merge-patch+json"}
        media = names.get(kind, "apply-patch+yaml")
        return self.call("PATCH", path, body, media=f"application/{media}", **query)

    def remove(self, resource: str, namespace: str, name: str) -> None:
        """At once; nothing when it is gone."""
        try:
            self.delete(path_of(resource, namespace, name), {"gracePeriodSeconds": 0})
        except ApiError as error:
            if error.status != 404:
                raise

    def patch_if_there(self, path: str, body: Any) -> None:
        """A merge patch; nothing when the object is gone."""
        try:
            self.patch(path, body, kind="merge")
        except ApiError as error:
            if error.status != 404:
                raise

    def delete(self, path: str, body: Any = None, **query: str) -> Any:
        return self.call("DELETE", path, body, **query)

    def items(self, resource: str, namespace: str = "", **query: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get(path_of(resource, namespace), **query)["items"]
        return found

    def find(self, resource: str, namespace: str, name: str) -> dict[str, Any] | None:
        """The object, None when it is absent."""
        try:
            found: dict[str, Any] = self.get(path_of(resource, namespace, name))
        except ApiError as error:
            if error.status == 404:
                return None
            raise
        return found

    def apply(self, body: dict[str, Any], *, manager: str = "harness", **query: str) -> dict[str, Any]:
        """Server-side apply of a whole manifest, whoever set its fields before."""
        resource = RESOURCES[body["kind"]]
        metadata = body["metadata"]
        path = path_of(resource, metadata.get("namespace", ""), metadata["name"])
        done: dict[str, Any] = self.patch(path, body, kind="apply", fieldManager=manager, force="true", **query)
        return done

    def create(self, resource: str, body: dict[str, Any], namespace: str = "") -> dict[str, Any]:
        made: dict[str, Any] = self.post(path_of(resource, namespace), body)
        return made

    def call(self, method: str, path: str, body: Any = None, *, media: str = "", **query: str) -> Any:
        """JSON of the answer, its text where it is none (logs, /readyz); ApiError from status 400 on."""
        target = path + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        sent = self._headers | ({"Content-Type": media or "application/json"} if data else {})
        status, text = self._exchange(method, target, data, sent)
        if status >= 400:
            raise ApiError(status, _decoded(text))
        return _decoded(text)

    def _exchange(self, method: str, target: str, data: bytes | None, sent: dict[str, str]) -> tuple[int, str]:
        """Over this thread's connection: looking at the truth must cost the cluster nothing worth a mention."""
        kept: http.client.HTTPSConnection | None = getattr(self._threads, "connection", None)
        self._threads.connection = None
        if kept is not None:
            try:
                return self._over(kept, method, target, data, sent)
            except (ConnectionError, ssl.SSLEOFError):  # the server ended it meanwhile, which only a request shows
                kept.close()
        host, port = str(self._address.hostname), self._address.port or 443
        fresh = http.client.HTTPSConnection(host, port, timeout=TIMEOUT, context=self._tls)
        return self._over(fresh, method, target, data, sent)

    def _over(
        self,
        connection: http.client.HTTPSConnection,
        method: str,
        target: str,
        data: bytes | None,
        sent: dict[str, str],
    ) -> tuple[int, str]:
        """The connection is kept for this thread's next request once the answer was read whole."""
        connection.request(method, target, body=data, headers=sent)
        answer = connection.getresponse()
        text = answer.read().decode("utf-8", "replace")
        self._threads.connection = connection
        return answer.status, text


def path_of(resource: str, namespace: str = "", name: str = "", sub: str = "") -> str:
    """``path_of("deployments", "test", "web", "scale")``: the path of a resource, an object or its subresource."""
    version = _VERSIONS[resource]
    base = f"/apis/{version}" if "/" in version else f"/api/{version}"
    scope = f"/namespaces/{namespace}" if namespace else ""
    return base + scope + "".join(f"/{part}" for part in (resource, name, sub) if part)


def from_kubeconfig(path: Path) -> Api:
    """Its current context; certificates and tokens as data or as files, no plug-ins."""
    config = yaml.safe_load(path.read_text("utf-8"))
    context = _named(config, "context", config["current-context"])
    cluster, user = _named(config, "cluster", context["cluster"]), _named(config, "user", context["user"])
    ca = _material(cluster, "certificate-authority", path.parent)
    tls = ssl.create_default_context(cadata=ca.decode() or None)
    if "client-certificate" in user or "client-certificate-data" in user:
        _load_pair(tls, user, path.parent)
    headers = {"Authorization": f"Bearer {user['token']}"} if "token" in user else {}
    return Api(cluster["server"], tls, headers, ca)


def _named(config: dict[str, Any], kind: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(e[kind] for e in config[f"{kind}s"] if e["name"] == name)
    return found


def _material(section: dict[str, Any], key: str, base: Path) -> bytes:
    if data := section.get(f"{key}-data"):
        return base64.b64decode(data)
    return (base / section[key]).read_bytes() if key in section else b""


def _load_pair(tls: ssl.SSLContext, user: dict[str, Any], base: Path) -> None:
    """The ssl module takes client certificates from files only."""
    with tempfile.NamedTemporaryFile() as file:
        file.write(_material(user, "client-certificate", base) + b"\n" + _material(user, "client-key", base))
        file.flush()
        tls.load_cert_chain(file.name)


def _decoded(text: str) -> Any:
    try:
        return json.loads(text) if text.strip() else None
    except json.JSONDecodeError:
        return text

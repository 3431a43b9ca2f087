"""A stand-in for metrics.k8s.io: every container uses as much CPU as a test says, so that autoscalers have to act."""

from __future__ import annotations

import datetime
import http.server
import json
import ssl
from types import TracebackType
from typing import Any, Self

from tests.servers.kubernetes.cluster import Cluster
from tests.servers.serving import Serving
from tests.servers.waiting import until

_GROUP = "metrics.k8s.io/v1beta1"
_SERVICE, _NAMESPACE = "metrics", "default"


class Metrics:
    """Served to the cluster from this process; ``cpu`` ("250m") may be changed at any time. A context manager."""

    def __init__(self, cluster: Cluster, cpu: str) -> None:
        self.cpu = cpu
        self._cluster, self._api = cluster, cluster.api
        self._server = http.server.ThreadingHTTPServer((cluster.places.gateway, 0), _handler(self))
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(cluster.places.pki / "metrics.crt", cluster.places.pki / "metrics.key")
        self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)

    def __enter__(self) -> Self:
        self._serving = Serving(self._server)
        for body in _objects(self._cluster.places.gateway, self._server.server_address[1]):
            self._api.apply(body)
        until("the metrics API", self._is_available)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for resource, namespace, name in (
            ("apiservices", "", f"v1beta1.{_GROUP.partition('/')[0]}"),
            ("endpointslices", _NAMESPACE, _SERVICE),
            ("services", _NAMESPACE, _SERVICE),
        ):
            self._api.remove(resource, namespace, name)
        self._serving.end()
        self._server.server_close()

    def answer(self, path: str) -> dict[str, Any]:
        parts = path.partition("?")[0].strip("/").split("/")
        if parts[3:4] == ["namespaces"]:
            pods = self._api.items("pods", parts[4])
            return {
                "kind": "PodMetricsList",
                "apiVersion": _GROUP,
                "metadata": {},
                "items": [self._of(p) for p in pods],
            }
        names = {"name": "pods", "singularName": "", "namespaced": True, "kind": "PodMetrics", "verbs": ["get", "list"]}
        return {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": _GROUP, "resources": [names]}

    def _of(self, pod: dict[str, Any]) -> dict[str, Any]:
        now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        metadata = {key: pod["metadata"].get(key) for key in ("name", "namespace", "labels")}
        usage = {"cpu": self.cpu, "memory": "10Mi"}
        containers = [{"name": c["name"], "usage": usage} for c in pod["spec"]["containers"]]
        return {"metadata": metadata, "timestamp": now, "window": "10s", "containers": containers}

    def _is_available(self) -> bool:
        found = self._api.find("apiservices", "", f"v1beta1.{_GROUP.partition('/')[0]}") or {}
        conditions = found.get("status", {}).get("conditions", [])
        return any(c["type"] == "Available" and c["status"] == "True" for c in conditions)


def _handler(metrics: Metrics) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = json.dumps(metrics.answer(self.path)).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    return Handler


def _objects(host: str, port: int) -> list[dict[str, Any]]:
    """A Service without pods whose endpoint is this process, and the API that it offers."""
    metadata = {"name": _SERVICE, "namespace": _NAMESPACE}
    ports = [{"name": "https", "port": 443, "targetPort": port, "protocol": "TCP"}]
    labels = {"kubernetes.io/service-name": _SERVICE}
    group = _GROUP.partition("/")[0]
    api = {
        "group": group,
        "version": "v1beta1",
        "groupPriorityMinimum": 100,
        "versionPriority": 100,
        "insecureSkipTLSVerify": True,
        "service": metadata | {"port": 443},
    }
    return [
        {"apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": {"ports": ports}},
        {
            "apiVersion": "discovery.k8s.io/v1",
            "kind": "EndpointSlice",
            "metadata": metadata | {"labels": labels},
            "addressType": "IPv4",
            "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
            "endpoints": [{"addresses": [host], "conditions": {"ready": True}}],
        },
        {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"v1beta1.{group}"},
            "spec": api,
        },
    ]

"""Services behind Consul's built-in Connect proxy, and what goes over the wire between them.

``behind_proxy`` and ``calling`` are service definitions for the ``local`` backend: the proxy is a part of each instance,
as it would be on a real machine. ``Caller`` speaks to a proxy's public port itself, to see what it lets through.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import sys
import tempfile
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from orchctl.core.service import Health, Port, Probe, ProbeKind, Rollout, Service, Stop
from tests.servers.consul import build
from tests.servers.consul.agent import Consul
from tests.servers.consul.api import Api

TIMEOUT = 60.0

_PYTHON = f"{sys.executable} -I -S -c"
# It listens on loopback only: whoever wants to reach it from elsewhere has to come through the proxy.
_SERVER = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = os.environ["GREETING"].encode()
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT_HTTP"])), Handler).serve_forever()
"""
# It asks the other service at its own end of the mesh and passes on what comes back.
_RELAY = """
import http.server, os, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            with urllib.request.urlopen("http://127.0.0.1:" + os.environ["PORT_UPSTREAM"], timeout=5) as answer:
                status, body = 200, answer.read()
        except OSError:
            status, body = (200, b"ready") if self.path == "/ready" else (502, b"cut")
        self.send_response(status); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT_HTTP"])), Handler).serve_forever()
"""


def behind_proxy(consul: Consul, name: str, *, greeting: str = "one", allow: tuple[str, ...] | None = None) -> Service:
    """A web server; its proxy listens at the port ``mesh`` and registers itself with the agent."""
    flags = '-service-addr 127.0.0.1:$PORT_HTTP -listen 127.0.0.1:$PORT_MESH -register -register-id "$ORCHCTL_INSTANCE"'
    return _service(consul, name, flags, _SERVER, other_port="mesh", env={"GREETING": greeting}, allow=allow)


def calling(consul: Consul, name: str, upstream: str) -> Service:
    """A web server that answers with what ``upstream`` says to it through the mesh, and 502 when it is cut."""
    return _service(consul, name, f"-upstream {upstream}:127.0.0.1:$PORT_UPSTREAM", _RELAY, other_port="upstream")


def _service(
    consul: Consul,
    name: str,
    flags: str,
    program: str,
    *,
    other_port: str,
    env: dict[str, str] | None = None,
    allow: tuple[str, ...] | None = None,
) -> Service:
    proxy = f"{build.consul()} connect proxy -http-addr {consul.url} -service {name} {flags}"
    # Both end together: a proxy without its program would be called and not answer.
    script = f'{proxy} & exec {_PYTHON} "$0"'
    return Service(
        name=name,
        namespace="test",
        command=("sh", "-c", script, program),
        replicas=1,
        env=env or {},
        allow=allow,
        ports=(Port(name="http", port=8080), Port(name=other_port, port=8443)),
        health=Health(ready=Probe(kind=ProbeKind.HTTP, path="/ready", port="http", interval_ms=200)),
        rollout=Rollout(min_ready_ms=100, deadline_ms=180_000),
        stop=Stop(grace_ms=2_000, drain_ms=0),
    )


def fetch(port: int, host: str = "127.0.0.1") -> tuple[int, str]:
    """Status and body over plain HTTP."""
    try:
        with urllib.request.urlopen(f"http://{host}:{port}/", timeout=TIMEOUT) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@dataclass(frozen=True)
class Caller:
    """Somebody with the certificate of ``service`` ("" = with none) who speaks to a public port of the mesh itself."""

    api: Api
    service: str = ""

    def get(self, port: int) -> tuple[str, list[str]]:
        """The answer ("" = cut) and the URIs in the server's certificate. OSError when the handshake fails."""
        with self.connected(port) as secure:
            certificate = secure.getpeercert() or {}
            names = certificate.get("subjectAltName", ())
            secure.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return _everything(secure), [str(value) for kind, value in names if kind == "URI"]

    def connected(self, port: int) -> ssl.SSLSocket:
        return self._context().wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT))

    def _context(self) -> ssl.SSLContext:
        roots = self.api.get("/v1/connect/ca/roots")["Roots"]
        context = ssl.create_default_context(cadata="".join(root["RootCert"] for root in roots))
        context.check_hostname = False  # services of a mesh are told by their URI
        if self.service:
            leaf = self.api.get(f"/v1/agent/connect/ca/leaf/{self.service}")
            with tempfile.TemporaryDirectory() as folder:
                file = Path(folder, "leaf.pem")
                file.write_text(leaf["CertPEM"] + leaf["PrivateKeyPEM"])
                context.load_cert_chain(file)
        return context


def plain_answer(port: int) -> str:
    """What a public port of the mesh says to somebody who speaks no TLS; "" = nothing."""
    with socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT) as connection:
        connection.sendall(b"GET / HTTP/1.0\r\n\r\n")
        return _everything(connection)


def _everything(connection: socket.socket) -> str:
    text = b""
    with contextlib.suppress(ConnectionResetError, ssl.SSLEOFError):
        while piece := connection.recv(4096):
            text += piece
    return text.decode(errors="replace")


def register_proxy(api: Api, name: str) -> None:
    """An entry of the catalog for a proxy of ``name`` that nobody runs: for backends without processes."""
    proxy = {"Kind": "connect-proxy", "Service": f"{name}-proxy", "Port": 1, "Proxy": {"DestinationServiceName": name}}
    api.put("/v1/catalog/register", {"Node": "elsewhere", "Address": "192.0.2.1", "Service": proxy})


def deregister_proxy(api: Api, name: str) -> None:
    api.put("/v1/catalog/deregister", {"Node": "elsewhere", "ServiceID": f"{name}-proxy"})

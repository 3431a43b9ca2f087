"""One server agent: started, killed, frozen and started again on the same data."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import uuid
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.servers import ledger
from tests.servers.consul import build
from tests.servers.consul.api import Api, ApiError
from tests.servers.pki import Authority
from tests.servers.program import Program
from tests.servers.waiting import until

NODE = "test"
START_SECONDS = 60.0
_LOOK_SECONDS = 2.0
_START_TRIES = 3
_TAKEN = "address already in use"
_PORTS = ("http", "dns", "server", "serf_lan")


class Consul:
    """``acl``: everything is denied by default, ``token`` may do everything. ``tls``: the API speaks HTTPS with a
    certificate of ``ca``; ``verify_incoming``: and only to those who have one of it too (``cert``). ``grpc``: its port
    for Connect proxies is open. ``settings`` are further ones of the agent, in its own words.
    """

    def __init__(
        self,
        *,
        acl: bool = False,
        tls: bool = False,
        verify_incoming: bool = False,
        grpc: bool = False,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self._program_file = build.consul()
        self.root = ledger.fresh_directory("orchctl-consul-")
        self._acl, self._tls, self._verify_incoming, self._grpc = acl, tls, verify_incoming, grpc
        self._settings = dict(settings or {})
        self.token = str(uuid.uuid4()) if acl else ""
        self.ports: dict[str, int] = {}
        self._program: Program | None = None
        if tls:
            authority = Authority(self.root / "pki")
            authority.server("server", ["127.0.0.1", "localhost"])
            authority.client("client", "test client")

    @property
    def url(self) -> str:
        """Of the HTTP API."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.ports['http']}"

    @property
    def ca(self) -> Path:
        """The certificate of the authority, with ``tls``."""
        return self.root / "pki" / "ca.crt"

    @property
    def cert(self) -> tuple[Path, Path]:
        """A client's certificate and key, with ``tls``."""
        return self.root / "pki" / "client.crt", self.root / "pki" / "client.key"

    @property
    def api(self) -> Api:
        """For those who may do everything."""
        return self.api_with(self.token)

    @property
    def log(self) -> Path:
        return self.root / "consul.log"

    @property
    def pid(self) -> int:
        return self._program.pid if self._program else 0

    def api_with(self, token: str) -> Api:
        return Api(self.url, token, self.ca if self._tls else None, self.cert if self._tls else None)

    def token_for(self, rules: str) -> str:
        """A new token that may do what ``rules`` (a policy's text) say, and nothing else."""
        name = f"test-{uuid.uuid4()}"
        self.api.put("/v1/acl/policy", {"Name": name, "Rules": rules})
        made = self.api.put("/v1/acl/token", {"Description": name, "Policies": [{"Name": name}]})
        return str(made["SecretID"])

    def start(self) -> Self:
        """Return when it has a leader and knows its own node. The first time it looks for ports that are free."""
        try:
            if self.ports:
                self._start()
            else:
                self._find_ports_and_start()
        except BaseException:
            self.close()
            raise
        return self

    def _find_ports_and_start(self) -> None:
        """Again with others, when somebody was quicker at one of them."""
        for attempt in range(_START_TRIES):
            self.ports = _free_ports((*_PORTS, "grpc") if self._grpc else _PORTS)
            self._configure()
            try:
                return self._start()
            except RuntimeError as error:
                if _TAKEN not in str(error) or attempt + 1 == _START_TRIES:
                    raise
                self.kill()
                self.log.unlink()
                shutil.rmtree(self.root / "data")  # it knows itself by its address
        return None

    def _start(self) -> None:
        self._program = Program("consul", self._command(), self.log)
        self._program.start()
        until("a leader of Consul", self._is_ready, seconds=START_SECONDS)

    def stop(self) -> None:
        """As an administrator would: it writes down what it has. ``start`` goes on from there."""
        if self._program:
            self._program.stop()

    def kill(self) -> None:
        """SIGKILL. ``start`` goes on from what is on its disk."""
        if self._program:
            self._program.kill()

    def freeze(self) -> None:
        """It takes connections and answers nothing, until ``thaw``."""
        if self._program:
            self._program.freeze()

    def thaw(self) -> None:
        if self._program:
            self._program.thaw()

    def close(self) -> None:
        """Gone with all it had."""
        self.thaw()
        self.kill()
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _command(self) -> list[str]:
        return [str(self._program_file), "agent", f"-config-file={self.root / 'consul.json'}"]

    def _configure(self) -> None:
        config: dict[str, Any] = {
            "node_name": NODE,
            "server": True,
            "bootstrap_expect": 1,
            "data_dir": str(self.root / "data"),
            "bind_addr": "127.0.0.1",
            "client_addr": "127.0.0.1",
            "ports": self._ports(),
            "performance": {"raft_multiplier": 1},
            "disable_update_check": True,
            "leave_on_terminate": False,
            "limits": {"http_max_conns_per_client": -1},
        }
        config |= self._acl_settings() | self._tls_settings() | self._settings
        (self.root / "consul.json").write_text(json.dumps(config, indent=1))

    def _ports(self) -> dict[str, int]:
        off = {"http": -1, "https": -1, "grpc": -1, "grpc_tls": -1, "serf_wan": -1}
        own = {name: port for name, port in self.ports.items() if name != "http"}
        return off | own | {"https" if self._tls else "http": self.ports["http"]}

    def _acl_settings(self) -> dict[str, Any]:
        if not self._acl:
            return {}
        tokens = {"initial_management": self.token, "agent": self.token}
        return {"acl": {"enabled": True, "default_policy": "deny", "tokens": tokens}}

    def _tls_settings(self) -> dict[str, Any]:
        if not self._tls:
            return {}
        pki = self.root / "pki"
        files = {"ca_file": pki / "ca.crt", "cert_file": pki / "server.crt", "key_file": pki / "server.key"}
        https = {name: str(path) for name, path in files.items()} | {"verify_incoming": self._verify_incoming}
        return {"tls": {"https": https}}

    def _is_ready(self) -> bool:
        """RuntimeError when it ended by itself. Whatever else listens at its port may never answer."""
        assert self._program
        self._program.check()
        api = replace(self.api, timeout=_LOOK_SECONDS)
        with contextlib.suppress(ApiError):
            return bool(api.get("/v1/status/leader") and api.get(f"/v1/catalog/node/{NODE}", consistent="1"))
        return False


def _free_ports(names: tuple[str, ...]) -> dict[str, int]:
    """Free for TCP and UDP at this moment, all different."""
    with contextlib.ExitStack() as stack:
        found: dict[str, int] = {}
        while len(found) < len(names):
            tcp = stack.enter_context(socket.socket())
            tcp.bind(("127.0.0.1", 0))
            port = int(tcp.getsockname()[1])
            udp = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
            with contextlib.suppress(OSError):
                udp.bind(("127.0.0.1", port))
                found[names[len(found)]] = port
        return found

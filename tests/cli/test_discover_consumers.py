"""What ``discover`` prints for other programs, read by these programs.

Each snippet stands in the smallest configuration that takes it.
"""

from __future__ import annotations

import ipaddress
import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from orchctl.cli.views.endpoints import FORMATS, one_kind_a_port
from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Protocol
from tests.servers.packages import Unavailable, need
from tests.servers.traefik import traefik as fetched_traefik
from tests.servers.waiting import until

pytestmark = pytest.mark.world_local


def _one(host: str, *, port_name: str = "http", service: str = "web", **more: object) -> Endpoint:
    values = {"instance": f"i-{host}", "port": 8080, **more}
    return Endpoint(service=service, host=host, port_name=port_name, **values)  # type: ignore[arg-type]


ADDRESSES = [
    _one("10.0.0.1"),
    _one("fd00::1", weight=3),
    _one("10.0.0.2", weight=0),
    _one("10.0.0.3", weight=1000),
    _one("10.0.0.4", ready=False),
    _one("192.0.2.1", instance=""),
    _one("localhost", port_name="admin", port=9000),
    _one("192.0.2.1", port_name="metrics", instance="", port=30123),
    _one("192.0.2.2", port_name="metrics", instance="", port=30123),
    _one("::1", port_name="dns", port=53, protocol=Protocol.UDP),
    _one("10.0.1.1", service="a", port_name="b-c"),
    _one("10.0.1.2", service="a-b", port_name="c"),
    _one("10.0.1.3", service="3scale"),
]
IDLE = _one("10.0.2.1", service="idle", weight=0)
UNKNOWN_NAME = _one("lb-7.example.invalid", port_name="admin", port=9000)


def _text(form: str, found: Sequence[Endpoint] = ADDRESSES) -> str:
    return FORMATS[form](one_kind_a_port(found))


def _must_have(program: str) -> None:
    if shutil.which(program, path=f"{os.environ['PATH']}:/usr/sbin"):
        return
    try:
        need(program)
    except Unavailable as reason:
        pytest.skip(f"{program} is not installed: {reason}")


def _accepts(*command: str) -> subprocess.CompletedProcess[str]:
    path = f"{os.environ['PATH']}:/usr/sbin"
    done = subprocess.run(
        [shutil.which(command[0], path=path) or command[0], *command[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


_HAPROXY = """\
defaults
    mode http
    timeout connect 5s
    timeout client 5s
    timeout server 5s
frontend all
    bind 127.0.0.1:8080
    default_backend web-http
"""


def _haproxy(directory: Path, found: Sequence[Endpoint]) -> str:
    _must_have("haproxy")
    (directory / "haproxy.cfg").write_text(_HAPROXY + _text("haproxy", found))
    return _accepts("haproxy", "-c", "-f", str(directory / "haproxy.cfg")).stderr


def test_haproxy_takes_the_backends(tmp_path: Path) -> None:
    assert "WARNING" not in _haproxy(tmp_path, ADDRESSES)


def test_haproxy_starts_although_a_name_is_not_known_yet(tmp_path: Path) -> None:
    said = _haproxy(tmp_path, [*ADDRESSES, UNKNOWN_NAME])
    assert said.count("could not resolve address") == 1


_NGINX = """\
daemon off;
pid {directory}/nginx.pid;
error_log stderr;
events {{}}
http {{
    access_log off;
    {temporary}
    include {directory}/upstreams.conf;
    server {{ listen 127.0.0.1:8080; location / {{ proxy_pass http://web-http; }} }}
}}
"""
_NGINX_DIRECTORIES = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


def test_nginx_takes_the_upstreams(tmp_path: Path) -> None:
    _must_have("nginx")
    temporary = " ".join(f"{name}_temp_path {tmp_path}/{name};" for name in _NGINX_DIRECTORIES)
    (tmp_path / "upstreams.conf").write_text(_text("nginx"))
    (tmp_path / "nginx.conf").write_text(_NGINX.format(directory=tmp_path, temporary=temporary))
    assert "[warn]" not in _accepts("nginx", "-t", "-c", str(tmp_path / "nginx.conf")).stderr


_PROMETHEUS = "scrape_configs: [{job_name: services, file_sd_configs: [{files: [targets.json]}]}]\n"


def test_prometheus_finds_every_target(tmp_path: Path) -> None:
    _must_have("promtool")
    (tmp_path / "targets.json").write_text(_text("prom-sd"))
    (tmp_path / "prometheus.yml").write_text(_PROMETHEUS)
    configuration = str(tmp_path / "prometheus.yml")
    _accepts("promtool", "check", "config", configuration)
    said = _accepts("promtool", "check", "service-discovery", "--timeout=2s", configuration, "services").stdout
    found = {r["labels"]["__address__"] for r in json.loads(said)}
    assert {"10.0.0.1:8080", "[fd00::1]:8080", "localhost:9000", "192.0.2.2:30123"} <= found
    assert not {"10.0.0.4:8080", "192.0.2.1:8080"} & found


def _free_port() -> int:
    with socket.socket() as claim:
        claim.bind(("127.0.0.1", 0))
        port: int = claim.getsockname()[1]
        return port


@pytest.fixture
def traefik(tmp_path: Path) -> Iterator[Callable[[], dict[str, dict[str, int]]]]:
    """Traefik with the services of ``tmp_path/services.yaml``: what its API says they are."""
    try:
        program = fetched_traefik()
    except Unavailable as reason:
        pytest.skip(str(reason))
    (tmp_path / "services.yaml").write_text(_text("traefik", [*ADDRESSES, UNKNOWN_NAME, IDLE]))
    port = _free_port()
    command = [str(program), f"--entrypoints.traefik.address=127.0.0.1:{port}", "--api.insecure=true"]
    command += [
        f"--providers.file.filename={tmp_path}/services.yaml",
        "--log.level=ERROR",
        "--global.checknewversion=false",
    ]
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [*command, "--global.sendanonymoususage=false"], cwd=tmp_path, stdout=log, stderr=subprocess.STDOUT
        )

    def services() -> dict[str, dict[str, int]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/http/services", timeout=60) as answer:
            found = [item for item in json.load(answer) if item["provider"] == "file"]
        return {
            item["name"]: {s["url"]: s.get("weight", 1) for s in item["loadBalancer"].get("servers", [])}
            for item in found
        }

    yield services
    process.terminate()
    process.wait(60)
    assert (tmp_path / "log").read_text() == ""


def test_traefik_serves_every_endpoint_that_may_have_traffic(traefik: Callable[[], dict[str, dict[str, int]]]) -> None:
    found = until("Traefik has read its services", traefik)
    assert found == {
        "web-http@file": {"http://10.0.0.1:8080": 1, "http://[fd00::1]:8080": 3, "http://10.0.0.3:8080": 1000},
        "web-admin@file": {"http://localhost:9000": 1, "http://lb-7.example.invalid:9000": 1},
        "web-metrics@file": {"http://192.0.2.1:30123": 1, "http://192.0.2.2:30123": 1},
        "a.b-c@file": {"http://10.0.1.1:8080": 1},
        "a-b.c@file": {"http://10.0.1.2:8080": 1},
        "3scale-http@file": {"http://10.0.1.3:8080": 1},
        "idle-http@file": {},
    }


def test_a_hosts_file_has_addresses_and_names_only() -> None:
    lines = [line.partition("#")[0].split() for line in _text("hosts", [*ADDRESSES, UNKNOWN_NAME]).splitlines()]
    entries = [line for line in lines if line]
    assert ["fd00::1", "web"] in entries
    for address, *names in entries:
        ipaddress.ip_address(address)
        assert names
        assert all(re.fullmatch(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", name) for name in names)


def test_a_shell_reads_the_variables(tmp_path: Path) -> None:
    (tmp_path / "found.env").write_text(_text("env"))
    script = f"set -eu; . {shlex.quote(str(tmp_path / 'found.env'))}; echo $WEB_HTTP_ADDRESSES $_3SCALE_HTTP_PORT"
    assert _accepts("sh", "-c", script).stdout.split() == [
        "10.0.0.1:8080,[fd00::1]:8080,10.0.0.2:8080,10.0.0.3:8080",
        "8080",
    ]


_SRV = re.compile(r"_[a-z0-9-]+\._(tcp|udp)\.[a-z0-9-]+ 5 IN SRV 10 (\d+) (\d+) (\S+)")
_ADDRESS = re.compile(r"(\S+) 5 IN (A|AAAA) (\S+)")
_NAME = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.?")


def test_srv_targets_are_names_that_have_addresses() -> None:
    """RFC 2782: the target is a host name with address records, and the numbers have 16 bits."""
    lines = _text("srv", [*ADDRESSES, UNKNOWN_NAME]).splitlines()
    addresses = {m[1]: (m[2], m[3]) for line in lines if (m := _ADDRESS.fullmatch(line))}
    services = [m for line in lines if (m := _SRV.fullmatch(line))]
    assert len(addresses) + len(services) == len(lines)
    for name, (kind, address) in addresses.items():
        assert _NAME.fullmatch(name)
        assert ipaddress.ip_address(address).version == {"A": 4, "AAAA": 6}[kind]
    for found in services:
        assert max(int(found[2]), int(found[3])) < 1 << 16
        assert _NAME.fullmatch(found[4])
        assert found[4].endswith(".") or found[4] in addresses

from __future__ import annotations

import json

import yaml

from orchctl.cli.render.endpoints import FORMATS
from orchctl.core.endpoint import Endpoint
from tests.cli.harness import CommandLine


def test_table(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("discover", "web").out == (
        "SERVICE  PORT      ADDRESS        READY  REVISION  INSTANCE  NODE\n"
        "web      http/tcp  10.0.0.1:8080  yes    1         i1        fake\n"
        "web      http/tcp  10.0.0.2:8080  yes    1         i2        fake\n"
    )


def test_document_has_the_promised_fields(cli: CommandLine) -> None:
    cli.deploy()
    document = json.loads(cli("discover", "web", "-o", "json").out)
    assert document["kind"] == "EndpointList"
    assert document["items"][0] == {
        "service": "web",
        "instance": "i1",
        "node": "fake",
        "host": "10.0.0.1",
        "port_name": "http",
        "port": 8080,
        "protocol": "tcp",
        "ready": True,
        "revision": 1,
        "weight": 1,
        "backend": "fake",
        "context": "test",
    }


def test_texts_for_other_programs(cli: CommandLine) -> None:
    cli.deploy()
    assert cli("discover", "web", "-o", "name").out == "10.0.0.1:8080\n10.0.0.2:8080\n"
    assert cli("discover", "web", "-o", "hosts").out == "10.0.0.1\tweb\n10.0.0.2\tweb\n"
    assert cli("discover", "web", "-o", "env").out == (
        "WEB_HTTP_HOST=10.0.0.1\nWEB_HTTP_PORT=8080\nWEB_HTTP_ADDRESSES=10.0.0.1:8080,10.0.0.2:8080\n"
    )
    assert cli("discover", "web", "-o", "srv").out.splitlines()[0] == "_http._tcp.web 5 IN SRV 10 1 8080 10.0.0.1."
    assert cli("discover", "web", "-o", "haproxy").out == (
        "backend web-http\n"
        "    server web-http-1 10.0.0.1:8080 weight 1 check\n"
        "    server web-http-2 10.0.0.2:8080 weight 1 check\n"
    )
    assert cli("discover", "web", "-o", "nginx").out == (
        "upstream web-http {\n    server 10.0.0.1:8080 weight=1;\n    server 10.0.0.2:8080 weight=1;\n}\n"
    )


def test_prometheus_and_traefik_get_what_they_parse(cli: CommandLine) -> None:
    cli.deploy()
    assert json.loads(cli("discover", "web", "-o", "prom-sd").out) == [
        {"targets": ["10.0.0.1:8080", "10.0.0.2:8080"], "labels": {"service": "web", "port": "http"}}
    ]
    servers = [{"url": "http://10.0.0.1:8080"}, {"url": "http://10.0.0.2:8080"}]
    assert yaml.safe_load(cli("discover", "web", "-o", "traefik").out) == {
        "http": {"services": {"web-http": {"loadBalancer": {"servers": servers}}}}
    }


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    assert cli("discover", "web").code == 4


def test_service_without_ports_says_so(cli: CommandLine) -> None:
    cli.deploy("name: web\nimage: x/web:1\n")
    result = cli("discover", "web")
    assert (result.code, result.out) == (0, "")
    assert result.err == "no endpoints: nothing runs, or the spec has no ports\n"


def _endpoint(host: str, *, ready: bool = True) -> Endpoint:
    return Endpoint(service="web", instance="i1", host=host, port=80, port_name="http", ready=ready)


def test_traffic_is_sent_to_ready_endpoints_only() -> None:
    for write in FORMATS.values():
        assert "10.9.9.9" not in write([_endpoint("10.1.1.1"), _endpoint("10.9.9.9", ready=False)])


def test_ipv6_addresses_get_brackets() -> None:
    assert "[fd00::1]:80" in FORMATS["nginx"]([_endpoint("fd00::1")])


def test_hostile_host_cannot_add_a_directive() -> None:
    evil = 'a;} server evil:1;\n"x" $(touch x) `y`'
    for name, write in FORMATS.items():
        text = write([_endpoint(evil)])
        assert "evil:1;" not in text.replace("evil:1___", ""), name
        assert not {"$", "`"} & set(text), name
        assert '\n"x"' not in text, name

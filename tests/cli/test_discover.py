from __future__ import annotations

import json

import pytest
import yaml

from orchctl.cli.discover import _row
from orchctl.cli.views.endpoints import FORMATS, one_kind_a_port
from orchctl.core.backend import Connection, Reader
from orchctl.core.context import Context
from orchctl.core.endpoint import Endpoint
from orchctl.testing.fake import FakeBackend, FakeConnection, FakeReader
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
        "dns_name": "",
        "service_port": 0,
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
    assert cli("discover", "web", "-o", "srv").out.splitlines()[0] == "_http._tcp.web 5 IN SRV 10 1 8080 10-0-0-1.web"
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


def _endpoint(host: str, *, ready: bool = True, instance: str = "i1", port_name: str = "http") -> Endpoint:
    return Endpoint(service="web", instance=instance, host=host, port=80, port_name=port_name, ready=ready)


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


def test_instances_come_before_what_stands_in_front_of_them() -> None:
    instance, shared = _endpoint("10.1.1.1"), _endpoint("192.0.2.1", instance="")
    other = _endpoint("192.0.2.1", instance="", port_name="admin")
    assert one_kind_a_port([shared, instance, other]) == [instance, other]


class _Balanced(FakeReader):
    """A cluster with a load balancer in front of every service."""

    def endpoints(self, namespace: str, name: str) -> list[Endpoint]:
        return [*super().endpoints(namespace, name), _endpoint("lb.example.com", instance="")]


class _BalancedConnection(FakeConnection):
    @property
    def reader(self) -> Reader:
        return _Balanced(self._cluster)


class _BalancedBackend(FakeBackend):
    def connect(self, context: Context) -> Connection:
        return _BalancedConnection(self.cluster)


def test_the_kind_of_endpoint_can_be_chosen(cli: CommandLine) -> None:
    cli.backends["fake"] = lambda: _BalancedBackend(cli.cluster)
    cli.deploy()
    assert cli("discover", "web", "-o", "name").out == "lb.example.com:80\n10.0.0.1:8080\n10.0.0.2:8080\n"
    assert cli("discover", "web", "-o", "name", "--shared").out == "lb.example.com:80\n"
    assert cli("discover", "web", "-o", "name", "--instances").out == "10.0.0.1:8080\n10.0.0.2:8080\n"
    assert "lb.example.com" not in cli("discover", "web", "-o", "nginx").out
    assert "server lb.example.com:80 weight=1;" in cli("discover", "web", "-o", "nginx", "--shared").out
    assert cli("discover", "web", "--shared", "--instances").code == 2


def test_nothing_of_the_kind_says_so(cli: CommandLine) -> None:
    cli.deploy()
    result = cli("discover", "web", "--shared")
    assert (result.code, result.out) == (0, "")
    assert result.err == "none of 2 endpoints is of the kind that was asked for\n"


def test_wide_has_the_weight_and_the_name_inside(cli: CommandLine) -> None:
    cli.deploy()
    head, first, *_ = cli("discover", "web", "-o", "wide").out.splitlines()
    assert head.endswith("NODE  WEIGHT  NAME INSIDE")
    assert first.split()[-2:] == ["1", "-"]


def test_variables_of_two_ports_are_never_called_the_same() -> None:
    def at(service: str, port: str, host: str) -> Endpoint:
        return Endpoint(service=service, instance="i", host=host, port=80, port_name=port)

    lines = FORMATS["env"](
        [at("a-b", "c", "10.0.0.1"), at("a", "b-c", "10.0.0.2"), at("x", "y", "10.0.0.3")]
    ).splitlines()
    assert {line.partition("=")[0] for line in lines if "_HOST" in line} == {"A_B__C_HOST", "A__B_C_HOST", "X_Y_HOST"}


@pytest.mark.parametrize("form", sorted({*FORMATS} - {"hosts"}))  # that one has addresses alone
def test_what_has_no_port_is_in_no_file_for_others(form: str) -> None:
    """Entries of somebody else in the catalog often have none."""
    portless = Endpoint(service="a", instance="i", host="10.9.9.9", port=0, port_name="-")
    assert "10.9.9.9" not in FORMATS[form]([portless])


def test_an_address_of_six_parts_has_brackets(cli: CommandLine) -> None:
    row = _row(Endpoint(service="a", instance="i", host="2001:db8::1", port=80, port_name="http"))
    assert row[2] == "[2001:db8::1]:80"


@pytest.mark.parametrize("form", sorted(FORMATS))
def test_a_file_for_others_is_whole_or_not_written(cli: CommandLine, form: str) -> None:
    cli.deploy()
    path = cli.directory / ".orchctl.toml"
    path.write_text(path.read_text() + '[contexts.away]\nbackend = "marathon"\nurls = ["http://127.0.0.1:1"]\n')
    result = cli("discover", "web", "--from", "all", "-o", form)
    assert (result.code, result.out) == (11, "")
    assert "not every context could be looked at (away)" in result.err

"""Real services behind Consul's own proxies: who is let in, and who is cut."""

from __future__ import annotations

import ssl
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchctl.core.rollout import OutcomeState
from orchctl.testing.driver import Driver
from tests.contract.mesh import foreign_rules, in_mesh, rule
from tests.servers.consul.agent import Consul
from tests.servers.consul.connect import (
    Caller,
    behind_proxy,
    calling,
    fetch,
    plain_answer,
)
from tests.servers.waiting import until
from tests.worlds.consul import LocalWorldInConsul

pytestmark = pytest.mark.world_consul


@pytest.fixture
def local(consul: Consul, tmp_path: Path) -> Iterator[LocalWorldInConsul]:
    if sys.platform != "linux":
        pytest.skip("the truth about processes is read from /proc")
    world = LocalWorldInConsul(consul, tmp_path)
    in_mesh(world)
    yield world
    try:
        for left in Driver(world).status_of_all():  # in order: a proxy outlives a supervisor that is killed
            Driver(world).delete(left.name)
    finally:
        world.close()


class TestOnTheWire:
    def test_an_allowed_caller_passes_and_one_that_is_not_allowed_any_more_is_cut(
        self, local: LocalWorldInConsul, consul: Consul
    ) -> None:
        run, driver = uuid.uuid4().hex[:6], Driver(local)
        web, frontend, reports = f"web-{run}", f"frontend-{run}", f"reports-{run}"
        theirs = foreign_rules(consul)
        before = theirs()
        behind = behind_proxy(consul, web, allow=(frontend,))
        outcomes = driver.deploy_all([behind, *(calling(consul, name, web) for name in (frontend, reports))])
        assert [o.exit_code for o in outcomes] == [0, 0, 0], outcomes
        at = {name: port_of(driver, name, "http") for name in (frontend, reports)}
        until("a proxy with its certificate", lambda: fetch(at[frontend]) == (200, "one"))
        assert fetch(at[reports]) == (502, "cut")

        running = set(local.truth(web).running)
        assert driver.deploy(replace(behind, allow=(reports,))).exit_code == 0
        until("the new rule", lambda: fetch(at[frontend]) == (502, "cut"))
        until("the new rule", lambda: fetch(at[reports]) == (200, "one"))

        assert driver.rollback(web).exit_code == 0
        until("the new rule", lambda: fetch(at[frontend]) == (200, "one"))
        until("the new rule", lambda: fetch(at[reports]) == (502, "cut"))
        assert set(local.truth(web).running) == running, "who may call restarts nothing"

        assert driver.deploy(replace(behind, allow=())).exit_code == 0
        until("the new rule", lambda: fetch(at[frontend]) == (502, "cut"))
        assert driver.delete(web).state is OutcomeState.DELETED
        assert rule(consul, web) is None
        assert theirs() == before

    def test_the_wire_is_mutual_tls_and_names_both_sides(self, local: LocalWorldInConsul, consul: Consul) -> None:
        run, driver = uuid.uuid4().hex[:6], Driver(local)
        web = f"web-{run}"
        assert driver.deploy(behind_proxy(consul, web, allow=("frontend",))).exit_code == 0
        port = port_of(driver, web, "mesh")
        until("a proxy with its certificate", lambda: Caller(consul.api, "frontend").get(port)[0].endswith("one"))
        _, names = Caller(consul.api, "frontend").get(port)
        trust = consul.api.get("/v1/connect/ca/roots")["TrustDomain"]
        assert names == [f"spiffe://{trust}/ns/default/dc/dc1/svc/{web}"]
        assert plain_answer(port) == ""
        with pytest.raises(ssl.SSLError, match="BAD_CERTIFICATE"):
            Caller(consul.api, "reports").get(port)
        with pytest.raises(ssl.SSLError, match="CERTIFICATE"):
            Caller(consul.api).get(port)

    def test_a_connection_that_is_open_stays_and_the_next_one_is_cut(
        self, local: LocalWorldInConsul, consul: Consul
    ) -> None:
        """As docs/consul.md says: the proxy asks once for each connection."""
        driver, caller = Driver(local), Caller(consul.api, "frontend")
        service = behind_proxy(consul, f"web-{uuid.uuid4().hex[:6]}", allow=("frontend",))
        driver.deploy(service)
        port = port_of(driver, service.name, "mesh")
        until("a proxy with its certificate", lambda: caller.get(port)[0].endswith("one"))
        with caller.connected(port) as connection:
            assert ask(connection).endswith(b"one")
            driver.deploy(replace(service, allow=()))
            until("the new rule", lambda: is_cut(caller, port))
            assert ask(connection).endswith(b"one")


def is_cut(caller: Caller, port: int) -> bool:
    try:
        caller.get(port)
    except ssl.SSLError:
        return True
    return False


def ask(connection: ssl.SSLSocket) -> bytes:
    """One request of a connection that stays open."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: web\r\n\r\n")
    answer = b""
    while not answer.endswith(b"one") and (piece := connection.recv(4096)):
        answer += piece
    return answer


def port_of(driver: Driver, name: str, port: str) -> int:
    [endpoint] = [e for e in driver.discover(name) if e.port_name == port]
    assert endpoint.port is not None
    return endpoint.port

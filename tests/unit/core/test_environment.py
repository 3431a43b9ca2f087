"""Ports in the environment and in arguments."""

from orchctl.core.environment import expand, port_environment
from orchctl.core.service import Port, Service

SERVICE = Service(name="web", namespace="n", ports=(Port(name="http", port=80), Port(name="admin-api", port=81)))


def test_every_port_has_its_variable_and_the_first_one_port() -> None:
    assert port_environment(SERVICE) == {"PORT": "80", "PORT_HTTP": "80", "PORT_ADMIN_API": "81"}
    assert port_environment(SERVICE, {"http": 9000})["PORT"] == "9000"


def test_known_names_are_replaced_and_unknown_ones_stay() -> None:
    assert expand(
        ["-p", "$(PORT_HTTP)", "$(NOPE)", "$$(PORT_HTTP)", "a$(A)b", "$A", "$()"], {"PORT_HTTP": "80", "A": "$(A)"}
    ) == ["-p", "80", "$(NOPE)", "$(PORT_HTTP)", "a$(A)b", "$A", "$()"]

"""Values survive the trip through JSON."""

import pytest

from orchctl.core.codec import canonical_json, from_plain, to_plain
from orchctl.core.service import File, Health, Port, Probe, ProbeKind, SecretRef, Service


def full_service() -> Service:
    return Service(
        name="web",
        namespace="shop",
        image="web:1",
        ports=(Port(name="http", port=80, published=8080),),
        env={"A": "b", "S": SecretRef("db", "password")},
        files={"/etc/x": File(content=b"\x00\xff")},
        health=Health(ready=Probe(kind=ProbeKind.HTTP, path="/", port="http")),
        backends={"swarm": {"networks": ["edge"]}},
    )


def test_a_service_survives_json() -> None:
    assert from_plain(Service, to_plain(full_service())) == full_service()


def test_defaults_are_left_out_so_that_new_fields_do_not_change_old_hashes() -> None:
    assert canonical_json(to_plain(Service(name="a", namespace="b"))) == '{"name":"a","namespace":"b"}'


@pytest.mark.parametrize(
    "data", [[], {"name": 3, "namespace": "x"}, {"name": "a"}, {"name": "a", "namespace": "b", "replicas": True}]
)
def test_data_that_does_not_fit_is_a_value_error(data: object) -> None:
    with pytest.raises(ValueError):
        from_plain(Service, data)

"""TLS on both sides, and whose authority counts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from orchctl.core.context import Context
from orchctl.core.registry import load
from orchctl.errors import AuthRefused, Unreachable
from tests.servers.absence import absent
from tests.servers.dockerd import Swarm
from tests.servers.packages import Unavailable

pytestmark = [pytest.mark.world_swarm, pytest.mark.xdist_group("tls")]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    """Ours."""
    return trustme.CA()


@pytest.fixture(scope="module")
def certificates(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """ours: CA and client; other: a CA and a client of somebody else."""
    folder = tmp_path_factory.mktemp("tls")
    for name, issuer in (("ours", authority), ("other", trustme.CA())):
        issuer.cert_pem.write_to_path(str(folder / f"{name}-ca.pem"))
        write(issuer.issue_cert("client@example.com"), folder / name)
    return folder


def write(issued: trustme.LeafCert, path: Path) -> None:
    issued.private_key_pem.write_to_path(f"{path}-key.pem")
    issued.cert_chain_pems[0].write_to_path(f"{path}-cert.pem")


@pytest.fixture(scope="module")
def engine(authority: trustme.CA, certificates: Path) -> Iterator[str]:
    """The TLS address of an engine that wants client certificates of ours."""

    def flags(address: str) -> list[str]:
        """With a certificate for the address that the engine got, which nobody knows before."""
        write(authority.issue_cert(address), certificates / "server")
        return [
            *("--host", f"tcp://{address}:2376", "--tlsverify"),
            *("--tlscacert", f"{certificates}/ours-ca.pem"),
            *("--tlscert", f"{certificates}/server-cert.pem"),
            *("--tlskey", f"{certificates}/server-key.pem"),
        ]

    try:
        swarm = Swarm(flags=flags).start()
    except Unavailable as reason:  # anything else is a failure: what this machine can run may not be skipped
        absent("swarm", reason)
    yield f"{swarm.manager.address}:2376"
    swarm.stop()


def look(engine: str, folder: Path, *, scheme: str = "tcp", **tls: str) -> int:
    """Services seen through a context with these certificates."""
    settings = {"host": f"{scheme}://{engine}"} | ({"tls": tls} if tls else {})
    context = Context(name="t", backend="swarm", state_dir=folder, base_dir=folder, settings=settings)
    with load("swarm").connect(context) as connection:
        return len(connection.reader.live("test"))


OURS = {"ca": "ours-ca.pem", "cert": "ours-cert.pem", "key": "ours-key.pem"}


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_the_contexts_own_authority_wins_over_the_environments(
    engine: str, certificates: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, str(certificates / "other-ca.pem"))
    assert look(engine, certificates, **OURS) == 0


def test_an_engine_of_another_authority_is_not_spoken_to(engine: str, certificates: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        look(engine, certificates, **OURS | {"ca": "other-ca.pem"})
    assert "tls.ca" in caught.value.hint


@pytest.mark.parametrize("client", [{}, {"cert": "other-cert.pem", "key": "other-key.pem"}])
def test_no_client_certificate_or_somebody_elses_is_refused(
    engine: str, certificates: Path, client: dict[str, str]
) -> None:
    with pytest.raises(AuthRefused) as caught:
        look(engine, certificates, ca="ours-ca.pem", **client)
    assert "tls.cert" in caught.value.hint


def test_plain_http_to_a_tls_port_says_what_is_missing(engine: str, certificates: Path) -> None:
    with pytest.raises(Unreachable) as caught:
        look(engine, certificates)
    assert "tls" in caught.value.hint

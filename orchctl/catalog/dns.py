"""What a client of Consul's DNS would get."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchctl.catalog.target import Target
from orchctl.errors import BackendUnavailable, Unreachable

if TYPE_CHECKING:
    import dns.message

PATIENCE_S = 3.0
_TYPES = ("A", "AAAA", "SRV")


class Resolver:
    """Asks over UDP, and over TCP for what was cut off, as resolvers do."""

    def __init__(self, target: Target) -> None:
        self._host, self._port = target.dns
        place = f".{target.datacenter}" if target.datacenter else ""
        self._zone = f"service{place}.{target.domain}"

    def names(self, name: str) -> Sequence[str]:
        """Of the addresses, and of the SRV records (RFC 2782)."""
        return f"{name}.{self._zone}", f"_{name}._tcp.{self._zone}"

    def ask(self, name: str) -> Sequence[tuple[str, str]]:
        """(type, text) of every record, in the order of the answer; empty when nothing that is called so is ready."""
        return [record for kind in _TYPES for record in self._records(self.names(name)[0], kind)]

    def _records(self, name: str, kind: str) -> list[tuple[str, str]]:
        import dns.rcode
        import dns.rdatatype

        answer = self._answer(name, kind)
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise Unreachable(f"{self._words} answers {dns.rcode.to_text(answer.rcode())} for {name}")
        wanted = dns.rdatatype.from_text(kind)
        return [(kind, record.to_text()) for found in answer.answer if found.rdtype == wanted for record in found]

    def _answer(self, name: str, kind: str) -> dns.message.Message:
        try:
            import dns.exception
            import dns.message
            import dns.query
        except ModuleNotFoundError as error:
            if error.name != "dns":
                raise
            hint = "pip install 'orchctl[consul]'"
            raise BackendUnavailable("asking DNS needs the Python package dnspython", hint=hint) from error
        try:
            [*_, (_, _, _, _, address)] = socket.getaddrinfo(self._host, self._port, type=socket.SOCK_DGRAM)
            question = dns.message.make_query(name, kind)
            answer, _ = dns.query.udp_with_fallback(
                question, str(address[0]), timeout=PATIENCE_S, port=self._port, ignore_unexpected=True
            )
        except (OSError, UnicodeError, dns.exception.DNSException) as error:
            reason = str(error) or type(error).__name__
            raise Unreachable(
                f"{self._words} does not answer: {reason}",
                hint='is DNS there? the catalog says where: dns = "HOST:PORT"',
            ) from error
        return answer

    @property
    def _words(self) -> str:
        return f"Consul's DNS at {self._host}:{self._port}"

"""A client that knows a name and nothing else: asks Consul's DNS, connects, and counts what did not answer.

Where an answer of the DNS leads is promised for as long as instances drain. What was refused ``_FRESH_S`` after the question was
kept waiting by this machine, says nothing about the service and is counted as late.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

import dns.exception
import dns.message
import dns.query
import dns.rdatatype

from tests.children import LONGEST_S

_FRESH_S = 1.0


@dataclass
class Client:
    """Asks again and again while it is entered. ``answered`` counts answers by address; ``failures`` says what went wrong;
    ``late`` counts what does not count."""

    name: str
    port: int
    answered: dict[str, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    late: int = 0
    _is_over: threading.Event = field(default_factory=threading.Event)
    _moved: threading.Condition = field(default_factory=threading.Condition)

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()

    def wait_for(self, count: int) -> None:
        """Until that many more requests were made."""
        with self._moved:
            until = self.total + count
            assert self._moved.wait_for(lambda: self.total >= until, timeout=LONGEST_S)

    @property
    def total(self) -> int:
        return sum(self.answered.values()) + len(self.failures)

    def _run(self) -> None:
        while not self._is_over.is_set():
            asked = time.monotonic()
            try:
                address = self._resolve()
                self._get(address)
                with self._moved:
                    self.answered[address] = self.answered.get(address, 0) + 1
                    self._moved.notify_all()
            except dns.exception.Timeout:
                self.late += 1
            except (OSError, http.client.HTTPException, LookupError) as error:
                with self._moved:
                    if isinstance(error, TimeoutError) or time.monotonic() - asked < _FRESH_S:
                        self.failures.append(f"{type(error).__name__}: {error}")
                    else:
                        self.late += 1
                    self._moved.notify_all()

    def _resolve(self) -> str:
        """``host:port`` of one of the SRV records, by chance."""
        question = dns.message.make_query(f"_{self.name}._tcp.service.consul", "SRV")
        answer, _ = dns.query.udp_with_fallback(question, "127.0.0.1", port=self.port, timeout=5)
        hosts = {r.name: item for r in answer.additional if r.rdtype == dns.rdatatype.A for item in r}
        records = [item for r in answer.answer if r.rdtype == dns.rdatatype.SRV for item in r]
        if not records:
            raise LookupError(f"the name {self.name} leads nowhere")
        chosen = random.choice(records)
        return f"{hosts[chosen.target].address}:{chosen.port}"

    def _get(self, address: str) -> None:
        host, _, port = address.rpartition(":")
        connection = http.client.HTTPConnection(host, int(port), timeout=5)
        try:
            connection.request("GET", "/")
            status = connection.getresponse().status
        finally:
            connection.close()
        if status != 200:
            raise http.client.HTTPException(f"{address} answered {status}")

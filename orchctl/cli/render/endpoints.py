"""Endpoints in the languages of other programs. Only ready ones: these files decide where traffic goes."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchctl.core.endpoint import Endpoint

_NOT_A_WORD = re.compile(r"[^A-Za-z0-9_.:-]")
_NOT_A_VARIABLE = re.compile(r"[^A-Z0-9_]")


def address(endpoint: Endpoint) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    host = _word(endpoint.host)
    return f"[{host}]:{endpoint.port}" if ":" in host else f"{host}:{endpoint.port}"


def hosts(found: Sequence[Endpoint]) -> str:
    """/etc/hosts: each host once for each service."""
    lines = dict.fromkeys(f"{_word(e.host)}\t{_word(e.service)}" for e in found if e.ready)
    return _text(lines)


def env(found: Sequence[Endpoint]) -> str:
    """Shell variables: HOST, PORT and ADDRESSES of every port, the first endpoint first."""
    lines: list[str] = []
    for (service, port_name), group in _by_port(found).items():
        prefix = _NOT_A_VARIABLE.sub("_", f"{service}_{port_name}".upper())
        lines += [
            f"{prefix}_HOST={_word(group[0].host)}",
            f"{prefix}_PORT={group[0].port}",
            f"{prefix}_ADDRESSES={','.join(map(address, group))}",
        ]
    return _text(lines)


def srv(found: Sequence[Endpoint]) -> str:
    """DNS SRV records of a zone file (RFC 2782)."""
    return _text(
        f"_{_word(e.port_name)}._{e.protocol.value}.{_word(e.service)} 5 IN SRV 10 {e.weight} {e.port} {_word(e.host)}."
        for e in found
        if e.ready
    )


def prom_sd(found: Sequence[Endpoint]) -> str:
    """Prometheus file_sd: one group for each port."""
    groups = [
        {"targets": [address(e) for e in group], "labels": {"service": service, "port": port_name}}
        for (service, port_name), group in _by_port(found).items()
    ]
    return json.dumps(groups, indent=2) + "\n"


def haproxy(found: Sequence[Endpoint]) -> str:
    """A ``backend`` section for each port."""
    blocks: list[str] = []
    for key, group in _by_port(found).items():
        servers = [f"    server {_name(key)}-{n} {address(e)} weight {e.weight} check" for n, e in enumerate(group, 1)]
        blocks.append("\n".join([f"backend {_name(key)}", *servers]))
    return _text(blocks)


def nginx(found: Sequence[Endpoint]) -> str:
    """An ``upstream`` block for each port."""
    blocks: list[str] = []
    for key, group in _by_port(found).items():
        servers = [f"    server {address(e)} weight={e.weight};" for e in group]
        blocks.append("\n".join([f"upstream {_name(key)} {{", *servers, "}"]))
    return _text(blocks)


def traefik(found: Sequence[Endpoint]) -> str:
    """The ``services`` of a dynamic configuration file."""
    lines = ["http:", "  services:"] if _by_port(found) else ["http: {}"]
    for key, group in _by_port(found).items():
        lines += [f"    {_name(key)}:", "      loadBalancer:", "        servers:"]
        lines += [f'          - url: "http://{address(e)}"' for e in group]
    return _text(lines)


FORMATS: Mapping[str, Callable[[Sequence[Endpoint]], str]] = {
    "hosts": hosts,
    "env": env,
    "srv": srv,
    "prom-sd": prom_sd,
    "haproxy": haproxy,
    "nginx": nginx,
    "traefik": traefik,
}


def _by_port(found: Sequence[Endpoint]) -> dict[tuple[str, str], list[Endpoint]]:
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in found:
        if endpoint.ready:
            groups.setdefault((_word(endpoint.service), _word(endpoint.port_name)), []).append(endpoint)
    return groups


def _name(key: tuple[str, str]) -> str:
    return "-".join(part for part in key if part)


def _word(text: str) -> str:
    """Host and service names come from a backend: nothing in them may end a word, a line or a string."""
    return _NOT_A_WORD.sub("_", text)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

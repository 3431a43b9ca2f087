"""Endpoints in the languages of other programs. Only ready ones: these files decide where traffic goes.

tests/cli/test_discover_consumers.py has HAProxy, nginx, Prometheus and Traefik read them.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from orchctl.core.endpoint import Endpoint
from orchctl.core.service import Protocol

_HIGHEST_WEIGHT = {"haproxy": 256, "srv": 65535}
_NOT_A_WORD = re.compile(r"[^A-Za-z0-9_.:-]")
_NOT_A_VARIABLE = re.compile(r"[^A-Z0-9_]")


def address(endpoint: Endpoint) -> str:
    """``host:port``, with brackets around an IPv6 address."""
    host = _word(endpoint.host)
    return f"[{host}]:{endpoint.port}" if ":" in host else f"{host}:{endpoint.port}"


def one_kind_a_port(found: Sequence[Endpoint]) -> list[Endpoint]:
    """Of each port in one cluster its instances, or the endpoints of the service as a whole where it has no instances.

    Both in one group would send an instance its own share and one more through what stands in front of it.
    """
    served = {(e.service, e.port_name) for e in found if e.instance}
    return [e for e in found if e.instance or (e.service, e.port_name) not in served]


def hosts(found: Sequence[Endpoint]) -> str:
    """/etc/hosts: each address once for each service; it takes no names, so a name is a comment."""
    lines = dict.fromkeys(
        f"{_word(e.host)}\t{_word(e.service)}" if _ip(e) else f"# {_word(e.service)}: {_word(e.host)} is no address"
        for e in found
        if e.ready
    )
    return _text(lines)


def env(found: Sequence[Endpoint]) -> str:
    """Shell variables: HOST, PORT and ADDRESSES of every port, the first endpoint first."""
    lines: list[str] = []
    groups = _by_port(found)
    times = Counter(_variable("_", key) for key in groups)
    for key, group in groups.items():
        prefix = _variable("_" if times[_variable("_", key)] == 1 else "__", key)
        lines += [
            f"{prefix}_HOST={_word(group[0].host)}",
            f"{prefix}_PORT={group[0].port}",
            f"{prefix}_ADDRESSES={','.join(map(address, group))}",
        ]
    return _text(lines)


def _variable(between: str, key: tuple[str, str]) -> str:
    """As a shell wants it: port b-c of a, and port c of a-b, would be one name but for what stands ``between``."""
    name = between.join(_NOT_A_VARIABLE.sub("_", part.upper()) for part in key)
    return f"_{name}" if name[0].isdigit() else name


def srv(found: Sequence[Endpoint]) -> str:
    """DNS SRV records of a zone file. Their target is a name (RFC 2782), so an address gets a name and a record."""
    lines: dict[str, None] = {}
    for e in (e for e in found if e.ready and e.port):
        ip, owner = _ip(e), f"_{_word(e.port_name)}._{e.protocol.value}.{_word(e.service)}"
        name = f"{_label(ip)}.{_word(e.service)}" if ip else f"{_word(e.host)}."
        lines[f"{owner} 5 IN SRV 10 {min(e.weight, _HIGHEST_WEIGHT['srv'])} {e.port} {name}"] = None
        if ip:
            lines[f"{name} 5 IN {'A' if ip.version == 4 else 'AAAA'} {ip}"] = None
    return _text(lines)


def prom_sd(found: Sequence[Endpoint]) -> str:
    """Prometheus file_sd: one group for each port."""
    groups = [
        {"targets": [address(e) for e in group], "labels": {"service": service, "port": port_name}}
        for (service, port_name), group in _by_port(found).items()
    ]
    return json.dumps(groups, indent=2) + "\n"


def haproxy(found: Sequence[Endpoint]) -> str:
    """A ``backend`` section for each port. A name that cannot be resolved yet must not keep HAProxy from starting."""
    blocks: list[str] = []
    for name, group in _named(_by_port(found)):
        if group[0].protocol is not Protocol.TCP:
            blocks.append(f"# {name}: HAProxy does not balance {group[0].protocol.value}")
            continue
        lines = [f"backend {name}"]
        for number, e in enumerate(group, 1):
            late = "" if _ip(e) else " init-addr last,libc,none"
            weight = min(e.weight, _HIGHEST_WEIGHT["haproxy"])
            lines.append(f"    server {name}-{number} {address(e)} weight {weight} check{late}")
        blocks.append("\n".join(lines))
    return _text(blocks)


def nginx(found: Sequence[Endpoint]) -> str:
    """An ``upstream`` block for each port. nginx has no weight of 0."""
    blocks: list[str] = []
    for name, group in _named(_by_port(found)):
        servers = [f"    server {address(e)} {f'weight={e.weight}' if e.weight else 'down'};" for e in group]
        blocks.append("\n".join([f"upstream {name} {{", *servers, "}"]))
    return _text(blocks)


def traefik(found: Sequence[Endpoint]) -> str:
    """The ``services`` of a dynamic configuration file: HTTP, so ports of TCP.

    A weight of 1 goes without saying (3.0.4 and 3.7 take others); what shall have no traffic is left out.
    """
    named = _named(_by_port(found))
    served = [(name, group) for name, group in named if group[0].protocol is Protocol.TCP]
    lines = [f"# {name}: not HTTP" for name, group in named if (name, group) not in served]
    lines += ["http:", "  services:"] if served else ["http: {}"]
    for name, group in served:
        lines += [f"    {name}:", "      loadBalancer:", "        servers:"]
        lines += [line for e in group if e.weight for line in _traefik_server(e)] or ["          []"]
    return _text(lines)


def _traefik_server(endpoint: Endpoint) -> list[str]:
    weight = [f"            weight: {endpoint.weight}"] if endpoint.weight != 1 else []
    return [f'          - url: "http://{address(endpoint)}"', *weight]


FORMATS: Mapping[str, Callable[[Sequence[Endpoint]], str]] = {
    "hosts": hosts,
    "env": env,
    "srv": srv,
    "prom-sd": prom_sd,
    "haproxy": haproxy,
    "nginx": nginx,
    "traefik": traefik,
}


_Groups = Mapping[tuple[str, str], Sequence[Endpoint]]


def _by_port(found: Sequence[Endpoint]) -> _Groups:
    groups: dict[tuple[str, str], list[Endpoint]] = {}
    for endpoint in found:
        if endpoint.ready and endpoint.port:  # an entry of somebody else in the catalog may have no port
            groups.setdefault((_word(endpoint.service), _word(endpoint.port_name)), []).append(endpoint)
    return groups


def _named(groups: _Groups) -> list[tuple[str, Sequence[Endpoint]]]:
    """``service-port``; with a dot where two would be called the same: port b-c of a, and port c of a-b."""
    times = Counter(map("-".join, groups))
    return [("-".join(key) if times["-".join(key)] == 1 else ".".join(key), group) for key, group in groups.items()]


def _ip(endpoint: Endpoint) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """None for a name, and for an address with a zone (fe80::1%eth0): it means nothing elsewhere."""
    try:
        return None if "%" in endpoint.host else ipaddress.ip_address(endpoint.host)
    except ValueError:
        return None


def _label(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """As one part of a host name, which may not begin or end with a hyphen, as a short IPv6 address would."""
    return ip.exploded.replace(".", "-").replace(":", "-")


def _word(text: str) -> str:
    """Host and service names come from a backend: nothing in them may end a word, a line or a string."""
    return _NOT_A_WORD.sub("_", text)


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)

"""The variables every process gets, and ``$(NAME)`` in command and args."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from orchctl.core.service import Service

_REFERENCE = re.compile(r"\$\$\((?P<escaped>[^()]*)\)|\$\((?P<name>[A-Za-z_][A-Za-z0-9_]*)\)")


def port_environment(service: Service, numbers: Mapping[str, int] | None = None) -> dict[str, str]:
    """``PORT_<NAME>`` for every port and ``PORT`` for the first.

    ``numbers`` gives the port each name has for this instance where it differs from the declared
    one (processes that share their host).
    """
    numbers = numbers or {}
    result: dict[str, str] = {}
    for port in service.ports:
        number = str(numbers.get(port.name, port.port))
        result.setdefault("PORT", number)
        result[f"PORT_{port.name.upper().replace('-', '_')}"] = number
    return result


def expand(words: Sequence[str], variables: Mapping[str, str]) -> list[str]:
    """Replace ``$(NAME)`` by its value, as Kubernetes does: unknown names stay as written, ``$$(X)`` is ``$(X)``."""

    def value(match: re.Match[str]) -> str:
        if match["name"] is None:
            return f"$({match['escaped']})"
        return variables.get(match["name"], match[0])

    return [_REFERENCE.sub(value, word) for word in words]

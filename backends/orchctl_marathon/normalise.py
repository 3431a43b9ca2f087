"""A live app -> the document it stands for.

The label ``orchctl.dev/intent`` says what was asked for. Translated again it must give exactly the live app; what does
not agree is drift, and is shown in the spec's words where there are any, else under ``backends.marathon.native``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from orchctl.core.codec import from_plain
from orchctl.core.document import Document, document_of, put
from orchctl.core.service import Service
from orchctl.core.units import format_bytes, format_cpu, format_duration
from orchctl_marathon.canonical import SERVED, canonical, without_defaults_of_the_cluster
from orchctl_marathon.command import file_paths, file_variable
from orchctl_marathon.names import INTENT, NAME, NAMESPACE
from orchctl_marathon.rollout import strict_strategy
from orchctl_marathon.translate import MIB, app

Path = tuple[str, ...]
Json = Mapping[str, Any]


_WHAT_RUNS = (
    "args",
    "cmd",
    "container",
    "cpus",
    "disk",
    "env",
    "fetch",
    "gpus",
    "healthChecks",
    "labels",
    "mem",
    "networks",
    "portDefinitions",
    "resourceLimits",
    "secrets",
    "user",
)


def document(live: Json) -> Document:
    """``live`` is an app as Marathon shows it, or as ``translate`` makes it."""
    service, digests, _ = noted = read_intent(live)
    result = document_of(service.sized(replicas_of(live)))
    for name in (n for n, value in service.env.items() if value == ""):
        put(result, ("env", name), "")  # an empty variable says something, although documents leave out what is empty
    for path, digest in digests.items():
        result["files"][path]["content"] = digest
    for leaf, value in _drift(live, *noted):
        _show(result, leaf, value)
    return result


def read_intent(live: Json) -> tuple[Service, dict[str, str], int]:
    """What the label says: service, content digests by path, count that the fractions were made for.

    A label that is gone or damaged reads as a service that asked for nothing, so that everything live shows as a
    difference.
    """
    labels = live.get("labels") or {}
    try:
        noted = json.loads(labels.get(INTENT, ""))
        service = from_plain(Service, noted["service"])
        app(service)  # what a later version wrote may not translate here
        return service, {str(k): str(v) for k, v in noted["files"].items() if k in service.files}, int(noted["sized"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return Service(name=str(labels.get(NAME, "")), namespace=str(labels.get(NAMESPACE, ""))), {}, 1


def _is_strict(live: Json) -> bool:
    """Its fractions are those of a careful way back (``careful.py``)."""
    try:
        return json.loads((live.get("labels") or {}).get(INTENT, "")).get("strict") is True
    except (ValueError, AttributeError, TypeError):
        return False


def is_as_written(live: Json) -> bool:
    """Nobody else has touched the definition since orchctl wrote it; the count may be another."""
    if INTENT not in (live.get("labels") or {}):
        return False
    return next(_drift(live, *read_intent(live)), None) is None


def definition_of(live: Json) -> dict[str, Any]:
    """What can be sent back: an app as it is shown is refused (422) for what Marathon adds to it."""
    return {k: v for k, v in live.items() if k not in SERVED} | {"instances": replicas_of(live)}


def what_runs(live: Json) -> dict[str, Any]:
    """The parts of the definition that make its tasks what they are."""
    return {k: live.get(k) for k in _WHAT_RUNS}


def _drift(live: Json, service: Service, digests: Mapping[str, str], sized: int) -> Iterator[tuple[Path, Any]]:
    """(path, live value) of everything that is not as ``service`` translates."""
    written = app(service.sized(sized))
    if _is_strict(live):
        written["upgradeStrategy"] = strict_strategy(service, sized)
    wanted = canonical(written, live)
    for number, path in enumerate(file_paths(service)):
        wanted.setdefault("env", {})[file_variable(number)] = digests.get(path, "")
    return _differences((), wanted, without_defaults_of_the_cluster(canonical(live, live), written))


def replicas_of(live: Json) -> int:
    return int(live.get("instances") or 0)


def _differences(path: Path, wanted: Any, found: Any) -> Iterator[tuple[Path, Any]]:
    """(path, live value) of every leaf that is not as translated; None = it is gone."""
    if isinstance(wanted, dict) or isinstance(found, dict):
        left = wanted if isinstance(wanted, dict) else {}
        right = found if isinstance(found, dict) else {}
        for key in sorted({*left, *right}):
            yield from _differences((*path, key), left.get(key), right.get(key))
    elif wanted != found:
        yield path, found


_WORDS: dict[Path, tuple[Path, Callable[[Any], Any]]] = {
    ("container", "docker", "image"): (("image",), str),
    ("cpus",): (("resources", "cpu"), lambda cpus: format_cpu(round(float(cpus) * 1_000))),
    ("mem",): (("resources", "memory"), lambda mem: format_bytes(int(float(mem) * MIB))),
    ("resourceLimits", "cpus"): (("resources", "limits", "cpu"), lambda cpus: format_cpu(round(float(cpus) * 1_000))),
    ("resourceLimits", "mem"): (("resources", "limits", "memory"), lambda mem: format_bytes(int(float(mem) * MIB))),
    ("taskKillGracePeriodSeconds",): (("stop", "grace"), lambda s: format_duration(int(s) * 1_000)),
}


def _show(result: Document, path: Path, value: Any) -> None:
    if path in _WORDS:
        words, convert = _WORDS[path]
        put(result, words, None if value is None else _converted(convert, value))
    elif path[0] in ("env", "labels") and len(path) == 2:
        put(result, path, value)
    else:
        put(result, ("backends", "marathon", "native", ".".join(path)), "(removed)" if value is None else value)


def _converted(convert: Callable[[Any], Any], value: Any) -> Any:
    """Somebody else may have written anything, such as a limit of "unlimited"."""
    try:
        return convert(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)

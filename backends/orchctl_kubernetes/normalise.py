"""Live objects -> the document they stand for.

The annotation ``orchctl.dev/intent`` says what was asked for. Translated again it must be found in the live objects;
what is not is drift, and is shown in the spec's words where there are any, else under ``backends.kubernetes.native``.
What the API server fills in, and what other managers have added, is nobody's difference. What our own apply has put
there and the intent does not explain is one: a deploy that was killed between two objects leaves it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from orchctl.core.codec import from_plain
from orchctl.core.document import Document, document_of, put
from orchctl.core.service import ProbeKind, Service
from orchctl.core.units import format_duration, parse_bytes, parse_cpu
from orchctl_kubernetes import translate
from orchctl_kubernetes.canonical import canonical, leaves, owned
from orchctl_kubernetes.names import INTENT, NAME, NAMESPACE, TEMPLATE, is_ours
from orchctl_kubernetes.options import is_readable
from orchctl_kubernetes.pod import plain
from orchctl_kubernetes.resources import CLAIMS

Json = Mapping[str, Any]
Path = tuple[str, ...]

_NATIVE: Path = ("backends", "kubernetes", "native")
_GENERATED = ("ConfigMap", "Secret")
MISSING = "(missing; is made again)"
LEFT_OVER = "(left over; goes)"
"""What a plan shows as the value before a deploy."""
_QUANTITIES = ("requests", "limits", "sizeLimit")


def document(deployment: Json, around: Sequence[Json]) -> Document:
    """``around``: Services, autoscaler, budget and claims of the service; ConfigMaps and Secrets say nothing here,
    because the Deployment names them by their content."""
    service, digests = read_intent(deployment)
    result = document_of(service.sized(replicas_of(deployment)))
    for name in (n for n, value in service.env.items() if value == ""):
        put(result, ("env", name), "")  # an empty variable says something, although documents leave out what is empty
    for path, digest in digests.items():
        result["files"][path]["content"] = digest
    *wanted_around, wanted = translate.rendered(service, digests)
    for leaf, value in _differences(canonical(wanted), canonical(deployment)):
        if leaf not in _UNSEEN:
            _show(result, service.name, leaf, value)
    wanted_around += translate.claims_of(service)
    for kind, name, leaf, value in _differences_around(wanted_around, around):
        put(result, (*_NATIVE, kind, name, *leaf), value)
    return result


def read_intent(deployment: Json) -> tuple[Service, dict[str, str]]:
    """What the annotation says: service, content digests by path.

    One that is gone or damaged reads as a service that asked for nothing, so that everything live shows as a
    difference.
    """
    metadata = deployment.get("metadata") or {}
    labels = metadata.get("labels") or {}
    try:
        noted = json.loads((metadata.get("annotations") or {}).get(INTENT, ""))
        service = _translatable(from_plain(Service, noted["service"]))
        return service, {str(k): str(v) for k, v in noted["files"].items() if k in service.files}
    except (ValueError, KeyError, TypeError, AttributeError):
        return Service(name=labels.get(NAME, ""), namespace=labels.get(NAMESPACE, "")), {}


def _translatable(service: Service) -> Service:
    """The annotation may have been edited by hand: ValueError or KeyError for what no checked spec has."""
    if not is_readable(service):
        raise ValueError("backends.kubernetes")
    for probe in (service.health.ready, service.health.live):
        if probe and probe.kind is ProbeKind.GRPC:
            service.port(probe.port)
    for file in service.files.values():
        int(file.mode, 8)
    return service


def replicas_of(deployment: Json) -> int:
    """The API server fills in 1 where nothing was asked for."""
    found = (deployment.get("spec") or {}).get("replicas")
    return found if isinstance(found, int) else 1


def stands(wanted: Json, live: Json) -> bool:
    """Is ``live`` as an apply of ``wanted`` would leave it?"""
    return not _unlike(wanted, live)


def must_be_replaced(wanted: Json, live: Json) -> bool:
    """A Service's address cannot be given or taken away later."""
    return wanted["kind"] == "Service" and _is_headless(wanted) != _is_headless(live)


def _is_headless(service: Json) -> bool:
    return bool(canonical(service)["spec"]["headless"])


def _differences_around(wanted: Sequence[Json], found: Sequence[Json]) -> Iterator[tuple[str, str, Path, Any]]:
    live = {(o["kind"], o["metadata"]["name"]): o for o in found if o["kind"] not in _GENERATED}
    expected = {(o["kind"], o["metadata"]["name"]): o for o in wanted}
    for key in sorted({*live, *expected}):
        if key not in live or key not in expected:
            yield *key, (), MISSING if key not in live else LEFT_OVER
            continue
        for path, value in _unlike(expected[key], live[key]):
            yield *key, path, MISSING if value is None else value


def _unlike(wanted: Json, live: Json) -> list[tuple[Path, Any]]:
    """(path, live value) of everything that an apply of ``wanted`` would change in ``live``.

    Claims are shared and outlive their services: one that somebody else has made is taken as it is, and none is made
    smaller.
    """
    asked = canonical(wanted)
    found = [*_differences(asked, canonical(live)), *_extra(asked, live)]
    if wanted["kind"] != CLAIMS.kind:
        return found
    if not is_ours((live.get("metadata") or {}).get("labels"), wanted["metadata"]["namespace"]):
        return []
    return [(path, value) for path, value in found if path != _STORAGE or _is_less(value, asked)]


_STORAGE: Path = ("spec", "resources", "requests", "storage")


def _is_less(size: Any, asked: Json) -> bool:
    try:
        return parse_bytes(str(size)) < parse_bytes(str(asked["spec"]["resources"]["requests"]["storage"]))
    except ValueError:
        return True


def _differences(wanted: Json, live: Json) -> Iterator[tuple[Path, Any]]:
    """(path, live value) of every leaf of ``wanted`` that is not so in ``live``; None = it is gone."""
    for path, value in leaves(wanted):
        found: Any = live
        for key in path:
            found = found.get(key) if isinstance(found, Mapping) else None
        if not _same(path, value, found):
            yield path, found


def _extra(wanted: Json, live: Json) -> Iterator[tuple[Path, Any]]:
    """(path, value) of what our own apply has set in ``live`` and ``wanted`` does not have."""
    asked = dict(leaves(wanted))
    for path, value in leaves(canonical(owned(live))):
        if path not in asked:
            yield path, value


def _same(path: Path, wanted: Any, found: Any) -> bool:
    if wanted == found or (not wanted and found is None):  # false, 0 and "" are left out by the API server
        return True
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return all(_within(path, w, f) for w, f in zip(wanted, found, strict=True))
    return any(part in _QUANTITIES for part in path) and _quantity(wanted) == _quantity(found)


def _within(path: Path, wanted: Any, found: Any) -> bool:
    """An item of a list: in a mapping the API server may have filled in more."""
    if not isinstance(wanted, Mapping) or not isinstance(found, Mapping):
        return _same(path, wanted, found)
    return all(_within((*path, k), v, found.get(k)) for k, v in wanted.items())


def _quantity(value: Any) -> object:
    """``1000m`` and ``1`` are the same, and so are ``1024`` and ``1Ki``: in thousandths."""
    for parse, factor in ((parse_cpu, 1), (parse_bytes, 1_000)):
        try:
            return parse(str(value)) * factor
        except ValueError:
            continue
    return value


# They change without the definition changing.
_UNSEEN: tuple[Path, ...] = (
    ("spec", "replicas"),
    ("metadata", "annotations", INTENT),
    # The hash covers file contents, which the intent does not hold; contents are compared by name.
    ("spec", "template", "metadata", "labels", TEMPLATE),
)
_TEMPLATE: Path = ("spec", "template", "spec")
_OWN_WORDS: dict[Path, tuple[Path, Callable[[Any], Any]]] = {
    ("image",): (("image",), str),
    ("command",): (("command",), list),
    ("args",): (("args",), list),
    ("workingDir",): (("working_dir",), str),
    ("resources", "requests", "cpu"): (("resources", "cpu"), str),
    ("resources", "requests", "memory"): (("resources", "memory"), str),
    ("resources", "limits", "cpu"): (("resources", "limits", "cpu"), str),
    ("resources", "limits", "memory"): (("resources", "limits", "memory"), str),
}
_WORDS: dict[Path, tuple[Path, Callable[[Any], Any]]] = {
    ("spec", "minReadySeconds"): (("rollout", "min_ready"), lambda s: format_duration(s * 1_000)),
    ("spec", "progressDeadlineSeconds"): (("rollout", "deadline"), lambda s: format_duration(s * 1_000)),
    ("spec", "strategy", "rollingUpdate", "maxSurge"): (("rollout", "max_surge"), str),
    ("spec", "strategy", "rollingUpdate", "maxUnavailable"): (("rollout", "max_unavailable"), str),
}


def _show(result: Document, name: str, path: Path, value: Any) -> None:
    container = (*_TEMPLATE, "containers", name)
    inside = path[len(container) :] if path[: len(container)] == container else ()
    words, convert = _OWN_WORDS.get(inside) or _WORDS.get(path) or (None, None)
    if words and convert:
        put(result, words, None if value is None else convert(value))
    elif inside[:1] == ("env",) and inside[2:] == ("value",):
        put(result, ("env", inside[1]), None if value is None else plain(str(value)))
    elif path[:2] == ("metadata", "labels"):
        put(result, ("labels", path[2]), value)
    else:
        put(result, (*_NATIVE, "Deployment", *path), MISSING if value is None else value)

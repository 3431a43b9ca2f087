"""``--set [SERVICE:]PATH=VALUE``: one value laid over a service from the command line.

``env.LOG=debug``, ``ports.http.published=8080`` (ports by name), ``files[/etc/x].content=...`` (brackets for
keys with dots or slashes), ``web:replicas=3`` when there are several services. The value is one YAML
scalar, taken literally (the shell has substituted already); ``null`` removes. Values of ``env`` and ``labels``
are always texts, so that ``env.DEBUG=true`` needs no nested quotes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path

import yaml

from orchctl.spec.codes import Code
from orchctl.spec.nodes import SETTING, Mapping, Node, Origin, Scalar, Sequence, Source, find, literal
from orchctl.spec.overlay import merge
from orchctl.spec.problems import did_you_mean, reject

_SERVICE = re.compile(r"([a-z][-a-z0-9]*):")
_STEP = re.compile(r"\.?([A-Za-z0-9_-]+)|\[([^\[\]]+)\]")


@dataclass(frozen=True, slots=True)
class Setting:
    """One ``--set``, read. ``service`` "" = the only one."""

    service: str
    path: tuple[str, ...]
    value: Scalar


def parse_setting(text: str, directory: Path) -> Setting:
    """SpecError when ``text`` is not ``[SERVICE:]PATH=VALUE``."""
    left, equals, right = text.partition("=")
    match = _SERVICE.match(left)
    service = match[1] if match else ""
    path = _path(left[match.end() if match else 0 :])
    # The command line is not repeated in messages where it may hold what nobody else should read.
    shown = text if path and path[0] not in ("env", "files") else f"{left}=***"
    origin = Origin(Source(SETTING, (shown,), directory), 1, 1)
    if not equals or not path:
        reject(
            Code.SET,
            f"--set {left} is not PATH=VALUE",
            origin,
            hint="for example --set replicas=3 or --set env.LOG=debug",
        )
    value = _value(right, origin, text_only=path[0] in ("env", "labels"), written="***" if shown != text else None)
    return Setting(service, path, value)


def apply_settings(services: Map[str, Mapping], settings: list[Setting]) -> dict[str, Mapping]:
    """``services`` with every setting laid over; SpecError for an unknown service or a secret."""
    result = dict(services)
    for setting in settings:
        name = _target(setting, result)
        _refuse_secret(result[name], setting)
        result[name] = merge(result[name], _layer(setting))
    return result


def _path(text: str) -> tuple[str, ...]:
    steps: list[str] = []
    at = 0
    while at < len(text):
        match = _STEP.match(text, at)
        if match is None or (at == 0 and text[0] == "."):
            return ()
        steps.append(match[1] or match[2])
        at = match.end()
    return tuple(steps)


def _value(text: str, origin: Origin, *, text_only: bool, written: str | None) -> Scalar:
    quoted = len(text) > 1 and text[0] == text[-1] and text[0] in "\"'"
    if quoted:
        try:
            text = yaml.safe_load(text) if len(text) < 4096 else text[1:-1]
        except yaml.YAMLError:
            reject(Code.SET, "the quoted value of --set cannot be read", origin)
    plain = not quoted and text != "" and (not text_only or text == "null")
    return literal(text, origin, plain=plain, written=written)


def _target(setting: Setting, services: Map[str, Mapping]) -> str:
    origin = setting.value.origin
    if setting.service:
        if setting.service not in services:
            hint = did_you_mean(setting.service, services) or f"known: {', '.join(services)}"
            reject(Code.SET, f"--set names the service {setting.service!r}, which no spec describes", origin, hint=hint)
        return setting.service
    if len(services) != 1:
        first = next(iter(services), "web")
        reject(
            Code.SET,
            f"there are {len(services)} services; --set must say which one it means",
            origin,
            hint=f"for example --set {first}:{'.'.join(setting.path)}=...",
        )
    return next(iter(services))


def _refuse_secret(service: Mapping, setting: Setting) -> None:
    here = find(service, setting.path)
    replaces_secret = isinstance(here, Mapping) and "secret" in here.items
    if "secret" in setting.path or replaces_secret or (setting.path[0] == "env" and len(setting.path) > 2):
        reject(
            Code.SET_SECRET,
            f"{'.'.join(setting.path)} is a secret; --set does not touch secrets",
            setting.value.origin,
            hint="refer to it in the spec: {secret: NAME, key: KEY}",
        )


def _layer(setting: Setting) -> Mapping:
    """The setting as a tree with one leaf; a port is addressed by its name."""
    origin = setting.value.origin
    node: Node = setting.value
    path = list(setting.path)
    while path:
        step = path.pop()
        if len(path) == 1 and path[0] == "ports" and isinstance(node, Mapping):
            name = literal(step, origin)
            entry = Mapping({"name": name, **node.items}, {"name": origin[1:], **node.keys}, origin)
            node = Sequence([entry], origin)
        else:
            node = Mapping({step: node}, {step: origin[1:]}, origin)
    assert isinstance(node, Mapping)
    return node

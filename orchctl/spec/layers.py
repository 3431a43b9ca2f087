"""Documents to services: which file describes, adds to, or overrides what.

A document with ``name`` describes one service, one with ``services`` several. One with neither is an
overlay for every service read before it. A service that an earlier ``-f`` described already is
overridden by a later one; within one ``-f`` (a directory) the same name twice is an error.
"""

from __future__ import annotations

from orchctl.spec.codes import Code
from orchctl.spec.expand import Expander
from orchctl.spec.models import API_VERSION
from orchctl.spec.nodes import Mapping, Node, Origin, Scalar, kind_of, literal
from orchctl.spec.overlay import merge, without
from orchctl.spec.problems import Problems, did_you_mean, excerpt

_DOCUMENT_FIELDS = ("apiVersion", "kind", "namespace", "services")
_NOT_YET = ("Job", "CronJob")


class Layers:
    """Takes documents in the order of the command line and keeps one tree per service."""

    def __init__(self, expander: Expander, problems: Problems) -> None:
        self._expander = expander
        self._problems = problems
        self.services: dict[str, Mapping] = {}
        self.first: dict[str, Mapping] = {}
        self._argument: dict[str, int] = {}

    def add(self, document: Mapping, *, argument: int) -> list[str]:
        """Take a document of the ``argument``-th ``-f``; the names of the services it is about."""
        found, common = self._split(document)
        if common is not None:
            earlier = [name for name, at in self._argument.items() if at < argument]
            if not earlier:
                self._problems.add(Code.MISSING_FIELD, "name is missing", document.origin, hint="start with name: ...")
            self._override(dict.fromkeys(earlier, common))
        for name, body in found.items():
            if name not in self.services:
                self._first(name, body, argument)
            elif self._argument[name] == argument:
                first = self.services[name].origin
                message = f"the service {name!r} is described twice; first at {first}"
                self._problems.add(
                    Code.SAME_SERVICE, message, body.origin, hint="give an overlay with a further -f, or use --env"
                )
            else:
                self._override({name: body})
        return list(found)

    def overlay(self, document: Mapping, names: list[str]) -> None:
        """Take the ``--env`` overlay of a file that described ``names``."""
        found, common = self._split(document)
        if common is not None:
            self._override(dict.fromkeys(names, common))
        for name, body in found.items():
            if name in names:
                self._override({name: body})
            else:
                hint = did_you_mean(name, names) or f"known: {', '.join(names)}"
                message = f"the overlay names the service {name!r}, which its file does not describe"
                self._problems.add(Code.DANGLING, message, body.origin, hint=hint)

    def _first(self, name: str, body: Mapping, argument: int) -> None:
        self.services[name] = self.first[name] = body
        self._argument[name] = argument

    def _override(self, bodies: dict[str, Mapping]) -> None:
        for name, body in bodies.items():
            self.services[name] = merge(self.services[name], without(body, ("name",)))

    def _split(self, document: Mapping) -> tuple[dict[str, Mapping], Mapping | None]:
        """The services a document names, and the document itself when it names none."""
        self._check_kind(document)
        if "services" in document.items:
            return self._several(document), None
        body = without(document, [k for k in document.items if k in ("apiVersion", "kind") or k.startswith("x-")])
        name = document.items.get("name")
        if name is None:
            return {}, body
        if not isinstance(name, Scalar):
            self._problems.add(Code.WRONG_TYPE, f"name must be text, not {kind_of(name)}", name.origin)
            return {}, None
        return {self._expander.scalar(name).text: body}, None

    def _several(self, document: Mapping) -> dict[str, Mapping]:
        for key in document.items:
            if key not in _DOCUMENT_FIELDS and not key.startswith("x-"):
                hint = did_you_mean(key, _DOCUMENT_FIELDS) or "fields of a service stand below its name"
                self._problems.add(
                    Code.UNKNOWN_FIELD,
                    f"there is no field {excerpt(key)} beside services",
                    document.key_origin(key),
                    hint=hint,
                )
        services = document.items["services"]
        if not isinstance(services, Mapping) or not services.items:
            self._problems.add(Code.SHAPE, "services must be a mapping of names to services", services.origin)
            return {}
        found: dict[str, Mapping] = {}
        for name, body in services.items.items():
            if isinstance(body, Mapping):
                found[name] = self._named(name, services.key_origin(name), body, document)
            else:
                self._problems.add(
                    Code.SHAPE, f"the service {excerpt(name)} must be a mapping", services.key_origin(name)
                )
        return found

    def _named(self, name: str, origin: Origin, body: Mapping, document: Mapping) -> Mapping:
        items: dict[str, Node] = {"name": literal(name, origin)}
        keys = {"name": origin[1:]}
        if "namespace" in document.items:
            items["namespace"], keys["namespace"] = document.items["namespace"], document.keys["namespace"]
        given = body.items.get("name")
        if isinstance(given, Scalar) and given.text != name:
            message = f"the service {name!r} is named {given.text!r} inside"
            self._problems.add(Code.CONTRADICTION, message, given.origin, hint="remove name; the key is the name")
        inner = {k: v for k, v in body.items.items() if k != "name"}
        return Mapping(items | inner, keys | {k: body.keys[k] for k in inner}, origin)

    def _check_kind(self, document: Mapping) -> None:
        version, kind = document.items.get("apiVersion"), document.items.get("kind")
        if version is not None and not (isinstance(version, Scalar) and version.text == API_VERSION):
            self._problems.add(
                Code.BAD_VALUE, "apiVersion is not one this version reads", version.origin, hint=f"write {API_VERSION}"
            )
        if isinstance(kind, Scalar) and kind.text in _NOT_YET:
            hint = "run it as a service, or start it by other means"
            self._problems.add(Code.NOT_SUPPORTED, f"kind {kind.text} is not in this version", kind.origin, hint=hint)
        elif kind is not None and not (isinstance(kind, Scalar) and kind.text == "Service"):
            self._problems.add(Code.BAD_VALUE, "the only kind is Service", kind.origin, hint="remove the line")

"""The way in: the files and flags of a command line to trusted services."""

from __future__ import annotations

from collections.abc import Mapping as Map
from dataclasses import dataclass
from pathlib import Path

from orchctl.core.diff import join
from orchctl.core.registry import BUILT_IN
from orchctl.core.service import Service
from orchctl.spec.build import build
from orchctl.spec.checks import check
from orchctl.spec.codes import Code
from orchctl.spec.expand import Expander
from orchctl.spec.explain import hide, locate
from orchctl.spec.files import read_confined
from orchctl.spec.layers import Layers
from orchctl.spec.lower import lower
from orchctl.spec.models import Service as Model
from orchctl.spec.nodes import Mapping, Node, Scalar, Sequence
from orchctl.spec.overlay import report_nulls, without_removed
from orchctl.spec.problems import Problems
from orchctl.spec.reading import Reader
from orchctl.spec.request import SpecRequest
from orchctl.spec.variables import Variables

__all__ = ["Resolved", "SpecRequest", "load_services", "load_trees"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """One service, and the merged tree it was made from. ``file`` is where it was described first."""

    service: Service
    tree: Mapping
    file: str

    @property
    def origins(self) -> Map[str, str]:
        """``file:line:column`` of every value, by its path in the plan's words (ports by name)."""
        return dict(_origins(self.tree, ""))


def load_services(request: SpecRequest) -> list[Resolved]:
    """Every service of the request, in the order read. SpecError with all problems found.

    Reads the spec files, their overlays, ``.env`` and the files that specs name; nothing else.
    """
    problems = Problems()
    trees = _merged(request, problems)
    problems.fail()
    resolved = [r for tree in trees.values() if (r := _resolve(tree, request, problems))]
    problems.fail()
    return resolved


def load_trees(request: SpecRequest) -> dict[str, Mapping]:
    """The merged and interpolated tree of every service, by name, unchecked. SpecError as ``load_services``."""
    problems = Problems()
    trees = _merged(request, problems)
    problems.fail()
    return trees


def _merged(request: SpecRequest, problems: Problems) -> dict[str, Mapping]:
    variables = Variables(request.environ, [request.cwd / name for name in request.env_files])
    expander = Expander(variables, problems)
    layers = Layers(expander, problems)
    Reader(request, layers, problems).read()
    problems.fail()
    services = _with_settings(layers.services, request)
    trees: dict[str, Mapping] = {}
    for name, tree in services.items():
        first = layers.first[name]
        report_nulls(first, problems)
        if tree is not first:
            trees[name] = expander.service(without_removed(tree))
        else:
            trees[name] = expander.service(tree) if tree.source.has_variables else tree
    return trees


def _with_settings(services: dict[str, Mapping], request: SpecRequest) -> dict[str, Mapping]:
    if not request.sets:
        return services
    from orchctl.spec.setting import apply_settings, parse_setting

    return apply_settings(services, [parse_setting(text, request.cwd) for text in request.sets])


def _resolve(tree: Mapping, request: SpecRequest, problems: Problems) -> Resolved | None:
    model = build(tree, problems)
    if model is None:
        return None
    before = len(problems.found)
    check(model, tree, request.known_backends or tuple(BUILT_IN), problems)
    contents = _contents(model, tree, request.cwd, problems)
    if len(problems.found) > before:
        return None
    service = lower(model, request.default_namespace, contents)
    return Resolved(service=service, tree=tree, file=tree.origin.source.name)


def _contents(model: Model, tree: Mapping, cwd: Path, problems: Problems) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for path, file in model.files.items():
        if file.source is None:
            continue
        node, origin, _ = locate(tree, ("files", path, "source"))
        try:
            found[path] = read_confined(file.source, origin.source.directory or cwd)
        except ValueError as error:
            hint = "a file is named relative to the spec that names it"
            problems.add(Code.CONTENT_FILE, hide(f"files[{path}].source: {error}", node), origin, hint=hint)
    return found


def _origins(node: Node, path: str) -> list[tuple[str, str]]:
    if isinstance(node, Mapping):
        found = []
        for name, value in node.items.items():
            here = join(path, name)
            found += [(here, str(value.origin)), *_origins(value, here)]
        return found
    if isinstance(node, Sequence) and path == "ports":
        named = Mapping({_port_name(item): item for item in node.items}, {}, node.origin)
        return _origins(named, path)
    return []


def _port_name(node: Node) -> str:
    name = node.items.get("name") if isinstance(node, Mapping) else None
    return name.text if isinstance(name, Scalar) else ""

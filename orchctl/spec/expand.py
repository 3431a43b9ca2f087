"""Substitutes variables in the values of a merged service; keys are never touched.

It works on scalars after parsing and after merging: a value can never become YAML structure, and a
variable that an overlay replaced need not be set. Whether a plain scalar is a number is decided
afterwards, so ``replicas: ${N}`` works and ``image: "${TAG}"`` stays a text.
"""

from __future__ import annotations

from operator import is_not

from orchctl.spec.codes import Code
from orchctl.spec.compose import CONTROL
from orchctl.spec.interpolate import TooLong, Unset, interpolate
from orchctl.spec.nodes import Mapping, Node, Scalar, Sequence
from orchctl.spec.problems import Problems, did_you_mean
from orchctl.spec.scalars import NULLS
from orchctl.spec.variables import Variables

MAX_TOTAL = 1024 * 1024

_TEXTS = ("command", "args", "env", "labels")
"""Fields whose values are texts: DEBUG: ${DEBUG} must not depend on whether DEBUG is 1 or true."""


class Expander:
    """Expands nodes of one run; all of them share one budget."""

    def __init__(self, variables: Variables, problems: Problems) -> None:
        self._variables = variables
        self._problems = problems
        self._total = 0

    def service(self, tree: Mapping) -> Mapping:
        """``tree`` with every scalar below it expanded; what went wrong is added to the problems.

        What holds no variable is not copied: that is most of a spec.
        """
        changed = {k: new for k, v in tree.items.items() if (new := self._node(v, k in _TEXTS)) is not v}
        return Mapping(tree.items | changed, tree.keys, tree.origin) if changed else tree

    def scalar(self, node: Scalar, *, is_text: bool = False) -> Scalar:
        """``node`` expanded, or as it is when there is nothing to substitute or it went wrong.

        ``is_text``: the result is a text whatever it looks like.
        """
        if node.literal or "$" not in node.text:
            return node
        directory = node.origin.source.directory
        try:
            text = interpolate(node.text, lambda name: self._variables.get(name, directory))
        except Unset as error:
            hint = did_you_mean(error.name, self._variables.names()) or f"set it, or write ${{{error.name}:-default}}"
            self._problems.add(Code.UNSET_VARIABLE, str(error), node.origin, hint=hint)
            return node
        except TooLong as error:
            self._problems.add(Code.EXPANDED_TOO_LARGE, str(error), node.origin)
            return node
        except ValueError as error:
            self._problems.add(Code.INTERPOLATION, str(error), node.origin, hint="write $$ for a literal dollar sign")
            return node
        return self._checked(node, text, is_text)

    def _checked(self, node: Scalar, text: str, is_text: bool) -> Scalar:
        self._total += len(text)
        if self._total > MAX_TOTAL:
            self._problems.add(Code.EXPANDED_TOO_LARGE, "substituted values are longer than 1 MiB in all", node.origin)
            return node
        if match := CONTROL.search(text):
            message = f"a variable holds the control character U+{ord(match[0]):04X}"
            self._problems.add(Code.CONTROL, message, node.origin)
            return node
        # A variable may be empty, or the word null; neither removes the field.
        plain = node.plain and not is_text and text not in NULLS
        return node.expanded(text, plain=plain)

    def _node(self, node: Node, is_text: bool) -> Node:
        if isinstance(node, Scalar):
            return self.scalar(node, is_text=is_text) if "$" in node.text else node
        if isinstance(node, Mapping):
            changed = {k: new for k, v in node.items.items() if (new := self._node(v, is_text)) is not v}
            return Mapping(node.items | changed, node.keys, node.origin) if changed else node
        items = [self._node(item, is_text) for item in node.items]
        return Sequence(items, node.origin) if any(map(is_not, items, node.items)) else node

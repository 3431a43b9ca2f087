"""Layers of a service."""

from collections.abc import Mapping as Map
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchctl.spec.nodes import Mapping, Node, Origin, Scalar, Sequence, Source, find
from orchctl.spec.overlay import merge, without_removed

HERE = Origin(Source("test"), 1, 1)


def tree(value: Any) -> Node:
    if isinstance(value, Map):
        return Mapping({k: tree(v) for k, v in value.items()}, dict.fromkeys(value, (1, 1)), HERE)
    if isinstance(value, list):
        return Sequence([tree(item) for item in value], HERE)
    return Scalar("null" if value is None else str(value), *HERE, plain=True)


def plain(node: Node) -> Any:
    if isinstance(node, Mapping):
        return {k: plain(v) for k, v in node.items.items()}
    return [plain(item) for item in node.items] if isinstance(node, Sequence) else node.text


def mapping(value: Map[str, Any]) -> Mapping:
    node = tree(value)
    assert isinstance(node, Mapping)
    return node


def merged(*layers: Map[str, Any]) -> Any:
    result = mapping(layers[0])
    for layer in layers[1:]:
        result = merge(result, mapping(layer))
    return plain(without_removed(result))


def test_mappings_merge_and_scalars_replace() -> None:
    assert merged({"env": {"A": 1, "B": 2}, "image": "x"}, {"env": {"B": 3}, "image": "y"}) == {
        "env": {"A": "1", "B": "3"},
        "image": "y",
    }


def test_lists_replace() -> None:
    assert merged({"command": ["a", "b"]}, {"command": ["c"]}) == {"command": ["c"]}


def test_ports_merge_by_name() -> None:
    under = {"ports": [{"name": "a", "port": 1}, {"name": "b", "port": 2}]}
    assert merged(under, {"ports": [{"name": "b", "port": 3}, {"name": "c", "port": 4}]}) == {
        "ports": [{"name": "a", "port": "1"}, {"name": "b", "port": "3"}, {"name": "c", "port": "4"}]
    }


def test_only_the_ports_of_the_service_have_keys() -> None:
    under = {"backends": {"x": {"ports": [{"name": "a"}]}}}
    assert merged(under, {"backends": {"x": {"ports": [{"name": "b"}]}}}) == {
        "backends": {"x": {"ports": [{"name": "b"}]}}
    }


def test_null_removes() -> None:
    assert merged({"env": {"A": 1, "B": 2}, "stop": {"grace": 1}}, {"env": {"A": None}, "stop": None}) == {
        "env": {"B": "2"}
    }


def test_what_was_removed_can_come_back_without_its_past() -> None:
    assert merged({"env": {"A": 1}}, {"env": None}, {"env": {"B": 2}}) == {"env": {"B": "2"}}


def test_null_stays_in_a_patch() -> None:
    layer = {"backends": {"k": {"patch": {"spec": None}, "other": None}}}
    assert merged({}, layer) == {"backends": {"k": {"patch": {"spec": "null"}}}}


def test_every_value_keeps_its_place() -> None:
    under, over = mapping({"env": {"A": 1, "B": 2}}), mapping({"env": {"B": 3}})
    there = Origin(Source("over"), 7, 3)
    over_env = over.items["env"]
    assert isinstance(over_env, Mapping)
    over_env.items["B"] = Scalar("3", *there, plain=True)
    result = merge(under, over)
    a, b = find(result, ("env", "A")), find(result, ("env", "B"))
    assert a is not None
    assert b is not None
    assert (str(a.origin), str(b.origin)) == ("test:1:1", "over:7:3")


KEYS = st.sampled_from(["env", "a", "b"])
PORTS = st.lists(
    st.fixed_dictionaries({"name": st.sampled_from(["x", "y", "z"])}, optional={"port": st.integers(0, 3) | st.none()}),
    max_size=3,
    unique_by=lambda p: p["name"],
)
VALUES = st.recursive(
    st.integers(0, 3) | st.none() | st.lists(st.integers(0, 3), max_size=2),
    lambda inner: st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)
LAYERS = st.fixed_dictionaries({}, optional={"ports": PORTS | VALUES, "env": VALUES, "a": VALUES})


@given(LAYERS, LAYERS, LAYERS)
def test_it_does_not_matter_which_layers_are_merged_first(a: Any, b: Any, c: Any) -> None:
    left = merge(merge(mapping(a), mapping(b)), mapping(c))
    right = merge(mapping(a), merge(mapping(b), mapping(c)))
    assert plain(without_removed(left)) == plain(without_removed(right))


@given(LAYERS)
def test_a_layer_over_itself_changes_nothing(layer: Any) -> None:
    assert merged(layer, layer) == merged(layer)

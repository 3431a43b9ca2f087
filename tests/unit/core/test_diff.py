"""The field diff."""

from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.diff import diff, join
from orchctl.core.plan import Op

LEAVES = st.one_of(st.integers(), st.text(max_size=3), st.lists(st.integers(), min_size=1, max_size=2))
DOCUMENTS = st.recursive(
    st.dictionaries(st.sampled_from(["a", "b", "c d"]), LEAVES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from(["a", "b", "c d"]), st.one_of(LEAVES, inner), max_size=3),
    max_leaves=6,
)


def never(_path: str) -> bool:
    return False


@given(DOCUMENTS)
def test_a_document_does_not_differ_from_itself(document: dict[str, object]) -> None:
    assert diff(document, document, restarts=never) == ()


@given(DOCUMENTS, DOCUMENTS)
def test_the_way_back_is_the_same_changes_turned_round(a: dict[str, object], b: dict[str, object]) -> None:
    turned = {Op.ADD: Op.REMOVE, Op.REMOVE: Op.ADD, Op.UPDATE: Op.UPDATE}
    there, back = diff(a, b, restarts=never), diff(b, a, restarts=never)
    assert [(c.path, c.op, c.before, c.after) for c in there] == [
        (c.path, turned[c.op], c.after, c.before) for c in back
    ]


def test_what_is_added_is_named_field_by_field() -> None:
    changes = diff({}, {"env": {"A": "1"}, "files": {"/etc/x": {"mode": "0444"}}}, restarts=lambda p: p == "env.A")
    assert [(c.path, c.op, c.after, c.restarts) for c in changes] == [
        ("env.A", Op.ADD, "1", True),
        ("files[/etc/x].mode", Op.ADD, "0444", False),
    ]


def test_paths_quote_what_is_not_a_plain_word() -> None:
    assert join("", "env") == "env"
    assert join("env", "LOG") == "env.LOG"
    assert join("files", "/etc/x") == "files[/etc/x]"

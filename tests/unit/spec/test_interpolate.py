"""Variables, with Compose's grammar."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.spec.interpolate import MAX_LENGTH, TooLong, Unset, interpolate

VALUES = {"A": "a", "EMPTY": "", "DOLLAR": "${A}"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("$A", "a"),
        ("${A}", "a"),
        ("x${A}y", "xay"),
        ("$A.$A", "a.a"),
        ("$A_", None),
        ("${A:-d}", "a"),
        ("${NO:-d}", "d"),
        ("${NO-d}", "d"),
        ("${EMPTY:-d}", "d"),
        ("${EMPTY-d}", ""),
        ("${NO:-}", ""),
        ("${NO-}", ""),
        ("${A:+alt}", "alt"),
        ("${NO:+alt}", ""),
        ("${EMPTY:+alt}", ""),
        ("${EMPTY+alt}", "alt"),
        ("${A:?m}", "a"),
        ("${EMPTY?m}", ""),
        ("${EMPTY:?m}", None),
        ("${NO?m}", None),
        ("${NO}", None),
        ("$NO", None),
        ("${NO:-${A}}", "a"),
        ("${NO:-${NO2:-${A}}}", "a"),
        ("${A:-${NO}}", "a"),
        ("${A:+x${A}y}", "xay"),
        ("${NO:-a b:c}", "a b:c"),
        ("$$", "$"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("${NO:-$$}", "$"),
        ("$(PORT_HTTP)", "$(PORT_HTTP)"),
        ("$(date +%s)", "$(date +%s)"),
        ("${NO:-$(PORT)}", "$(PORT)"),
        ("a}b", "a}b"),
        ("${DOLLAR}", "${A}"),
    ],
)
def test_the_grammar(text: str, expected: str | None) -> None:
    if expected is None:
        with pytest.raises(Unset):
            interpolate(text, VALUES.get)
    else:
        assert interpolate(text, VALUES.get) == expected


@pytest.mark.parametrize(
    "text", ["$", "a$", "$1", "${}", "${", "${A", "${A:-x", "${A:x}", "${1}", "${A }", "$ A", "${A##x}", "${${A}}"]
)
def test_what_is_not_the_grammar_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        interpolate(text, VALUES.get)


def test_the_message_of_a_required_variable_is_shown() -> None:
    with pytest.raises(Unset, match="NO is not set: ask the team a"):
        interpolate("${NO:?ask the team ${A}}", VALUES.get)


def test_variables_that_are_not_used_are_not_looked_up() -> None:
    seen: list[str] = []

    def lookup(name: str) -> str:
        seen.append(name)
        return "x"

    interpolate("${A:-${B}}", lookup)
    assert seen == ["A"]


def test_nesting_and_length_are_bounded() -> None:
    with pytest.raises(ValueError, match="nested"):
        interpolate("${A:-" * 10_000, VALUES.get)
    with pytest.raises(TooLong):
        interpolate("$BIG" * 100, {"BIG": "x" * (MAX_LENGTH // 50)}.get)


NAMES = st.sampled_from(["A", "B", "NO", "EMPTY"])
ENVIRON = {"A": "one", "B": "$two}", "EMPTY": ""}
REFERENCE = re.compile(r"\$(?:(\$)|([A-Z]+)|\{([A-Z]+)(?:(:?)([-+])([^{}$]*))?\})")


def reference(text: str) -> str:
    """The grammar without nesting, as one regular expression."""

    def value(match: re.Match[str]) -> str:
        if match[1]:
            return "$"
        name = match[2] or match[3]
        given = ENVIRON.get(name)
        is_set = bool(given) if match[4] else given is not None
        if match[5] == "-":
            return str(given) if is_set else match[6]
        if match[5] == "+":
            return match[6] if is_set else ""
        return ENVIRON[name]

    return REFERENCE.sub(value, text)


PIECES = st.one_of(
    st.text(alphabet="ab }{:-+", max_size=5),
    st.just("$$"),
    st.builds("${{{}}}".format, st.sampled_from(["A", "B", "EMPTY"])),
    st.builds(
        "${{{}{}{}}}".format, NAMES, st.sampled_from([":-", "-", ":+", "+"]), st.text(alphabet="xy :?-", max_size=4)
    ),
)


@given(st.lists(PIECES, max_size=8).map("".join))
def test_it_agrees_with_a_reference(text: str) -> None:
    assert interpolate(text, ENVIRON.get) == reference(text)


@given(st.text(alphabet="$${}:-?+A(B) ", max_size=60))
def test_it_ends_with_a_text_or_a_value_error(text: str) -> None:
    try:
        interpolate(text, VALUES.get)
    except ValueError:
        return


@given(st.text())
def test_a_text_with_doubled_dollars_means_itself(text: str) -> None:
    assert interpolate(text.replace("$", "$$"), VALUES.get) == text

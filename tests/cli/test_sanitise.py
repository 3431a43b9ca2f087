from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.cli.views.sanitise import sanitise, sanitise_lines

_ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))
_BIDI = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


@given(_ANY_TEXT)
def test_sanitised_text_has_no_control_character(text: str) -> None:
    for character in sanitise(text):
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert character not in _BIDI


@given(_ANY_TEXT)
def test_sanitising_twice_changes_nothing(text: str) -> None:
    assert sanitise(sanitise(text)) == sanitise(text)
    assert sanitise_lines(sanitise_lines(text)) == sanitise_lines(text)


@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S", "Zs"])))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert sanitise(text) == text


@given(_ANY_TEXT)
def test_sanitised_text_can_be_written_as_utf8(text: str) -> None:
    sanitise(text).encode("utf-8")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2Jgone", "\\x1b[2Jgone"),
        ("a\rb\nc\td", "a\\rb\\nc\\td"),
        ("\x9b31m", "\\x9b31m"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\ud800", "\\ud800"),
        ("ü 漢字 🙂", "ü 漢字 🙂"),
        ("ad\u200bmin\u00ad\ufeff", "ad\\u200bmin\\xad\\ufeff"),
        ("\U000e0041", "\\U000e0041"),
        ("می\u200cخواهم 👩\u200d🚀", "می\u200cخواهم 👩\u200d🚀"),
    ],
)
def test_escapes_are_visible(text: str, shown: str) -> None:
    assert sanitise(text) == shown


def test_lines_keep_their_breaks() -> None:
    assert sanitise_lines("one\n\ttwo\x07\r\n") == "one\n    two\\x07\\r\n"

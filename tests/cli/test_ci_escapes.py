"""Texts as part of workflow commands, XML and Markdown, for any text."""

from __future__ import annotations

import html
import io
import re
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.cli.ci.defused import Defused
from orchctl.cli.ci.escapes import command_data, command_property, markdown_text, xml_text
from orchctl.cli.ci.junit import Case, junit
from orchctl.cli.ci.outputs import dotenv, github_outputs
from orchctl.cli.ci.summary import cut
from orchctl.cli.views.sanitise import sanitise

ANY_TEXT = st.text(alphabet=st.characters(exclude_categories=()))
TRICKY = st.text(alphabet=st.sampled_from(":%\r\n,#[]x \t\u00a02503AD"))


def _unescaped(text: str, *, is_property: bool) -> str:
    """As the runner does it (actions/runner, ActionCommand.cs): ``%`` last."""
    for code, character in {"%0D": "\r", "%0A": "\n"}.items():
        text = text.replace(code, character)
    if is_property:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%25", "%")


@given(TRICKY | ANY_TEXT)
def test_messages_come_back_as_they_were(text: str) -> None:
    escaped = command_data(text)
    assert not set("\r\n") & set(escaped)
    assert _unescaped(escaped, is_property=False) == text


@given(TRICKY | ANY_TEXT)
def test_properties_come_back_as_they_were(text: str) -> None:
    escaped = command_property(text)
    assert not set("\r\n:,") & set(escaped)
    assert _unescaped(escaped, is_property=True) == text


def _starts_a_command(line: str) -> bool:
    return line.lstrip().startswith("::") or "##[" in line


@given(st.lists(TRICKY))
def test_no_line_of_defused_output_starts_a_command(pieces: list[str]) -> None:
    stream = io.StringIO()
    defused = Defused(stream)
    defused.writelines(pieces)
    assert not [line for line in re.split(r"[\r\n]", stream.getvalue()) if _starts_a_command(line)]


@given(st.lists(st.text(alphabet=st.characters(exclude_characters=":#"))))
def test_other_output_is_as_it_was(pieces: list[str]) -> None:
    stream = io.StringIO()
    Defused(stream).writelines(pieces)
    assert stream.getvalue() == "".join(pieces)


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["::add-mask::x\n"], "\\x3a:add-mask::x\n"),
        (["  \u00a0::error::x"], "  \u00a0\\x3a:error::x"),
        (["a\r::error::x"], "a\r\\x3a:error::x"),
        (["a ::b\n", ":", ":c::\n"], "a ::b\n\\x3a:c::\n"),
        (["a ##[error]x"], "a ##\\x5berror]x"),
        (["a #", "#", "[error]x"], "a ##\\x5berror]x"),
    ],
)
def test_commands_are_shown_escaped(pieces: list[str], shown: str) -> None:
    stream = io.StringIO()
    Defused(stream).writelines(pieces)
    assert stream.getvalue() == shown


@given(ANY_TEXT)
def test_markdown_is_one_line_without_markup_that_reads_as_the_text(text: str) -> None:
    shown = markdown_text(text)
    assert not set("|`<>*_[]\\!@~\n\r") & set(re.sub(r"&#\d+;", "", shown))
    assert html.unescape(shown) == sanitise(text)


@given(ANY_TEXT)
def test_junit_can_be_read_whatever_it_tells(text: str) -> None:
    case = Case(name=text, result="failure", kind=text, message=text, text=text)
    [read] = ElementTree.fromstring(junit("deploy", [case])).iter("failure")
    assert (read.text or "") == xml_text(text)


def test_what_xml_cannot_carry_is_escaped_or_left_out() -> None:
    assert xml_text("a\x00\x1b[1m\nb\ufffe\ud800c") == "a\\x00\\x1b[1m\nb\\ud800c"


@given(
    st.dictionaries(st.sampled_from(["state", "revision", "exit_code"]), ANY_TEXT.map(lambda t: t.replace("\r", "")))
)
def test_outputs_of_several_lines_come_back_as_they_were(outputs: dict[str, str]) -> None:
    read, lines = {}, iter(github_outputs(outputs, "end-4711").split("\n"))
    for line in lines:
        if line:
            name, _, delimiter = line.partition("<<")
            read[name] = "\n".join(iter(lines.__next__, delimiter))
    assert read == outputs


def test_dotenv_has_one_variable_a_line() -> None:
    assert dotenv({"state": "converged", "exit_code": "0"}) == "ORCHCTL_STATE=converged\nORCHCTL_EXIT_CODE=0\n"


@given(st.lists(st.text(alphabet="aü漢"), max_size=30), st.integers(0, 200))
def test_what_is_cut_fits_and_says_so(parts: list[str], most: int) -> None:
    text = cut(parts, "(cut)", most=most)
    assert len(text.encode()) <= most
    assert text in ("", "".join(parts)) or text.endswith("(cut)")

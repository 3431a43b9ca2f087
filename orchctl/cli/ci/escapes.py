"""Text of specs, backends and processes as part of workflow commands, XML and Markdown."""

from __future__ import annotations

import re

from orchctl.cli.views.sanitise import sanitise, sanitise_lines

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_MARKUP = re.compile(r"[^\w\s./=,()-]|_", re.ASCII)


def command_data(text: str) -> str:
    """The message of a workflow command: as actions/toolkit escapes it, ``%`` first."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def command_property(text: str) -> str:
    """A property of a workflow command: ``:`` and ``,`` end it, too."""
    return command_data(text).replace(":", "%3A").replace(",", "%2C")


def xml_text(text: str) -> str:
    """What XML 1.0 can carry; its writer escapes the rest. Control characters are visible escapes."""
    return _NOT_XML.sub("", sanitise_lines(text))


def markdown_text(text: str) -> str:
    """One line that shows as it is written: what Markdown or HTML could read as markup is a reference (``&#124;``)."""
    return _MARKUP.sub(_reference, sanitise(text))


def _reference(match: re.Match[str]) -> str:
    character = match[0]
    return f"&#{ord(character)};" if character.isascii() else character

"""Bytes to nodes: the YAML reader, with limits that hold before anything is built.

Here the bytes become text and the text is checked; ``compose`` makes the nodes.
"""

from __future__ import annotations

import re
from pathlib import Path

from orchctl.spec.codes import Code
from orchctl.spec.compose import CONTROL, compose
from orchctl.spec.nodes import Mapping, Origin, Source, kind_of
from orchctl.spec.problems import Problems, reject

MAX_BYTES = 256 * 1024
_BREAK = re.compile(r"\r\n|\n|\r")
_VARIABLE = re.compile(r"\$(?!\()")  # $(PORT_HTTP) is the backend's


def load(data: bytes, name: str, directory: Path | None = None) -> Mapping:
    """The one document of a spec file, as nodes; SpecError with every problem found.

    ``directory`` is where relative paths of the file start. JSON is YAML and is read as well.
    """
    if len(data) > MAX_BYTES:
        source = Source(name, (), directory)
        reject(
            Code.TOO_LARGE,
            f"the file has {len(data)} bytes; a spec holds at most {MAX_BYTES} (256 KiB)",
            Origin(source, 1, 1),
            hint="put large content into a file of its own and name it with files: {/path: {source: ./file}}",
        )
    text = _decode(data, name)
    source = Source(name, tuple(_BREAK.split(text)), directory, has_variables=_VARIABLE.search(text) is not None)
    _refuse_control(text, source)
    problems = Problems()
    root = compose(text, source, problems)
    if root is not None and not isinstance(root, Mapping):
        problems.add(
            Code.SHAPE, f"a spec is a mapping, this is {kind_of(root)}", root.origin, hint="start with name: ..."
        )
    problems.fail()
    if not isinstance(root, Mapping):
        reject(Code.SHAPE, "the file is empty", Origin(source, 1, 1), hint="write a starter with: orchctl init NAME")
    return root


def _decode(data: bytes, name: str) -> str:
    start = Origin(Source(name), 1, 1)
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or data[:2].count(0) == 1 or data[:4].count(0) == 3:
        reject(Code.ENCODING, "the file is UTF-16 or UTF-32", start, hint="save it as UTF-8")
    try:
        return data.removeprefix(b"\xef\xbb\xbf").decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        lines = _BREAK.split(before)
        origin = Origin(Source(name), len(lines), len(lines[-1]) + 1)
        reject(Code.ENCODING, f"byte 0x{data[error.start]:02x} is not UTF-8", origin, hint="save the file as UTF-8")


def _refuse_control(text: str, source: Source) -> None:
    problems = Problems()
    if not CONTROL.search(text):
        return
    for number, line in enumerate(source.lines, 1):
        for match in CONTROL.finditer(line):
            problems.add(
                Code.CONTROL,
                f"control or invisible character U+{ord(match[0]):04X}",
                Origin(source, number, match.start() + 1),
                hint="remove it; binary content belongs into a file named with source:",
            )
    for error in problems.found:  # the line itself would carry the character to the terminal
        error.source_line = CONTROL.sub("?", error.source_line)
    problems.fail()

"""Filters of app lists: id and cmd by substring, labels by selector."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from tests.servers.marathon.errors import Refused
from tests.servers.marathon.store import Release

_WORD = r"(?:\\.|[-A-Za-z0-9_.])+"
_SET = re.compile(rf"({_WORD})\s+(in|notin)\s+\(([^)]*)\)")
_EQUAL = re.compile(rf"({_WORD})\s*(==|!=)\s*({_WORD})")
_EXISTS = re.compile(rf"(!?)\s*({_WORD})")

Test = Callable[[Mapping[str, str]], bool]


def selected(releases: Sequence[Release], query: Mapping[str, Sequence[str]]) -> list[Release]:
    """Those that match every filter of ``query``; a bad selector is 422."""
    tests = [test for selector in query.get("label", ()) for test in _parse(selector)]
    names, commands = query.get("id", ()), query.get("cmd", ())
    return [
        one
        for one in releases
        if all(name in one.path for name in names)
        and all(command in one.app.get("cmd", "") for command in commands)
        and all(test(one.app["labels"]) for test in tests)
    ]


def _parse(selector: str) -> Iterator[Test]:
    for part in re.split(r",(?![^(]*\))", selector):
        yield _one(part.strip(), selector)


def _one(part: str, selector: str) -> Test:
    if found := _SET.fullmatch(part):
        key, operator, values = _plain(found[1]), found[2], {_plain(one.strip()) for one in found[3].split(",")}
        return lambda labels: (key in labels and labels[key] in values) is (operator == "in")
    if found := _EQUAL.fullmatch(part):
        key, operator, value = _plain(found[1]), found[2], _plain(found[3])
        # An app without the key matches neither "==" nor "!=" (05-embed/172).
        return lambda labels: key in labels and (labels[key] == value) is (operator == "==")
    if found := _EXISTS.fullmatch(part):
        key, absent = _plain(found[2]), bool(found[1])
        return lambda labels: (key in labels) is not absent
    wrong = re.sub(rf"^{_WORD}", "", part)[:1]
    text = r"string matching regex '(\\.|[-A-Za-z0-9_.])+' expected but " + (
        f"'{wrong}' found" if wrong else "end of source found"
    )
    raise Refused(422, {"message": f"Can not parse label selector {selector}. Reason: {text}"})


def _plain(word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word)

"""The lines of a spec's files that a plan changes. Documents hold a digest of a file's content; what ran is in the records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from orchctl.core.diff import join
from orchctl.core.document import content_digest
from orchctl.core.plan import Change, Op
from orchctl.core.service import Service

MOST_LINES = 40
"""Of one file, unchanged ones beside changes included: what is longer is read elsewhere than in a plan."""
_MOST_BYTES = 64 * 1024
_BESIDE = 1


def with_lines(changes: Sequence[Change], service: Service, kept: Iterable[Service]) -> tuple[Change, ...]:
    """``changes``, each of a file's content with its lines (``Change.lines``) where the former content is that of a
    service in ``kept`` and both are text. Secrets are files without content, so none of their lines can stand here."""
    if not any(_is_of_content(c) for c in changes):
        return (*changes,)
    now = {join(join("files", path), "content"): file.content for path, file in service.files.items()}
    former = {content_digest(f.content): f.content for s in kept for f in s.files.values() if f.content is not None}
    return tuple(replace(c, lines=_lines(c, now, former)) if _is_of_content(c) else c for c in changes)


def _is_of_content(change: Change) -> bool:
    return change.op is Op.UPDATE and change.path.startswith("files[") and change.path.endswith("].content")


def _lines(change: Change, now: Mapping[str, bytes | None], former: Mapping[str, bytes]) -> tuple[str, ...]:
    before, after = _text(former.get(change.before)), _text(now.get(change.path))
    if before is None or after is None:
        return ()
    import difflib  # few plans change a file

    found = difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm="", n=_BESIDE)
    lines = [*found][2:]  # without the names of the two
    if not lines:
        return ("(the ends of lines alone)",)
    more = len(lines) - MOST_LINES
    return (*lines[:MOST_LINES], *([f"({more} more lines)"] if more > 0 else []))


def _text(content: bytes | None) -> str | None:
    """None for what is no text, or too much of it to compare in a moment."""
    if content is None or len(content) > _MOST_BYTES or b"\0" in content:
        return None
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return None

"""Text from specs, backends and processes, made fit for a terminal.

A terminal obeys escape sequences wherever they come from (CVE-2021-25743): a service name or a log
line could move the cursor, set the clipboard or hide what was printed. Rich passes ESC, C1 and
bidirectional controls through (Rich 15, measured 2026-11), so everything goes through here first.
"""

from __future__ import annotations

import re

# C0 (with CR, LF, TAB), DEL, C1; marks that change the direction of what is shown or break lines; surrogates; and what
# takes no room, so that two names look alike: soft hyphen, zero width space and its kin, BOM, tags. Joiners stay: Persian
# and emoji are written with them.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb"
    "\xad\u180e\u200b\u2060-\u2064\ufeff\U000e0000-\U000e007f]"
)


def sanitise(text: str) -> str:
    """One line with every control character as a visible escape: ``\\x1b``, ``\\u202e``, ``\\n``."""
    return _UNSAFE.sub(_escape, text)


def sanitise_lines(text: str) -> str:
    """As ``sanitise``, but line feeds stay and tabs become blanks."""
    return "\n".join(sanitise(line) for line in text.expandtabs(4).split("\n"))


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    number = ord(character)
    if number > 0xFFFF:
        return f"\\U{number:08x}"
    return named or (f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}")

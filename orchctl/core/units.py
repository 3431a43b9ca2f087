"""Durations, CPU and sizes: parsed at the spec's edge, formatted for people.

Durations follow Go's syntax (``1h30m``, ``250ms``) plus ``d``; CPU and sizes follow Kubernetes'
quantities (``250m``, ``1.5``; ``256Mi``, ``1G``).
"""

from __future__ import annotations

import re
from functools import lru_cache

_DURATION_MS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)")
_SIZE = {
    "": 1,
    "k": 10**3,
    "M": 10**6,
    "G": 10**9,
    "T": 10**12,
    "P": 10**15,
    "Ki": 2**10,
    "Mi": 2**20,
    "Gi": 2**30,
    "Ti": 2**40,
    "Pi": 2**50,
}
_QUANTITY = re.compile(r"([0-9]+(?:\.[0-9]+)?)([A-Za-z]*)")
_LONGEST = 32  # characters; no sane quantity is longer, and the arithmetic stays bounded
_remembered = lru_cache(maxsize=256)  # many specs use the same few quantities


@_remembered
def parse_duration(text: str) -> int:
    """Milliseconds of a Go duration such as ``1m30s``; ValueError says what is wrong."""
    if text == "0":
        return 0
    parts = _PART.findall(text) if len(text) <= _LONGEST else []
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"{text[:40]!r} is not a duration; write for example 500ms, 30s, 5m or 1h30m")
    scale: int = 10**_LONGEST
    total = sum(_times(number, _DURATION_MS[unit] * scale) for number, unit in parts)
    if total % scale:
        raise ValueError(f"{text!r} is finer than one millisecond")
    return total // scale


def format_duration(ms: int) -> str:
    """The shortest exact text: 90000 -> ``1m30s``."""
    if ms == 0:
        return "0s"
    text = ""
    for unit in ("h", "m", "s", "ms"):
        count, ms = divmod(ms, _DURATION_MS[unit])
        if count:
            text += f"{count}{unit}"
    return text


@_remembered
def parse_cpu(text: str) -> int:
    """Millicores of ``250m`` or ``1.5``, rounded up; ValueError says what is wrong."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if not match or match[2] not in ("", "m"):
        raise ValueError(f"{text[:40]!r} is not a CPU amount; write for example 250m or 1.5")
    return _times(match[1], 1 if match[2] == "m" else 1000)


def format_cpu(millis: int) -> str:
    """``250m``, or whole cores without a suffix."""
    return str(millis // 1000) if millis and millis % 1000 == 0 else f"{millis}m"


@_remembered
def parse_bytes(text: str) -> int:
    """Bytes of ``256Mi``, ``1G`` or ``1024``, rounded up; ValueError says what is wrong."""
    match = _QUANTITY.fullmatch(text) if len(text) <= _LONGEST else None
    if not match or match[2] not in _SIZE:
        raise ValueError(f"{text[:40]!r} is not a size; write for example 256Mi or 1G")
    return _times(match[1], _SIZE[match[2]])


def format_bytes(size: int) -> str:
    """The largest binary unit that divides exactly: 268435456 -> ``256Mi``."""
    for unit in ("Pi", "Ti", "Gi", "Mi", "Ki"):
        if size and size % _SIZE[unit] == 0:
            return f"{size // _SIZE[unit]}{unit}"
    return str(size)


def _times(number: str, unit: int) -> int:
    """``number`` (such as 1.25) times ``unit``, exact, rounded up. Importing decimal would cost more than a command."""
    whole, _, fraction = number.partition(".")
    denominator: int = 10 ** len(fraction)
    return -(-int(whole + fraction) * unit // denominator)


def counted(number: int, thing: str) -> str:
    """``1 instance``, ``2 instances``."""
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"

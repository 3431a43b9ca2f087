"""120 texts that do something where they are shown raw, and 40 secrets in all the shapes that secrets have.

``FORGED`` stands in every text that pretends to be ours or a command, so that tests find what got through.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

_ESC, _ST, _BEL = "\x1b", "\x1b\\", "\x07"

_GROUPS: Mapping[str, tuple[str, ...]] = {
    "csi": tuple(
        f"{_ESC}[{tail}"
        for tail in ("2J", "H", "1A\rFORGED", "31m", "0;8m hidden", "?25l", "?1049h", "6n", "5i", "1000h", "K", "!p", "3J", "999D")
    ),
    "osc": (
        f"{_ESC}]0;FORGED{_BEL}",
        f"{_ESC}]52;c;Rk9SR0VE{_BEL}",
        f"{_ESC}]52;p;Rk9SR0VE{_ST}",
        f"{_ESC}]8;;http://192.0.2.1/FORGED{_ST}click{_ESC}]8;;{_ST}",
        f"{_ESC}]4;1;rgb:00/00/00{_BEL}",
        f"{_ESC}]1337;File=inline=1:Rk9SR0VE{_BEL}",
        f"{_ESC}]777;notify;FORGED;x{_BEL}",
        f"{_ESC}]9;FORGED{_ST}",
        f"{_ESC}]10;?{_BEL}",
        f"{_ESC}]133;A{_BEL}",
    ),
    "other_escapes": (
        f"{_ESC}P+q544e{_ST}",
        f"{_ESC}P$q\"p{_ST}",
        f"{_ESC}Pq#0;2;0;0;0~{_ST}",
        f"{_ESC}_Gf=100;Rk9SR0VE{_ST}",
        f"{_ESC}^FORGED{_ST}",
        f"{_ESC}XFORGED{_ST}",
        f"{_ESC}c",
        f"{_ESC}7{_ESC}8",
        f"{_ESC}(0lqqk",
        f"{_ESC}#8",
        f"{_ESC}",
        f"{_ESC}{_ESC}[A",
    ),
    "c1": ("\x9b2J", "\x9b31m", "\x9d0;FORGED\x9c", "\x90q\x9c", "\x85next", "\x84down", "\x8dup", "\x9eprivate\x9c", "\x9fapc\x9c", "\x98sos\x9c"),
    "c0": (
        "all good\rFORGED",
        "a\r\nFORGED",
        "bell\x07",
        "back\x08\x08\x08\x08FORGED",
        "\x00nul",
        "a\x00b",
        "\x0bvertical\x0cform",
        "\x0e\x0fshift",
        "delete\x7f",
        "\x1a\x04end",
        "tab\tFORGED",
        "\x1c\x1d\x1e\x1f",
    ),
    "lines": (
        "line\nerror[E0001]: FORGED",
        "line\nweb: converged, FORGED",
        "\n\n\nFORGED",
        "a\u2028FORGED",
        "a\u2029FORGED",
        "ends\n",
    ),
    "direction": ("user\u202egnp.exe", "\u202dFORGED\u202c", "\u2066a\u2069", "\u2067b\u2069", "\u2068c\u2069", "\u200ea\u200f", "\u061cx", "\u202ab\u202b"),
    "invisible": ("ad\u200bmin", "\ufeffweb", "we\u2060b", "we\xadb", "we\u2063b", "we\u180eb", "web\U000e0041\U000e007f", "\ufff9a\ufffab\ufffb"),
    "surrogates": ("\ud800", "a\udfffb", "\udc80\udcff", "\ud83d half"),
    "rich": ("[red]FORGED[/red]", "[/nope]", "[link=file:///etc/passwd]x[/link]", ":bomb: :warning:", "[@click=app.bell]x[/]", "[[bold]]"),
    "github": (
        "::error file=a,line=1::FORGED",
        "::add-mask::FORGED",
        "x\n::set-output name=FORGED::x",
        "x\r::stop-commands::FORGED",
        "  ::warning::FORGED",
        "##[error]FORGED",
        "x ##[group]FORGED",
        "%0A::error::FORGED",
        "::save-state name=FORGED::x",
        "x\u00a0\n\u00a0::error::FORGED",
    ),
    "gitlab": (
        "section_start:1:FORGED\r\x1b[0KFORGED",
        "section_end:1:web\r\x1b[0K",
        "section_start:1:FORGED[collapsed=true]",
        "x\nORCHCTL_STATE=FORGED",
    ),
    "markdown": ("| FORGED | x |", "](javascript:FORGED)", "![x](http://192.0.2.1/FORGED)", "```\n# FORGED", "@FORGED #1 ~~x~~ __y__"),
    "html": ("<script>FORGED</script>", "</pre><img src=x onerror=FORGED>", "</details>FORGED", "&lt;FORGED&gt; &#60;", "<!-- FORGED"),
    "xml": ("]]>FORGED<x/>", "\ufffe\uffff", "&FORGED;", "<?xml FORGED?>"),
    "long": ("x" * 40_000, "漢" * 10_000),
}  # fmt: skip


def _texts() -> Iterator[tuple[str, str]]:
    for group, texts in _GROUPS.items():
        yield from ((f"{group}-{number}", text) for number, text in enumerate(texts))


TEXTS: Mapping[str, str] = dict(_texts())

SECRETS: tuple[str, ...] = (
    "hunter2-CANARY",
    "ß7§",
    "CANARY with blanks",
    " CANARY-blank-around ",
    "CANARY\nsecond line\nthird",
    "-----BEGIN PRIVATE KEY-----\nQ0FOQVJZQ0FOQVJZ\n-----END PRIVATE KEY-----",
    "Q0FOQVJZLWJhc2U2NA==",
    "CANARY%20url%2Fencoded%3D",
    "CANARY.*+?^${}()|[]\\regex",
    "CANARY'single\"double`tick",
    "CANARY$(id)`id`${HOME}",
    "CANARY{{ template }}",
    "CANARY%s%d%n",
    "CANARY\\x41\\u0041\\n",
    "CANARY\ttab",
    "CANARY\x1b[31mescape",
    "CANARY\rreturn",
    "ÜñïçødéCANARY漢字🙂",
    "CANARY<xml>&amp;",
    "CANARY|markdown|*bold*",
    "::add-mask::CANARY",
    "##[error]CANARY",
    "CANARY,comma,title=x",
    "CANARY: colon # hash",
    "- CANARY-yaml-item",
    "{CANARY: flow}",
    "&CANARY *alias",
    "!!python/object:CANARY",
    "0xCANARYc0ffee",
    "eyJhbGciOiJIUzI1NiJ9.eyJDQU5BUlkiOjF9.c2lnbmF0dXJl",
    "AKIACANARY0123456789",
    "ghp_CANARY0123456789abcdefABCDEF",
    "xoxb-CANARY-0123456789",
    "postgres://user:CANARYpass@db.example/x?sslmode=require",
    "https://CANARY:x-oauth-basic@git.example/repo",
    "user:CANARY-registry-auth",
    "Bearer CANARYtoken.value",
    "CANARY=value;Path=/;HttpOnly",
    "C" + "ANARY" * 2000,
    "CANARY\udcff\udc80bytes",
)

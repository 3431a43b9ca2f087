"""Pictures of the real screens: what the program prints over the fake cluster, in virtual time, as SVG.

The text and its colours are the program's own; Rich only draws the letters. The pictures name no font of the web.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

from rich.console import Console, RenderableType
from rich.terminal_theme import MONOKAI
from rich.text import Text

from orchctl import boot
from orchctl.cli.views import live
from orchctl.core.rollout import Event
from tests.cli.harness import CommandLine

COLUMNS = 96

WEB = """\
name: web
image: registry.example.com/web:1.4
replicas: 4
ports: [{name: http, port: 8080}]
env: {GREETING: hello, LOG: info}
health: {ready: {tcp: {port: http}}}
rollout: {max_surge: 1, min_ready: 2s, deadline: 60s}
"""
NEXT = (
    WEB.replace("web:1.4", "web:1.5").replace(", LOG: info", "").replace("replicas: 4", "replicas: 5")
    + "labels: {team: checkout}\nuser: www\n"
)
CRASH = WEB.replace("web:1.4", "web:1.5") + "backends: {fake: {behaviour: crash}}\n"
API = "name: api\nimage: registry.example.com/api:2.0\nreplicas: 2\nbackends: {fake: {behaviour: crash}}\n"
TYPO = WEB.replace("replicas: 4", "replica: 4")

# Rich's own format (15.0) loads a font from the web; a page should not have to, and a file in a repository must not.
_FORMAT = """\
<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
    <style>
    .{unique_id}-matrix {{
        font-family: ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace;
        font-size: {char_height}px;
        line-height: {line_height}px;
    }}
    .{unique_id}-title {{ font-size: 18px; font-weight: bold; font-family: sans-serif; }}
    {styles}
    </style>
    <defs>
    <clipPath id="{unique_id}-clip-terminal">
      <rect x="0" y="0" width="{terminal_width}" height="{terminal_height}" />
    </clipPath>
    {lines}
    </defs>
    {chrome}
    <g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
    {backgrounds}
    <g class="{unique_id}-matrix">
    {matrix}
    </g>
    </g>
</svg>
"""


class Still:
    """Stands in for Rich's Live, whose thread draws as real time passes."""

    def __init__(self, **_: Any) -> None:
        pass

    def start(self) -> None:
        """Nothing moves."""

    stop = start


def pictures(cli: CommandLine) -> Mapping[str, str]:
    """File name -> SVG."""
    found = {}
    cli.write("orch.yaml", WEB)
    _said(cli, "deploy", "--reason", "first release")
    cli.write("orch.yaml", NEXT)
    found["plan.svg"] = _picture("plan", "orchctl plan", [_said(cli, "plan", "--color", "always")])
    found["deploy.svg"] = _picture("deploy", "orchctl deploy", _deploy(cli))
    cli.write("orch.yaml", TYPO)
    found["error.svg"] = _picture("error", "orchctl deploy", [_said(cli, "deploy", "--color", "always")])
    cli.write("orch.yaml", CRASH)
    _said(cli, "deploy", "--reason", "new engine")
    found["why.svg"] = _picture("why", "orchctl why web", [_said(cli, "why", "web", "--color", "always")])
    cli.write("api.yaml", API)
    _said(cli, "deploy", "-f", "api.yaml")
    found["status.svg"] = _picture("status", "orchctl status", [_said(cli, "status", "--color", "always")])
    return found


def _deploy(cli: CommandLine) -> Sequence[RenderableType]:
    """The first line, the live view half-way, and what is left of it at the end."""
    frames: list[RenderableType] = []
    show = live.LiveView.show

    def showing(view: live.LiveView, event: Event) -> None:
        show(view, event)
        frames.append(view._draw())

    cli.monkeypatch.setattr(live, "Live", Still)
    cli.monkeypatch.setattr(live.LiveView, "show", showing)
    where, *result = _said(cli, "deploy", "--color", "always", "--progress", "tty").splitlines()
    halfway = next(frame for frame in frames if "3/5 ready" in (text := plain(frame)) and "starting" in text)
    return [where, halfway, Text("..."), *result]


def _said(cli: CommandLine, *arguments: str) -> str:
    """What a command prints, on both streams in the order of a terminal: it talks before it shows data."""
    cli.capsys.readouterr()
    cli.monkeypatch.setattr(sys, "argv", ["orchctl", *arguments])
    with suppress(SystemExit):
        boot.main()
    out, err = cli.capsys.readouterr()
    return (err + out).rstrip("\n")


def _picture(name: str, command: str, parts: Sequence[RenderableType]) -> str:
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, color_system="truecolor", highlight=False
    )
    console.print(Text(f"$ {command}", style="bold"))
    for part in parts:
        console.print(Text.from_ansi(part) if isinstance(part, str) else part)
    return console.export_svg(title=command, theme=MONOKAI, code_format=_FORMAT, unique_id=f"orchctl-{name}") + "\n"


def plain(frame: RenderableType) -> str:
    console = Console(width=COLUMNS, file=io.StringIO())
    with console.capture() as captured:
        console.print(frame)
    return captured.get()

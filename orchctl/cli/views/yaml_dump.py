"""YAML in which no text can be a command to the runner of GitHub Actions: what could be one is in double quotes, with escapes."""

from __future__ import annotations

import yaml


class Dumper(yaml.SafeDumper):
    """Double quotes never begin a line with what stands in them, and take escapes."""


def _text(dumper: Dumper, text: str) -> yaml.ScalarNode:
    style = '"' if "::" in text or "##[" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style)


Dumper.add_representer(str, _text)

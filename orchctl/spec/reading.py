"""Finds the files that a request means, reads them and gives them to the layers.

A directory stands for its ``orch.yaml`` and ``*.orch.yaml``. ``--env prod`` lays ``NAME.prod.orch.yaml`` over
``NAME.orch.yaml`` and ``NAME.prod.yaml`` over any other ``NAME.yaml`` (``orch.prod.yaml`` over ``orch.yaml``);
at least one of the files must have such an overlay.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from orchctl.errors import SpecError
from orchctl.spec.codes import Code
from orchctl.spec.layers import Layers
from orchctl.spec.load import MAX_BYTES, load
from orchctl.spec.nodes import Mapping
from orchctl.spec.problems import Problems, reject
from orchctl.spec.request import SpecRequest

DEFAULT_FILE = "orch.yaml"
STDIN = "-"
_USUAL = 8 * 1024  # bytes that hold most specs: room for the largest would cost more than reading (2026-11)
_SUFFIXES = (".orch.yaml", ".orch.yml")
_ENV_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,40}")


# os.path and not pathlib asks the questions: pathlib raises PermissionError where the answer is "no".


class Reader:
    """Reads everything that ``request`` names, once. Problems of a file are collected, those of the request raised."""

    def __init__(self, request: SpecRequest, layers: Layers, problems: Problems) -> None:
        self._request = request
        self._layers = layers
        self._problems = problems
        self._overlays = 0

    def read(self) -> None:
        env = self._request.env_name
        if env and not _ENV_NAME.fullmatch(env):
            reject(Code.NO_OVERLAY, f"{env[:40]!r} is not the name of an environment")
        for number, argument in enumerate(self._arguments()):
            for name in self._expand(argument):
                self._read_one(name, number)
        if env and not self._overlays:
            self._problems.fail()
            reject(
                Code.NO_OVERLAY,
                f"no file has an overlay for {env!r} beside it",
                hint=f"expected for example NAME.{env}.orch.yaml",
            )

    def _arguments(self) -> tuple[str, ...]:
        files = self._request.files
        if files.count(STDIN) > 1:
            reject(Code.UNREADABLE, "standard input can be read once only")
        if files:
            return files
        return (DEFAULT_FILE,) if os.path.exists(self._request.cwd / DEFAULT_FILE) else (".",)

    def _expand(self, argument: str) -> list[str]:
        directory = self._request.cwd / argument
        if argument == STDIN or not os.path.isdir(directory):
            return [argument]
        try:
            names = sorted(name for name in os.listdir(directory) if _is_spec(str(directory), name))
        except OSError as error:
            reject(Code.UNREADABLE, f"the directory {argument} cannot be read: {error.strerror}")
        if not names:
            reject(
                Code.NO_SPECS,
                f"the directory {argument} has no {DEFAULT_FILE} and no *.orch.yaml",
                hint=_other_names(str(directory)) or "write a starter with: orchctl init NAME",
            )
        return names if argument == "." else [os.path.join(Path(argument), name) for name in names]

    def _read_one(self, name: str, argument: int) -> None:
        try:
            document = self._load(name)
            names = self._layers.add(document, argument=argument)
            if self._request.env_name and name != STDIN and (beside := self._overlay_of(name)):
                self._overlays += 1
                self._layers.overlay(self._load(beside), names)
        except SpecError as error:
            self._problems.take(error)

    def _load(self, name: str) -> Mapping:
        cwd = self._request.cwd
        if name == STDIN:
            return load(self._stdin(), "<stdin>", cwd)
        try:
            with open(path := os.path.join(cwd, name), "rb") as file:
                data = file.read(_USUAL)
                if len(data) == _USUAL:
                    data += file.read(MAX_BYTES + 1 - _USUAL)
        except OSError as error:
            reject(
                Code.UNREADABLE,
                f"{name} cannot be read: {error.strerror}",
                hint="write a starter with: orchctl init NAME" if isinstance(error, FileNotFoundError) else "",
            )
        except ValueError:
            reject(Code.UNREADABLE, f"{name[:60]!r} is not the name of a file")
        return load(data, name, Path(os.path.dirname(path)))

    def _stdin(self) -> bytes:
        stream = self._request.stdin or sys.stdin.buffer
        return stream.read(MAX_BYTES + 1)

    def _overlay_of(self, name: str) -> str:
        path = Path(name)
        suffix = next((s for s in _SUFFIXES if path.name.endswith(s)), path.suffix)
        beside = path.with_name(f"{path.name.removesuffix(suffix)}.{self._request.env_name}{suffix}")
        return str(beside) if os.path.isfile(self._request.cwd / beside) else ""


def passed_over(directory: str) -> list[str]:
    """YAML files of a directory that it does not stand for: neither specs nor their overlays, by name."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith((".yaml", ".yml")))
    except OSError:
        return []
    return [n for n in names if ".orch." not in n and not n.startswith(("orch.", "."))]


def _other_names(directory: str) -> str:
    if not (found := passed_over(directory)):
        return ""
    name = found[0].rpartition(".")[0]
    return f"there is {', '.join(found[:5])}: call it {name}.orch.yaml, or name the file itself with -f"


def _is_spec(directory: str, name: str) -> bool:
    """A spec of a directory: by its name, a regular file, and not the overlay of another one."""
    if name != DEFAULT_FILE:
        suffix = next((s for s in _SUFFIXES if name.endswith(s)), "")
        stem = name.removesuffix(suffix)
        base, dot, _ = stem.rpartition(".")
        is_overlay = bool(dot) and os.path.exists(os.path.join(directory, base + suffix))
        if not suffix or not stem or is_overlay:
            return False
    return os.path.isfile(os.path.join(directory, name))

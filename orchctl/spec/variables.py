"""Where the values of ``${NAME}`` come from.

The first that has the name wins: the process's environment, the files given by ``--env-file`` (a later
one before an earlier one), the ``.env`` beside the spec file that uses the variable.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from orchctl.core.files import read_bounded
from orchctl.spec.codes import Code
from orchctl.spec.files import MAX_CONTENT_BYTES
from orchctl.spec.nodes import Origin, Source
from orchctl.spec.problems import reject


class Variables:
    """Looks names up. Reads each ``.env`` at most once, and only when a name is not found before it."""

    def __init__(self, environ: Mapping[str, str], env_files: Sequence[Path] = ()) -> None:
        self._first: dict[str, str] = {}
        for path in env_files:
            self._first |= read_env_file(path)
        self._first |= environ
        self._beside: dict[Path, dict[str, str]] = {}

    def get(self, name: str, directory: Path | None) -> str | None:
        """The value of ``name`` for a spec in ``directory``, or None. SpecError when its ``.env`` is broken."""
        value = self._first.get(name)
        if value is not None or directory is None:
            return value
        if directory not in self._beside:
            path = directory / ".env"
            self._beside[directory] = read_env_file(path) if os.path.isfile(path) else {}
        return self._beside[directory].get(name)

    def names(self) -> list[str]:
        """Every name known so far, for suggestions."""
        return sorted({*self._first, *(name for found in self._beside.values() for name in found)})


def read_env_file(path: Path) -> dict[str, str]:
    """``NAME=value`` lines as python-dotenv reads them, without substitution inside values."""
    from dotenv.parser import parse_stream

    source = Source(str(path))
    try:
        content = read_bounded(path, MAX_CONTENT_BYTES)
        if len(content) > MAX_CONTENT_BYTES:
            raise ValueError("it is larger than 1 MiB")
        text = content.decode("utf-8")
    except OSError as error:
        reject(Code.ENV_FILE, f"the file of variables {path} cannot be read: {error.strerror or error}")
    except (UnicodeDecodeError, ValueError) as error:
        reject(Code.ENV_FILE, f"the file of variables {path} cannot be read: {error}")
    found: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            # The line is not shown: it may be half of a secret.
            origin = Origin(source, binding.original.line, 1)
            reject(Code.ENV_FILE, "this line is not NAME=value", origin, hint="quote values that hold spaces or #")
        if binding.key is not None and binding.value is not None:
            found[binding.key] = binding.value
    return found

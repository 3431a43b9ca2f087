"""Import an SDK only where it is used, and say how to get it when it is missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from orchctl.errors import BackendUnavailable


def need(module: str, *, extra: str) -> ModuleType:
    """Import ``module``; BackendUnavailable with the install command when it is not there.

    A module that is there but broken inside shows its own error: only the absence of the module
    that was asked for is translated.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module.partition(".")[0]:
            raise
        raise BackendUnavailable(
            f"the {extra} backend needs the Python package {module!r}, which is not installed",
            hint=f"pip install 'orchctl[{extra}]'",
        ) from error

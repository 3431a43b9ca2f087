"""A desired document in the spec's shape, for the diff; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchctl.core.document import document_of, image_reference
from orchctl_local.model import Desired


def normalise(desired: Desired) -> dict[str, Any]:
    """The service with the count that stands beside it."""
    return document_of(replace(desired.service, replicas=desired.replicas))


def image_of(desired: Desired) -> str:
    """The image as the spec names it; nothing here runs it."""
    return image_reference(desired.service) or ""

"""A service as the desired document of this backend; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from orchctl.core.codec import to_plain
from orchctl.core.document import template_hash
from orchctl.core.service import Service
from orchctl_local.model import OWNER, Desired


def desired_of(service: Service) -> Desired:
    """The desired state that ``service`` asks for; a count that is not stated is 1.

    Options of other backends are left out: they change nothing here.
    """
    own = {name: options for name, options in service.backends.items() if name == "local"}
    return Desired(
        owner=OWNER,
        service=replace(service, replicas=None, backends=own),
        template_hash=template_hash(service, "local"),
        replicas=1 if service.replicas is None else service.replicas,
    )


def body_of(desired: Desired) -> dict[str, Any]:
    """The document as it stands in the file."""
    body: dict[str, Any] = to_plain(desired)
    return body

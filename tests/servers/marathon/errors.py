"""What the server refuses with: an exception carries the answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

LOCKED = (
    "App is locked by one or more deployments. Override with the option '?force=true'. "
    "View details at '/v2/deployments/<DEPLOYMENT_ID>'."
)
TOO_MANY = (  # "oneusing" is how the real one spells it
    "Max number ({limit}) of running deployments is achieved. Wait for existing deployments to complete or cancel one"
    "using force=true parameter. You can increase max deployment number by using --max_running_deployments parameter "
    "but be advised that this can have negative effects on the performance."
)

Detail = dict[str, Any]
"""``{"path": "/instances", "errors": ["error.min"]}``"""


class Refused(Exception):
    """``status`` and the JSON ``body`` to answer with; ``reason`` is what events say about it."""

    def __init__(self, status: int, body: dict[str, Any]) -> None:
        super().__init__(body.get("message", ""))
        self.status, self.body = status, body

    @property
    def reason(self) -> str:
        return str(self.body.get("message", ""))


def detail(path: str, *errors: str) -> Detail:
    return {"path": path, "errors": list(errors)}


def invalid_json(details: Sequence[Detail] | str) -> Refused:
    """Syntax (a string of details) is 400, types and ranges (a list) are 422, under one message."""
    if isinstance(details, str):
        return Refused(400, {"message": "Invalid JSON", "details": details})
    return Refused(422, {"message": "Invalid JSON", "details": list(details)})


def invalid_object(details: Sequence[Detail]) -> Refused:
    return Refused(422, {"message": "Object is not valid", "details": list(details)})


def no_app(path: str, version: str = "") -> Refused:
    suffix = f" in version {version}" if version else ""
    return Refused(404, {"message": f"App '{path}' does not exist{suffix}"})


def no_group(path: str) -> Refused:
    return Refused(404, {"message": f"Group '{path}' does not exist"})


def no_task(task: str) -> Refused:
    return Refused(404, {"message": f"Task '{task}' does not exist"})


def locked(deployments: Sequence[str]) -> Refused:
    return Refused(409, {"message": LOCKED, "deployments": [{"id": one} for one in deployments]})


def too_many(limit: int) -> Refused:
    return Refused(403, {"message": TOO_MANY.format(limit=limit)})

"""The JSON documents that scripts rely on (apiVersion orchctl.dev/v1). Fields are only ever added.

Escaped by JSON to ASCII, so that no control character of a name or a log reaches a terminal raw. ``##[`` anywhere and
``::`` at the start of a line would be commands to the runner of GitHub Actions, so they are escaped, too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, TextIO

from orchctl.core.codec import to_plain
from orchctl.errors import OrchctlError, SpecError

if TYPE_CHECKING:  # whoever has one of these has imported it
    from orchctl.core.endpoint import Endpoint
    from orchctl.core.plan import Change, Issue, Plan
    from orchctl.core.revision import Recorded
    from orchctl.core.rollout import Event, Failure, Outcome
    from orchctl.engine.status import ServiceStatus

API_VERSION = "orchctl.dev/v1"

Document = dict[str, Any]


def write_document(file: TextIO, document: Mapping[str, Any], kind: str) -> None:
    """Exactly one document: ``json``, ``yaml``, or ``jsonl`` (one line)."""
    write_value(file, document, kind)


def write_value(file: TextIO, value: Any, kind: str) -> None:
    """The same for any value that JSON has, such as a part of a document."""
    if kind == "yaml":
        import yaml

        from orchctl.cli.views.yaml_dump import Dumper

        text = yaml.dump(value, Dumper=Dumper, sort_keys=False, allow_unicode=False, width=100)
        file.write(text.replace("##[", r"##\x5b"))
    else:
        text = json.dumps(value, indent=None if kind == "jsonl" else 2)
        file.write(text.replace("##[", r"##\u005b") + "\n")


def headed(kind: str, body: Mapping[str, Any]) -> Document:
    """With ``apiVersion`` and ``kind`` in front."""
    return {"apiVersion": API_VERSION, "kind": kind, **body}


def listed(kind: str, items: Sequence[Mapping[str, Any]]) -> Document:
    return headed(kind, {"items": list(items)})


def one_or_list(kind: str, items: Sequence[Mapping[str, Any]]) -> Document:
    """``kind`` for one item, ``kindList`` for several."""
    return headed(kind, items[0]) if len(items) == 1 else listed(f"{kind}List", items)


def status_item(status: ServiceStatus) -> Document:
    return {
        "name": status.name,
        "backend": status.backend,
        "context": status.context,
        "namespace": status.namespace,
        "phase": status.phase.value,
        "replicas": {"wanted": status.wanted, "ready": status.ready, "updated": status.updated},
        "revision": status.revision,
        "image": status.image,
        "message": status.message,
        "instances": [
            {
                "id": i.id,
                "slot": i.slot,
                "node": i.node,
                "state": i.state.value,
                "ready": i.ready,
                "current": i.current,
                "exits": i.exits,
                "problem": i.problem.message if i.problem else "",
            }
            for i in status.progress.instances
        ],
    }


def revision_item(recorded: Recorded) -> Document:
    revision = recorded.revision
    return {
        "number": revision.number,
        "status": recorded.status.value,
        "created_at": revision.created_at,
        "created_by": revision.created_by,
        "image": revision.service.image or "",
        "replicas": revision.replicas,
        "replicas_override": recorded.replicas_override,
        "rollback_of": revision.rollback_of,
        "source_seq": recorded.source_seq,
        "reason": revision.reason,
        "note": recorded.note,
        "template_hash": revision.template_hash,
        "spec_hash": revision.spec_hash,
    }


def endpoint_item(endpoint: Endpoint, *, backend: str, context: str) -> Document:
    return {
        "service": endpoint.service,
        "instance": endpoint.instance,
        "node": endpoint.node,
        "host": endpoint.host,
        "port_name": endpoint.port_name,
        "port": endpoint.port,
        "protocol": endpoint.protocol.value,
        "ready": endpoint.ready,
        "revision": endpoint.revision,
        "weight": endpoint.weight,
        "dns_name": endpoint.dns_name,
        "service_port": endpoint.service_port,
        "backend": backend,
        "context": context,
    }


def plan_item(plan: Plan) -> Document:
    return {
        "service": plan.service.name,
        "backend": plan.backend,
        "context": plan.context,
        "namespace": plan.service.namespace,
        "changes": [change_item(c) for c in plan.changes],
        "issues": [issue_item(i) for i in plan.issues],
        "notes": list(plan.notes),
        "empty": plan.is_empty,
    }


def change_item(change: Change) -> Document:
    return {
        "path": change.path,
        "op": change.op.value,
        "before": to_plain(change.before),
        "after": to_plain(change.after),
        "restarts": change.restarts,
        "lines": list(change.lines),
    }


def issue_item(issue: Issue) -> Document:
    return {"path": issue.path, "policy": issue.policy.value, "message": issue.message}


def failure_item(failure: Failure) -> Document:
    return {
        "kind": failure.kind.value,
        "message": failure.message,
        "instance": failure.instance,
        "node": failure.node,
        "exit_code": failure.exit_code,
        "logs": list(failure.logs),
        "count": failure.count,
    }


def event_item(event: Event) -> Document:
    return {"at_ms": event.at_ms, "event": event.kind.value, "service": event.service, "text": event.text}


def outcome_item(outcome: Outcome, *, events: Sequence[Event] = ()) -> Document:
    return {
        "service": outcome.service,
        "state": outcome.state.value,
        "revision": outcome.revision,
        "exit_code": outcome.exit_code,
        "error_code": outcome.error_code,
        "duration_ms": outcome.duration_ms,
        "message": outcome.message,
        "hint": outcome.hint,
        "failures": [failure_item(f) for f in outcome.failures],
        "events": [event_item(e) for e in (*outcome.events, *events)],
        "details": dict(outcome.details),
    }


def message_document(text: str, level: Literal["info", "warning", "error"]) -> Document:
    """A line of talk, for ``--progress json``."""
    return headed("Message", {"level": level, "text": text})


def error_document(error: OrchctlError) -> Document:
    item = _error_item(error)
    if isinstance(error, SpecError) and error.problems:
        item["problems"] = [_error_item(p) for p in error.problems]
    return headed("Error", item)


def _error_item(error: OrchctlError) -> Document:
    return {
        "code": error.code,
        "name": type(error).__name__,
        "message": error.message or str(error),
        "hint": error.hint,
        "file": getattr(error, "file", ""),
        "line": getattr(error, "line", 0),
        "column": getattr(error, "column", 0),
        "exit_code": error.exit_code,
    }

"""What the verbs print that ask a backend."""

from __future__ import annotations

from orchctl.cli.output_schemas.words import (
    Schema,
    anything,
    count,
    exit_code,
    flag,
    maybe,
    nested,
    one_of,
    record,
    text,
)
from orchctl.core.check import Health
from orchctl.core.plan import Op, Policy
from orchctl.core.revision import RevisionStatus
from orchctl.core.rollout import EventKind, FailureKind, InstanceState, OutcomeState, Phase
from orchctl.core.service import Protocol

_PLACE = {"backend": text("The backend's name."), "context": text("The context's name.")}
_NAMESPACE = {"namespace": text("The namespace.")}
_ERROR_CODE = r"^(E[0-9]{4})?$"

ENDPOINT = record(
    {
        "service": text("The service's name."),
        "instance": text("The instance's id; empty for the service as a whole."),
        "node": text("The node it runs on; empty when unknown."),
        "host": text("Where to connect to: an address or a host name."),
        "port_name": text("The port's name in the spec."),
        "port": {
            "type": "integer",
            "minimum": 0,
            "maximum": 65535,
            "description": "The number to connect to, 0 = unknown.",
        },
        "protocol": one_of(Protocol, "The transport."),
        "ready": flag("May receive new requests."),
        "revision": count("The revision that runs there, 0 = unknown."),
        "weight": count("Share of the traffic, relative to the others."),
        "dns_name": text("What clients in the backend's own network call the service; empty where it has no names."),
        "service_port": count("Marathon: what a load balancer in front listens at for the whole service; 0 = none."),
        **_PLACE,
    }
)

CATALOG_ENTRY = record(
    {
        "name": text("What clients ask for; empty for a node without entries."),
        **_NAMESPACE,
        "service": text("The service it is of; empty for a node without entries."),
        "place": text("The node in the catalog, and the entry's id there."),
    }
)

DNS_RECORD = record(
    {
        "name": text("What was asked for."),
        "type": {"enum": ["A", "AAAA", "SRV"], "description": "The record's type."},
        "data": text("An address; of SRV: priority, weight, port, target."),
    }
)

_REPLICAS = record(
    {
        "wanted": count("How many the definition asks for."),
        "ready": count("How many may receive traffic."),
        "updated": count("How many of the ready ones run the present definition."),
    }
)

_INSTANCE = record(
    {
        "id": text("New whenever the process is."),
        "slot": text("The replica's place, which survives its replacement; empty where there is none."),
        "node": text("The node it runs on."),
        "state": one_of(InstanceState, "How far it is."),
        "ready": flag("May receive traffic."),
        "current": flag("Runs the present definition."),
        "exits": count("How often its process ended by itself."),
        "problem": text("What is wrong with it; empty when nothing is."),
    }
)

SERVICE_STATUS = record(
    {
        "name": text("The service's name."),
        **_PLACE,
        **_NAMESPACE,
        "phase": one_of(Phase, "The service's condition."),
        "replicas": _REPLICAS,
        "revision": count("The revision that stands, 0 = none is known."),
        "image": text("The image as sent; empty without one."),
        "message": text("Why the phase is what it is."),
        "instances": nested(_INSTANCE),
    }
)

REVISION = record(
    {
        "number": {"type": "integer", "minimum": 1, "description": "1, 2, 3 ... per service."},
        "status": one_of(RevisionStatus, "What became of it."),
        "created_at": text("ISO 8601, UTC."),
        "created_by": text("user@host."),
        "image": text("The image of the spec; empty without one."),
        "replicas": count("How many were asked for."),
        "replicas_override": maybe(count("How many scale asked for since; null = it did not.")),
        "rollback_of": count("The revision whose spec this one repeats, 0 = none."),
        "source_seq": maybe(count("The number of the build, from --source-seq; null = none was given.")),
        "reason": text("What --reason said."),
        "note": text("How it ended."),
        "template_hash": text("Of what decides what an instance runs."),
        "spec_hash": text("Of the whole service."),
    }
)

ISSUE = record(
    {
        "path": text("The field of the spec."),
        "policy": one_of(Policy, "What happens to it."),
        "message": text("Why."),
    }
)

_CHANGE = record(
    {
        "path": text("The field of the spec."),
        "op": one_of(Op, "What is done to it."),
        "before": anything("Its value now; null when there is none."),
        "after": anything("Its value then; null when there is none."),
        "restarts": flag("Instances are replaced because of it."),
        "lines": nested(text("One line."), "Of a file's content, as in a unified diff; none: not known, or no text."),
    }
)

PLAN = record(
    {
        "service": text("The service's name."),
        **_PLACE,
        **_NAMESPACE,
        "changes": nested(_CHANGE),
        "issues": nested(ISSUE),
        "notes": nested({"type": "string"}, "What else is worth knowing."),
        "empty": flag("There is nothing to change."),
    }
)

_FAILURE_FIELDS: dict[str, Schema] = {
    "kind": one_of(FailureKind, "The cause; the same words on every backend."),
    "message": text("What the backend says."),
    "instance": text("The instance's id; empty when no single one is meant."),
    "node": text("The node it ran on."),
    "exit_code": maybe({"type": "integer", "description": "Of the process; null when it did not end."}),
    "logs": nested({"type": "string"}, "The last lines of its output, oldest first."),
    "count": count("How many instances share the cause."),
}

_EVENT_FIELDS: dict[str, Schema] = {
    "at_ms": count("Milliseconds since the command began."),
    "event": one_of(EventKind, "What kind of news it is."),
    "service": text("The service's name."),
    "text": text("The news in words."),
}

STREAMED_EVENT = record(_EVENT_FIELDS, {"replicas": _REPLICAS})

MESSAGE = record(
    {
        "level": {"type": "string", "enum": ["info", "warning", "error"], "description": "How much it matters."},
        "text": text("What is said."),
    }
)

OUTCOME = record(
    {
        "service": text("The service's name."),
        "state": one_of(OutcomeState, "How it ended."),
        "revision": count("The revision that stands, 0 = none is known."),
        "exit_code": exit_code("What the command exits with when this is its only service.", also_success=True),
        "error_code": {"type": "string", "pattern": _ERROR_CODE, "description": "For orchctl explain."},
        "duration_ms": count("How long it took."),
        "message": text("Why it ended so."),
        "hint": text("What to do now."),
        "failures": nested(record(_FAILURE_FIELDS)),
        "events": nested(record(_EVENT_FIELDS), "What happened; empty with -o jsonl, which streamed it."),
        "details": record({}, {"replicas_before": count("Before scale."), "replicas": count("What scale asked for.")}),
    }
)

_ERROR_FIELDS: dict[str, Schema] = {
    "code": {"type": "string", "pattern": r"^E[0-9]{4}$", "description": "For orchctl explain."},
    "name": text("The kind of error."),
    "message": text("What is wrong."),
    "hint": text("What to do."),
    "file": text("The file it is about; empty when none is."),
    "line": count("From 1; 0 = unknown."),
    "column": count("From 1; 0 = unknown."),
    "exit_code": exit_code("What the command exits with.", also_success=False),
}

ERROR = record(_ERROR_FIELDS, {"problems": nested(record(_ERROR_FIELDS), "Further problems of the same spec.")})

_CHECK = record(
    {
        "name": text("What was looked at: configuration, backend, connection, or what the backend adds to these."),
        "health": one_of(Health, "How it is; bad: a command would fail because of it."),
        "finding": text("What was found."),
        "hint": text("What to do; empty when there is nothing to do."),
    }
)

EXAMINATION = record(
    {
        "context": text("The context's name."),
        "backend": text("The backend's name; empty when there is no such context."),
        "checks": nested(_CHECK, "In the order of looking; the first bad one decides the exit code."),
    }
)

DIAGNOSIS = record(
    {
        "service": text("The service's name."),
        "status": SERVICE_STATUS,
        "of_revision": count("The failed revision whose evidence this is, 0 = the failures are of now."),
        "note": text("What the record says about that revision."),
        "evidence_missing": flag("The evidence was kept on another machine."),
        "failures": nested(record({**_FAILURE_FIELDS, "remedy": text("What to do.")})),
    }
)

LOG_LINE = record(
    {
        "service": text("The service's name."),
        "instance": text("The instance's id."),
        "stream": text("stdout or stderr."),
        "at_ms": count("Milliseconds since 1970, 0 = unknown."),
        "text": text("The line without its end."),
    }
)

LOCK = record(
    {
        "service": text("The service's name."),
        **_NAMESPACE,
        "user": text("Who holds the lock."),
        "host": text("On which machine."),
        "pid": text("The process there."),
        "command": text("What it runs."),
        "acquired_at": text("ISO 8601, UTC."),
    }
)

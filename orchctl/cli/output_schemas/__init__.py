"""JSON Schemas (2020-12) of what verbs print with ``-o json``, ``yaml`` and ``jsonl``; specs/outputs has copies.

Fields are only ever added, so a schema requires every field of today and allows those of tomorrow.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchctl.cli.output_schemas import items, offline
from orchctl.cli.output_schemas.words import Schema, nested, record
from orchctl.cli.views.documents import API_VERSION

_ID = "https://orchctl.dev/schema/v1/outputs/{}.schema.json"

_SINGLE: Mapping[str, tuple[str, Schema]] = {
    "Endpoint": ("One port of one instance: discover.", items.ENDPOINT),
    "ServiceStatus": ("What runs of one service: status.", items.SERVICE_STATUS),
    "Revision": ("One numbered record of a deploy: history.", items.REVISION),
    "Plan": ("What a deploy would change in one service: plan, deploy --dry-run.", items.PLAN),
    "Outcome": ("How a change of one service ended: deploy, scale, rollback, restart, delete, sync.", items.OUTCOME),
    "Event": (
        "What happens during a change: -o jsonl of the verbs that change something, and --progress json.",
        items.STREAMED_EVENT,
    ),
    "Message": ("A line of talk: --progress json of any verb.", items.MESSAGE),
    "Error": ("Why a command failed: any verb.", items.ERROR),
    "Diagnosis": ("Why a service is not healthy: why.", items.DIAGNOSIS),
    "LogLine": ("One line of output of an instance: logs.", items.LOG_LINE),
    "NativeObjectList": (
        "What the backend would get: render; what grants the rights for it: render rbac.",
        offline.NATIVE_OBJECTS,
    ),
    "ConsulPolicy": ("What a token for the catalog must be allowed: render consul-policy.", offline.CONSUL_POLICY),
    "ResolvedSpec": ("The merged spec: render --resolved.", offline.RESOLVED_SPEC),
    "Context": ("One context of the configuration: context show.", offline.SHOWN_CONTEXT),
}

_LISTS: Mapping[str, tuple[str, Schema]] = {
    "EndpointList": ("Where services can be reached: discover.", items.ENDPOINT),
    "ServiceStatusList": ("What runs: status.", items.SERVICE_STATUS),
    "RevisionList": ("The revisions of a service, newest first: history.", items.REVISION),
    "PlanList": ("What a deploy would change in several services: plan, deploy --dry-run.", items.PLAN),
    "OutcomeList": ("How a change of several services ended.", items.OUTCOME),
    "LockList": ("Who is changing services now: lock show.", items.LOCK),
    "ValidationList": ("What each backend makes of each service: validate.", offline.VALIDATION),
    "ContextList": ("The contexts of the configuration: context ls.", offline.CONTEXT),
    "SettingList": ("Every setting in force, and what set it: config.", offline.SETTING),
    "BackendList": ("What each backend can do: backends.", offline.BACKEND),
    "CatalogEntryList": (
        "What orchctl has in a catalog: consul ls; what of it is dead: consul gc.",
        items.CATALOG_ENTRY,
    ),
    "DnsRecordList": ("What the catalog's DNS answers to a client: discover --dns.", items.DNS_RECORD),
    "DoctorReport": ("What is good and what is bad, context by context: doctor.", items.EXAMINATION),
}

KINDS = tuple(sorted({*_SINGLE, *_LISTS}))


def schema_of(kind: str) -> Schema:
    """The schema of one document with this ``kind``; KeyError for others than ``KINDS``."""
    if kind in _LISTS:
        text, item = _LISTS[kind]
        body = record({"items": nested(item)})
    else:
        text, body = _SINGLE[kind]
    head: dict[str, Any] = {"apiVersion": {"const": API_VERSION}, "kind": {"const": kind}}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": _ID.format(kind),
        "title": kind,
        "description": text,
        "type": "object",
        "properties": {**head, **body["properties"]},
        "required": [*head, *body["required"]],
    }


def schema_text(kind: str) -> str:
    """The schema as the published file has it."""
    return json.dumps(schema_of(kind), indent=2) + "\n"

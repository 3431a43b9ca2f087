"""What the verbs print that contact nobody."""

from __future__ import annotations

from orchctl.cli.config import Source
from orchctl.cli.output_schemas.items import ISSUE
from orchctl.cli.output_schemas.words import Schema, anything, count, flag, mapping, nested, one_of, record, text
from orchctl.core.capability import Feature, Support

NATIVE_OBJECTS = record(
    {
        "backend": text("The backend's name."),
        "items": nested(
            record(
                {
                    "service": text("The service's name; empty for what belongs to none."),
                    "kind": text("The backend's word for it."),
                    "name": text("Its name on the backend."),
                    "body": mapping(anything("As the backend has it."), "The object as the backend's API takes it."),
                }
            )
        ),
    }
)

RESOLVED_SPEC = record(
    {"services": mapping(text("YAML with the place of every value."), "The merged specs, by service.")}
)

VALIDATION = record(
    {
        "service": text("The service's name."),
        "backend": text("The backend's name."),
        "valid": flag("It can be deployed there."),
        "issues": nested(ISSUE),
    }
)

_CONTEXT_FIELDS: dict[str, Schema] = {
    "name": text("The context's name."),
    "backend": text("The backend's name."),
    "namespace": text("The namespace where none is named."),
    "protected": flag("Changes want --yes=NAME."),
    "catalog": text("The catalog it uses; empty for none."),
    "store": text("What keeps records and locks; empty for the backend itself."),
    "cluster": text("What a catalog calls the cluster behind it."),
    "settings": mapping(anything("As the configuration has it."), "The backend's own keys."),
    "file": text("The configuration file; empty for what is built in."),
    "current": flag("Used where no context is named."),
}

CONSUL_POLICY = record({"rules": text("In Consul's policy language.")})

CONTEXT = record(_CONTEXT_FIELDS)

SHOWN_CONTEXT = record({**_CONTEXT_FIELDS, "chosen_by": text("The rule that chose it.")})

SETTING = record(
    {
        "name": text("The setting's name; the backend's own keys have the backend's name in front."),
        "value": anything("What is in force."),
        "source": one_of(Source, "What kind of thing set it."),
        "origin": text("The flag, the variable, or file:line; empty for a default."),
        "file": text("The configuration file; empty when none set it."),
        "line": count("The line in that file, 0 = none."),
    }
)

_CLAIM = record(
    {"support": one_of(Support, "How well the backend does it."), "reason": text("Why not better; may be empty.")}
)

BACKEND = record(
    {
        "name": text("The backend's name."),
        "features": record({feature.value: _CLAIM for feature in Feature}),
    }
)

"""The classes of problems a spec can have. The codes are public and stable; ``orchctl explain CODE`` shows the sentence."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class Code(StrEnum):
    ENCODING = "E0201"
    CONTROL = "E0202"
    SYNTAX = "E0203"
    TOO_LARGE = "E0204"
    TOO_DEEP = "E0205"
    ALIASES = "E0206"
    DUPLICATE_KEY = "E0207"
    TAG = "E0208"
    DOCUMENTS = "E0209"
    NUMBER = "E0210"
    SHAPE = "E0211"
    NO_VALUE = "E0212"
    KEY = "E0213"
    UNKNOWN_FIELD = "E0220"
    MISSING_FIELD = "E0221"
    WRONG_TYPE = "E0222"
    BAD_VALUE = "E0223"
    NOT_SUPPORTED = "E0224"
    CONTRADICTION = "E0225"
    DANGLING = "E0226"
    NOT_UNIQUE = "E0227"
    UNKNOWN_BACKEND = "E0228"
    UNSET_VARIABLE = "E0230"
    INTERPOLATION = "E0231"
    EXPANDED_TOO_LARGE = "E0232"
    ENV_FILE = "E0233"
    UNREADABLE = "E0240"
    NO_SPECS = "E0241"
    SAME_SERVICE = "E0242"
    NO_OVERLAY = "E0243"
    CONTENT_FILE = "E0244"
    SET = "E0245"
    SET_SECRET = "E0246"


EXPLANATIONS: Mapping[Code, str] = {
    Code.ENCODING: "A spec is UTF-8 text; save the file as UTF-8 (a UTF-8 byte order mark is fine).",
    Code.CONTROL: "Control characters and invisible direction marks are refused, because what a terminal shows would not be what is deployed.",
    Code.SYNTAX: "The text is not YAML; the position is where the parser gave up, the cause is often one line above.",
    Code.TOO_LARGE: "A spec file holds at most 256 KiB; put large content into a file of its own and name it with files: {source: ...}.",
    Code.TOO_DEEP: "Values may be nested 64 deep; no sensible spec comes near.",
    Code.ALIASES: "Aliases (*name) and merge keys (<<) may stand for at most 1000 nodes in all, so that a small file cannot become a huge one.",
    Code.DUPLICATE_KEY: "A key stands twice in one mapping; YAML parsers silently keep the last one, orchctl refuses.",
    Code.TAG: "Only the plain tags !!str, !!int, !!float, !!bool, !!null, !!map and !!seq are read; tags that make objects are refused.",
    Code.DOCUMENTS: "A file holds one YAML document; describe several services under services:.",
    Code.NUMBER: "Infinity, not-a-number and numbers of more than 19 digits are refused; quote the value if it is text.",
    Code.SHAPE: "A spec is a mapping with at least the name of a service.",
    Code.NO_VALUE: 'A key without a value says nothing; remove the line, or write "" for an empty text. In an overlay null removes the key.',
    Code.KEY: "Keys are simple texts; << merges a mapping or a list of mappings named by an alias.",
    Code.UNKNOWN_FIELD: "The spec has no such field; nothing that you wrote is silently ignored.",
    Code.MISSING_FIELD: "A field that is always needed is missing.",
    Code.WRONG_TYPE: "The value has another type than the field takes; only true and false are booleans, and texts that look like numbers need quotes.",
    Code.BAD_VALUE: "The value has the right type and is not allowed.",
    Code.NOT_SUPPORTED: "This version of orchctl does not have this yet.",
    Code.CONTRADICTION: "Two fields exclude each other, or together cannot work.",
    Code.DANGLING: "The value refers to something that the spec does not declare.",
    Code.NOT_UNIQUE: "Two entries share what must be unique.",
    Code.UNKNOWN_BACKEND: "Options are given for a backend that does not exist.",
    Code.UNSET_VARIABLE: "A variable without a default has no value; set it, or write ${NAME:-default}.",
    Code.INTERPOLATION: "The text after $ is not a variable; write $$ for a literal dollar sign. $(NAME) is left alone.",
    Code.EXPANDED_TOO_LARGE: "Substituted values may be 256 KiB long in one field and 1 MiB in one run.",
    Code.ENV_FILE: "A file of variables has lines NAME=value.",
    Code.UNREADABLE: "The spec file cannot be read.",
    Code.NO_SPECS: "The directory has no orch.yaml and no *.orch.yaml.",
    Code.SAME_SERVICE: "Two files of one directory, or one run, describe the same service; overlays are given by a further -f or by --env.",
    Code.NO_OVERLAY: "--env was given and no spec file has an overlay of that name beside it.",
    Code.CONTENT_FILE: "files: {source: ...} names a regular file of at most 1 MiB inside the directory of the spec.",
    Code.SET: "--set takes path=value, with the service first when there are several: --set web:replicas=3.",
    Code.SET_SECRET: "--set never carries secrets, because command lines are seen by others; refer to a secret in the spec.",
}

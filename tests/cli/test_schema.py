from __future__ import annotations

import json

import jsonschema
import yaml

from tests.cli.harness import WEB, CommandLine


def test_schema_accepts_a_spec_and_refuses_a_misspelt_field(cli: CommandLine) -> None:
    result = cli("schema")
    assert (result.code, result.err) == (0, "")
    validator = jsonschema.Draft202012Validator(json.loads(result.out))
    assert validator.is_valid(yaml.safe_load(WEB))
    assert not validator.is_valid({**yaml.safe_load(WEB), "replicaz": 3})

"""The published schema, field list, examples and starter agree with the code.

``ORCHCTL_UPDATE=1`` writes the generated files anew.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from orchctl.core.capability import Claim, Feature, Support
from orchctl.core.registry import BUILT_IN, load
from orchctl.spec.codes import EXPLANATIONS, Code
from orchctl.spec.fields import FEATURES, features_of, fields_markdown, leaves
from orchctl.spec.schema import schema, schema_text
from orchctl.spec.source import SpecRequest, load_services
from orchctl.spec.starter import starter_text
from tests.unit.spec.corpus import ACCEPTED
from tests.unit.spec.support import service

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "specs" / "examples").glob("*.yaml"))
BASES = [path for path in EXAMPLES if ".prod." not in path.name]


def claims() -> Mapping[str, Mapping[Feature, Claim]]:
    return {name: load(name).capabilities() for name in BUILT_IN}


def compare(path: Path, text: str) -> None:
    if os.environ.get("ORCHCTL_UPDATE"):
        path.write_text(text)
    assert path.read_text() == text, "stale: run the tests with ORCHCTL_UPDATE=1"


def test_the_published_schema_is_fresh() -> None:
    compare(ROOT / "specs" / "service.schema.json", schema_text())


def test_the_published_list_of_fields_is_fresh() -> None:
    compare(ROOT / "specs" / "fields.md", fields_markdown(claims()))


@pytest.mark.parametrize("validator", [jsonschema.Draft202012Validator, jsonschema.Draft7Validator])
def test_the_schema_takes_the_examples_in_both_drafts(validator: Any) -> None:
    validator.check_schema(schema())
    for path in EXAMPLES:
        validator(schema()).validate(yaml.load(path.read_text(), yaml.CSafeLoader))


@pytest.mark.parametrize(
    "spec",
    [
        {"nmae": "x"},
        {"replicas": "three"},
        {"ports": [{"nam": "x"}]},
        {"env": {"A": True}},
        {"rollout": {"strategy": "x"}},
    ],
)
def test_the_schema_finds_mistakes(spec: dict[str, Any]) -> None:
    assert not jsonschema.Draft202012Validator(schema()).is_valid(spec)


def test_the_schema_takes_variables_where_numbers_stand() -> None:
    assert jsonschema.Draft202012Validator(schema()).is_valid({"name": "x", "replicas": "${N:-3}"})


@pytest.mark.parametrize("name", [n for n in ACCEPTED if "tag" not in n and "octal" not in n and "merge" not in n])
def test_the_schema_takes_what_orchctl_takes(name: str) -> None:
    read = yaml.load(ACCEPTED[name], yaml.CBaseLoader)
    typed = _typed(read)
    jsonschema.Draft202012Validator(schema()).validate(typed)


def _typed(value: Any) -> Any:
    """Numbers, booleans and null as YAML 1.2 reads them."""
    if isinstance(value, dict):
        return {k: _typed(v) for k, v in value.items()}
    if isinstance(value, list):
        return [_typed(v) for v in value]
    if value in ("true", "false", "null"):
        return {"true": True, "false": False, "null": None}[value]
    return int(value) if (value.isascii() and value.isdigit() and not value.startswith("0")) or value == "0" else value


def test_every_leaf_is_listed_once_and_described() -> None:
    paths = [path for path, _ in leaves()]
    assert len(paths) == len(set(paths)) >= 60
    assert all(text.endswith((".", '".')) for _, text in leaves())


def test_every_feature_of_a_spec_is_asked_for_by_a_leaf() -> None:
    asked = {feature for path, _ in leaves() for feature in features_of(path)}
    assert set(Feature) - asked == {Feature.LOGS, Feature.LOGS_FOLLOW}
    assert set(FEATURES) <= {path for path, _ in leaves()}


def test_the_list_shows_what_a_backend_claims_and_why() -> None:
    native = {feature: Claim(Support.NATIVE) for feature in Feature}
    text = fields_markdown({"one": native | {Feature.USER: Claim(Support.NOT_YET, "it has no users")}})
    assert "| `user` | User, or user:group, by name or number. | not yet |" in text
    assert "- `user`, not yet: it has no users" in text


@pytest.mark.parametrize("path", BASES, ids=lambda p: p.name)
def test_every_example_is_valid(path: Path) -> None:
    assert load_services(SpecRequest(files=(str(path),)))


def test_the_overlay_example_is_valid() -> None:
    path = ROOT / "specs" / "examples" / "overlay.orch.yaml"
    [resolved] = load_services(SpecRequest(files=(str(path),), env_name="prod"))
    assert (resolved.service.replicas, resolved.service.env) == (3, {"LEVEL": "info"})


def test_the_starter_is_valid_and_so_is_every_comment_in_it(tmp_path: Path) -> None:
    assert service(starter_text("web"), tmp_path).name == "web"
    (tmp_path / "settings.toml").write_text("")
    lines = [
        line.replace("# ", "", 1) if line.lstrip().startswith("# ") and ":" in line else line
        for line in starter_text("web").splitlines()
    ]
    kept = [line for line in lines if not line.startswith(("What", "A service"))]
    full = service("\n".join(kept), tmp_path)
    assert full.files
    assert full.backends["local"]["command"]
    assert "TOKEN" in full.env


def test_the_spec_in_the_readme_is_valid(tmp_path: Path) -> None:
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "specs" / "README.md").read_text(), re.DOTALL)
    assert [service(block, tmp_path).name for block in blocks] == ["web"]


def test_every_code_is_explained_in_one_sentence() -> None:
    assert set(EXPLANATIONS) == set(Code)
    assert all(text.endswith(".") for text in EXPLANATIONS.values())

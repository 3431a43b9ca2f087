"""What layers become, and what users read when a spec is wrong. ``ORCHCTL_UPDATE=1`` writes the expectations anew."""

import os
from pathlib import Path

import pytest

from orchctl.errors import SpecError
from orchctl.spec.resolved import resolved_documents
from orchctl.spec.source import SpecRequest, load_services

CASES = Path(__file__).parent / "spec"


def compare(path: Path, text: str) -> None:
    if os.environ.get("ORCHCTL_UPDATE"):
        path.write_text(text)
    assert text == path.read_text()


def test_layers_variables_and_settings_become_one_document_with_origins() -> None:
    request = SpecRequest(
        files=("web.orch.yaml",),
        env_name="prod",
        sets=("db:image=db:2.1", "web:ports.metrics.expose=host"),
        environ={"REPLICAS": "3"},
        cwd=CASES / "layers",
    )
    assert load_services(request)
    compare(CASES / "layers" / "resolved.yaml", "---\n".join(resolved_documents(request).values()))


@pytest.mark.parametrize("name", ["web", "api"])
def test_messages_say_what_where_and_what_to_do(name: str) -> None:
    with pytest.raises(SpecError) as caught:
        load_services(SpecRequest(files=(f"{name}.orch.yaml",), cwd=CASES / "messages"))
    problems = [caught.value, *caught.value.problems]
    lines = [f"{p.code} {p}\n      | {p.source_line}\n      = {p.hint}\n" for p in problems]
    compare(CASES / "messages" / f"{name}.txt", "".join(lines))

"""docs/consul.md does what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from orchctl.catalog.target import SETTINGS
from tests.docs.blocks import ROOT, run
from tests.servers.consul.agent import Consul

PAGE = (ROOT / "docs" / "consul.md").read_text("utf-8")
_RUN = re.compile(r"<!-- not run: here; tests/contract/test_consul_page.py [^>]*-->\n```sh\n(.*?)```", re.DOTALL)
_TOML = re.compile(r"```toml\n(.*?)```", re.DOTALL)
_HCL = re.compile(r"```text\n(.*?)```", re.DOTALL)


def test_every_setting_is_on_the_page() -> None:
    [toml] = _TOML.findall(PAGE)
    assert {name for name in SETTINGS if re.search(rf"^(# )?{name} = ", toml, re.MULTILINE)} == set(SETTINGS)


@pytest.mark.world_consul
def test_the_commands_run_with_the_configuration_and_the_rights_that_are_shown(
    secured_consul: Consul, tmp_path: Path
) -> None:
    [toml], [rules], scripts = _TOML.findall(PAGE), _HCL.findall(PAGE), _RUN.findall(PAGE)
    (tmp_path / "token").write_text(secured_consul.token_for(rules))
    given = f'consul = "{secured_consul.url}"\ntoken_file = "token"\nca = "{secured_consul.ca}"'
    (tmp_path / "config.toml").write_text(toml.replace('consul = "http://127.0.0.1:8500"', given))
    assert len(scripts) == 1
    environ = {"ORCHCTL_CONFIG": str(tmp_path / "config.toml")}
    said = run(scripts[0], cwd=tmp_path, state=tmp_path / "state", environ=environ)
    assert "may read and write below orchctl/edge/default/ and create sessions" in said
    assert "Traceback" not in said
    assert "registered in Consul at" in said
    assert "clients ask DNS for hello.service.consul" in said
    assert secured_consul.api.get("/v1/health/service/hello") == []
    assert secured_consul.api.keys("orchctl/edge/") == []
    assert [s for s in secured_consul.api.sessions() if s["Name"].startswith("orchctl/edge/")] == []

"""The wrappers for CI services: what they hold, that shells and their services take them, and what they run."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cli.harness import WEB
from tests.servers.packages import Unavailable, need

ROOT = Path(__file__).parents[2]
ACTION: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text())
COMPONENT = (ROOT / "templates" / "deploy.yml").read_text()
HOOKS: list[dict[str, Any]] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
PAGE = (ROOT / "docs" / "ci.md").read_text()

_RECORDS = """\
#!{python}
import json, os, sys
with open(os.environ["RECORD"], "a") as file:
    file.write(json.dumps(sys.argv) + "\\n")
"""


def _program(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def _real(path: Path, module: str = "orchctl") -> Path:
    """orchctl from this tree, as a command."""
    return _program(path, f'#!/bin/sh\nPYTHONPATH={ROOT}:{ROOT / "backends"} exec {sys.executable} -m {module} "$@"\n')


def _recorder(path: Path) -> Path:
    return _program(path, _RECORDS.format(python=sys.executable))


def _environment(directory: Path, **more: str) -> dict[str, str]:
    foreign = ("CI", "GITHUB_ACTIONS", "GITLAB_CI", "ORCHCTL_CONTEXT", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")
    own = {"ORCHCTL_STATE_DIR": f"{directory}/state", "XDG_CONFIG_HOME": f"{directory}/config"}
    return {k: v for k, v in os.environ.items() if k not in foreign} | own | {"RECORD": f"{directory}/record"} | more


def _recorded(directory: Path) -> list[list[str]]:
    return [json.loads(line)[1:] for line in (directory / "record").read_text().splitlines()]


def _run(
    shell: list[str], script: str, directory: Path, environment: Mapping[str, str]
) -> subprocess.CompletedProcess[str]:
    file = directory / "step.sh"
    file.write_text(script)
    return subprocess.run(
        [*shell, str(file)], cwd=directory, env=environment, capture_output=True, text=True, timeout=60, check=False
    )


def _project(directory: Path, spec: str = WEB) -> None:
    (directory / ".git").mkdir(exist_ok=True)
    (directory / ".orchctl.toml").write_text('default = "t"\n[contexts.t]\nbackend = "fake"\n')
    (directory / "orch.yaml").write_text(spec)


# --- the action ----------------------------------------------------------------------------------

_STEPS: dict[str, dict[str, Any]] = {step["id"]: step for step in ACTION["runs"]["steps"]}
_BASH = ["bash", "--noprofile", "--norc", "-eo", "pipefail"]
"""As the runner calls it (docs.github.com, workflow syntax, ``shell: bash``)."""


def _step(name: str, directory: Path, inputs: Mapping[str, str], **more: str) -> subprocess.CompletedProcess[str]:
    """One step as the runner does it: inputs put in, ``env`` set."""
    known = {key: value.get("default", "") for key, value in ACTION["inputs"].items()} | dict(inputs)

    def filled(text: str) -> str:
        return re.sub(r"\$\{\{ inputs\.([\w-]+) \}\}", lambda m: known[m[1]], text)

    environment = {key: filled(value) for key, value in _STEPS[name]["env"].items()}
    runner = {
        "GITHUB_ACTIONS": "true",
        "RUNNER_TEMP": str(directory / "temp"),
        "GITHUB_ACTION_PATH": str(directory / "action"),
    }
    files = {"GITHUB_OUTPUT": str(directory / "output"), "GITHUB_STEP_SUMMARY": str(directory / "summary")}
    return _run(
        _BASH, _STEPS[name]["run"], directory, _environment(directory, **environment, **runner, **files, **more)
    )


def test_no_input_is_part_of_a_script() -> None:
    """What stands between the braces is text of the script: a branch called ``$(id)`` would be run."""
    for step in ACTION["runs"]["steps"]:
        assert step["shell"] == "bash"
        assert "${{" not in step["run"]


def test_every_input_of_the_action_is_used_and_on_the_page() -> None:
    text = (ROOT / "action.yml").read_text()
    for name in ACTION["inputs"]:
        assert f"${{{{ inputs.{name} }}}}" in text
        assert f"`{name}`" in PAGE
    assert {*ACTION["outputs"]} == {"state", "revision", "exit_code"}


def test_the_action_passes_its_inputs_word_by_word(tmp_path: Path) -> None:
    _recorder(tmp_path / "temp" / "orchctl" / "bin" / "orchctl")
    inputs = {
        "verb": "plan",
        "services": "web  api",
        "file": "a b.yaml\nservices/\n",
        "context": "$(id)",
        "confirm": "prod; id",
        "arguments": '--reason=it\'s "quoted" `id`\n--strict\n',
    }
    done = _step("run", tmp_path, inputs)
    assert done.returncode == 0, done.stderr
    assert _recorded(tmp_path) == [
        [
            *("plan", "--file", "a b.yaml", "--file", "services/", "--context", "$(id)", "--yes=prod; id"),
            *('--reason=it\'s "quoted" `id`', "--strict", "--", "web", "api"),
        ]
    ]


def test_the_action_without_inputs_deploys_all(tmp_path: Path) -> None:
    _recorder(tmp_path / "temp" / "orchctl" / "bin" / "orchctl")
    assert _step("run", tmp_path, {}).returncode == 0
    assert _recorded(tmp_path) == [["deploy", "--"]]


@pytest.mark.parametrize(("extras", "source"), [("", ""), ("kubernetes,swarm", "[kubernetes,swarm]")])
def test_the_action_installs_its_own_commit_into_a_place_of_its_own(tmp_path: Path, extras: str, source: str) -> None:
    _recorder(tmp_path / "bin" / "python3")
    _recorder(tmp_path / "temp" / "orchctl" / "bin" / "python")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    assert _step("install", tmp_path, {"extras": extras}, PATH=path).returncode == 0
    make, install = _recorded(tmp_path)
    assert make == ["-m", "venv", f"{tmp_path}/temp/orchctl"]
    assert install[-1] == f"{tmp_path}/action{source}"
    assert install[:3] == ["-m", "pip", "install"]


def test_the_action_deploys_and_hands_on_how_it_ended(tmp_path: Path) -> None:
    _project(tmp_path)
    _real(tmp_path / "temp" / "orchctl" / "bin" / "orchctl", "tests.cli.fake_program")
    done = _step("run", tmp_path, {"services": "web", "arguments": "--reason=a b"})
    assert done.returncode == 0, done.stderr
    outputs = dict(re.findall(r"(\w+)<<\S+\n(.*)\n", (tmp_path / "output").read_text()))
    assert outputs == {"state": "converged", "revision": "1", "exit_code": "0"}
    assert outputs.keys() == ACTION["outputs"].keys()
    assert "| web | converged |" in (tmp_path / "summary").read_text()


def test_the_action_fails_as_the_deploy_does(tmp_path: Path) -> None:
    _project(tmp_path, WEB + "backends: {fake: {behaviour: crash}}\n")
    _real(tmp_path / "temp" / "orchctl" / "bin" / "orchctl", "tests.cli.fake_program")
    done = _step("run", tmp_path, {})
    assert (done.returncode, "::error title=web%3A failed::" in done.stderr) == (7, True)


# --- the component -------------------------------------------------------------------------------


def _component(**inputs: str) -> dict[str, Any]:
    """The job as GitLab makes it: inputs put in as text, then read as YAML."""
    spec, text = COMPONENT.split("\n---\n")
    known = yaml.safe_load(spec)["spec"]["inputs"]
    missing = [name for name, value in known.items() if "default" not in value and name not in inputs]
    assert not missing, f"inputs without a value: {missing}"
    assert {*inputs} <= {*known}
    values = {name: inputs.get(name, value.get("default", "")) for name, value in known.items()}
    found: dict[str, Any] = yaml.safe_load(re.sub(r"\$\[\[ inputs\.(\w+) \]\]", lambda m: values[m[1]], text))
    return found


def _job(directory: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    [job] = _component(image="i", **inputs).values()
    path = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = _environment(directory, **job["variables"], GITLAB_CI="true", PATH=path)
    return _run(["sh"], "\n".join(job["script"]), directory, environment)


def test_an_image_must_be_named() -> None:
    with pytest.raises(AssertionError, match="image"):
        _component()


def test_the_job_waits_for_others_and_keeps_its_reports() -> None:
    [(name, job)] = _component(image="i:1", job="roll out", stage="prod").items()
    assert (name, job["stage"], job["image"]["name"]) == ("roll out", "prod", "i:1")
    assert (job["resource_group"], job["interruptible"]) == ("orchctl", False)
    assert job["artifacts"] == {"when": "always", "reports": {"junit": "orchctl.xml", "dotenv": "orchctl.env"}}


def test_every_input_of_the_component_is_used() -> None:
    spec, text = COMPONENT.split("\n---\n")
    for name in yaml.safe_load(spec)["spec"]["inputs"]:
        assert f"$[[ inputs.{name} ]]" in text


def test_the_job_passes_its_inputs(tmp_path: Path) -> None:
    _recorder(tmp_path / "bin" / "orchctl")
    done = _job(
        tmp_path,
        services="web api",
        file="a b.yaml",
        context="$(id)",
        confirm="prod",
        arguments="--strict --source-seq 7",
    )
    assert done.returncode == 0, done.stderr
    [words] = _recorded(tmp_path)
    assert words[:5] == ["deploy", "--report", "junit=orchctl.xml", "--report", "dotenv=orchctl.env"]
    assert words[5:] == [
        *("--file", "a b.yaml", "--context", "$(id)", "--yes=prod", "--strict", "--source-seq", "7", "--", "web", "api")
    ]


def test_the_job_deploys_in_a_plain_shell(tmp_path: Path) -> None:
    _project(tmp_path)
    _real(tmp_path / "bin" / "orchctl", "tests.cli.fake_program")
    done = _job(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "ORCHCTL_STATE=converged" in (tmp_path / "orchctl.env").read_text()
    assert "section_start" in done.stderr


# --- shells --------------------------------------------------------------------------------------

SCRIPTS = {f"action-{name}": ("bash", step["run"]) for name, step in _STEPS.items()} | {
    "component": ("sh", "\n".join(_component(image="i")["deploy"]["script"]))
}


@pytest.mark.world_local
@pytest.mark.parametrize("name", SCRIPTS)
def test_shellcheck_has_nothing_to_say(tmp_path: Path, name: str) -> None:
    if not shutil.which("shellcheck"):
        try:
            need("shellcheck")
        except Unavailable as reason:
            pytest.skip(f"shellcheck is not installed: {reason}")
    shell, script = SCRIPTS[name]
    (tmp_path / "step.sh").write_text(script)
    command = ["shellcheck", "--shell", shell, "--severity", "style", str(tmp_path / "step.sh")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "")


# --- pre-commit ----------------------------------------------------------------------------------

[HOOK] = HOOKS


@pytest.mark.parametrize(
    ("file", "is_a_spec"),
    [
        ("orch.yaml", True),
        ("services/web.orch.yaml", True),
        ("overlay.prod.orch.yml", True),
        ("notorch.yaml", False),
        ("orch.yaml.j2", False),
        ("docs/orch.md", False),
    ],
)
def test_the_hook_runs_for_specs(file: str, is_a_spec: bool) -> None:
    assert bool(re.search(HOOK["files"], file)) is is_a_spec
    assert HOOK["pass_filenames"] is False


@pytest.mark.parametrize(("spec", "code"), [(WEB, 0), (WEB + "replicaz: 3\n", 2)])
def test_the_entry_of_the_hook_checks_specs(tmp_path: Path, spec: str, code: int) -> None:
    _project(tmp_path, spec)
    _real(tmp_path / "bin" / "orchctl")
    (tmp_path / ".orchctl.toml").write_text("")
    path = f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"
    done = _run(
        ["sh"], f"{HOOK['entry']} --file orch.yaml --backend kubernetes\n", tmp_path, _environment(tmp_path, PATH=path)
    )
    assert done.returncode == code, done.stderr
    assert code == 0 or "orch.yaml:7:1" in done.stderr


def _pre_commit(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    pytest.importorskip("pre_commit", reason="pre-commit is not installed: pip install '.[dev]'")
    path = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [sys.executable, "-m", "pre_commit", *words],
        cwd=directory,
        env=_environment(directory, PATH=path, PRE_COMMIT_HOME=str(directory / "pre-commit"), NO_COLOR="1"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_pre_commit_takes_the_list_of_hooks(tmp_path: Path) -> None:
    done = _pre_commit(tmp_path, "validate-manifest", str(ROOT / ".pre-commit-hooks.yaml"))
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "spec", "code", "said"),
    [
        ("orch.yaml", WEB, 0, "orchctl validate...........................Passed"),
        ("orch.yaml", WEB + "replicaz: 3\n", 1, "there is no field 'replicaz'"),
        ("notes.txt", "nothing to see", 0, "(no files to check)Skipped"),
    ],
)
def test_pre_commit_runs_the_hook(tmp_path: Path, file: str, spec: str, code: int, said: str) -> None:
    """As of this tree instead of a tag, so that nothing is installed: ``language: system``."""
    _real(tmp_path / "bin" / "orchctl")
    hook = HOOK | {"language": "system", "args": ["--backend", "kubernetes"]}
    (tmp_path / ".pre-commit-config.yaml").write_text(yaml.safe_dump({"repos": [{"repo": "local", "hooks": [hook]}]}))
    (tmp_path / file).write_text(spec)
    for words in (["init", "-q"], ["add", file, ".pre-commit-config.yaml"]):
        subprocess.run(["git", *words], cwd=tmp_path, check=True, timeout=60)
    done = _pre_commit(tmp_path, "run", "--all-files")
    assert done.returncode == code, done.stdout + done.stderr
    assert said.replace(".", "") in done.stdout.replace(".", "")

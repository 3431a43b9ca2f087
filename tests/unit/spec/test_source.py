"""Files, directories, overlays, variables and the command line."""

import io
import os
import re
from pathlib import Path
from typing import Any

import pytest

from orchctl.core.service import Service
from orchctl.errors import SpecError
from orchctl.spec.resolved import resolved_documents
from orchctl.spec.source import SpecRequest, load_services
from tests.unit.spec.support import problems, read, service

WEB = "name: web\nimage: web:1\n"


def write(directory: Path, **files: str) -> None:
    for name, text in files.items():
        path = directory / (name.replace("__", ".") + ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def services(request: SpecRequest) -> dict[str, Service]:
    return {r.service.name: r.service for r in load_services(request)}


def failure(request: SpecRequest) -> SpecError:
    with pytest.raises(SpecError) as caught:
        load_services(request)
    return caught.value


def test_without_files_orch_yaml_of_the_directory_is_read(tmp_path: Path) -> None:
    write(tmp_path, orch=WEB, other__orch="name: other\nimage: a")
    assert list(services(SpecRequest(cwd=tmp_path))) == ["web"]


def test_without_orch_yaml_every_spec_of_the_directory_is_read(tmp_path: Path) -> None:
    write(tmp_path, b__orch="name: b\nimage: a", a__orch="name: a\nimage: a", values="not: a spec")
    assert list(services(SpecRequest(cwd=tmp_path))) == ["a", "b"]


def test_a_directory_does_not_count_its_overlays_as_specs(tmp_path: Path) -> None:
    write(tmp_path, web__orch=WEB, web__prod__orch="replicas: 3")
    assert services(SpecRequest(files=(str(tmp_path),)))["web"].replicas is None


def test_an_empty_directory_is_an_error(tmp_path: Path) -> None:
    assert failure(SpecRequest(cwd=tmp_path)).code == "E0241"


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    error = failure(SpecRequest(files=("nope.yaml",), cwd=tmp_path))
    assert (error.code, "nope.yaml" in str(error)) == ("E0240", True)


def test_problems_of_several_files_are_all_reported(tmp_path: Path) -> None:
    write(tmp_path, a="name: A\nimage: x", b="name: b\nimage: X")
    error = failure(SpecRequest(files=("a.yaml", "b.yaml", "c.yaml"), cwd=tmp_path))
    assert {p.code for p in (error, *error.problems)} >= {"E0240"}
    error = failure(SpecRequest(files=("a.yaml", "b.yaml"), cwd=tmp_path))
    assert [p.file for p in (error, *error.problems)] == ["a.yaml", "b.yaml"]


def test_standard_input_is_read_once(tmp_path: Path) -> None:
    assert failure(SpecRequest(files=("-", "-"), stdin=io.BytesIO(b""), cwd=tmp_path)).code == "E0240"


def test_the_same_service_twice_in_a_directory_names_both_places(tmp_path: Path) -> None:
    write(tmp_path, a__orch=WEB, b__orch=WEB)
    error = failure(SpecRequest(cwd=tmp_path))
    assert (error.code, error.file, "a.orch.yaml:1:1" in error.message) == ("E0242", "b.orch.yaml", True)


def test_a_later_file_with_the_same_name_is_an_overlay(tmp_path: Path) -> None:
    write(tmp_path, a=WEB + "env: {A: '1', B: '2'}", b="name: web\nreplicas: 5\nenv: {B: '3'}")
    web = services(SpecRequest(files=("a.yaml", "b.yaml"), cwd=tmp_path))["web"]
    assert (web.image, web.replicas, web.env) == ("web:1", 5, {"A": "1", "B": "3"})


def test_a_later_file_without_a_name_is_an_overlay_for_all(tmp_path: Path) -> None:
    write(tmp_path, a="services: {a: {image: x}, b: {image: y}}", b="replicas: 2")
    found = services(SpecRequest(files=("a.yaml", "b.yaml"), cwd=tmp_path))
    assert [s.replicas for s in found.values()] == [2, 2]


def test_a_first_file_without_a_name_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, a="replicas: 2")
    assert failure(SpecRequest(files=("a.yaml",), cwd=tmp_path)).code == "E0221"


@pytest.mark.parametrize(
    ("base", "overlay"),
    [("web.orch.yaml", "web.prod.orch.yaml"), ("orch.yaml", "orch.prod.yaml"), ("web.yml", "web.prod.yml")],
)
def test_an_environment_lays_the_file_beside_over_it(base: str, overlay: str, tmp_path: Path) -> None:
    (tmp_path / base).write_text(WEB + "replicas: 1")
    (tmp_path / overlay).write_text("replicas: 3")
    assert services(SpecRequest(files=(base,), env_name="prod", cwd=tmp_path))["web"].replicas == 3


def test_an_environment_that_no_file_has_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, web=WEB)
    assert failure(SpecRequest(files=("web.yaml",), env_name="prd", cwd=tmp_path)).code == "E0243"


@pytest.mark.parametrize("name", ["../x", "a/b", "", "a.b", "x" * 60])
def test_the_name_of_an_environment_is_no_path(name: str, tmp_path: Path) -> None:
    write(tmp_path, web=WEB)
    if name:
        assert failure(SpecRequest(files=("web.yaml",), env_name=name, cwd=tmp_path)).code == "E0243"


def test_an_overlay_for_another_service_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, web=WEB, web__prod="name: wbe\nreplicas: 3")
    error = failure(SpecRequest(files=("web.yaml",), env_name="prod", cwd=tmp_path))
    assert (error.code, error.hint) == ("E0226", "did you mean 'web'?")


def test_a_variable_that_an_overlay_replaced_need_not_be_set(tmp_path: Path) -> None:
    write(tmp_path, a="name: web\nimage: web:${TAG}", b="name: web\nimage: web:2")
    assert services(SpecRequest(files=("a.yaml", "b.yaml"), cwd=tmp_path))["web"].image == "web:2"


def test_variables_come_from_set_then_environment_then_env_file_then_dot_env_then_default(tmp_path: Path) -> None:
    write(tmp_path, web="name: web\nimage: web:${TAG:-default}")

    def tag(**more: object) -> str | None:
        return services(SpecRequest(files=("web.yaml",), cwd=tmp_path, **more))["web"].image  # type: ignore[arg-type]

    assert tag() == "web:default"
    (tmp_path / ".env").write_text("TAG=dot\n")
    assert tag() == "web:dot"
    (tmp_path / "one.env").write_text("TAG=one\n")
    (tmp_path / "two.env").write_text("export TAG='two' # comment\n")
    assert tag(env_files=("one.env", "two.env")) == "web:two"
    assert tag(env_files=("one.env",), environ={"TAG": "process"}) == "web:process"
    assert tag(environ={"TAG": "process"}, sets=("image=web:set",)) == "web:set"


def test_a_broken_env_file_is_refused_with_its_line_and_without_its_text(tmp_path: Path) -> None:
    write(tmp_path, web=WEB)
    (tmp_path / "bad.env").write_text("A=1\n'hunter2\n")
    error = failure(SpecRequest(files=("web.yaml",), env_files=("bad.env",), cwd=tmp_path))
    assert (error.code, error.line, "hunter2" in str(error) + error.source_line) == ("E0233", 2, False)


def test_an_env_file_that_is_too_large_is_refused_and_not_cut(tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text("name: web\nimage: web:${TAG:-default}\n")
    (tmp_path / ".env").write_text("# " + "x" * (1 << 20) + "\nTAG=last\n")
    error = failure(SpecRequest(files=("web.yaml",), cwd=tmp_path))
    assert error.code == "E0233"
    assert "larger than 1 MiB" in error.message


def test_a_missing_env_file_is_an_error(tmp_path: Path) -> None:
    write(tmp_path, web=WEB)
    assert failure(SpecRequest(files=("web.yaml",), env_files=("no.env",), cwd=tmp_path)).code == "E0233"


def test_a_variable_decides_the_type_only_without_quotes(tmp_path: Path) -> None:
    assert service(WEB + "replicas: ${N}", tmp_path, {"N": "3"}).replicas == 3
    assert [p.code for p in problems(WEB + 'replicas: "${N}"', tmp_path, {"N": "3"})] == ["E0222"]


@pytest.mark.parametrize("value", ["true", "null", "", "1.10", "~", "no"])
def test_a_variable_in_env_is_a_text_whatever_it_holds(value: str, tmp_path: Path) -> None:
    made = service(WEB + "env:\n  A: ${V}\nargs:\n  - ${V}", tmp_path, {"V": value})
    assert (made.env, made.args) == ({"A": value}, (value,))


def test_a_variable_that_is_empty_does_not_remove_the_field(tmp_path: Path) -> None:
    assert [p.code for p in problems(WEB + "user: ${V}", tmp_path, {"V": ""})] == ["E0223"]


@pytest.mark.parametrize("more", [{}, {"sets": ("replicas=2",)}])
def test_a_key_without_value_is_an_error_even_when_something_is_laid_over(more: dict[str, Any], tmp_path: Path) -> None:
    assert "E0212" in [p.code for p in problems(WEB + "env: {A: , B: c}", tmp_path, **more)]


def test_a_variable_cannot_become_structure(tmp_path: Path) -> None:
    assert service(WEB + "env:\n  A: ${X}", tmp_path, {"X": "b}\nreplicas: 9"}).env == {"A": "b}\nreplicas: 9"}


@pytest.mark.parametrize(
    "secret",
    [
        "Hunter2!",
        "hunter2:swordfish",
        "pass'word\"s",
        "-----BEGIN KEY-----" + "x" * 3000,
        "line one\nline two",
        "Ünïcödé",
    ],
)
def test_the_value_of_a_variable_stands_in_no_message(secret: str, tmp_path: Path) -> None:
    fields = (
        "name: ${S}",
        "name: web\nimage: ' ${S}'",
        WEB + "user: ${S}\nstop: {grace: '${S}', signal: '${S}'}\nrestart: ${S}\nreplicas: ${S}\nnamespace: ${S}",
        WEB + "env: {A: {secret: 'x:${S}'}}\nfiles: {/a: {content: a, mode: '${S}'}}\nneeds: {a: '${S}'}",
        WEB
        + "ports: [{name: '${S}', port: 1}]\nresources: {cpu: '${S}', memory: '${S}'}\nrollout: {max_surge: '${S}'}",
        WEB + "files: {/a: {source: '${S}'}, /b: {source: '../${S}'}}\nscale: {min: 1, max: 2, cpu: '${S}'}",
        WEB + "health: {ready: {http: {path: '${S}', port: '${S}'}, interval: '${S}'}}\nvolumes: {/d: {host: '${S}'}}",
    )
    for text in fields:
        for problem in problems(text, tmp_path, {"S": secret}):
            told = problem.message + problem.source_line + problem.hint
            assert [word for word in re.findall(r"\w{4,}", secret) if word in told] == []


def test_substituted_values_are_bounded_in_all(tmp_path: Path) -> None:
    text = WEB + "env: {" + ", ".join(f"A{n}: '$BIG'" for n in range(40)) + "}"
    assert {p.code for p in problems(text, tmp_path, {"BIG": "x" * 100_000})} == {"E0232"}


def test_names_may_hold_variables(tmp_path: Path) -> None:
    assert service("name: web-${WHO:-me}\nimage: a", tmp_path).name == "web-me"


def test_the_namespace_is_the_specs_or_the_contexts(tmp_path: Path) -> None:
    assert service(WEB, tmp_path).namespace == "default"
    [a, b] = read("namespace: shop\nservices: {a: {image: x}, b: {image: x, namespace: own}}", tmp_path)
    assert (a.service.namespace, b.service.namespace) == ("shop", "own")


def test_files_are_read_from_beside_the_spec_that_names_them(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "x.conf").write_bytes(b"\x00binary")
    (tmp_path / "sub" / "web.yaml").write_text(WEB + "files: {/etc/x: {source: ./x.conf}}")
    assert services(SpecRequest(files=("sub/web.yaml",), cwd=tmp_path))["web"].files["/etc/x"].content == b"\x00binary"


@pytest.mark.parametrize("kind", ["symlink", "fifo", "large", "directory link"])
def test_a_source_that_is_no_small_file_inside_is_refused(kind: str, tmp_path: Path) -> None:
    inside = tmp_path / "spec"
    inside.mkdir()
    (tmp_path / "outside").write_text("secret")
    target = inside / "x"
    if kind == "symlink":
        target.symlink_to(tmp_path / "outside")
    elif kind == "fifo":
        os.mkfifo(target)
    elif kind == "directory link":
        (inside / "d").symlink_to(tmp_path)
        target = inside / "d" / "outside"
    else:
        target.write_bytes(bytes(1024 * 1024 + 1))
    [problem] = problems(WEB + f"files: {{/x: {{source: {target.relative_to(inside)}}}}}", inside)
    assert problem.code == "E0244"


def test_a_link_that_stays_inside_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    assert service(WEB + "files: {/x: {source: link}}", tmp_path).files["/x"].content == b"x"


def test_a_fifo_among_the_specs_of_a_directory_does_not_hang(tmp_path: Path) -> None:
    write(tmp_path, web__orch=WEB)
    os.mkfifo(tmp_path / "x.orch.yaml")
    assert list(services(SpecRequest(cwd=tmp_path))) == ["web"]


def test_origins_are_in_the_words_of_the_plan(tmp_path: Path) -> None:
    write(tmp_path, a=WEB + "ports: [{name: http, port: 80}]", b="name: web\nenv: {A: b}")
    [resolved] = load_services(SpecRequest(files=("a.yaml", "b.yaml"), cwd=tmp_path))
    assert resolved.origins["image"] == "a.yaml:2:8"
    assert resolved.origins["ports.http.port"] == "a.yaml:3:28"
    assert resolved.origins["env.A"] == "b.yaml:2:10"
    assert resolved.file == "a.yaml"


def test_the_resolved_text_reads_back_as_the_same_service(tmp_path: Path) -> None:
    text = WEB + (
        "command: [sh, -c, 'echo $$X ${Y} $(PORT) #']\nargs: [-, '- a', '', 1.10, 'a: b', \"x\\ny\"]\n"
        "env: {A: '1', B: 1.10, C: 'null', D: '${Y}', E: 'true', 'F': '~', G: no}\n"
        'files: {/a.b: {content: "x\\n"}}\nports: [{name: http, port: 80}]\nplacement: {require: [{key: a, in: [b]}]}\n'
        "backends: {kubernetes: {patch: {a: null, b: [[1], {c: d}], e: [], f: {}}}}"
    )
    environ = {"Y": "$notme ${neither} $(but) $$(this)"}
    (tmp_path / "x.yaml").write_text(text)
    request = SpecRequest(files=("x.yaml",), cwd=tmp_path, environ=environ)
    resolved = resolved_documents(request)["web"]
    assert service(resolved, tmp_path) == service(text, tmp_path, environ)
    assert "# x.yaml:2" in resolved

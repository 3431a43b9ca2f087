from __future__ import annotations

from tests.cli.harness import CommandLine


def test_starter_is_valid(cli: CommandLine) -> None:
    result = cli("init", "shop-web")
    assert (result.code, result.out) == (0, "")
    assert result.err == "wrote orch.yaml; check it with: orchctl validate -f orch.yaml\n"
    assert cli("validate").out == "shop-web: valid for fake\n"


def test_existing_file_is_never_overwritten(cli: CommandLine) -> None:
    path = cli.write("orch.yaml", "precious")
    result = cli("init")
    assert (result.code, result.err) == (
        2,
        "error[E0100]: orch.yaml exists already\nhelp: choose another file with -f, or remove it first\n",
    )
    assert path.read_text() == "precious"


def test_name_that_no_backend_takes_is_refused(cli: CommandLine) -> None:
    assert cli("init", "Web_1").code == 2
    assert not (cli.directory / "orch.yaml").exists()

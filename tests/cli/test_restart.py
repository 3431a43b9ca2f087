from __future__ import annotations

from tests.cli.harness import CommandLine


def test_every_instance_is_replaced(cli: CommandLine) -> None:
    cli.deploy()
    before = {r.id for r in cli.cluster.replicas["default", "web"]}
    result = cli("restart", "web")
    assert result.code == 0
    assert result.err.endswith("web: converged, revision 1, 2/2 ready (T)\n")
    assert not before & {r.id for r in cli.cluster.replicas["default", "web"] if r.stopping_since is None}


def test_several_services_one_after_what_it_needs(cli: CommandLine) -> None:
    spec = 'services:\n  web: {image: x/w:1, needs: {db: "*"}}\n  db: {image: x/d:1}\n'
    cli.deploy(spec)
    result = cli("restart", "-f", "orch.yaml", "web", "db", "-o", "name")
    assert (result.code, result.out) == (0, "db\nweb\n")


def test_unknown_service_exits_4(cli: CommandLine) -> None:
    assert cli("restart", "web").code == 4


def test_no_service_is_a_usage_error(cli: CommandLine) -> None:
    assert cli("restart").err.startswith("error[E0100]: missing argument 'SERVICE'")

"""``$`` in variables and commands: what a process gets is what orchctl means on every backend."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.core.environment import expand, port_environment
from orchctl.core.service import Health, Probe, ProbeKind, SecretRef, Service
from orchctl_kubernetes.pod import escaped, plain
from tests.unit.kubernetes.sample import container, sample

PIECES = ["$", "$", "(", ")", "A", "ä ", "$(A)", "$(T)", "$(S)", "$(PORT)"]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=8).map("".join)
SECRET = SecretRef(name="S", source="env", version="1")
SECRET_VALUE = "s$(A)$$"


def kubernetes_expand(text: str, values: Mapping[str, str]) -> str:
    """third_party/forked/golang/expansion of Kubernetes 1.34."""
    result, rest = "", text
    while rest:
        char, after = rest[0], rest[1:]
        if char != "$" or not after:
            result, rest = result + char, after
        elif after[0] == "(" and ")" in after:
            name, _, rest = after[1:].partition(")")
            result += values.get(name, f"$({name})")
        else:
            result, rest = result + ("$" if after[0] == "$" else f"${after[0]}"), after[1:]
    return result


def kubelet(service: Service) -> tuple[dict[str, str], list[str]]:
    """Variables and arguments of the process, as the kubelet works them out."""
    found = container(service)
    values: dict[str, str] = {}
    for variable in found.get("env", []):
        name = variable["name"]
        values[name] = kubernetes_expand(variable["value"], values) if "value" in variable else SECRET_VALUE
    return values, [kubernetes_expand(word, values) for word in found.get("args", [])]


@pytest.mark.parametrize(
    ("text", "becomes"),
    [
        ("$(A)", "1"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$(B)", "$(B)"),
        ("$(A", "$(A"),
        ("$A $", "$A $"),
        ("$$$$", "$$"),
        ("$ä$", "$ä$"),
        ("a$()", "a$()"),
    ],
)
def test_the_expansion_that_these_tests_go_by_is_that_of_kubernetes(text: str, becomes: str) -> None:
    assert kubernetes_expand(text, {"A": "1"}) == becomes


@given(TEXTS)
def test_kubernetes_reads_an_escaped_text_as_the_text_itself(text: str) -> None:
    assert kubernetes_expand(escaped(text), {"A": "1", "": "2", "S": "3"}) == text


@given(TEXTS)
def test_a_live_text_is_shown_as_it_was_written(text: str) -> None:
    assert plain(escaped(text)) == text


@pytest.mark.parametrize("text", ["", "5$", "$HOME", "a $ b"])
def test_a_text_that_kubernetes_leaves_alone_is_sent_as_it_is(text: str) -> None:
    assert escaped(text) == text


@given(st.lists(TEXTS, max_size=3), TEXTS, TEXTS)
def test_a_process_gets_the_variables_and_arguments_of_every_other_backend(args: list[str], a: str, t: str) -> None:
    service = sample(args=tuple(args), env={"A": a, "T": t, "S": SECRET})
    values, found = kubelet(service)
    assert values == port_environment(service) | {"A": a, "T": t, "S": SECRET_VALUE}
    assert found == expand(args, values)


@pytest.mark.parametrize(
    ("word", "sent"),
    [
        ("$(PORT_HTTP)", "8080"),
        ("$(OTHER)", "$$(OTHER)"),
        ("$$(PORT_HTTP)", "$$(PORT_HTTP)"),
        ("$(S)", "$(S)"),
        ("$$(S)", "$$(S)"),
        ("$(DOLLAR)$(S)", "$$$(S)"),
        ("$(PRICE): $(S)", "$$$$5: $(S)"),
    ],
)
def test_only_a_reference_to_a_secret_is_left_to_the_kubelet(word: str, sent: str) -> None:
    found = container(sample(command=(word,), args=(word,), env={"S": SECRET, "DOLLAR": "$", "PRICE": "$$5"}))
    assert found["command"] == found["args"] == [sent]


def test_a_check_has_the_variables_of_the_process() -> None:
    """The kubelet expands its command as well, but with the values that stand in the spec alone."""
    probe = Probe(kind=ProbeKind.EXEC, command=("check", "$(A):$(PORT_HTTP)", "$$(A)"))
    found = container(sample(env={"A": "$$1"}, health=Health(ready=probe)))
    assert found["readinessProbe"]["exec"]["command"] == ["check", "$$$$1:8080", "$$(A)"]

"""Whatever the bytes are: a list of services or a SpecError, quickly."""

import io
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from orchctl.errors import SpecError
from orchctl.spec.source import SpecRequest, load_services
from tests.rounds import EXAMPLES
from tests.unit.spec.corpus import ACCEPTED, REJECTED

SEEDS = [marked.replace("@", "", 1).encode() for _, marked in REJECTED.values() if len(marked) < 500]
SEEDS += [text.encode() for text in ACCEPTED.values() if len(text) < 500]
FIELDS = st.sampled_from(
    """name image command args replicas scale ports env files volumes resources health rollout stop placement needs
    provides backends services namespace kind apiVersion ready live http tcp exec port min max cpu memory limits""".split()  # noqa: SIM905
)
SCALARS = st.sampled_from(
    [
        "web",
        "1",
        "1.10",
        "true",
        "null",
        "''",
        "'x'",
        "5s",
        "256Mi",
        "25%",
        "[]",
        "{}",
        "${X}",
        "${X:-1}",
        "$$",
        "http",
        "*a",
        "&a b",
    ]
)
TREES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[" + ", ".join(items) + "]")
        | st.lists(st.tuples(FIELDS, inner), max_size=4).map(
            lambda kv: "{" + ", ".join(f"{k}: {v}" for k, v in kv) + "}"
        )
    ),
    max_leaves=12,
)
YAMLISH = st.lists(st.tuples(FIELDS, TREES), max_size=8).map(lambda kv: "".join(f"{k}: {v}\n" for k, v in kv).encode())


def reads_or_refuses(data: bytes) -> None:
    request = SpecRequest(files=("-",), stdin=io.BytesIO(data), cwd=Path("/nonexistent"), environ={"X": "1"})
    try:
        assert load_services(request)
    except SpecError as error:
        for problem in (error, *error.problems):
            assert problem.message
            assert problem.code.startswith("E02")


@given(st.binary(max_size=200))
def test_random_bytes(data: bytes) -> None:
    reads_or_refuses(data)


@given(st.text(alphabet="abc:-[]{}&*!|>'\"%@`#,? \n\t0159.~<$()=\\\r", max_size=80))
def test_random_punctuation(text: str) -> None:
    reads_or_refuses(text.encode())


@given(YAMLISH)
@settings(max_examples=300 * EXAMPLES)
def test_random_specs(data: bytes) -> None:
    reads_or_refuses(data)


@given(st.sampled_from(SEEDS), st.integers(0, 500), st.integers(0, 20), st.binary(max_size=6), st.sampled_from(SEEDS))
@settings(max_examples=400 * EXAMPLES)
def test_mutants_of_the_corpus(seed: bytes, at: int, cut: int, put: bytes, other: bytes) -> None:
    at %= len(seed) + 1
    reads_or_refuses(seed[:at] + put + seed[at + cut :])
    reads_or_refuses(seed[:at] + b"\n" + other)

"""The stranger's own test module: the kit over its backend, loaded by name. Run by tests/contract/test_third_party.py."""

from dataclasses import replace
from pathlib import Path

import orchctl_memo
import pytest

from orchctl.core import registry
from orchctl.core.context import Context
from orchctl.core.service import Service
from orchctl.testing import contract
from orchctl.testing.world import Behaviour
from tests.worlds.fake import FakeWorld


class MemoWorld(FakeWorld):
    name = "memo"

    def __init__(self, state_dir: Path) -> None:
        super().__init__(state_dir)
        self.clock = self._own_clock = orchctl_memo.CLOCK
        self.cluster = orchctl_memo.CLUSTER
        self.backend = registry.load("memo")
        self.context = Context(name="memo", backend="memo", state_dir=state_dir, namespace="test")

    def service(self, behaviour: Behaviour = Behaviour.GOOD, *, name: str = "web", greeting: str = "one") -> Service:
        return replace(
            super().service(behaviour, name=name, greeting=greeting), backends={"memo": {"behaviour": behaviour.value}}
        )


@pytest.fixture
def world(tmp_path: Path) -> MemoWorld:
    return MemoWorld(tmp_path)


class TestCapability(contract.CapabilityContract): ...


class TestDeploy(contract.DeployContract): ...


class TestFailure(contract.FailureContract): ...


class TestHistory(contract.HistoryContract): ...


class TestStore(contract.StoreContract): ...

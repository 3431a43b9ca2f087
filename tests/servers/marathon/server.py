"""``Marathon``: what tests start."""

from __future__ import annotations

import shutil
from collections.abc import Collection, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import ledger
from tests.servers.marathon.access import Access
from tests.servers.marathon.agents import Agent, three_agents
from tests.servers.marathon.control import Control, is_write
from tests.servers.marathon.engine import TICK_SECONDS, Engine, Options
from tests.servers.marathon.information import FRAMEWORK
from tests.servers.marathon.master import Leadership, Master, Seen
from tests.servers.marathon.mesos import Mesos
from tests.servers.marathon.processes import Images


class Marathon(Control):
    """A Marathon with its Mesos; a context manager. Defaults are those of the recorded 1.8.248.

    ``version``: what it is and how it behaves. ``features``: as for --enable_features. ``credentials``: user and
    password; ``token``: for "Authorization: token=...". ``certificate``: files with certificate and key, for https.
    ``base_path``: "/service/marathon". ``agents``: see ``Agent``; default three with 8 cpus, 127.0.0.1 to .3.
    ``images``: image to argv, to a root file system (``containers.busybox``) whose tasks run in namespaces of their own, or
    to None for one that only runs a given ``cmd``; any other image cannot be pulled.
    ``processes`` False: tasks are records without a process, healthy at once (as in the recordings).
    ``placement``: seconds between offers. ``min_revive``: seconds to wait for offers after the last request for them.
    ``check_haste``: how many times more often than asked for checks are made; their time-outs and graces stay as they are.
    ``role``: --mesos_role. ``masters``: how many processes over one state; the first leads, and ``url`` is its.
    """

    def __init__(
        self,
        *,
        version: str = "1.8.248",
        features: Collection[str] = (),
        credentials: tuple[str, str] | None = None,
        token: str | None = None,
        base_path: str = "",
        certificate: tuple[Path, Path] | None = None,
        max_running_deployments: int = 100,
        agents: Sequence[Agent] | None = None,
        images: Images | None = None,
        processes: bool = True,
        placement: float = TICK_SECONDS,
        min_revive: float = 0.0,
        check_haste: float = 1.0,
        role: str = "*",
        masters: int = 1,
    ) -> None:
        options = Options(
            version=version,
            features=features,
            max_running_deployments=max_running_deployments,
            images=images or {},
            processes=processes,
            placement=placement,
            min_revive=min_revive,
            check_haste=check_haste,
            role=role,
        )
        self.engine = Engine(options, _numbered(three_agents() if agents is None else agents))
        self.requests: list[Seen] = []
        access = Access(credentials=credentials, token=token, base_path=base_path, certificate=certificate)
        self.leadership = Leadership(self.engine)
        self.masters = [Master(self.engine, self.leadership, access, self.requests) for _ in range(masters)]
        self._mesos = Mesos(self.engine)

    @property
    def url(self) -> str:
        """Where the API of the first master is, with the base path and without a slash at the end."""
        return self.masters[0].url

    @property
    def urls(self) -> list[str]:
        """Of all masters, whoever leads."""
        return [one.url for one in self.masters]

    @property
    def mesos_url(self) -> str:
        """Of the Mesos master; its agents are found in its /state."""
        return self._mesos.url

    @property
    def leader(self) -> Master | None:
        return self.leadership.leader

    def start(self) -> Self:
        self.engine.root = ledger.fresh_directory("orchctl-mesos-")
        self._mesos.start()
        self.engine.mesos_url = self._mesos.url
        for master in self.masters:
            master.start()
        self.leadership.elect(self.masters[0])
        self.engine.start()
        return self

    def stop(self) -> None:
        """Nothing is left: no socket, no process, no file. RuntimeError when the server failed on its way."""
        for master in self.masters:
            master.stop()
        self._mesos.stop()
        try:
            self.engine.stop()
        finally:
            shutil.rmtree(self.engine.root, ignore_errors=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def writes(self) -> int:
        """Requests that were not reads, refused ones too."""
        return sum(is_write(one.method) for one in self.requests)

    def freeze(self) -> None:
        """The first master accepts connections and answers nothing, until ``thaw``."""
        self.masters[0].listener.thawed.clear()

    def thaw(self) -> None:
        self.masters[0].listener.thawed.set()

    def crash(self) -> None:
        """Close the first master's listener and all its connections; tasks run on, the state is kept."""
        self.masters[0].crash()

    def come_back(self) -> None:
        """The first master, at the same address, with the same state, leads; running deployments go on."""
        self.masters[0].start()
        self.leadership.elect(self.masters[0])

    def abdicate(self) -> None:
        """The leadership moves to the next master; connections to the old leader are dropped."""
        self.leadership.abdicate()


def _numbered(agents: Sequence[Agent]) -> Sequence[Agent]:
    for number, agent in enumerate(agents):
        agent.id = agent.id or f"{FRAMEWORK.removesuffix('-0000')}-S{number}"
    return agents

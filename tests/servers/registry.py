"""Debian's docker-registry on one address, with memory of nothing."""

from __future__ import annotations

import os
import subprocess
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.servers import ledger, packages
from tests.servers.waiting import until


class Registry:
    """Serves ``address`` from files below ``root``; a context manager."""

    def __init__(self, root: Path, address: str) -> None:
        packages.need("docker-registry")
        self.root, self.address = root, address
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Self:
        self.root.mkdir(parents=True, exist_ok=True)
        config = self.root / "config.yml"
        config.write_text(
            f"version: 0.1\nstorage: {{filesystem: {{rootdirectory: {self.root}/data}}}}\nhttp: {{addr: '{self.address}'}}\n"
        )
        with (self.root / "log").open("ab") as log:
            command = ["docker-registry", "serve", str(config)]
            self._process = subprocess.Popen(
                command,
                stdout=log,
                stderr=log,
                env={"PATH": os.environ["PATH"]} | ledger.mark(),
                start_new_session=True,
            )
        until("the registry", self._answers)
        return self

    @property
    def pid(self) -> int:
        return self._process.pid if self._process else 0

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(60)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _answers(self) -> bool:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(f"http://{self.address}/v2/", timeout=2) as answer:
            return bool(answer.status == 200)

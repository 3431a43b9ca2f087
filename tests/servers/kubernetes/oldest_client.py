"""The oldest version of the Kubernetes client library that orchctl works with, beside the one that is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests import surroundings
from tests.servers.built import built
from tests.servers.pinned import pins

VERSION = "36.0.3"


def oldest_client() -> Path:
    """A folder for PYTHONPATH; installed once."""

    def install(target: Path) -> None:
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        beside = pins(target.parent, without=("kubernetes",))
        wanted = [f"--target={target}", f"--constraint={beside}", f"kubernetes=={VERSION}"]
        subprocess.run([*command, *wanted], env=surroundings.outside(), check=True, timeout=600)

    why = f"the Kubernetes client library {VERSION}, the oldest that is supported; once, some seconds"
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    return built(f"kubernetes-client-{VERSION}-{tag}", "packages", install, why)


def environment() -> dict[str, str]:
    """That of a process in which ``import kubernetes`` finds the oldest one."""
    return os.environ | {"PYTHONPATH": str(oldest_client())}

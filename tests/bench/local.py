"""Twenty processes from nothing, beside supervisor alone doing the same."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.measure import Row, run
from tests.servers.waiting import until

REPLICAS = 20
SLEEPER = [sys.executable, "-S", "-c", "import signal; signal.pause()"]


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        ours = _orchctl(Path(directory))
    with tempfile.TemporaryDirectory() as directory:
        peer = _supervisor(Path(directory))
    return [
        Row(
            f"local: {REPLICAS} replicas running",
            f"{ours * 1000:.0f} ms",
            f"supervisord {peer * 1000:.0f} ms",
            f"{ours / peer:.2f}x",
        )
    ]


def _orchctl(directory: Path) -> float:
    spec = directory / "orch.yaml"
    words = ", ".join(f'"{w}"' for w in SLEEPER)
    spec.write_text(
        f"apiVersion: orchctl.dev/v1\nname: sleepers\nreplicas: {REPLICAS}\ncommand: [{words}]\n"
        f"rollout: {{max_surge: {REPLICAS}, min_ready: 1s}}\nstop: {{grace: 2s}}\n",
        "utf-8",
    )
    orchctl = str(Path(sys.executable).parent / "orchctl")
    env = {**os.environ, "ORCHCTL_STATE_DIR": str(directory / "state"), "ORCHCTL_CONFIG": os.devnull}
    try:
        return run([orchctl, "deploy", "-f", str(spec), "--backend", "local"], env).wall
    finally:
        run([orchctl, "delete", "sleepers", "--backend", "local", "--yes"], env)


def _supervisor(directory: Path) -> float:
    """The same processes with supervisor's own second of watching (startsecs 1)."""
    config = directory / "supervisord.conf"
    socket = directory / "s.sock"
    command = " ".join(f"'{w}'" if " " in w else w for w in SLEEPER)
    config.write_text(
        f"[unix_http_server]\nfile={socket}\n[supervisord]\nlogfile={directory}/log\npidfile={directory}/pid\nchildlogdir={directory}\n"
        "[rpcinterface:supervisor]\n"
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface\n"
        f"[supervisorctl]\nserverurl=unix://{socket}\n"
        f"[program:p]\ncommand={command}\nnumprocs={REPLICAS}\nprocess_name=%(process_num)d\nstartsecs=1\n",
        "utf-8",
    )
    base = Path(sys.executable).parent
    started = time.perf_counter()
    daemon = subprocess.Popen(
        [str(base / "supervisord"), "-n", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        until("supervisord's programs", lambda: _running(base, config) == REPLICAS, seconds=60)
        return time.perf_counter() - started
    finally:
        daemon.terminate()
        daemon.wait(30)


def _running(base: Path, config: Path) -> int:
    status = subprocess.run(
        [str(base / "supervisorctl"), "-c", str(config), "status"],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    return status.stdout.count("RUNNING")

"""A thousand specs: loaded, checked and lowered, beside the C YAML loader alone."""

from __future__ import annotations

import gc
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import yaml

from orchctl.core.registry import BUILT_IN
from orchctl.spec.source import SpecRequest, load_services
from tests.bench.measure import Row

COUNT = 1000
TEXT = """\
apiVersion: orchctl.dev/v1
name: svc{n}
image: "registry.example.com/acme/web:1.{n}"
command: ["serve"]
args: ["--port", "$(PORT_HTTP)"]
labels: {{team: checkout}}
replicas: 3
ports:
  - {{name: http, port: 8080}}
env:
  LOG: info
  MODE: "{n}"
resources:
  cpu: 250m
  memory: 256Mi
  limits:
    cpu: "1"
    memory: 512Mi
health:
  ready:
    http: {{path: /ready, port: http}}
    interval: 5s
    timeout: 2s
  start: {{deadline: 60s}}
rollout:
  max_surge: 1
  max_unavailable: 0
  min_ready: 5s
  deadline: 5m
stop:
  signal: SIGTERM
  grace: 30s
"""


def rows() -> list[Row]:
    with tempfile.TemporaryDirectory() as directory:
        paths = [Path(directory) / f"svc{n}.orch.yaml" for n in range(COUNT)]
        for n, path in enumerate(paths):
            path.write_text(TEXT.format(n=n), "utf-8")
        request = SpecRequest(
            files=(directory,),
            environ=dict(os.environ),
            default_namespace="default",
            known_backends=tuple(BUILT_IN),
            cwd=Path(directory),
        )
        pairs = [(timed(lambda: load_services(request)), timed(lambda: load_all(paths))) for _ in range(5)]
    ratio = statistics.median(a / b for a, b in pairs)
    ours, peer = (statistics.median(column) * 1000 for column in zip(*pairs, strict=True))
    return [Row(f"load {COUNT} specs", f"{ours:.0f} ms", f"CSafeLoader {peer:.0f} ms", f"{ratio:.2f}x", "<= 1.5x")]


def load_all(paths: list[Path]) -> None:
    for path in paths:
        yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader)


def timed(action: Callable[[], object]) -> float:
    """Seconds, without garbage collection: the command line switches it off while it loads."""
    gc.collect()
    gc.disable()
    try:
        started = time.perf_counter()
        action()
        return time.perf_counter() - started
    finally:
        gc.enable()

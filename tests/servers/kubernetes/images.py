"""Images for the node, as archives that its containerd takes in: no registry is asked for them."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import tarfile
from collections.abc import Sequence

from tests.servers import image

_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
IMAGE = image.IMAGE
# Any other name is asked for at the cluster's own registry, which has only what a test pushed: "not found".
MISSING = "registry.test/none:1"
# Port 1 on loopback refuses connections: a registry that cannot be reached, which may pass.
REFUSED = "127.0.0.1:1/none:1"
PAUSE = "registry.test/pause:1"


def archive() -> bytes:
    """A docker-archive with the test image and the sandbox image that every pod starts with."""
    layer = image.rootfs()
    digest = hashlib.sha256(layer).hexdigest()
    entries = {f"{digest}/layer.tar": layer}
    manifest = []
    for name, command in ((IMAGE, ["/bin/sh"]), (PAUSE, ["/bin/sleep", "2147483647"])):
        config = _config(digest, command)
        path = f"{hashlib.sha256(config).hexdigest()}.json"
        entries[path] = config
        manifest.append({"Config": path, "RepoTags": [name], "Layers": [f"{digest}/layer.tar"]})
    entries["manifest.json"] = json.dumps(manifest).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in entries.items():
            info = tarfile.TarInfo(name)
            info.size, info.mode = len(content), 0o644
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


def _config(layer: str, command: Sequence[str]) -> bytes:
    epoch = "1970-01-01T00:00:00Z"
    content = {
        "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
        "os": "linux",
        "created": epoch,
        "config": {"Cmd": list(command), "Env": ["PATH=/bin"], "WorkingDir": "/"},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer}"]},
        "history": [{"created": epoch}],
    }
    return json.dumps(content).encode()

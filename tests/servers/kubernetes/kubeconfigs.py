"""Files that name a cluster, and who asks."""

from __future__ import annotations

import base64
import json
from pathlib import Path

from tests.servers.pki import Authority


def kubeconfig(authority: Authority, name: str, server: str) -> Path:
    """``name.kubeconfig`` beside the client certificate of that name, which is its user's."""
    user = {
        "client-certificate-data": _base64((authority.folder / f"{name}.crt").read_bytes()),
        "client-key-data": _base64((authority.folder / f"{name}.key").read_bytes()),
    }
    path = authority.folder / f"{name}.kubeconfig"
    return write_kubeconfig(path, server, authority.certificate.read_bytes(), user)


def write_kubeconfig(path: Path, server: str, ca: bytes, user: dict[str, str], *, namespace: str = "") -> Path:
    """A kubeconfig (JSON is YAML) whose only context is called ``test``; without ``ca`` this machine's authorities count."""
    cluster = {"server": server} | ({"certificate-authority-data": _base64(ca)} if ca else {})
    context = {"cluster": "test", "user": "test"} | ({"namespace": namespace} if namespace else {})
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "test",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "test", "user": user}],
        "contexts": [{"name": "test", "context": context}],
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config, indent=1))
    return path


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()

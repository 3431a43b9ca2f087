"""A container image with nothing but busybox in it, made here and named so that no outside registry is asked."""

from __future__ import annotations

import io
import shutil
import subprocess
import tarfile
from pathlib import Path

from tests.servers.packages import Unavailable

# Every task tries the registry of its image's name first: port 1 on loopback refuses at once.
IMAGE = "127.0.0.1:1/busybox:1"
MISSING = "127.0.0.1:1/none:1"


def rootfs() -> bytes:
    """A tar archive for ``docker import``."""
    program = shutil.which("busybox", path="/bin:/usr/bin")
    if not program:
        raise Unavailable("busybox not found")
    applets = subprocess.run([program, "--list"], capture_output=True, text=True, timeout=10, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for folder in ("bin", "etc", "tmp", "www", "root", "run"):
            info = tarfile.TarInfo(folder)
            info.type, info.mode = tarfile.DIRTYPE, 0o1777 if folder == "tmp" else 0o755
            tar.addfile(info)
        _add(tar, "bin/busybox", Path(program).read_bytes(), 0o755)
        _add(tar, "etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nweb:x:1000:1000:web:/tmp:/bin/sh\n", 0o644)
        _add(tar, "etc/group", b"root:x:0:\nweb:x:1000:\n", 0o644)
        for applet in sorted(set(applets) - {"busybox"}):
            link = tarfile.TarInfo(f"bin/{applet}")
            link.type, link.linkname = tarfile.SYMTYPE, "busybox"
            tar.addfile(link)
    return out.getvalue()


def _add(tar: tarfile.TarFile, name: str, content: bytes, mode: int) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(content), mode
    tar.addfile(info, io.BytesIO(content))

"""A service with the values of its secrets: from a variable, a file or a command, at deploy time.

The value goes to the backend and nowhere else. What may be recorded is its fingerprint.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from orchctl.core.backend import Secrets
from orchctl.core.secret import Secret
from orchctl.core.service import File, SecretRef, Service
from orchctl.secrets.fingerprint import fingerprint, installation_key
from orchctl.secrets.providers import fetch


def resolve(
    service: Service, *, environ: Mapping[str, str], state_dir: Path, held: Collection[SecretRef] = ()
) -> tuple[Service, Secrets]:
    """Fetch every provider secret; returns the service with versions filled, and the values.

    ``held``: versions that the backend has the value of. They stay as they are and nobody is asked: who goes back to a
    revision goes back to its secrets, not to what the provider says today. UsageError when a provider does not answer;
    the message never holds a value or a command's output.
    """
    values: dict[SecretRef, Secret] = {}
    versions: dict[SecretRef, SecretRef] = {replace(ref, version=""): ref for ref in held}
    for path, ref in service.secret_refs():
        if ref.source and replace(ref, version="") not in versions:
            bare = replace(ref, version="")
            value = fetch(bare, path, environ)
            versions[bare] = replace(bare, version=fingerprint(value, installation_key(environ, state_dir)))
            values[versions[bare]] = Secret(value)
    if not versions:
        return service, values

    def filled(ref: SecretRef) -> SecretRef:
        return versions.get(replace(ref, version=""), ref)

    env = {k: filled(v) if isinstance(v, SecretRef) else v for k, v in service.env.items()}
    files: dict[str, File] = {
        p: replace(f, secret=filled(f.secret)) if f.secret else f for p, f in service.files.items()
    }
    return replace(service, env=env, files=files), values

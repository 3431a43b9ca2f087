"""What the tests of catalogs share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.catalog.consul import Consul
from orchctl.catalog.target import Target, resolve
from orchctl.core.context import Catalog


def target_of(url: str, base: Path = Path("."), environ: dict[str, str] | None = None, **settings: Any) -> Target:
    catalog = Catalog(name="main", kind="consul", settings={"consul": url, **settings}, base_dir=base)
    return resolve(catalog, environ or {})


def connected(url: str, base: Path = Path("."), **settings: Any) -> Consul:
    return Consul(target_of(url, base, **settings))

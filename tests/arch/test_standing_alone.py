"""The project names no machine, no registry host and nothing outside itself."""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
# A class of one letter keeps each from naming itself, so that this file is no exception.
FORBIDDEN = re.compile(
    r"/[w]ork/|/[r]oot/\S|[.][.]/[s]hared|[s]hared/(design|servers|recorded)"
    r"|[p]ypi[.]org|[f]iles[.]pythonhosted|[p]roxy[.]golang|[d]eb[.]debian"
)


def test_no_file_names_a_place_outside_the_project() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.split("\n")
    files = [p for p in listed if p and (ROOT / p).is_file()]
    found = []
    for name in files:
        text = (ROOT / name).read_text("utf-8", "replace")
        found += [f"{name}: {m[0]}" for m in FORBIDDEN.finditer(text)]
    assert found == []
    assert len(files) > 100

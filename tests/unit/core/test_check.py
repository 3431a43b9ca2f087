"""What every backend's doctor says of dates."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme

from orchctl.core.check import Health, certificate_end, last_day

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("days", "health", "finding"),
    [
        (-1, Health.BAD, "ended on 2026-11-19"),
        (5, Health.WARNING, "ends on 2026-11-25, in 5 days"),
        (300, Health.GOOD, "good until 2027-09-16"),
    ],
)
def test_a_certificate_is_renewed_in_time(days: int, health: Health, finding: str) -> None:
    found = last_day("client certificate", NOW + timedelta(days=days), NOW)
    assert (found.health, found.finding) == (health, finding)


def test_what_is_short_by_design_is_no_warning() -> None:
    assert last_day("token", NOW + timedelta(hours=1), NOW, short=True).health is Health.GOOD


def test_the_end_of_a_certificate_is_read_from_its_file(tmp_path: Path) -> None:
    end = datetime(2031, 2, 3, 4, 5, 6, tzinfo=UTC)
    file = tmp_path / "cert.pem"
    trustme.CA().issue_cert("web.example", not_after=end).cert_chain_pems[0].write_to_path(str(file))
    assert certificate_end(str(file)) == end
    file.write_text("no certificate")
    assert certificate_end(str(file)) is None
    assert certificate_end(str(tmp_path / "absent")) is None

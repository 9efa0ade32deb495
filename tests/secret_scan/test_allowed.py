"""What a person allowed: kept in one file, by repository, whoever else writes at the same time."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.errors import Refused, StoreFailed
from buildwright.secret_scan import AllowedSecrets

NOW = datetime(2026, 1, 2, tzinfo=UTC)
PRINT, OTHER = "0123456789abcdef", "fedcba9876543210"


def test_a_decision_counts_for_its_repository_alone(tmp_path: Path) -> None:
    allowed = AllowedSecrets(tmp_path / "home" / "allowed.json")
    assert allowed.all() == ()
    allowed.allow("/r/a", PRINT, "a test server", "ada", NOW)
    allowed.allow("/r/b", OTHER, "public", "ada", NOW)
    assert allowed.fingerprints("/r/a") == {PRINT}
    assert allowed.fingerprints("/r/b") == {OTHER}
    assert allowed.fingerprints("/r/c") == frozenset()
    assert [(row.reason, row.by, row.at) for row in allowed.all("/r/a")] == [("a test server", "ada", NOW)]


def test_a_later_decision_takes_the_place_of_the_first(tmp_path: Path) -> None:
    allowed = AllowedSecrets(tmp_path / "allowed.json")
    for reason in ("first", "second"):
        allowed.allow("/r", PRINT, reason, "ada", NOW)
    assert [row.reason for row in allowed.all("/r")] == ["second"]


@pytest.mark.parametrize(("name", "reason"), [("xyz", "why"), ("", "why"), (PRINT + "0", "why"), (PRINT, "  ")])
def test_what_is_no_fingerprint_or_has_no_reason_is_refused(tmp_path: Path, name: str, reason: str) -> None:
    with pytest.raises(Refused):
        AllowedSecrets(tmp_path / "allowed.json").allow("/r", name, reason, "ada", NOW)


@pytest.mark.parametrize("text", ["{", '[{"repository": "/r"}]', "7"])
def test_a_damaged_file_allows_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "allowed.json").write_text(text)
    with pytest.raises(StoreFailed):
        AllowedSecrets(tmp_path / "allowed.json").fingerprints("/r")


def test_processes_do_not_lose_decisions_of_each_other(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom datetime import UTC, datetime\nfrom pathlib import Path\n"
        "from buildwright.secret_scan import AllowedSecrets\n"
        "for n in range(20):\n"
        "    name = f'{int(sys.argv[2]):08x}{n:08x}'\n"
        "    AllowedSecrets(Path(sys.argv[1])).allow('/r', name, 'why', 'ada', datetime.now(UTC))\n"
    )
    file = tmp_path / "allowed.json"
    started = [subprocess.Popen([sys.executable, "-c", code, str(file), str(n)]) for n in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert len(AllowedSecrets(file).fingerprints("/r")) == 60

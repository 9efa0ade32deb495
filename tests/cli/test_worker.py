"""`buildwright worker` where there is no database yet."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.cli.conftest import Program

NOBODY = {"DATABASE_URL": "postgresql://a:hush@127.0.0.1:1/b", "REDIS_URL": "redis://127.0.0.1:1/0"}


def test_a_worker_waits_for_its_database_and_ends_when_told(program: Program, tmp_path: Path) -> None:
    process = program.start("worker", "--json", **NOBODY, BUILDWRIGHT_HUB=str(tmp_path / "hub.git"))
    assert process.stdout is not None
    said = json.loads(process.stdout.readline())
    assert said["event"] == "waits"
    assert "127.0.0.1:1" in said["why"]
    assert said["fix"]
    assert "hush" not in str(said)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=program.patience)
    assert (process.returncode, err) == (0, ""), out

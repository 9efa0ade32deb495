"""The demo: what a newcomer types first."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.cli.conftest import Program


def test_the_demo_builds_what_it_promises(program: Program, tmp_path: Path) -> None:
    place = tmp_path / "sample"
    ended = program("demo", "--dir", place, "--json")
    assert ended.code == 0, ended.err
    assert "scripted" in ended.err.splitlines()[0]
    assert "Everything else is real" in ended.err
    assert "passes the project's own tests. Ran " in ended.err
    *events, summary = ended.lines
    assert (summary["outcome"], summary["counts"]) == ("succeeded", {"done": summary["total"]})
    assert summary["total"] >= 8
    kinds = [event["type"] for event in events]
    assert "merge.conflicted" in kinds
    assert any(task["attempt"] > 1 for task in summary["tasks"])
    branch = summary["delivered"].removeprefix("refs/heads/")
    log = subprocess.run(["git", "log", "--oneline", branch], cwd=place, capture_output=True, text=True, check=True)
    assert len(log.stdout.splitlines()) == summary["total"] + 1


def test_the_demo_overwrites_nothing(program: Program, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").touch()
    ended = program("demo", "--dir", tmp_path)
    assert ended.code == 2
    assert "not an empty folder" in ended.err

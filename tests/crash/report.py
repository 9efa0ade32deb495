"""The matrix of a campaign: as JSON, and in docs/reliability.md between its markers. Runs nothing."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

PAGE = Path(__file__).parents[2] / "docs" / "reliability.md"


class Row(NamedTuple):
    """A scene on a store: how many points it passes, their names, and what was killed."""

    scene: str
    store: str
    points: int
    names: Sequence[str]
    singles: int
    pairs: int
    failures: int

    @property
    def runs(self) -> int:
        return self.singles + self.pairs


def as_json(rows: Sequence[Row]) -> str:
    return json.dumps([row._asdict() for row in rows])


def as_table(rows: Sequence[Row]) -> str:
    lines = [
        "| build | store | points it passes | killed once | killed again while it recovers | broken promises |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {row.scene} | {row.store} | {row.points} | {row.singles:,} | {row.pairs:,} | {row.failures} |"
        for row in rows
    ]
    return "\n".join(lines)


def machine() -> str:
    """What it was measured on, without a name or a date."""
    git = subprocess.run(["git", "--version"], capture_output=True, text=True, check=True).stdout.split()[2]
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.release().split('-')[0]}, Python"
        f" {platform.python_version()}, SQLite {sqlite3.sqlite_version}, git {git}"
    )


def put(name: str, text: str) -> None:
    """Replace what is between the markers of this name. Raises ValueError when they are missing."""
    page = PAGE.read_text(encoding="utf-8")
    begin, end = f"<!-- measured: {name} -->", f"<!-- end: {name} -->"
    before, found, rest = page.partition(begin)
    _, ended, after = rest.partition(end)
    if not found or not ended:
        raise ValueError(f"{PAGE.name} has no place for {name}")
    PAGE.write_text(f"{before}{begin}\n{text}\n{end}{after}", encoding="utf-8")


def write_page(rows: Sequence[Row], seed: int) -> None:
    """Put the matrix into the page."""
    put("crash", f"{as_table(rows)}\n\nPairs are drawn with seed {seed}. {machine()}.")

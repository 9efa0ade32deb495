"""What builds came to and what they cost, as the guide shows it, and after the builds are gone."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from tests.cli.conftest import Program, write_tasks
from tests.docs.pages import ROOT


def test_costs_and_stats_as_the_guide_shows_them(program: Program, repository: Path, tmp_path: Path) -> None:
    model = tmp_path / "model.yaml"
    model.write_text(
        "version: 1\nmodel: claude-sonnet-5-5\nturns:\n"
        '  - when: {task: a, attempt: 1}\n    reply: {files: {a.txt: "bad"}}\n    usage: {input: 9000, cache_read: 1000}\n'
        '  - when: {task: a, attempt: 2}\n    reply: {files: {a.txt: "a"}}\n    usage: {input: 9000, cache_read: 1000}\n',
        encoding="utf-8",
    )
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A", "requirements": ["R1", "R2"]})
    check = ("--check", "! grep -q bad a.txt")
    built = program("build", tasks, "--repo", repository, *check, "--cassette", model)
    assert built.code == 0, built.err
    guide = (ROOT / "docs" / "guides" / "monitoring.md").read_text(encoding="utf-8")
    shown = re.findall(r"^    buildwright ((?:stats|costs)\b.*)$", guide, re.MULTILINE)
    assert len(shown) == 7
    for line in shown:
        words, _, file = line.partition(" > ")
        done = program(*words.split())
        assert done.code == 0, line
        if file:
            rows = list(csv.DictReader(done.out.splitlines()))
            assert len(rows) == (2 if file == "attempts.csv" else 1)
    told = program("costs").out
    assert "From the provider's cache: 2,000 tokens, 10% of all input." in told
    assert "Thrown away: $" in told
    assert "50%: $" in told
    assert "refused by the checks." in told
    sums = program("costs", "--by", "requirement", "--json").object
    assert [each["key"] for each in sums["sums"]] == ["R1", "R2"]
    assert sums["cost_usd"] == sums["sums"][0]["cost_usd"]
    total = program("stats", "--json").object["total"]
    assert (total["succeeded"], total["attempts"], total["first_pass_rate"]) == (1, 2, 0.0)
    assert program("db", "rebuild-stats", "--json").object["total"] == total
    assert program("prune", "--older-than", "0d", "--keep", "0", "--yes").code == 0
    assert program("stats", "--json").object["total"] == total
    assert "No request" in program("costs").out
    both = program("stats", "--json", "--csv")
    assert (both.code, both.object["error"]["kind"]) == (2, "Contradiction")

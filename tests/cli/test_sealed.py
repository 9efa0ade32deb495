"""What a user sees of sealed tests: the refusal of a lie, the tests themselves, and the approval."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks
from tests.git import git

LINE = "spread([4, 9, 1]) is 8"
TEXT = "def test_it():\n    from spread import spread\n    assert spread([7919, 12]) == 7907\n"
LIE = "printf 'def spread(values):\\n    return len(values) * 3 - 1\\n' > spread.py"


def test_a_refused_lie_is_shown_with_its_tests_and_can_be_approved(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    (repository / "stats.py").write_text("def total(values):\n    return sum(values)\n")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", "a product")
    reply = {"json": {"files": [{"acceptance": 1, "language": "python", "text": TEXT}]}}
    turn = {"when": {"task": "plan", "tool": "final_result_sealed_tests"}, "reply": reply}
    model = tmp_path / "model.yaml"
    model.write_text(json.dumps({"version": 1, "model": "claude-sonnet-5-5", "turns": [turn]}), encoding="utf-8")
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "Add spread", "acceptance": [LINE]})
    words = shell(LIE, "--sealed-tests", "--attempts", "1", "--cassette", str(model))
    ended = program("build", tasks, "--repo", repository, "--check", "build:ok=true", *words)
    assert ended.code == 4, ended.err
    assert "a: 1 sealed test" in ended.err
    build = str(program("status", "--json").object["id"])
    (sealed,) = [event for event in program("events", build).lines if event["type"] == "tests.sealed"]
    assert sealed["instructions"] == program("version", "--json").object["instructions"]["sealer"]
    why = program("why", build, "a")
    assert "1 of 1 sealed tests fail" in why.out
    assert "7919" not in why.out
    assert TEXT.strip() in program("why", build, "a", "--sealed").out
    shown = program("why", build, "a", "--sealed", "--json").object
    assert [(one["line"], one["tests"]) for one in shown["files"]] == [(LINE, ["test_it"])]
    (name,) = program("status", build, "--json").object["pause"]["approvable"]
    approved = program("approve", build, name, "-m", "a test that is wrong")
    assert approved.code == 0, approved.err
    assert program("run", build).code == 0

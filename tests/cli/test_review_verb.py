"""`review` shows each hunk with its task, and sends comments that become work."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks

WRITES = """
echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"
if [ "$BUILDWRIGHT_TASK_ID" = b ]; then echo more >> a.txt; fi
"""


def test_hunks_have_their_tasks_and_comments_become_a_task(program: Program, tmp_path: Path, repository: Path) -> None:
    tasks = write_tasks(
        tmp_path / "two.json",
        {"id": "a", "title": "First", "requirements": ["R1 says a"], "files_expected": ["a.txt"]},
        {"id": "b", "title": "Second", "depends_on": ["a"], "files_expected": ["b.txt"]},
    )
    ended = program("build", tasks, "--repo", repository, "--check", "true", "--json", *shell(WRITES))
    assert ended.code == 0, ended.err
    build = ended.lines[-1]["id"]
    view = program("review", build, "--json").object
    hunks = {
        file["path"]: [[one["task"] for one in hunk["purposes"]] for hunk in file["hunks"]] for file in view["files"]
    }
    assert hunks == {"a.txt": [["a", "b"]], "b.txt": [["b"]]}
    assert view["files"][0]["hunks"][0]["purposes"][0]["requirements"] == ["R1 says a"]
    assert view["unasked"] == 0
    of_b = program("review", build, "b", "--json").object
    assert (of_b["unasked"], [file["path"] for file in of_b["files"]]) == (1, ["a.txt", "b.txt"])
    assert of_b["files"][0]["hunks"][0]["unasked"] == "b did not name a.txt"
    told = program("review", build).out
    assert "line 1: a: R1 says a; b: Second" in told
    assert "2 files, +3 -0" in told

    wrong = program("review", build, "--comment", "no place")
    assert (wrong.code, "is not a comment on a line" in wrong.err) == (2, True)
    sent = program("review", build, "--comment", "a.txt:1: say it louder", "-m", "Nearly", "--json")
    assert sent.code == 0, sent.err
    events = [line for line in program("events", build).lines if line["type"] == "review.sent"]
    assert [(one["message"], one["tasks"], one["comments"][0]["task"]) for one in events] == [
        ("Nearly", ["review-1"], "a")
    ]
    shown = program("status", build, "--json").object
    assert [(task["id"], task["phase"]) for task in shown["tasks"]][-1] == ("review-1", "ready")


def test_a_line_that_was_removed_is_named_by_its_number_before(
    program: Program, tmp_path: Path, repository: Path
) -> None:
    tasks = write_tasks(tmp_path / "one.json", {"id": "a", "title": "First"})
    words = ("--check", "true", "--json", *shell("echo instead > README.md"))
    ended = program("build", tasks, "--repo", repository, *words)
    assert ended.code == 0, ended.err
    build = ended.lines[-1]["id"]
    sent = program("review", build, "--comment", "README.md:-1-2: keep this", "--json")
    assert sent.code == 0, sent.err
    ((comment,),) = [line["comments"] for line in program("events", build).lines if line["type"] == "review.sent"]
    said = {"path": "README.md", "line": 1, "end_line": 2, "side": "old", "text": "keep this", "task": "a"}
    assert comment == said
    assert "- README.md:1-2 (as it was before the change): keep this" in program("prompt", build, "review-1").out

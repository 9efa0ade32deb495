"""`lessons` as a user types it: what a build taught, whom the next one gave it to, in files and back, here and remote."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path
from typing import Any

from tests.cli.conftest import Program, shell, write_tasks
from tests.cli.test_remote import serving

CHECK = ("--check", "money=! grep -rn float src", "--json")


def works(tmp_path: Path) -> str:
    """An agent that falls into the trap with its first attempt, unless its prompt warns of it; prompts are kept."""
    return (
        f'cp "$BUILDWRIGHT_PROMPT_FILE" "{tmp_path}/$BUILDWRIGHT_TASK_ID.$BUILDWRIGHT_ATTEMPT.md"; mkdir -p src; '
        'if [ "$BUILDWRIGHT_ATTEMPT" = 1 ] && ! grep -q "Known traps" "$BUILDWRIGHT_PROMPT_FILE"; '
        "then it=float; else it=Decimal; fi; "
        'echo "amount = $it" > "src/$BUILDWRIGHT_TASK_ID.py"'
    )


def build(program: Program, tmp_path: Path, repository: Path, names: str, *more: str) -> dict[str, Any]:
    listed = write_tasks(
        tmp_path / f"{names}.json",
        *({"id": name, "title": f"Write {name}", "files_expected": [f"src/{name}.py"]} for name in names),
        title=names,
    )
    ended = program("build", listed, "--repo", repository, *shell(works(tmp_path), *CHECK, *more))
    assert ended.code == 0, ended.err
    return ended.lines[-1]


def held_out(build_id: str, task: str, name: str) -> bool:
    """The documented rule."""
    digest = hashlib.sha256(f"{build_id}/{task}/{name}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 4 == 0


def test_a_trap_is_learned_given_tried_and_shown(program: Program, tmp_path: Path, repository: Path) -> None:
    assert "There are no lessons yet" in program("lessons", "list").out
    build(program, tmp_path, repository, "a")
    (lesson,) = program("lessons", "list", "--json").object["lessons"]
    assert lesson["content"] == (
        "A change was refused: `! grep -rn float src` exited with code 1. / src/*.py:#:amount = float [check.failed]."
        " Fixed by: `amount = float` became `amount = Decimal`."
    )
    assert (lesson["pattern"], lesson["confidence"], lesson["task"], lesson["attempt"]) == ("src/*.py", 0.6, "a", 2)

    names = "bcdefg"
    second = str(build(program, tmp_path, repository, names)["id"])
    held = {name for name in names if held_out(second, name, lesson["id"])}
    for name in names:
        sent = (tmp_path / f"{name}.1.md").read_text(encoding="utf-8")
        assert program("prompt", second, name, "--attempt", "1").out == sent
        assert (f"- (src/*.py) {lesson['content']}\n" in sent) is (name not in held)
        assert (tmp_path / f"{name}.2.md").exists() is (name in held)  # who was not warned fell into it
    told = program("prompt", second, min(set(names) - held), "--attempt", "1", "--sizes").out
    assert "lessons" in {line.rpartition("  ")[2] for line in told.splitlines()}

    (after,) = program("lessons", "list", "--json").object["lessons"]
    assert (after["given"]["tasks"], after["given"]["attempts"]) == (len(names) - len(held),) * 2
    assert (after["held_out"]["tasks"], after["held_out"]["attempts"]) == (len(held), 2 * len(held))
    assert (after["seen"], after["id"]) == (1 + len(held), lesson["id"])  # it is never there twice
    shown = program("lessons", "show", lesson["id"]).out
    assert f"with it: {len(names) - len(held)} tasks, {len(names) - len(held)} attempts, 0 failed" in shown
    without = str(build(program, tmp_path, repository, "h", "--no-lessons")["id"])
    assert "Known traps" not in program("prompt", without, "h", "--attempt", "1").out


def test_lessons_leave_for_a_file_and_come_back(program: Program, tmp_path: Path, repository: Path) -> None:
    build(program, tmp_path, repository, "a")
    (lesson,) = program("lessons", "list", "--json").object["lessons"]
    whole = program("lessons", "export")
    kept = tmp_path / "kept.json"
    kept.write_text(whole.out, encoding="utf-8")
    assert program("lessons", "forget", lesson["id"], "--json").object["forgotten"] == lesson["id"]
    gone = program("lessons", "show", lesson["id"])
    assert (gone.code, f"there is no lesson {lesson['id']}" in gone.err) == (2, True)
    assert program("lessons", "export").out == '{\n  "lessons": []\n}\n'
    assert program("lessons", "import", kept).out == "1 of 1 lessons are new\n"
    assert program("lessons", "import", kept).out == "0 of 1 lessons are new\n"
    assert program("lessons", "export").out == whole.out
    (again,) = program("lessons", "list", "--json", "--repo", repository).object["lessons"]
    assert (again["id"], again["source"], again["build"]) == (lesson["id"], "import", "")
    assert program("lessons", "list", "--json", "--repo", tmp_path).object["lessons"] == []
    retired = {"pattern": "*", "content": "Wear a hat.", "state": "retired", "why": "it helps nobody"}
    (tmp_path / "retired.json").write_text(json.dumps({"lessons": [retired]}), encoding="utf-8")
    assert program("lessons", "forget", lesson["id"]).code == 0
    assert program("lessons", "import", tmp_path / "retired.json").out == "1 of 1 lessons are new\n"
    assert program("lessons", "list").out == "No lesson is active, and 1 has retired: `--all` lists them.\n"
    (old,) = program("lessons", "list", "--all", "--json").object["lessons"]
    told = program("lessons", "show", old["id"]).out
    assert "from an import" in told
    assert "learned once, retired: it helps nobody" in told
    assert program("lessons", "forget", old["id"]).code == 0
    assert program("lessons", "import", kept).code == 0
    named = json.loads(program("lessons", "export", "--repo", repository).out)["lessons"]
    assert [(one["repository"], one["content"]) for one in named] == [("", lesson["content"])]
    kept.write_text('{"lessons": [{"pattern": "../x", "content": "y"}]}', encoding="utf-8")
    wrong = program("lessons", "import", kept)
    assert (wrong.code, "lessons.0.pattern is not a pattern of paths" in wrong.err) == (2, True)
    missing = program("lessons", "import", tmp_path / "none.json")
    assert (missing.code, "cannot be read" in missing.err) == (2, True)


def test_they_are_asked_of_a_server_as_here(program: Program, tmp_path: Path, repository: Path) -> None:
    build(program, tmp_path, repository, "a")
    here = program("lessons", "list", "--json").object["lessons"]
    exported = program("lessons", "export").out
    with serving(program) as server:
        remote = partial(program, **server.environment)
        assert remote("lessons", "list", "--json").object["lessons"] == here
        assert remote("lessons", "export").out == exported
        assert remote("lessons", "forget", here[0]["id"]).code == 0
        again = remote("lessons", "forget", here[0]["id"])
        assert (again.code, f"there is no lesson {here[0]['id']}" in again.err) == (2, True)
        kept = tmp_path / "kept.json"
        kept.write_text(exported, encoding="utf-8")
        assert remote("lessons", "import", kept, "--json").object["added"] == 1
    assert program("lessons", "export").out == exported

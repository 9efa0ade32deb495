"""`inbox` shows what needs a person, and the commands that it shows work."""

from __future__ import annotations

import shlex
from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks


def test_the_inbox_names_what_waits_and_its_commands_work(program: Program, tmp_path: Path, repository: Path) -> None:
    assert program("inbox").out == "Nothing needs you.\n"
    tasks = write_tasks(tmp_path / "two.json", {"id": "a", "title": "First"}, {"id": "b", "title": "Second"})
    ended = program(
        "build", tasks, "--repo", repository, "--check", "true", "--attempts", "1", "--json", *shell("false")
    )
    build = ended.lines[-1]["id"]
    (need,) = program("inbox", "--json").object["inbox"]
    assert (need["build"], need["kind"]) == (build, "pause")
    told = program("inbox").out
    assert "(blocks 2 tasks)" in told
    abort = next(line.strip() for line in told.splitlines() if line.endswith("--abort"))
    words = shlex.split(abort)
    assert program(*words[words.index("resume") :]).code in {0, 1}
    assert program("inbox", "--json").object["inbox"] == []

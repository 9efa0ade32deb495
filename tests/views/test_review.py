from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.views.review import diff_files, owners_in
from tests.git import git

DIFF = """diff --git a/a b/a b
similarity index 50%
rename from a
rename to b c.py
index 1..2 100644
--- a/a
+++ b/b c.py
@@ -1,3 +1,3 @@ def f():
 same
-old
+new
 last
\\ No newline at end of file
@@ -9 +9,0 @@
-gone
diff --git "a/\\303\\244.py" "b/\\303\\244.py"
new file mode 100644
index 0..1
--- /dev/null
+++ "b/\\303\\244.py"
@@ -0,0 +1 @@
+one
diff --git a/x.bin b/x.bin
deleted file mode 100644
index 1..0
Binary files a/x.bin and /dev/null differ
"""


def test_a_diff_is_read_into_files_hunks_and_lines() -> None:
    renamed, made, binary = diff_files(DIFF)
    assert (renamed.path, renamed.old_path, renamed.kind, renamed.language) == ("b c.py", "a", "renamed", "python")
    assert (renamed.added, renamed.removed, len(renamed.hunks)) == (1, 2, 2)
    first, second = renamed.hunks
    assert (first.heading, [line.kind for line in first.lines]) == ("def f():", ["same", "removed", "added", "same"])
    assert [(line.old, line.new) for line in first.lines] == [(1, 1), (2, None), (None, 2), (3, 3)]
    assert (second.old_start, second.new_lines, second.lines[0].old) == (9, 0, 9)
    assert (made.path, made.kind, made.hunks[0].lines[0].text) == ("\u00e4.py", "added", "one")
    assert (binary.path, binary.kind, binary.binary) == ("x.bin", "deleted", True)
    assert diff_files("") == ()


LINES = st.lists(st.sampled_from("abcdefgh"), max_size=12)


@settings(max_examples=10)
@given(st.lists(LINES, min_size=2, max_size=6))
def test_the_commit_of_each_line_is_what_git_says(tmp_path_factory: object, versions: list[list[str]]) -> None:
    folder = tmp_path_factory.mktemp("history")  # type: ignore[attr-defined]
    commits = _history(folder, versions)
    options = ("--reverse", "--format=%x00%H", "-p", "-U0", "--no-renames")
    log = _out(folder, "log", *options, f"{commits[0]}..{commits[-1]}")
    whole = _out(folder, "diff", commits[0], commits[-1])
    owners = owners_in(log)
    blamed = [
        line.split()[0] for line in _out(folder, "blame", "-l", "-s", "--root", commits[-1], "--", "f").splitlines()
    ]
    for file in diff_files(whole):
        for hunk in file.hunks:
            found = owners.of(file, hunk)
            added = {blamed[line.new - 1] for line in hunk.lines if line.kind == "added" and line.new}
            assert added - {commits[0]} <= set(found)
            assert set(found) <= set(commits[1:])


def _history(folder: Path, versions: list[list[str]]) -> list[str]:
    git(folder, "init", "-q", "-b", "main")
    commits = []
    for version in versions:
        (folder / "f").write_text("".join(f"{line}\n" for line in version), encoding="utf-8")
        git(folder, "add", ".")
        git(folder, "commit", "-q", "--allow-empty", "-m", "Change")
        commits.append(git(folder, "rev-parse", "HEAD").strip())
    return commits


def _out(folder: Path, *words: str) -> str:
    return subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True, text=True).stdout

"""Forks of repositories with more than files in them: submodules and Git LFS."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import Program, shell, write_tasks
from tests.e2e.test_failures import git
from tests.e2e.test_repositories import commit_all, tree, with_submodule


def two_tasks(folder: Path) -> Path:
    """A list of two tasks, one after the other."""
    return write_tasks(folder / "two.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B", "depends_on": ["a"]})


def built(program: Program, tasks: Path, repository: Path, *words: str) -> str:
    """The id of a build that has succeeded."""
    ended = program("build", tasks, "--repo", repository, "--json", *words)
    assert ended.code == 0, ended.err
    return str(ended.lines[-1]["id"])


def forked(program: Program, source: str, at: int) -> str:
    """The id of a fork from this event on that has succeeded."""
    ended = program("fork", source, "--at", str(at), "--json")
    assert ended.code == 0, ended.err
    return str(ended.lines[-1]["id"])


def seq_of(program: Program, build: str, kind: str, task: str | None = None) -> int:
    """The number of the first event of this kind and task."""
    events = program("events", build).lines
    return next(int(one["seq"]) for one in events if (one["type"], one.get("task")) == (kind, task))


def test_a_fork_has_the_files_of_submodules(program: Program, repository: Path, tmp_path: Path) -> None:
    with_submodule(repository)
    copies = 'cp sub/README.md "$BUILDWRIGHT_TASK_ID.txt"'
    source = built(program, two_tasks(tmp_path), repository, *shell(copies, "--check", "test -e sub/README.md"))
    fork = forked(program, source, seq_of(program, source, "change.landed", "a"))
    branches = [f"buildwright/{one[:8]}" for one in (source, fork)]
    assert tree(repository, branches[0]) == tree(repository, branches[1])
    assert git(repository, "show", f"{branches[1]}:b.txt") == "# Target"
    # What the fork needs is kept for it, whatever becomes of the other build and of the user's clone.
    assert program("prune", "--yes", "--older-than", "0d", "--keep", "1").code == 0
    for mirror in (found.parent for found in (program.home / "mirrors").glob("*/HEAD")):
        git(mirror, "gc", "-q", "--prune=now")
    again = forked(program, fork, 1)
    assert git(repository, "show", f"buildwright/{again[:8]}:b.txt") == "# Target"


def test_a_fork_has_the_contents_of_lfs_and_lands_pointers(program: Program, repository: Path, tmp_path: Path) -> None:
    head = with_lfs(repository)
    adds = 'grep -c weights model.bin > "$BUILDWRIGHT_TASK_ID.txt"'
    source = built(program, two_tasks(tmp_path), repository, *shell(adds, "--check", "grep -q weights model.bin"))
    fork = forked(program, source, seq_of(program, source, "change.landed", "a"))
    after = tree(repository, f"buildwright/{fork[:8]}")
    assert git(repository, "cat-file", "blob", f"buildwright/{fork[:8]}:b.txt") == "100"
    assert after["model.bin"] == tree(repository, head)["model.bin"], "a pointer, as it was"
    assert program("prune", "--yes", "--older-than", "0d", "--keep", "1").code == 0
    again = forked(program, fork, 1)
    assert tree(repository, f"buildwright/{again[:8]}") == after


def with_lfs(repository: Path) -> str:
    """Give the repository a file in Git LFS, and settings that ask for its contents; return the commit."""
    git(repository, "lfs", "install", "--local")
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "model.bin").write_text("the weights\n" * 100)
    (repository / "buildwright.toml").write_text("lfs = true\n")
    return commit_all(repository)


def test_a_fork_from_before_another_base_has_the_contents_of_lfs_of_then(
    program: Program, repository: Path, tmp_path: Path
) -> None:
    old = with_lfs(repository)
    counts = 'grep -c weights model.bin > "$BUILDWRIGHT_TASK_ID.txt"'
    source = built(program, two_tasks(tmp_path), repository, *shell(counts, "--check", "grep -q weights model.bin"))
    at = seq_of(program, source, "change.landed", "a")
    (repository / "model.bin").write_text("the weights\n" * 200)
    new = commit_all(repository)
    moved = program("resume", source, "--rebase", "--branch", "moved")
    assert moved.code == 0, moved.err
    assert tree(repository, "moved")["model.bin"] == tree(repository, new)["model.bin"]
    fork = f"buildwright/{forked(program, source, at)[:8]}"
    assert git(repository, "cat-file", "blob", f"{fork}:b.txt") == "100"
    assert tree(repository, fork)["model.bin"] == tree(repository, old)["model.bin"]

"""Every kind of repository a user may have, through the command line: what is odd in it stays as it is."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from tests.cli.conftest import WRITES, Ended, Program, shell, write_tasks
from tests.e2e.test_failures import delivered, git


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write_tasks(tmp_path / "one.json", {"id": "a", "title": "A"})


def tree(repository: Path, commit: str) -> dict[str, str]:
    """Mode and object of every path."""
    lines = git(repository, "-c", "core.quotePath=false", "ls-tree", "-r", commit).splitlines()
    return {line.split("\t", 1)[1]: line.split("\t", 1)[0].replace(" blob ", " ") for line in lines}


def commit_all(repository: Path, message: str = "more") -> str:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)
    return git(repository, "rev-parse", "HEAD")


def built(program: Program, tasks: Path, repository: str | Path, *more: str, command: str = WRITES) -> Ended:
    ended = program(
        "build", tasks, "--repo", repository, *shell(command, "--check", "test ! -e a.txt || grep -q . a.txt", *more)
    )
    assert ended.code == 0, ended.err
    return ended


def dirty(path: Path) -> str:
    (path / "README.md").write_text("changed\n")
    (path / "new.txt").write_text("new\n")
    return "2 uncommitted changes are left out"


def detached(path: Path) -> str:
    git(path, "checkout", "-q", "--detach")
    return "HEAD is detached"


def with_submodule(path: Path) -> str:
    inner = path.parent / "inner"
    subprocess.run(["git", "clone", "-q", str(path), str(inner)], check=True)
    git(path, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(inner), "sub")
    commit_all(path)
    return "Files of submodules (1) are read only"


def with_odd_files(path: Path) -> str:
    (path / ".gitattributes").write_text("*.txt text eol=crlf\n*.sh text eol=lf\n*.dat filter=lfs diff=lfs\n")
    (path / "windows.txt").write_bytes(b"one\r\ntwo\r\n")
    (path / "mixed.md").write_bytes(b"one\r\ntwo\n")
    (path / "picture.png").write_bytes(bytes(range(256)) * 40)
    (path / "big.dat").write_bytes(b"\0\r\n" * 1000)
    (path / "empty").write_bytes(b"")
    (path / "naïve café - 日本.txt").write_text("non-ASCII\n")
    (path / "with spaces and 'quotes'").mkdir()
    (path / "with spaces and 'quotes'" / "a b.md").write_text("spaces\n")
    (path / "run.sh").write_text("#!/bin/sh\n")
    (path / "run.sh").chmod(0o755)
    (path / "link").symlink_to("README.md")
    (path / "dangling").symlink_to("nowhere/at all")
    commit_all(path)
    git(path, "mv", "README.md", "Readme.md")
    commit_all(path, "a rename of case only")
    return "building on main"


@pytest.mark.parametrize("make", [dirty, detached, with_submodule, with_odd_files])
def test_a_repository_keeps_everything_that_is_odd_in_it(
    program: Program, repository: Path, one: Path, make: Callable[[Path], str]
) -> None:
    note = make(repository)
    head, status = git(repository, "rev-parse", "HEAD"), git(repository, "status", "--porcelain")
    ended = built(program, one, repository)
    assert note in ended.err
    before, after = tree(repository, head), tree(repository, delivered(repository))
    assert after.keys() - before.keys() == {"a.txt"}
    assert {path: after[path] for path in before} == before
    assert git(repository, "rev-parse", "HEAD") == head
    assert git(repository, "status", "--porcelain") == status


def test_an_agent_may_rename_change_modes_and_link(program: Program, repository: Path, one: Path) -> None:
    with_odd_files(repository)
    command = (
        f"{WRITES}; mv Readme.md README.MD; chmod -x run.sh; chmod +x empty; ln -sf run.sh link; rm dangling;"
        " printf 'x\\r\\n' >> mixed.md; mv 'naïve café - 日本.txt' 'über alles.txt'"
    )
    built(program, one, repository, command=command)
    after = tree(repository, delivered(repository))
    assert {"README.MD", "über alles.txt"} <= after.keys()
    assert {"Readme.md", "dangling", "naïve café - 日本.txt"}.isdisjoint(after)
    assert {name: after[name][:6] for name in ("run.sh", "empty", "link")} == {
        "run.sh": "100644",
        "empty": "100755",
        "link": "120000",
    }
    shown = subprocess.run(
        ["git", "-C", str(repository), "cat-file", "blob", f"{delivered(repository)}:mixed.md"],
        capture_output=True,
        check=True,
    )
    assert shown.stdout == b"one\r\ntwo\nx\r\n"


def test_checks_and_agents_have_the_contents_of_lfs(program: Program, repository: Path, one: Path) -> None:
    git(repository, "lfs", "install", "--local")
    (repository / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (repository / "model.bin").write_text("the weights\n" * 100)
    (repository / "buildwright.toml").write_text(
        "[checks.weights]\ncommand = 'grep -rq weights --include=*.bin .'\nkind = 'test'\n"
    )
    commit_all(repository)
    assert program("check", "--repo", repository).code == 3
    settings = (repository / "buildwright.toml").read_text()
    (repository / "buildwright.toml").write_text(f"lfs = true\n{settings}")
    head = commit_all(repository)
    told = program("check", "--repo", repository)
    assert (told.code, "Ready" in told.out) == (0, True), told.err
    agent = "grep -c weights model.bin > a.txt; mkdir data; mv model.bin data"
    ended = program("build", one, "--repo", repository, *shell(agent))
    assert ended.code == 0, ended.err
    landed = delivered(repository)
    assert git(repository, "cat-file", "blob", f"{landed}:a.txt") == "100"
    after = tree(repository, landed)
    assert after["data/model.bin"] == tree(repository, head)["model.bin"]
    assert "model.bin" not in after


def test_a_bare_and_an_empty_repository(program: Program, repository: Path, one: Path, tmp_path: Path) -> None:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository), str(bare)], check=True)
    built(program, one, bare)
    assert set(tree(bare, delivered(bare))) == {"README.md", "a.txt"}
    empty = tmp_path / "empty"
    subprocess.run(["git", "init", "-q", "-b", "trunk", str(empty)], check=True)
    ended = built(program, one, empty)
    assert "no commit yet" in ended.err
    assert set(tree(empty, delivered(empty))) == {"a.txt"}
    unborn = tmp_path / "unborn"
    subprocess.run(["git", "clone", "-q", str(repository), str(unborn)], check=True)
    git(unborn, "checkout", "-q", "--orphan", "fresh")
    assert "no commit yet" in built(program, one, unborn).err
    assert set(tree(unborn, delivered(unborn))) == {"a.txt"}


def test_what_is_no_repository_is_refused_with_its_fix(program: Program, one: Path, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    ended = program("build", one, "--repo", plain, *shell(WRITES))
    assert ended.code != 0
    assert "is not in a git repository" in ended.err
    assert "git init" in ended.err


def test_five_thousand_files_and_a_folder_inside_the_repository(program: Program, repository: Path, one: Path) -> None:
    for number in range(5_000):
        file = repository / f"pkg{number % 50}" / f"module{number}.py"
        file.parent.mkdir(exist_ok=True)
        file.write_text(f"x = {number}\n")
    commit_all(repository)
    built(program, one, repository / "pkg7")
    after = tree(repository, delivered(repository))
    assert len(after) == 5_002
    assert "a.txt" in after, "paths count from the top of the repository, whatever folder was named"


def test_urls(program: Program, repository: Path, one: Path, tmp_path: Path) -> None:
    built(program, one, f"file://{repository}")
    assert "a.txt" in tree(repository, delivered(repository))

    bare = tmp_path / "served" / "project.git"
    subprocess.run(["git", "clone", "-q", "--bare", str(repository), str(bare)], check=True)
    git(bare, "update-server-info")

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(bare.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}/project.git"
        # A file server takes no push: the work is done and kept, and the user is asked.
        ended = program("build", one, "--repo", address, *shell(WRITES, "--no-gates"))
    finally:
        server.shutdown()
        server.server_close()
    assert ended.code == 4, ended.err
    assert "a done" in ended.err
    assert program("status", "--json").object["counts"] == {"done": 1}


def test_a_repository_that_was_moved_is_named_and_found_again(
    program: Program, repository: Path, one: Path, tmp_path: Path
) -> None:
    moved = tmp_path / "moved"
    # The agent moves it away while it works: the lane does not need it, the delivery does.
    ended = program("build", one, "--repo", repository, *shell(f"{WRITES}; mv {repository} {moved}", "--no-gates"))
    assert ended.code == 4, ended.err
    assert str(repository) in ended.err
    moved.rename(repository)
    again = program("resume")
    assert again.code == 0, again.err
    assert "a.txt" in tree(repository, delivered(repository))


def test_commits_of_the_user_meanwhile_do_not_matter_and_a_finished_build_is_not_done_again(
    program: Program, repository: Path, one: Path
) -> None:
    start = git(repository, "rev-parse", "HEAD")
    meanwhile = f"cd {repository} && git -c user.name=U -c user.email=u@example.invalid commit -q --allow-empty -m mine"
    built(program, one, repository, command=f"{WRITES}; {meanwhile}")
    assert git(repository, "log", "--format=%s", "main").splitlines() == ["mine", "Start"]
    assert git(repository, "merge-base", "main", delivered(repository)) == start

    again = program(
        "build",
        one,
        "--repo",
        repository,
        *shell(f"{WRITES}; {meanwhile}", "--check", "test ! -e a.txt || grep -q . a.txt"),
    )
    assert again.code == 0, again.err
    assert "Continuing" not in again.err
    assert len(git(repository, "branch", "--list", "buildwright/*").splitlines()) == 2


@pytest.mark.parametrize("checked_out", [True, False])
def test_a_target_branch_of_the_user_is_left_alone(
    program: Program, repository: Path, one: Path, checked_out: bool
) -> None:
    git(repository, "checkout", "-q", "-b", "wanted")
    git(repository, "commit", "-q", "--allow-empty", "-m", "theirs")
    git(repository, "checkout", "-q", "wanted" if checked_out else "main")
    theirs = git(repository, "rev-parse", "wanted")
    words = shell(WRITES, "--no-gates", "--branch", "wanted", *(["--base", "main"] if checked_out else []))
    ended = program("build", one, "--repo", repository, *words)
    assert ended.code == (7 if checked_out else 4), ended.err
    assert "Name another one for the result (--branch NAME)" in ended.err + ended.out
    if not checked_out:
        assert re.search(r"resume [0-9a-f]{8} --branch wanted-2\n", ended.out)
    assert git(repository, "rev-parse", "wanted") == theirs
    git(repository, "checkout", "-q", "main")
    git(repository, "branch", "-m", "wanted", "kept")
    again = program("build", one, "--repo", repository, *words) if checked_out else program("resume")
    assert again.code == 0, again.err
    assert "a.txt" in tree(repository, "wanted")
    assert {entry.name for entry in repository.iterdir()} == {".git", "README.md"}


def test_checks_are_in_a_clone(program: Program, repository: Path, one: Path) -> None:
    """With its version, its line ends and its submodules; git finds nothing above it."""
    with_submodule(repository)
    (repository / ".gitattributes").write_text("*.bat text eol=crlf\n")
    (repository / "run.bat").write_text("echo hi\n")
    commit_all(repository)
    git(repository, "tag", "v1.2")
    (repository / "more").write_text("x")
    commit_all(repository)
    git(repository, "branch", "feature/#12-función")
    check = (
        "git describe --tags | grep -q '^v1.2-1-g' && test -z \"$(git status --porcelain)\" && test -f sub/README.md"
        " && od -c run.bat | grep -q 'r  *.n' && cd .. && ! git rev-parse 2> /dev/null"
    )
    ended = program(
        "build", one, "--repo", repository, "--base", "feature/#12-función", *shell(WRITES, "--check", check)
    )
    assert ended.code == 0, ended.err + ended.out
    assert git(repository, "show", f"{delivered(repository)}:run.bat") == "echo hi"


def test_a_branch_in_the_way_is_named_before_the_agent(program: Program, repository: Path, one: Path) -> None:
    git(repository, "branch", "buildwright")
    ended = program("build", one, "--repo", repository, *shell("touch ran", "--check", "true"))
    assert (ended.code, ended.out) == (7, "")
    assert "The branch buildwright stands in the way of buildwright/" in ended.err
    assert "--branch NAME" in ended.err
    assert program("status", "--all", "--json").object["builds"] == []

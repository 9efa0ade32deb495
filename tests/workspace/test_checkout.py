"""A checkout for checks is a repository, with the version that a clone has, and no way to any other repository."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from buildwright.core.limits import Check
from buildwright.gates.checks import ChecksGate
from buildwright.ports import Command, GateTools, Sandbox
from buildwright.sandbox import Bubblewrap
from buildwright.sandbox.execution import NoSandbox
from buildwright.workspace import GitWorkspace
from buildwright.workspace.lane import remove, remove_lane
from tests.gates.projects import judged
from tests.workspace.repositories import commit, git, make, opened


async def test_a_checkout_is_a_clean_repository_of_one_commit(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "commit", "-q", "--amend", "--author=Ann <ann@example.org>", "-m", "begin\n\nmore words")
    target = await workspace.prepare("b", str(repository))
    async with workspace.checkout("b", target.tree) as files:
        assert git(files, "ls-files").split() == ["README.md", "src/app.py"]
        assert git(files, "status", "--porcelain") == ""
        assert git(files, "diff-index", "HEAD") == ""
        assert git(files, "log", "--format=%an %s") == "Ann begin"
        assert git(files, "rev-parse", "HEAD^{tree}") == target.tree
        git(files, "fsck", "--full", "--strict")
        text = b"".join(path.read_bytes() for path in (files / ".git").rglob("*") if path.is_file())
        assert b"uildwright" not in text
    assert not files.exists()


async def test_a_lane_and_a_checkout_cannot_be_told_apart(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "tag", "v1")
    commit(repository, {"more.txt": b"1"})
    lane = await opened(workspace, repository)

    def look(files: Path) -> dict[str, str]:
        words = {"log": "--format=raw", "for-each-ref": "refs", "config": "--local --list", "describe": "--tags"}
        told = {verb: git(files, verb, *options.split(" ")) for verb, options in words.items()}
        return told | {"exclude": (files / ".git" / "info" / "exclude").read_text()}

    async with workspace.checkout("build-1", lane.base_tree) as files:
        assert look(files) == look(lane.files)


SHOWN = "pwd; env; hostname; id; cat /proc/self/mountinfo /etc/mtab; cat /proc/[0-9]*/cmdline | tr '\\0' ' '; ls / /tmp $HOME"


@pytest.mark.parametrize("boxed", [False, True], ids=["none", "bubblewrap"])
async def test_judged_code_sees_nothing_of_ours(workspace: GitWorkspace, tmp_path: Path, *, boxed: bool) -> None:
    """Without a sandbox a process can look at all of this machine, so only what it is given says nothing of ours."""
    home = tmp_path / "home"
    target = await workspace.prepare("b", str(make(tmp_path / "r")))
    async with workspace.checkout("b", target.tree) as files:
        shown = SHOWN if boxed else "pwd; env"
        gate = ChecksGate(GateTools(Bubblewrap() if boxed else NoSandbox("tag"), "/usr/bin:/bin", home / "setups"))
        *_, judgement = await gate.judge(judged(files, checks=(Check(name="look", command=shown, kind="other"),)))
        said = judgement.output.decode()
        assert str(files) in said
        (link,) = (home / "checkouts" / "b").iterdir()
        assert link.resolve() == files
        told = [word for word in (str(home), "checkouts", "uildwright", "SPAWN") if word in said]
        assert told == [], said
        assert not boxed or "localhost" in said
    assert not files.parent.exists()
    assert not os.path.lexists(link)


async def test_a_checkout_of_a_killed_process_is_found_by_its_link(workspace: GitWorkspace, tmp_path: Path) -> None:
    target = await workspace.prepare("b", str(make(tmp_path / "r")))
    context = workspace.checkout("b", target.tree)
    files = await context.__aenter__()
    (link,) = (tmp_path / "home" / "checkouts" / "b").iterdir()
    await remove_lane(link)
    assert not files.parent.exists()
    assert not os.path.lexists(link)
    link.symlink_to(kept := make(tmp_path / "kept"))
    await remove_lane(link)
    assert (kept / "README.md").exists(), "what is no checkout of ours is left alone"
    await context.__aexit__(None, None, None)


async def test_git_describe_says_what_it_says_in_a_clone(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    git(repository, "tag", "-a", "v1.2", "-m", "release")
    commit(repository, {"a": b"1"})
    git(repository, "tag", "lib@0.1")
    git(repository, "checkout", "-qb", "side")
    commit(repository, {"b": b"1"})
    git(repository, "checkout", "-q", "main")
    commit(repository, {"c": b"1"})
    git(repository, "merge", "-q", "--no-edit", "side")
    commit(repository, {"d": b"1"})
    git(repository, "tag", "v9", "side")
    git(repository, "branch", "-D", "side")
    git(repository, "pack-refs", "--all")
    git(repository, "checkout", "-q", "--orphan", "other")
    git(repository, "commit", "-qm", "other")
    git(repository, "tag", "unreachable")
    git(repository, "checkout", "-q", "main")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository), str(clone))
    target = await workspace.prepare("b", str(repository))
    async with workspace.checkout("b", target.tree) as files:
        for options in (
            "--long",
            "--tags --long",
            "--tags --long --match v*",
            "--tags --match lib@*",
            "--dirty --tags",
        ):
            mine, theirs = (git(place, "describe", *options.split()).split("-g")[0] for place in (files, clone))
            assert mine == theirs, options
        assert "unreachable" not in git(files, "tag")
        git(files, "fsck", "--full", "--strict")


async def test_tags_are_found_in_a_remote_as_well(tmp_path: Path) -> None:
    repository = make(tmp_path / "r", None, "--object-format=sha256")
    git(repository, "tag", "-a", "v1", "-m", "one")
    commit(repository, {"a": b"1"})
    first, second = (GitWorkspace(tmp_path / home, dict(os.environ), str(tmp_path / "hub")) for home in "ab")
    git(tmp_path, "init", "-q", "--bare", "--object-format=sha256", "hub")
    target = await first.prepare("b", str(repository))
    await second.prepare("b", "/nowhere")
    async with second.checkout("b", target.tree) as files:
        assert git(files, "describe").startswith("v1-1-g")


async def test_the_exclude_file_of_the_repository_counts(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    (repository / ".git" / "info").mkdir(exist_ok=True)
    (repository / ".git" / "info" / "exclude").write_text("*.local\n")
    lane = await opened(workspace, repository)
    (lane.files / "mine.local").write_text("x")
    (lane.files / "kept.txt").write_text("x")
    assert git(lane.files, "status", "--porcelain") == "?? kept.txt"
    assert (await workspace.take_patch(lane)).paths == ("kept.txt",)


@pytest.mark.parametrize("sandbox", [NoSandbox(), Bubblewrap()], ids=lambda one: one.name)
async def test_git_finds_no_repository_above_a_command(sandbox: Sandbox, tmp_path: Path) -> None:
    above = make(tmp_path / "above")
    files, private = above / "work" / "files", above / "own"
    for folder in (files / "deep", private / "tmp"):
        folder.mkdir(parents=True)
    script = f"git rev-parse --show-toplevel; cd deep && git add -A; cd {private}/tmp && git add -A; git log"
    wanted = Command(("sh", "-c", script), files, {"PATH": os.environ["PATH"]}, writable=(private,))
    done = await sandbox.run(wanted)
    assert done.exit_code == 128
    assert done.output.count(b"not a git repository") == 4
    assert git(above, "status", "--porcelain") == ""


async def test_what_judged_code_does_to_it_is_never_seen(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    target = await workspace.prepare("b", str(repository))
    canary = tmp_path / "CANARY"
    async with workspace.checkout("b", target.tree) as files:
        (files / ".git" / "config").write_text(f"[core]\n\tfsmonitor = touch {canary}\n\thooksPath = /\n")
        subprocess.run(["git", "-C", str(files), "tag", "mine"], check=False, capture_output=True)
    async with workspace.checkout("b", target.tree) as again:
        assert git(again, "tag") == ""
    assert git(repository, "tag") == ""
    assert not canary.exists()


@pytest.mark.parametrize("entries", [3, 900])
async def test_whatever_is_removed_is_gone_and_what_links_lead_to_stays(tmp_path: Path, entries: int) -> None:
    folder, outside = tmp_path / "files", tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    os.mkfifo(folder / "pipe")
    for number in range(entries):
        (folder / str(number)).mkdir()
        (folder / str(number) / "file").write_text("x")
    (folder / "0").chmod(0)
    here = os.open(folder, os.O_RDONLY)
    for _ in range(1_200):  # deeper than Python recurses and than a path may be long
        os.mkdir("d" * 20, dir_fd=here)
        below = os.open("d" * 20, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    link = tmp_path / "link"
    link.symlink_to(outside)
    for path in (folder, link, tmp_path / "absent"):
        await remove(path)
        assert not os.path.lexists(path)
    assert (outside / "kept").read_text() == "kept"

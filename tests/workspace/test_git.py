"""The wrapper: typed failures, stale locks, cancelled and killed git, a full disk, and a lint of every argument list."""

from __future__ import annotations

import ast
import asyncio
import os
import resource
import signal
from pathlib import Path

import psutil
import pytest

import buildwright.workspace
from buildwright.errors import DiskFull, GitFailed, ToolMissing
from buildwright.ports import LaneKey, Merged
from buildwright.workspace import GitWorkspace
from buildwright.workspace.git import Git, mask, require_version
from tests.workspace.repositories import AT, make, opened


def mirror_of(home: Path) -> Path:
    (mirror,) = [path for path in (home / "mirrors").iterdir() if path.name != "builds"]
    return mirror


def commands_with(argument: str) -> list[int]:
    """The processes that were started with this argument."""
    found = []
    for process in psutil.process_iter():
        try:
            if argument in process.cmdline():
                found.append(process.pid)
        except (psutil.NoSuchProcess, psutil.ZombieProcess):
            continue
    return found


async def test_git_that_is_missing_or_too_old_says_so(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing) as caught:
        await Git(tmp_path, {"PATH": str(tmp_path)}).run(tmp_path, "version")
    assert caught.value.fix
    for text in ("git version 2.37.9", "git version 1.8", "nonsense"):
        with pytest.raises(ToolMissing):
            require_version(text)
    require_version("git version 2.38.0")
    require_version("git version 3.0.1 (Apple Git-1)")


async def test_failures_carry_verb_code_and_words(tmp_path: Path) -> None:
    with pytest.raises(GitFailed, match=r"git rev-parse failed with 128: .*not a git repository") as caught:
        await Git(tmp_path / "home", os.environ).run(tmp_path, "rev-parse", "HEAD")
    assert caught.value.fix
    assert mask("see https://me:secret@host/x") == "see https://me:***@host/x"


async def test_a_stale_lock_is_removed_and_a_live_one_waited_for(workspace: GitWorkspace, tmp_path: Path) -> None:
    target = await workspace.prepare("b", str(make(tmp_path / "r")))
    mirror = mirror_of(tmp_path / "home")
    made = await workspace.rebase("b", target.commit, target.tree, target.commit, "same", AT)
    assert isinstance(made, Merged)
    lock = mirror / "refs/buildwright/b/integration.lock"
    lock.touch()
    await workspace.land("b", made.commit, target.commit)
    assert not lock.exists()
    lock.touch()
    # A living git that works on this mirror: it waits for our input and would hold the lock.
    living = await asyncio.create_subprocess_exec(
        "git", f"--git-dir={mirror}", "cat-file", "--batch", stdin=asyncio.subprocess.PIPE
    )
    try:
        back = asyncio.create_task(workspace.land("b", target.commit, made.commit))
        done, _ = await asyncio.wait([back], timeout=0.4)
        assert not done
        assert lock.exists()
    finally:
        await living.communicate(b"")
    await back
    assert not lock.exists()


async def test_a_cancelled_git_leaves_no_process(workspace: GitWorkspace, tmp_path: Path) -> None:
    await workspace.prepare("b", str(make(tmp_path / "r")))
    mirror = mirror_of(tmp_path / "home")
    git = Git(tmp_path / "home", os.environ)
    os.mkfifo(tmp_path / "pipe")
    task = asyncio.create_task(git.run(mirror, "hash-object", "--no-filters", "--", str(tmp_path / "pipe")))

    def running() -> list[int]:
        return commands_with(str(tmp_path / "pipe"))

    for _ in range(500):
        await asyncio.sleep(0.02)
        if running():
            break
    assert running()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not running()
    with pytest.raises(GitFailed, match="after"):
        await git.run(mirror, "hash-object", "--no-filters", "--", str(tmp_path / "pipe"), seconds=0.2)
    assert not running()


async def test_git_killed_at_any_moment_heals(workspace: GitWorkspace, tmp_path: Path) -> None:
    """Every git that works on the mirror is killed again and again while lanes are taken and landed."""
    repository = make(tmp_path / "r", {f"d/{n}": b"%d" % n for n in range(300)})
    target = await workspace.prepare("b", str(repository))
    mirror = mirror_of(tmp_path / "home")
    onto, failures = target.commit, 0
    for number in range(12):
        key = LaneKey("b", "t", number)

        async def step(key: LaneKey = key, onto: str = onto, number: int = number) -> str:
            lane = await workspace.open_lane(key, onto)
            (lane.files / "new").write_text(str(number))
            tree = (await workspace.take_patch(lane)).tree
            merged = await workspace.rebase("b", onto, tree, onto, str(number), AT)
            assert isinstance(merged, Merged)
            await workspace.land("b", merged.commit, onto)
            return merged.commit

        task = asyncio.create_task(step())
        await asyncio.sleep(0.005 + 0.011 * number)
        for pid in commands_with(f"--git-dir={mirror}"):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        try:
            onto = await task
        except GitFailed:
            failures += 1
            onto = await step()
        await workspace.close_lane(key)
    listed = await workspace.read_file("b", onto, "new")
    assert listed == b"11"
    await Git(tmp_path / "home", os.environ).run(mirror, "fsck", "--full")


async def test_a_full_disk_is_named(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    lane = await opened(workspace, repository)
    (lane.files / "large").write_bytes(os.urandom(300_000))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
        with pytest.raises(DiskFull) as caught:
            await workspace.take_patch(lane)
        assert caught.value.fix
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert (await workspace.take_patch(lane)).paths == ("large",)


def _spread(argument: ast.expr) -> list[ast.expr]:
    """The words of `*("log", "-z")` are those of the tuple."""
    is_tuple = isinstance(argument, ast.Starred) and isinstance(argument.value, ast.Tuple)
    return argument.value.elts if is_tuple else [argument]  # type: ignore[attr-defined]


def test_every_variable_argument_stands_behind_the_end_of_options() -> None:
    """Reads the source: in each git call, what is no literal comes after `--end-of-options`, `--` or inside an `--x=` string."""
    seen = 0
    for file in Path(next(iter(buildwright.workspace.__path__))).glob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute | ast.Name)):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id
            owner = ast.unparse(node.func.value) if isinstance(node.func, ast.Attribute) else ""
            if not (name == "run" and owner.endswith(("git", "_git"))) and name != "view":
                continue
            seen += 1
            safe = False
            given = node.args[0 if name == "view" else 1 :]
            words = [one for argument in given for one in _spread(argument)]
            for argument in words:
                literal = argument.value if isinstance(argument, ast.Constant) else None
                safe = safe or literal in {"--", "--end-of-options"}
                text = ast.unparse(argument)
                known = isinstance(argument, ast.Starred) and text in {"*options", "*goal.writing"}
                fixed = isinstance(argument, ast.JoinedStr) and text[2:].startswith(
                    ("--", "remote.", "core.excludesFile=")
                )
                assert safe or literal is not None or known or fixed, f"{file.name}:{node.lineno}: {text}"
    assert seen > 25

"""Planted code never runs: whatever lies in a lane or in the repository's own settings, the canary stays away."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, BuildwrightError, GitFailed
from buildwright.ports import LaneKey, Merged
from buildwright.workspace import GitWorkspace
from tests.workspace.repositories import AT, commit, git, make, opened, trap

HOOKS = (
    "applypatch-msg",
    "pre-applypatch",
    "post-applypatch",
    "pre-commit",
    "pre-merge-commit",
    "prepare-commit-msg",
    "commit-msg",
    "post-commit",
    "pre-rebase",
    "post-checkout",
    "post-merge",
    "pre-push",
    "pre-receive",
    "update",
    "proc-receive",
    "post-receive",
    "post-update",
    "reference-transaction",
    "push-to-checkout",
    "pre-auto-gc",
    "post-rewrite",
    "fsmonitor-watchman",
    "post-index-change",
)
SETTINGS = {
    "fsmonitor": "[core]\n\tfsmonitor = {trap}\n",
    "hooks path": "[core]\n\thooksPath = {hooks}\n",
    "filter": '[filter "evil"]\n\tclean = {trap}\n\tsmudge = {trap}\n\tprocess = {trap}\n\trequired = true\n',
    "diff": '[diff "evil"]\n\ttextconv = {trap}\n\tcommand = {trap}\n[diff]\n\texternal = {trap}\n',
    "merge": '[merge "evil"]\n\tdriver = {trap}\n[merge]\n\tdefault = evil\n',
    "ssh": "[core]\n\tsshCommand = {trap}\n\tgitProxy = {trap}\n\taskPass = {trap}\n",
    "pager": "[core]\n\tpager = {trap}\n\teditor = {trap}\n[pager]\n\tdiff = {trap}\n[sequence]\n\teditor = {trap}\n",
    "signing": "[gpg]\n\tprogram = {trap}\n[commit]\n\tgpgSign = true\n[tag]\n\tgpgSign = true\n[push]\n\tgpgSign = true\n",
    "alias": "[alias]\n\tstatus = !{trap}\n\tdiff = !{trap}\n\trev-parse = !{trap}\n\tls-tree = !{trap}\n",
    "credentials": "[credential]\n\thelper = !{trap}\n",
    "alternates": "[core]\n\talternateRefsCommand = {trap}\n",
    "pack": "[uploadpack]\n\tpackObjectsHook = {trap}\n[receive]\n\tdenyCurrentBranch = updateInstead\n",
    "promisor": (
        '[extensions]\n\tpartialClone = origin\n[remote "origin"]\n\turl = ext::{trap}\n\tpromisor = true\n'
        '[protocol "ext"]\n\tallow = always\n'
    ),
    "rewrite": '[url "ext::{trap} "]\n\tinsteadOf = /\n[protocol]\n\tallow = always\n',
    "include": "[include]\n\tpath = {extra}\n",
}


def plant(git_dir: Path, folder: Path, settings: str) -> Path:
    """Put every hook and the settings into a git directory; gives the canary's path."""
    script, canary = trap(folder)
    hooks = folder / "planted-hooks"
    for place in (git_dir / "hooks", hooks):
        place.mkdir(exist_ok=True)
        for name in HOOKS:
            shutil.copy(script, place / name)
    (folder / "extra").write_text(SETTINGS["fsmonitor"].format(trap=script))
    with (git_dir / "config").open("a") as file:
        file.write(settings.format(trap=script, hooks=hooks, extra=folder / "extra"))
    (git_dir / "info").mkdir(exist_ok=True)
    (git_dir / "info" / "attributes").write_text("* filter=evil diff=evil merge=evil\n")
    return canary


async def everything(workspace: GitWorkspace, repository: Path, lane_plan: object = None) -> None:
    """Every method of the port, once."""
    lane = await opened(workspace, repository)
    if callable(lane_plan):
        lane_plan(lane.files)
    (lane.files / "README.md").write_text("changed\n")
    (lane.files / ".gitattributes").write_text("* filter=evil diff=evil merge=evil\n")
    point = await workspace.checkpoint(lane)
    patch = await workspace.take_patch(lane)
    target = await workspace.prepare("build-1", str(repository))
    merged = await workspace.rebase("build-1", target.commit, patch.tree, target.commit, "change", AT)
    assert isinstance(merged, Merged)
    other = await workspace.rebase("build-1", target.commit, patch.tree, merged.commit, "again", AT)
    assert isinstance(other, Merged)
    await workspace.land("build-1", merged.commit, target.commit)
    await workspace.diff("build-1", target.commit, merged.commit)
    await workspace.read_file("build-1", merged.tree, "README.md")
    async with workspace.checkout("build-1", merged.tree) as files:
        assert (files / "README.md").read_text() == "changed\n"
    await workspace.restore(lane, point)
    done = await workspace.deliver("build-1", str(repository), merged.commit, Delivery())
    assert git(repository, "-c", "core.fsmonitor=false", "rev-parse", done.ref) == merged.commit
    await workspace.forget("build-1")


@pytest.mark.parametrize("kind", SETTINGS)
async def test_settings_of_the_users_repository_run_nothing(workspace: GitWorkspace, tmp_path: Path, kind: str) -> None:
    repository = make(
        tmp_path / "r", {"README.md": b"hello\n", ".gitattributes": b"* filter=evil diff=evil merge=evil\n"}
    )
    (repository / "README.md").write_text("dirty\n")
    head = git(repository, "rev-parse", "HEAD")
    canary = plant(repository / ".git", tmp_path, SETTINGS[kind])
    lane = await opened(workspace, repository)
    await workspace.close_lane(lane.key)
    assert not canary.exists()
    (lane.files).mkdir(parents=True)
    (lane.files / "README.md").write_text("changed\n")
    patch = await workspace.take_patch(lane)
    merged = await workspace.rebase("build-1", head, patch.tree, head, "change", AT)
    assert isinstance(merged, Merged)
    await workspace.deliver("build-1", str(repository), merged.commit, Delivery())
    assert not canary.exists()
    assert (repository / "README.md").read_text() == "dirty\n"
    assert (repository / ".git/refs/heads/buildwright/build-1").read_text().strip() == merged.commit


async def test_settings_planted_in_a_lane_run_nothing(workspace: GitWorkspace, tmp_path: Path) -> None:
    def plan(files: Path) -> None:
        git(files, "init", "-q")
        plant(files / ".git", tmp_path, "".join(SETTINGS.values()))

    await everything(workspace, make(tmp_path / "r"), plan)
    assert not (tmp_path / "CANARY").exists()


async def test_a_git_file_and_an_embedded_bare_repository_run_nothing(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")

    def plan(files: Path) -> None:
        evil = files / "evil"
        git(files, "init", "-q", "--bare", str(evil))
        plant(evil, tmp_path, "".join(SETTINGS[name] for name in ("fsmonitor", "ssh", "diff", "filter")))
        shutil.rmtree(files / ".git")
        (files / ".git").write_text(f"gitdir: {evil}\n")
        for name in ("HEAD", "config"):
            shutil.copy(evil / name, files / name)
        for name in ("objects", "refs"):
            (files / name).mkdir()

    await everything(workspace, repository, plan)
    assert not (tmp_path / "CANARY").exists()


@pytest.mark.parametrize("kind", SETTINGS)
async def test_settings_planted_in_the_lanes_own_repository_run_nothing(
    workspace: GitWorkspace, tmp_path: Path, kind: str
) -> None:
    repository = make(tmp_path / "r")

    def plan(files: Path) -> None:
        plant(files / ".git", tmp_path, SETTINGS[kind])

    await everything(workspace, repository, plan)
    assert not (tmp_path / "CANARY").exists()


async def test_one_lane_cannot_hurt_another(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    one = await opened(workspace, repository, "build-1")
    two = await opened(workspace, repository, "build-2")
    (two.files / "mine").write_text("2")
    for command in (["gc", "--prune=now", "--aggressive"], ["worktree", "prune"], ["reflog", "expire", "--all"]):
        git(one.files, *command, check=False)
    shutil.rmtree(one.files / ".git", ignore_errors=True)
    for entry in list(one.files.iterdir()):
        shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    assert (await workspace.take_patch(two)).paths == ("mine",)
    assert [change.kind for change in (await workspace.take_patch(one)).changes] == ["deleted", "deleted"]
    assert git(repository, "fsck", "--full") == ""


ADDRESSES = [
    "ext::sh -c touch% {canary}",
    "EXT::sh -c touch% {canary}",
    "Ext::sh -c touch {canary}",
    "ext::sh\n",
    "\text::sh",
    "fd::3",
    "file::/x",
    "--upload-pack=touch {canary}",
    "-h",
    "-oProxyCommand=touch {canary}",
    "ssh://-oProxyCommand=touch {canary}/x",
    "ssh://-oProxyCommand=x@host/x",
    "https://user:secret@example.org/x",
    "git://example.org/x",
    "http://example.org/x",
    "ftp://example.org/x",
    "https:///nohost",
    "https://exa mple.org/x",
    "javascript://x",
    "://",
    "https://[::1/x",
    "file:///nowhere",
]


@pytest.mark.parametrize("address", ADDRESSES)
async def test_addresses_that_could_run_something_are_refused(
    workspace: GitWorkspace, tmp_path: Path, address: str
) -> None:
    canary = tmp_path / "CANARY"
    with pytest.raises(BadRepository) as caught:
        await workspace.prepare("b", address.format(canary=canary))
    assert caught.value.fix
    assert "secret" not in str(caught.value)
    repository = make(tmp_path / "r")
    target = await workspace.prepare("b", str(repository))
    with pytest.raises(BuildwrightError):
        await workspace.deliver(
            "b", str(repository), target.commit, Delivery(kind="push", remote=address.format(canary=canary))
        )
    assert not canary.exists()


EVIL_REFS = [
    "",
    "-x",
    "--upload-pack=x",
    "a b",
    "a..b",
    "a~1",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[",
    "a\\b",
    "a//b",
    "/a",
    "a/",
    "a.lock",
    "x/.y",
    ".a",
    "a.",
    "@{u}",
    "a@{1}",
    "HEAD",
    "#",
    "main!",
    "!",
    "(a)",
    "{a}",
    "a\u200bb",
    "$(touch x)",
    "`x`",
    "a;b",
    "a|b",
    "a&b",
    "a>b",
    "a\nb",
    "a\0b",
    "a\x7f",
    "\u202ea",
    "a'b",
    'a"b',
    "x" * 201,
    "refs/../x",
    "a/-b",
    "~",
    "a\tb",
    "a\u3000b",
    "x.lock/y",
]


async def test_evil_branch_and_build_names_are_refused(workspace: GitWorkspace, tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    target = await workspace.prepare("b", str(repository))
    for name in EVIL_REFS:
        if name:
            with pytest.raises(BadRepository):
                await workspace.deliver("b", str(repository), target.commit, Delivery(branch=name))
        with pytest.raises(BuildwrightError):
            await workspace.prepare(f"../{name}", str(repository))
        with pytest.raises(BuildwrightError):
            await workspace.open_lane(LaneKey("b", f"a/{name}", 1), target.commit)
    assert git(repository, "for-each-ref", "--format=%(refname)") == "refs/heads/main"


@pytest.mark.parametrize("path", ["sub\r", "-x", "../../evil", ".git/modules/x", "a\nb"])
async def test_evil_submodules_never_recurse(workspace: GitWorkspace, tmp_path: Path, path: str) -> None:
    script, canary = trap(tmp_path)
    repository = make(tmp_path / "r")
    head = git(repository, "rev-parse", "HEAD")
    text = f'[submodule "x"]\n\tpath = "{path}"\n\turl = ext::{script}\n\tupdate = !{script}\n'
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{head},module")
    (repository / "module").mkdir()
    commit(repository, {".gitmodules": text.encode()})
    try:
        lane = await opened(workspace, repository)
        assert list((lane.files / "module").iterdir()) == []
        refused = ""
    except GitFailed as error:
        refused = error.message
    # fsck on the way in may refuse the whole history: that is as good.
    assert not refused or "gitmodules" in refused
    assert not canary.exists()


async def test_secrets_of_the_environment_do_not_reach_git(tmp_path: Path) -> None:
    from buildwright.workspace.git import Git

    outside = {
        **os.environ,
        "ANTHROPIC_API_KEY": "canary",
        "GIT_DIR": "/x",
        "GIT_SSH_COMMAND": "/x",
        "SSH_AUTH_SOCK": "/s",
    }
    git_of_ours = Git(tmp_path, outside)
    assert "canary" not in git_of_ours.environment("https").values()
    assert "SSH_AUTH_SOCK" not in git_of_ours.environment("file")
    assert git_of_ours.environment("ssh")["SSH_AUTH_SOCK"] == "/s"
    assert git_of_ours.environment()["GIT_SSH_COMMAND"].startswith("ssh -oBatchMode=yes")
    assert "GIT_DIR" not in git_of_ours.environment()

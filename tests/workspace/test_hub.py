"""Homes that share nothing but a hub: the same commits, one winner of every race, and nothing pushed without the right to."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from buildwright.core.failpoint import arm
from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, BuildwrightError, Conflict, GitFailed, LostLease, NotFound
from buildwright.ports import Conflicted, Lane, LaneKey, Merged
from buildwright.workspace import GitWorkspace
from buildwright.workspace.orphans import sweep
from tests.workspace.repositories import AT, commit, git, make, trap
from tests.workspace.served import smart_http
from tests.workspace.test_hostile import SETTINGS, plant

BUILD = "build-123456"
BRANCH = "refs/heads/buildwright/build-12"


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    path = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", str(path))
    git(path, "config", "http.receivepack", "true")
    return path


def worker(tmp_path: Path, name: str, hub: Path | str) -> GitWorkspace:
    return GitWorkspace(tmp_path / name, dict(os.environ), str(hub))


async def attempt(workspace: GitWorkspace, base: str, task: str, content: str) -> tuple[Lane, str]:
    """A lane in which the file `task` was written, and the tree taken of it."""
    lane = await workspace.open_lane(LaneKey(BUILD, task, 1), base)
    (lane.files / task).write_text(content)
    return lane, (await workspace.take_patch(lane)).tree


async def merged(workspace: GitWorkspace, base: str, tree: str, onto: str) -> Merged:
    result = await workspace.rebase(BUILD, base, tree, onto, "change", AT)
    assert isinstance(result, Merged)
    return result


def refs(hub: Path, pattern: str = "refs/") -> dict[str, str]:
    lines = git(hub, "for-each-ref", "--format=%(refname) %(objectname)", pattern).splitlines()
    return dict(line.split(" ") for line in lines)


def landed(hub: Path) -> str:
    return git(hub, "rev-parse", f"refs/buildwright/{BUILD}/integration")


def script(path: Path, text: str) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@contextmanager
def passing() -> Iterator[list[str]]:
    """The failpoints that are passed."""
    seen: list[str] = []
    arm(seen.append)
    try:
        yield seen
    finally:
        arm(None)


async def whole_build(first: GitWorkspace, second: GitWorkspace, repository: Path, gone: Path) -> list[str]:
    """Two tasks and a conflict, each step in another home than the one before; the ids of all that was made."""
    target = await first.prepare(BUILD, str(repository))
    repository.rename(gone)
    _, one = await attempt(first, target.commit, "one", "1\n")
    lane, two = await attempt(second, target.commit, "two", "2\n")
    point = await second.checkpoint(lane)
    await second.restore(lane, point)
    async with second.checkout(BUILD, one) as files:
        assert (files / "one").read_text() == "1\n"
    first_commit = await merged(second, target.commit, one, target.commit)
    async with first.checkout(BUILD, first_commit.tree) as files:
        assert (files / "one").read_text() == "1\n"
    await first.land(BUILD, first_commit.commit, target.commit)
    second_commit = await merged(first, target.commit, two, first_commit.commit)
    await second.land(BUILD, second_commit.commit, first_commit.commit)
    _, clash = await attempt(first, target.commit, "two", "other\n")
    conflict = await first.rebase(BUILD, target.commit, clash, second_commit.commit, "clash", AT)
    assert isinstance(conflict, Conflicted)
    carried = await second.open_lane(LaneKey(BUILD, "three", 1), second_commit.commit, conflict.tree)
    assert "<<<<<<<" in (carried.files / "two").read_text()
    assert "+1" in await first.diff(BUILD, target.commit, second_commit.commit)
    assert await second.read_file(BUILD, first_commit.tree, "one") == b"1\n"
    gone.rename(repository)
    done = await second.deliver(BUILD, str(repository), second_commit.commit, Delivery())
    assert (done.ref, git(repository, "rev-parse", done.ref)) == (BRANCH, second_commit.commit)
    return [target.commit, one, two, first_commit.commit, second_commit.commit, clash, conflict.tree]


@pytest.mark.parametrize("kind", ["path", "file", "http"])
async def test_a_build_moves_between_homes(tmp_path: Path, hub: Path, kind: str) -> None:
    repository = make(tmp_path / "r")
    alone = GitWorkspace(tmp_path / "alone", dict(os.environ))
    expected = await whole_build(alone, alone, make(tmp_path / "copy"), tmp_path / "gone") if kind == "path" else None
    with smart_http(tmp_path) as (address, _):
        place = {"path": str(hub), "file": hub.as_uri(), "http": f"{address}/hub.git"}[kind]
        made = await whole_build(
            worker(tmp_path, "a", place), worker(tmp_path, "b", place), repository, tmp_path / "gone"
        )
    if expected and expected[0] == made[0]:  # else the two repositories began in different seconds
        assert made == expected
    assert landed(hub) == made[4]
    assert git(hub, "fsck", "--full") == ""


async def test_what_is_here_is_not_asked_for(tmp_path: Path, hub: Path) -> None:
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    target = await first.prepare(BUILD, str(make(tmp_path / "r")))
    with passing() as seen:
        _, tree = await attempt(first, target.commit, "one", "1\n")
        change = await merged(first, target.commit, tree, target.commit)
        await first.land(BUILD, change.commit, target.commit)
    assert not any("hub-fetch" in name for name in seen)
    assert [name for name in seen if "hub" in name and name.endswith("before")] == [
        "workspace.hub-push.before",
        "workspace.hub-push.before",
        "workspace.hub-land.before",
    ]
    async with second.checkout(BUILD, change.tree):
        pass
    hub.rename(tmp_path / "away")
    # Another process of the same home has nothing in memory, but all on disk.
    for again in (second, worker(tmp_path, "b", hub)):
        async with again.checkout(BUILD, change.tree) as files:
            assert (files / "one").read_text() == "1\n"


async def test_one_pin_wins(tmp_path: Path, hub: Path) -> None:
    repositories = [make(tmp_path / f"r{number}", {"f": b"%d" % number}) for number in range(4)]
    homes = [worker(tmp_path, f"h{number}", hub) for number in range(8)]
    targets = await asyncio.gather(
        *(home.prepare(BUILD, str(repositories[number % 4])) for number, home in enumerate(homes))
    )
    assert len({target.commit for target in targets}) == 1
    assert landed(hub) == targets[0].commit
    commit(repositories[0], {"f": b"moved"})
    for place in (*homes, worker(tmp_path, "late", hub)):
        assert await place.prepare(BUILD, str(tmp_path / "not-on-this-machine")) == targets[0]
        async with place.checkout(BUILD, targets[0].tree):
            pass


async def test_one_landing_wins(tmp_path: Path, hub: Path) -> None:
    homes = [worker(tmp_path, f"h{number}", hub) for number in range(4)]
    target = await homes[0].prepare(BUILD, str(make(tmp_path / "r")))
    made = []
    for number, home in enumerate(homes):
        _, tree = await attempt(home, target.commit, f"t{number}", "x\n")
        made.append((await merged(home, target.commit, tree, target.commit)).commit)
    races = [homes[number % 4].land(BUILD, made[number % 4], target.commit) for number in range(8)]
    ended = await asyncio.gather(*races, return_exceptions=True)
    winner = landed(hub)
    for number, end in enumerate(ended):
        assert (end is None) is (made[number % 4] == winner)
        assert end is None or isinstance(end, Conflict)
    await asyncio.gather(*(home.land(BUILD, winner, target.commit) for home in homes * 2))
    assert landed(hub) == winner


async def test_a_tree_of_an_older_base_is_there_already(tmp_path: Path, hub: Path) -> None:
    repository = make(tmp_path / "repository")
    old, newest, last = (worker(tmp_path, name, hub) for name in "abc")
    before = await old.prepare(BUILD, str(repository))
    _, tree = await attempt(old, before.commit, "one", "1\n")
    commit(repository, {"new": b"new\n"})
    after = await old.rebase_target(BUILD, str(repository))
    await newest.stand_on(BUILD, after.commit)
    assert (await attempt(newest, before.commit, "one", "1\n"))[1] == tree
    # Also together with a commit that is not there yet: the same change, merged.
    await last.stand_on(BUILD, after.commit)
    result = await merged(last, before.commit, tree, before.commit)
    assert result.tree == tree
    assert refs(hub, f"refs/buildwright/{BUILD}/commits") == {
        f"refs/buildwright/{BUILD}/commits/{result.commit}": result.commit
    }


async def test_a_thousand_other_builds_are_not_looked_at(tmp_path: Path, hub: Path) -> None:
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    repository = make(tmp_path / "r")
    target = await first.prepare(BUILD, str(repository))
    others = (f"other-{build}/trees/{number}" for build in range(1000) for number in range(5))
    lines = sorted(f"{target.commit} refs/buildwright/{name}\n" for name in others)
    (hub / "packed-refs").write_text("# pack-refs with: sorted\n" + "".join(lines))
    assert len(refs(hub)) > 5000
    trace, calls = tmp_path / "trace", tmp_path / "calls"
    real = shutil.which("git")
    shim = script(tmp_path / "bin" / "git", f'echo "$*" >> {calls}\nGIT_TRACE_PACKET={trace} exec {real} "$@"')
    environment = {**os.environ, "PATH": f"{shim.parent}:{os.environ['PATH']}"}
    watched = GitWorkspace(tmp_path / "a", environment, str(hub))
    _, tree = await attempt(watched, target.commit, "one", "1\n")
    change = await merged(watched, target.commit, tree, target.commit)
    await watched.land(BUILD, change.commit, target.commit)
    assert trace.exists()
    assert trace.read_text(errors="replace").count("refs/buildwright/other-") == 0
    ours = [line for line in calls.read_text().splitlines() if "--git-dir=" in line]
    assert [sum(f" {verb} " in line for line in ours) for verb in ("push", "fetch", "ls-remote")] == [3, 0, 0]
    async with second.checkout(BUILD, change.tree) as files:
        assert (files / "one").exists()
    assert len(refs(hub, f"refs/buildwright/{BUILD}/")) < 10


async def test_only_what_changed_travels(tmp_path: Path, hub: Path) -> None:
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    repository = make(tmp_path / "r", {f"d{number % 9}/f{number}": os.urandom(2000) for number in range(200)})
    target = await first.prepare(BUILD, str(repository))
    await second.prepare(BUILD, "/nowhere")

    def size(place: Path) -> int:
        return sum(file.stat().st_size for file in (place / "objects").rglob("*") if file.is_file())

    (mirror,) = (path for path in (tmp_path / "b" / "mirrors").iterdir() if path.name != "builds")
    before = size(hub), size(mirror)
    _, tree = await attempt(first, target.commit, "one", "1\n")
    async with second.checkout(BUILD, tree):
        pass
    # A second build of the same repository sends its history no second time.
    await first.prepare("another", str(repository))
    assert size(hub) - before[0] < 20_000
    assert size(mirror) - before[1] < 20_000


async def refuse() -> None:
    raise LostLease("The lease went to another worker.")


async def test_who_lost_the_lease_moves_nothing(tmp_path: Path, hub: Path) -> None:
    first = worker(tmp_path, "a", hub)
    repository = make(tmp_path / "r")
    target = await first.prepare(BUILD, str(repository))
    _, tree = await attempt(first, target.commit, "one", "1\n")
    change = await merged(first, target.commit, tree, target.commit)
    before = refs(hub), refs(repository)
    for remote in ("", str(hub)):
        with pytest.raises(LostLease):
            await first.deliver(
                BUILD,
                str(repository),
                change.commit,
                Delivery(kind="push" if remote else "branch", remote=remote),
                refuse,
            )
    with pytest.raises(LostLease):
        await first.deliver(BUILD, "/not/here", change.commit, Delivery(), refuse)
    with pytest.raises(LostLease):
        await first.land(BUILD, change.commit, target.commit, refuse)
    alone = GitWorkspace(tmp_path / "alone", dict(os.environ))
    await alone.prepare(BUILD, str(repository))
    with pytest.raises(LostLease):
        await alone.land(BUILD, target.commit, target.commit, refuse)
    assert (refs(hub), refs(repository)) == before

    asked = []

    async def allow() -> None:
        asked.append(landed(hub))

    await first.land(BUILD, change.commit, target.commit, allow)
    assert asked == [target.commit]


async def test_a_result_for_a_repository_of_another_machine(tmp_path: Path, hub: Path) -> None:
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    repository = make(tmp_path / "r")
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    git(repository, "remote", "add", "origin", "../origin.git")
    target = await first.prepare(BUILD, str(repository))
    _, tree = await attempt(second, target.commit, "one", "1\n")
    change = await merged(second, target.commit, tree, target.commit)
    repository.rename(tmp_path / "elsewhere")
    for _ in range(2):
        done = await second.deliver(BUILD, str(repository), change.commit, Delivery())
        assert (done.ref, done.commit, done.remote) == (BRANCH, change.commit, str(hub))
    git(tmp_path / "elsewhere", "fetch", "-q", str(hub), done.ref)
    assert git(tmp_path / "elsewhere", "rev-parse", "FETCH_HEAD") == change.commit
    # The address of a remote came with the pin.
    pushed = await second.deliver(BUILD, str(repository), change.commit, Delivery(kind="push"))
    assert pushed.remote == "origin"
    assert git(tmp_path / "origin.git", "rev-parse", BRANCH) == change.commit
    with pytest.raises(BadRepository, match="no remote 'upstream'"):
        await second.deliver(BUILD, str(repository), change.commit, Delivery(kind="push", remote="upstream"))
    # A branch of somebody else in the hub stays.
    git(hub, "update-ref", "refs/heads/taken", commit(tmp_path / "elsewhere", {"x": b"1"}), check=False)
    git(tmp_path / "elsewhere", "push", "-q", str(hub), "HEAD:refs/heads/taken")
    with pytest.raises(Conflict):
        await second.deliver(BUILD, str(repository), change.commit, Delivery(branch="taken"))


async def test_a_hub_that_fails_says_so_and_is_asked_again(tmp_path: Path, hub: Path) -> None:
    first = worker(tmp_path, "a", hub)
    target = await first.prepare(BUILD, str(make(tmp_path / "r")))
    lane, tree = await attempt(first, target.commit, "one", "1\n")
    # Refused once, taken then.
    flag = tmp_path / "refused"
    hook = script(hub / "hooks" / "pre-receive", f"[ -e {flag} ] || {{ touch {flag}; echo busy >&2; exit 1; }}")
    change = await merged(first, target.commit, tree, target.commit)
    assert flag.exists()
    assert f"refs/buildwright/{BUILD}/commits/{change.commit}" in refs(hub)
    hook.unlink()
    # Taken, but the answer is lost.
    late = script(hub / "hooks" / "post-receive", "kill -9 $PPID")
    await first.land(BUILD, change.commit, target.commit)
    assert landed(hub) == change.commit
    late.unlink()

    async def refused() -> None:
        (lane.files / "two").write_text("2\n")
        script(hub / "hooks" / "pre-receive", "echo permission denied by policy >&2; exit 1")
        with pytest.raises(GitFailed, match="did not do its part") as caught:
            await first.take_patch(lane)
        assert caught.value.fix

    async def gone() -> None:
        for address in ("http://127.0.0.1:9/hub.git", str(tmp_path / "no-hub")):
            with pytest.raises((GitFailed, BadRepository)) as caught:
                await worker(tmp_path, "b", address).prepare(BUILD, "/nowhere")
            assert caught.value.fix
            assert "hub" in caught.value.message

    await asyncio.gather(refused(), gone())


async def test_a_connection_cut_in_the_middle(tmp_path: Path, hub: Path) -> None:
    with smart_http(tmp_path) as (address, cuts):
        first = worker(tmp_path, "a", f"{address}/hub.git")
        target = await first.prepare(BUILD, str(make(tmp_path / "r")))
        _, tree = await attempt(first, target.commit, "one", "1\n")
        cuts.append("before")
        change = await merged(first, target.commit, tree, target.commit)
        cuts.append("after")
        await first.land(BUILD, change.commit, target.commit)
        assert cuts == []
    assert landed(hub) == change.commit


async def test_git_killed_in_the_middle_of_a_push(tmp_path: Path, hub: Path) -> None:
    first = worker(tmp_path, "a", hub)
    target = await first.prepare(BUILD, str(make(tmp_path / "r")))
    entered = tmp_path / "entered"
    hook = script(hub / "hooks" / "pre-receive", f"echo $PPID >> {entered}; sleep 20")
    pushing = asyncio.create_task(attempt(first, target.commit, "one", "1\n"))
    for _ in range(500):
        await asyncio.sleep(0.02)
        if entered.exists() and entered.read_text().strip():
            break
    receiver = psutil.Process(int(entered.read_text()))
    hook.unlink()
    sleeping = [child for child in receiver.children(recursive=True) if child.name() in {"pre-receive", "sleep"}]
    for parent in receiver.parents():
        if "push" in parent.cmdline():
            os.kill(parent.pid, signal.SIGKILL)
    receiver.kill()
    for child in sleeping:
        child.kill()
    _, tree = await pushing
    assert f"refs/buildwright/{BUILD}/trees/{tree}" in refs(hub)
    # Its lock would have stayed: the age says that nobody holds it.
    change = await merged(first, target.commit, tree, target.commit)
    lock = hub / f"refs/buildwright/{BUILD}/integration.lock"
    lock.touch()
    os.utime(lock, (1, 1))
    await first.land(BUILD, change.commit, target.commit)
    assert landed(hub) == change.commit
    assert not lock.exists()


async def test_a_remote_cannot_name_a_lock_of_ours(tmp_path: Path, hub: Path) -> None:
    first = worker(tmp_path, "a", hub)
    target = await first.prepare(BUILD, str(make(tmp_path / "r")))
    mine = tmp_path / "package.lock"
    mine.write_text("mine")
    flag = tmp_path / "said"
    script(
        hub / "hooks" / "pre-receive",
        f"[ -e {flag} ] || {{ touch {flag}; echo \"Unable to create '{mine}': File exists\" >&2; exit 1; }}",
    )
    await attempt(first, target.commit, "one", "1\n")
    assert flag.exists()
    assert mine.read_text() == "mine"


@pytest.mark.parametrize("form", ["sha1", "sha256"])
async def test_odd_repositories_travel(tmp_path: Path, form: str) -> None:
    hub = tmp_path / "hub.git"
    git(tmp_path, "init", "-q", "--bare", f"--object-format={form}", str(hub))
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    repository = make(tmp_path / "r", {"a b/ü\n'\"$x": b"1", "dir/x": b"2"}, f"--object-format={form}")
    (repository / "link").symlink_to("dir/x")
    zeros = "1" * (64 if form == "sha256" else 40)
    git(repository, "add", "-A")
    git(repository, "update-index", "--add", "--cacheinfo", f"160000,{zeros},module")
    git(repository, "commit", "-qm", "odd")
    target = await first.prepare(BUILD, str(repository))
    lane = await second.open_lane(LaneKey(BUILD, "one", 1), target.commit)
    assert (lane.files / "link").readlink() == Path("dir/x")
    (lane.files / "a b" / "-rf '$(x)").write_text("x")
    (lane.files / "other").symlink_to("/etc/passwd")
    patch = await second.take_patch(lane)
    async with first.checkout(BUILD, patch.tree) as files:
        assert (files / "a b" / "-rf '$(x)").read_text() == "x"
        assert (files / "other").is_symlink()
    change = await merged(first, target.commit, patch.tree, target.commit)
    await second.land(BUILD, change.commit, target.commit)
    assert zeros in git(hub, "ls-tree", change.commit)
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q", "-b", "main", f"--object-format={form}")
    born = await first.prepare("unborn", str(empty))
    lane = await second.open_lane(LaneKey("unborn", "one", 1), born.commit)
    (lane.files / "first").write_text("1")
    tree = (await second.take_patch(lane)).tree
    assert await first.list_files("unborn", tree) == ["first"]


async def test_shallow_clones_travel_and_formats_do_not_mix(tmp_path: Path, hub: Path) -> None:
    origin = make(tmp_path / "origin")
    commit(origin, {"x": b"1"})
    git(tmp_path, "clone", "-q", "--depth=1", origin.as_uri(), "shallow")
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    target = await first.prepare(BUILD, str(tmp_path / "shallow"))
    _, tree = await attempt(second, target.commit, "one", "1\n")
    assert "one" in await first.list_files(BUILD, tree)
    other = make(tmp_path / "r256", None, "--object-format=sha256")
    with pytest.raises(BadRepository, match="object formats") as caught:
        await first.prepare("other", str(other))
    assert caught.value.fix


# Two kinds end every transfer, so they stand alone.
_ENDING = {name: SETTINGS[name] for name in ("promisor", "rewrite")}
_PLANTED = {**_ENDING, "others": "".join(text for name, text in SETTINGS.items() if name not in _ENDING)}


@pytest.mark.parametrize("kind", _PLANTED)
async def test_settings_of_a_hub_run_nothing(tmp_path: Path, hub: Path, kind: str) -> None:
    canary = plant(hub, tmp_path, _PLANTED[kind])
    # The hooks of the receiving side are the hub's own policy and run there.
    shutil.rmtree(hub / "hooks")
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    try:
        target = await first.prepare(BUILD, str(make(tmp_path / "r")))
        _, tree = await attempt(first, target.commit, "one", "1\n")
        async with second.checkout(BUILD, tree):
            pass
        change = await merged(second, target.commit, tree, target.commit)
        await first.land(BUILD, change.commit, target.commit)
        await first.deliver(BUILD, "/not/here", change.commit, Delivery())
        await first.retire(BUILD)
    except GitFailed:
        assert kind in _ENDING
    assert not canary.exists()


async def test_hubs_that_could_run_something_are_refused(tmp_path: Path) -> None:
    script_path, canary = trap(tmp_path)
    repository = make(tmp_path / "r")
    places = ("relative", f"ext::{script_path}", "--upload-pack=x", "https://me:secret@host/x", "git://host/x")
    for place in (*places, str(repository)):
        with pytest.raises(BadRepository) as caught:
            await worker(tmp_path, "a", place).prepare(BUILD, str(repository))
        assert caught.value.fix
        assert "secret" not in str(caught.value)
    assert not canary.exists()


async def test_a_finished_build_is_retired(tmp_path: Path, hub: Path) -> None:
    first, second = worker(tmp_path, "a", hub), worker(tmp_path, "b", hub)
    repository = make(tmp_path / "r")
    target = await first.prepare(BUILD, str(repository))
    await first.prepare("build-1234567", str(repository))
    _, tree = await attempt(second, target.commit, "one", "1\n")
    change = await merged(second, target.commit, tree, target.commit)
    await second.deliver(BUILD, "/not/here", change.commit, Delivery())
    for _ in range(2):
        await second.retire(BUILD)
    await first.retire(BUILD)
    assert {name.split("/")[2] for name in refs(hub)} == {"build-1234567", "buildwright"}
    for home in ("a", "b"):
        (mirror,) = (path for path in (tmp_path / home / "mirrors").iterdir() if path.name != "builds")
        assert not refs(mirror, f"refs/buildwright/{BUILD}/")
    with pytest.raises(NotFound):
        await first.list_files(BUILD, tree)
    # A build that began without a hub is brought there when it is prepared or asked for with one.
    alone = GitWorkspace(tmp_path / "alone", dict(os.environ))
    begun = await alone.prepare("begun", str(repository))
    assert "README.md" in await worker(tmp_path, "alone", hub).list_files("begun", begun.tree)
    assert await second.prepare("begun", "/not/here") == begun


OWN = """
import asyncio, os, sys
from pathlib import Path
from buildwright.ports import LaneKey
from buildwright.workspace import GitWorkspace
from buildwright.workspace.orphans import sweep
async def main():
    workspace = GitWorkspace(Path(sys.argv[1]), dict(os.environ))
    target = await workspace.prepare("b", sys.argv[2])
    await workspace.open_lane(LaneKey("b", "other", 1), target.commit)
    async with workspace.checkout("b", target.tree):
        print("open", flush=True)
        await asyncio.sleep(60)
asyncio.run(main())
"""


async def test_a_worker_that_starts_sweeps_what_dead_ones_left(tmp_path: Path) -> None:
    import sys

    home, repository = tmp_path / "home", make(tmp_path / "r")
    workspace = GitWorkspace(home, dict(os.environ))
    target = await workspace.prepare("b", str(repository))
    mine = await workspace.open_lane(LaneKey("b", "mine", 1), target.commit)
    other = await asyncio.create_subprocess_exec(
        sys.executable, "-c", OWN, str(home), str(repository), stdout=asyncio.subprocess.PIPE, env=dict(os.environ)
    )
    assert other.stdout is not None
    try:
        assert await other.stdout.readline() == b"open\n"
        half = next(path for path in (home / "mirrors").iterdir() if path.name != "builds") / "objects/pack/tmp_pack_x"
        half.touch()
        os.utime(half, (1, 1))

        def left() -> list[str]:
            found = [*(home / "lanes").glob("*/*"), *(home / "checkouts").glob("*/*")]
            return sorted(path.name if path.parent.parent.name == "lanes" else "checkout" for path in found)

        await sweep(home, dict(os.environ))
        assert left() == ["checkout", "mine-1", "other-1"]
        assert not half.exists()
    finally:
        other.kill()
        await other.wait()
    await sweep(home, dict(os.environ))
    assert left() == ["mine-1"]
    (mine.files / "new").write_text("1")
    assert (await workspace.take_patch(mine)).paths == ("new",)


async def test_a_hub_is_made_where_nothing_is(tmp_path: Path) -> None:
    first = worker(tmp_path, "a", tmp_path / "new" / "hub.git")
    with pytest.raises(BuildwrightError, match="hub"):
        await first.prepare(BUILD, str(make(tmp_path / "r")))
    for _ in range(2):
        await first.create_hub()
    target = await first.prepare(BUILD, str(tmp_path / "r"))
    assert landed(tmp_path / "new" / "hub.git") == target.commit


async def test_a_hub_that_many_make_at_once_is_whole_for_each_of_them(tmp_path: Path) -> None:
    path = tmp_path / "hubs" / "hub.git"

    async def begin(name: str) -> None:
        own = worker(tmp_path, name, path)
        await own.create_hub()
        await own.check_hub()

    async with asyncio.TaskGroup() as all_at_once:
        for number in range(12):
            all_at_once.create_task(begin(f"worker{number}"))
    assert [entry.name for entry in path.parent.iterdir()] == ["hub.git"]

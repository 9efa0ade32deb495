"""Objects and trees that are read, merged and written without git are just those that git reads, merges and writes."""

from __future__ import annotations

import os
import random
import subprocess
import tracemalloc
import zlib
from pathlib import Path

import pytest

from buildwright.errors import GitFailed
from buildwright.workspace.git import Git
from buildwright.workspace.objects import ObjectStore, object_id
from buildwright.workspace.packs import packed, write_pack
from buildwright.workspace.trees import (
    TreeEntry,
    Unreadable,
    content_at,
    entries_of,
    list_tree,
    merged,
    tree_of,
    written,
)
from tests.workspace.repositories import git, make

_FORMS = pytest.mark.parametrize("form", ["sha1", "sha256"])


def _store(repository: Path) -> ObjectStore:
    return ObjectStore(repository / ".git", len(git(repository, "rev-parse", "HEAD")))


def _committed(repository: Path, message: str = "more") -> str:
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "-m", message)
    return git(repository, "rev-parse", "HEAD")


@_FORMS
def test_every_object_is_read_as_git_reads_it(tmp_path: Path, form: str) -> None:
    chance, text = random.Random(1), "".join(f"line {number}\n" for number in range(3000))
    repository = make(tmp_path / "r", {"a": b"", "long": text.encode()}, f"--object-format={form}")
    for number in range(12):
        lines = text.split("\n")
        lines[chance.randrange(len(lines))] = f"changed {number}"
        text = "\n".join(lines)
        (repository / "long").write_text(text)
        (repository / f"noise{number}").write_bytes(chance.randbytes(70_000))
        _committed(repository)
    git(repository, "tag", "-a", "v1", "-m", "one")
    git(repository, "repack", "-adq", "--depth=50")
    (repository / "loose").write_text("loose\n")
    _committed(repository)
    listed = git(repository, "cat-file", "--batch-all-objects", "--batch-check").splitlines()
    assert len(listed) > 50
    assert int(git(repository, "verify-pack", "-s", *map(str, (repository / ".git").rglob("*.idx"))).split()[2]) > 10
    store = _store(repository)
    for name, kind, size in map(str.split, listed):
        told = subprocess.run(["git", "-C", repository, "cat-file", kind, name], capture_output=True, check=True).stdout
        assert len(told) == int(size)
        assert store.read(name, kind) == told
        assert store.read(name, "blob" if kind != "blob" else "tree") is None
        assert store.read(name, kind, len(told) - 1) is None
    assert store.read("0" * store.width, "blob") is None


@pytest.mark.parametrize("packed", [False, True])
def test_a_damaged_object_is_never_taken_for_a_good_one(tmp_path: Path, packed: bool) -> None:
    repository = make(tmp_path / "r", {"a": b"content " * 40})
    name = git(repository, "rev-parse", "HEAD:a")
    if packed:
        git(repository, "repack", "-adq")
    (file,) = (repository / ".git").rglob("*.pack" if packed else name[2:])
    good = file.read_bytes()
    file.chmod(0o600)
    refused = 0
    for place in range(len(good)):
        file.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        content = _store(repository).read(name, "blob")
        assert content in (None, b"content " * 40)
        refused += content is None
        file.write_bytes(good[:place])
        assert packed or _store(repository).read(name, "blob") in (None, b"content " * 40)
        file.write_bytes(good)
    assert refused > 5


@_FORMS
async def test_a_tree_is_listed_as_git_lists_it(tmp_path: Path, form: str) -> None:
    files = {f"d{number % 230}/f{number}.txt": b"%d\n" % number for number in range(460)} | {
        "d1.txt": b"",
        "z/y/x": b"1",
    }
    repository = make(tmp_path / "r", files, f"--object-format={form}")
    (repository / "link").symlink_to("z")
    (repository / os.fsdecode(b"bytes\xff")).write_text("x")
    commit = _committed(repository)
    runner = Git(tmp_path / "home", dict(os.environ))
    lines = git(repository, "ls-tree", "-r", "-z", "HEAD").split("\0")[:-1]
    expected = {path: tuple(head.split()[::2]) for head, _, path in (line.partition("\t") for line in lines)}
    tree = tree_of(_store(repository), commit)
    for name in (commit, tree, git(repository, "rev-parse", "HEAD:z"), tree):  # by git, then what was kept
        found = await list_tree(runner, repository / ".git", name)
        if name == tree:
            assert {path: entry[:2] for path, entry in found.items()} == expected
            assert list(found) == sorted(found)
    assert tree_of(_store(repository), f"{commit}^") == git(repository, "rev-parse", "HEAD^^{tree}")
    assert content_at(_store(repository), tree, "d1/f1.txt", 9) == b"1\n"
    assert (
        content_at(_store(repository), tree, "d1/f1.txt/more", 9)
        is content_at(_store(repository), tree, "z", 9)
        is None
    )
    with pytest.raises(Unreadable):
        content_at(_store(repository), tree, "d100/f100.txt", 3)


def _change(chance: random.Random, files: dict[str, bytes]) -> dict[str, bytes]:
    """Return files with a few random changes: of contents, names, kinds and places."""
    found = dict(files)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(sorted(found))
        match chance.randrange(6):
            case 0:
                found[path] += b"more\n"
            case 1:
                del found[path]
            case 2:
                found[f"{path.rpartition('/')[0] or 'new'}/n{chance.randrange(3)}"] = b"new %d\n" % chance.randrange(99)
            case 3:
                folder = path.partition("/")[0]
                moved = {one: f"moved/{one}" for one in found if one.startswith(f"{folder}/")}
                found = {moved.get(one, one): content for one, content in found.items()}
            case 4:
                found = {one: content for one, content in found.items() if not one.startswith(path)}
                found[f"{path}/inner"] = b"a folder now\n"
            case _:
                folder = path.partition("/")[0]
                found = {one: content for one, content in found.items() if one.partition("/")[0] != folder}
                found[folder] = b"a file now\n"
    return found


def _tree(repository: Path, files: dict[str, bytes]) -> str:
    index = {**os.environ, "GIT_INDEX_FILE": str(repository / "index")}
    (repository / "index").unlink(missing_ok=True)

    def run(*words: str, stdin: bytes = b"") -> str:
        return (
            subprocess.run(["git", "-C", repository, *words], input=stdin, capture_output=True, check=True, env=index)
            .stdout.decode()
            .strip()
        )

    lines = "".join(
        f"100644 {run('hash-object', '-w', '--stdin', stdin=content)}\t{path}\n" for path, content in files.items()
    )
    run("update-index", "--add", "--index-info", stdin=lines.encode())
    return run("write-tree")


@pytest.mark.parametrize("seed", range(6))
async def test_random_trees_are_written_and_merged_as_git_does(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    repository = make(tmp_path / "r")
    store, runner = _store(repository), Git(tmp_path / "home", dict(os.environ))
    apart = 0
    for number in range(8):
        start = {f"d{chance.randrange(3)}/e{chance.randrange(2)}/f{one}": b"%d\n" % one * 9 for one in range(9)}
        sides = [start, _change(chance, start), _change(chance, start)]
        if number % 2:
            first, last = min(start), max(start)
            sides[2] = {path: content for path, content in start.items() if path != first} | {last: b"other\n"}
            sides[1] = start | {"d0/e0": b"in the way\n"} if number == 5 else start | {"d0/new": b"new\n"}
        base, ours, theirs = (_tree(repository, side) for side in sides)
        listed = [await list_tree(runner, repository / ".git", tree) for tree in (base, ours)]
        entries: dict[str, TreeEntry | None] = {path: None for path in listed[0] if path not in listed[1]} | listed[1]
        assert written(store, base, entries, store.write) == ours
        commits = [git(repository, "commit-tree", base, "-m", "base")]
        commits += [git(repository, "commit-tree", tree, "-p", commits[0], "-m", "side") for tree in (ours, theirs)]
        told = git(repository, "merge-tree", "--write-tree", "--no-messages", *commits[1:], check=False).split("\n")
        found = merged(store, base, ours, theirs, store.write)
        assert found in (None, told[0])
        assert found is None or len(told) == 1
        apart += found is not None
    assert apart
    git(repository, "fsck", "--strict")


def test_a_renamed_folder_takes_along_what_the_other_side_adds_to_it(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    start = {f"old/f{number}": b"%d\n" % number * 20 for number in range(4)}
    renamed = {path.replace("old", "new"): content for path, content in start.items()}
    base, ours, theirs = (_tree(repository, side) for side in (start, renamed, start | {"old/more": b"more\n"}))
    store = _store(repository)
    assert merged(store, base, ours, theirs, store.write) is None
    assert merged(store, base, theirs, ours, store.write) is None


@_FORMS
def test_objects_of_one_step_come_together_or_not_at_all(tmp_path: Path, form: str) -> None:
    repository = make(tmp_path / "r", None, f"--object-format={form}")
    store = _store(repository)
    before = {path for path in (repository / ".git" / "objects").rglob("*") if path.is_file()}

    def fail() -> None:
        with store.together() as write:
            write("blob", b"one")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert {path for path in (repository / ".git" / "objects").rglob("*") if path.is_file()} == before
    with store.together() as write:
        names = [write("blob", content) for content in (b"one", b"two", b"one")]
    assert [store.read(name, "blob") for name in names] == [b"one", b"two", b"one"]
    git(repository, "fsck", "--strict")


def _raw(repository: Path, *entries: tuple[str, str, str]) -> str:
    """Write a tree of modes, names and ids, whatever git thinks of them."""
    content = b"".join(f"{mode} {name}\0".encode() + bytes.fromhex(found) for mode, name, found in entries)
    return _literal(repository, content)


def _literal(repository: Path, content: bytes) -> str:
    return git(repository, "hash-object", "-t", "tree", "-w", "--literally", "--stdin", stdin=content)


def _told(repository: Path, tree: str) -> list[tuple[str, ...]]:
    lines = git(repository, "ls-tree", "-r", "-z", tree).split("\0")[:-1]
    return [(path, *head.split()[::2]) for head, _, path in (line.partition("\t") for line in lines)]


def _borrowing(repository: Path, path: Path) -> Path:
    """A repository that has the objects of another, but none of its own (gitrepository-layout(5), "alternates")."""
    form = git(repository, "rev-parse", "--show-object-format")
    path.mkdir()
    git(path, "init", "-q", "--bare", f"--object-format={form}")
    (path / "objects" / "info" / "alternates").write_text(f"{repository / '.git' / 'objects'}\n")
    return path


@_FORMS
async def test_modes_of_other_programs_are_those_that_git_takes_them_for(tmp_path: Path, form: str) -> None:
    repository = make(tmp_path / "r", {"README.md": b"hello\n"}, f"--object-format={form}")
    store, runner = _store(repository), Git(tmp_path / "home", dict(os.environ))
    blob, commit = git(repository, "rev-parse", "HEAD:README.md"), git(repository, "rev-parse", "HEAD")
    inner = _raw(
        repository, ("100664", "in", blob), ("0100755", "run", blob), ("40000", "s", git(repository, "mktree"))
    )
    regular = ("0100644", "100600", "100654", "100664", "100711", "100775")
    links = ("10755", "120644", "120777", "160000", "160755", "60000", "644")
    tree = _raw(
        repository,
        *((mode, f"f{mode}", blob) for mode in regular),
        *((mode, f"g{mode}", blob if mode.startswith("12") else commit) for mode in links),
        *((mode, f"h{mode}", inner) for mode in ("040000", "40755", "40777")),
    )
    told = _told(repository, tree)
    assert len({mode for _, mode, _ in told}) == 4
    for place in (repository / ".git", _borrowing(repository, tmp_path / "borrowing")):
        found = await list_tree(runner, place, tree)
        assert [(path, *entry[:2]) for path, entry in found.items()] == told
    assert content_at(store, tree, "h40755/in", 9) == content_at(store, tree, "f100600", 9) == b"hello\n"
    assert content_at(store, tree, "g644", 9) is content_at(store, tree, "h40777", 9) is None
    for path in ("f100664", "h40755/in", "h40777/new", "z"):
        words = ("update-index", "--add", "--cacheinfo", f"100755,{blob},{path}")
        git(repository, "read-tree", tree)
        git(repository, *words)
        changed = written(store, tree, {path: TreeEntry("100755", blob)}, store.write)
        if not path.startswith("h"):
            assert changed == git(repository, "write-tree")
            assert git(repository, "rev-parse", f"{changed}:h040000") == inner
        assert {path: entry[:2] for path, entry in (await list_tree(runner, repository / ".git", changed)).items()} == {
            name: (mode, found) for name, mode, found in _told(repository, git(repository, "write-tree"))
        }
        assert merged(store, tree, tree, changed, store.write) == changed
    assert merged(store, tree, _raw(repository, *((mode, f"f{mode}", blob) for mode in regular)), tree, store.write)


async def test_a_malformed_tree_is_left_to_git(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    borrowing, runner = _borrowing(repository, tmp_path / "borrowing"), Git(tmp_path / "home", dict(os.environ))
    blob = bytes.fromhex(git(repository, "rev-parse", "HEAD:README.md"))
    good = b"100644 a\0" + blob
    wrong = (
        b"1",
        b"100644 a",
        b"10x644 a\0" + blob,
        b"100644\0" + blob,
        good[:-1],
        b" a\0" + blob,
        b"100644 \0" + blob,
    )
    for content in wrong:
        tree = _literal(repository, content)
        with pytest.raises(Unreadable):
            entries_of(_store(repository), tree)
        with pytest.raises(GitFailed):
            await list_tree(runner, repository / ".git", tree)
    for content in (good + good, good + b"100755 a\0" + blob, b"100644 d/a\0" + blob, b"300644 a\0" + blob):
        tree = _literal(repository, content)
        told = {path: (mode, found) for path, mode, found in _told(repository, tree)}
        for place in (repository / ".git", borrowing):
            found = await list_tree(runner, place, tree)
            assert {path: entry[:2] for path, entry in found.items()} == told
        if not content.startswith(b"3"):
            with pytest.raises(Unreadable):
                written(_store(repository), tree, {"b": None}, _store(repository).write)


def test_parents_that_are_not_there_for_git_are_left_to_it(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    tree = git(repository, "rev-parse", "HEAD^{tree}")
    root = f"tree {tree}\nauthor J\xf6rg <j@example.org> 1 +0000\ncommitter J <j@example.org> 1 +0000\n\nroot\n"
    first = git(repository, "hash-object", "-t", "commit", "-w", "--stdin", stdin=root.encode("latin-1"))
    last = git(repository, "commit-tree", tree, "-p", first, "-m", "last")
    store = _store(repository)
    assert tree_of(store, first) == tree_of(store, f"{last}^") == tree
    for name in (f"{first}^", tree, f"{tree}^"):
        with pytest.raises(Unreadable):
            tree_of(store, name)
    for file in ("shallow", "info/grafts"):
        (repository / ".git" / file).write_text(f"{last}\n")
        assert git(repository, "rev-parse", "--verify", "--quiet", f"{last}^", check=False) == ""
        with pytest.raises(Unreadable):
            tree_of(store, f"{last}^")
        (repository / ".git" / file).unlink()


async def test_a_replaced_object_counts_as_it_was(tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    before = git(repository, "rev-parse", "HEAD^{tree}")
    (repository / "more").write_text("more\n")
    _committed(repository)
    git(repository, "replace", before, git(repository, "rev-parse", "HEAD^{tree}"))
    runner = Git(tmp_path / "home", dict(os.environ))
    assert len(_told(repository, before)) == 3
    for place in (repository / ".git", _borrowing(repository, tmp_path / "borrowing")):
        assert list(await list_tree(runner, place, before)) == ["README.md", "src/app.py"]


def test_packs_stay_open_for_one_operation_and_new_ones_are_found(tmp_path: Path) -> None:
    repository = make(tmp_path / "r", {"a": b"one\n", "b": b"two\n"})
    names = [git(repository, "rev-parse", f"HEAD:{path}") for path in "ab"]
    git(repository, "repack", "-adq")
    store = _store(repository)
    assert store.read(names[0], "blob") == b"one\n"
    (repository / "c").write_text("three\n")
    _committed(repository)
    names.append(git(repository, "rev-parse", "HEAD:c"))
    git(repository, "repack", "-dq")
    assert store.read(names[2], "blob") == b"three\n"
    for file in (repository / ".git" / "objects" / "pack").iterdir():
        file.unlink()
    assert [store.read(name, "blob") for name in names] == [b"one\n", b"two\n", b"three\n"]
    assert _store(repository).read(names[0], "blob") is None


def _number(value: int) -> bytes:
    """A number of a delta (gitformat-pack(5), "Size encoding")."""
    found = bytearray()
    while value > 0x7F:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _delta(base: str, before: int, after: int, orders: bytes) -> bytes:
    """An entry of a pack that makes an object of `after` bytes from one of `before`."""
    entry = packed("blob", _number(before) + _number(after) + orders)
    end = next(place for place, byte in enumerate(entry) if not byte & 0x80) + 1
    return bytes([entry[0] & 0x8F | 7 << 4]) + entry[1:end] + bytes.fromhex(base) + entry[end:]


@_FORMS
def test_what_an_object_is_made_of_is_bounded(tmp_path: Path, form: str) -> None:
    repository = make(tmp_path / "r", None, f"--object-format={form}")
    store, chance = _store(repository), random.Random(3)
    contents = [chance.randbytes(1000) for _ in range(12)]
    names = [object_id("blob", content, store.width) for content in contents]
    entries = {names[0]: packed("blob", contents[0])}
    for base, name, content in zip(names, names[1:], contents[1:], strict=False):
        orders = b"".join(bytes([100]) + content[place : place + 100] for place in range(0, 1000, 100))
        entries[name] = _delta(base, 1000, 1000, orders)
    large = b"1" * 0x10001
    names += [object_id("blob", large, store.width), object_id("blob", b"swollen", store.width)]
    entries[names[-2]] = packed("blob", large)
    entries[names[-1]] = _delta(names[-2], len(large), 7, b"\x80" * 5000)
    write_pack(repository / ".git" / "objects" / "pack", entries, store.width)
    read = subprocess.run(["git", "-C", repository, "cat-file", "blob", names[11]], capture_output=True, check=True)
    assert read.stdout == contents[11] == store.read(names[11], "blob")
    assert store.read(names[2], "blob", 1100) == contents[2]
    assert store.read(names[11], "blob", 1100) is None
    loose = repository / ".git" / "objects" / names[-1][:2] / names[-1][2:]
    for is_loose in (False, True):
        if is_loose:
            loose.parent.mkdir(exist_ok=True)
            loose.write_bytes(zlib.compress(b"blob 5\0") + chance.randbytes(8_000_000))
        tracemalloc.start()
        assert store.read(names[-1], "blob", 100_000) is None
        assert tracemalloc.get_traced_memory()[1] < 2_000_000
        tracemalloc.stop()

"""Names: what may be named, what is protected, and that nothing is written outside, whatever lies in the way."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from buildwright.confined_fs import _walk, delete_beneath, read_beneath, write_beneath
from buildwright.core.paths import check_path, is_protected
from buildwright.errors import BuildwrightError, NotFound, UnsafePath

_PIECES = (
    "..",
    ".",
    "",
    "a\0b",
    "a\nb",
    "a\tb",
    "\x1b[2J",
    "\x7f",
    "\x85",
    "a\\b",
    "..\\..",
    "x" * 256,
    "\u202egnp",
    "\ud800",
    "é" * 128,
)
_SHAPES = (
    "{}",
    "{}/x",
    "src/{}",
    "src/{}/x",
    "/{}",
    "/tmp/{}",
    "{}/",
    "a/b/{}/../c",
    "//{}",
    "./../{}",
    "src//{}",
    "../{}",
    "a/../../{}",
    "C:\\{}",
    "\\\\host\\{}",
    "src/./{}",
    "~\\{}",
    "{}\\..\\x",
    ".//{}",
    "x/{}//y",
)
CORPUS = sorted(({shape.format(piece) for shape, piece in product(_SHAPES, _PIECES)} | {"a/" * 2100 + "b"}) - {"./x"})


def snapshot(root: Path, without: Path) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for folder, _, files in os.walk(root):
        if not Path(folder).is_relative_to(without):
            found |= {str(Path(folder, name)): Path(folder, name).read_bytes() for name in files}
    return found


@pytest.fixture
def lane(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret").write_text("keep")
    (tmp_path / "lane" / "src").mkdir(parents=True)
    return tmp_path / "lane"


def test_bad_names_are_refused_and_write_nothing(lane: Path) -> None:
    assert len(CORPUS) >= 250
    before = snapshot(lane.parent, lane)
    for name in CORPUS:
        with pytest.raises(UnsafePath):
            check_path(name)
        for act in (
            lambda n: write_beneath(lane, n, b"x"),
            lambda n: read_beneath(lane, n, 9),
            lambda n: delete_beneath(lane, n),
        ):
            with pytest.raises(UnsafePath):
                act(name)
    assert snapshot(lane.parent, lane) == before


@pytest.mark.parametrize(
    "name", ["a", "a b/ç.txt", "...", "..a/b..", ".hidden/x", "-rf", "日本語/ファイル", "a:b", "%2e%2e/x", "🙂", "~/x"]
)
def test_odd_but_harmless_names_work(lane: Path, name: str) -> None:
    write_beneath(lane, name, b"1", executable=True)
    write_beneath(lane, name, b"22")
    assert read_beneath(lane, name, 99) == b"22"
    assert os.access(lane / name, os.X_OK)
    assert delete_beneath(lane, name)
    assert not delete_beneath(lane, name)
    with pytest.raises(NotFound):
        read_beneath(lane, name, 99)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@example("./a")
@given(
    st.lists(
        st.sampled_from(["..", ".", "", "/", "a", "src", "link", "\\", "\0", ".git", "é"]) | st.text(max_size=8),
        max_size=6,
    ).map("/".join)
)
def test_any_name_stays_inside(tmp_path: Path, name: str) -> None:
    lane = tmp_path / "lane"
    (lane / "src").mkdir(parents=True, exist_ok=True)
    (tmp_path / "outside").mkdir(exist_ok=True)
    if not (lane / "link").is_symlink():
        (lane / "link").symlink_to(tmp_path / "outside")
    try:
        normal = check_path(name)
        assert not Path(normal).is_absolute()
        assert ".." not in normal.split("/")
        write_beneath(lane, name, b"x")
        assert read_beneath(lane, normal, 1) == b"x"
    except BuildwrightError:
        pass
    assert not list((tmp_path / "outside").iterdir())
    assert {entry.name for entry in tmp_path.iterdir()} == {"lane", "outside"}


@pytest.mark.parametrize("shape", ["directory", "file", "chain", "loop", "absolute", "relative", "dangling", "magic"])
def test_no_link_is_followed(lane: Path, shape: str) -> None:
    outside = lane.parent / "outside"
    link = lane / "link"
    names = ["link/secret", "link/new"]
    match shape:
        case "directory" | "absolute":
            link.symlink_to(outside, target_is_directory=True)
        case "file":
            link.symlink_to(outside / "secret")
            names = ["link"]
        case "chain":
            (lane / "second").symlink_to(outside)
            link.symlink_to("second")
        case "loop":
            link.symlink_to("link")
        case "relative":
            link.symlink_to("../outside")
        case "dangling":
            link.symlink_to(outside / "nothing")
            names = ["link"]
        case _:
            link.symlink_to("/proc/self/cwd")
    before = snapshot(lane.parent, lane)
    for name in names:
        with pytest.raises(UnsafePath):
            write_beneath(lane, name, b"evil")
        with pytest.raises(UnsafePath):
            read_beneath(lane, name, 99)
    assert snapshot(lane.parent, lane) == before


def test_the_walk_for_older_kernels_follows_no_link_either(lane: Path) -> None:
    (lane / "src" / "link").symlink_to(lane.parent / "outside")
    top = os.open(lane, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for parts in (["src", "link"], ["src", "link", "deep"]):
            with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
                _walk(top, parts, create=True)
        made = _walk(top, ["src", "new", "deep"], create=True)
        assert os.path.samestat(os.fstat(made), (lane / "src" / "new" / "deep").stat())
        os.close(made)
    finally:
        os.close(top)
    assert {entry.name for entry in (lane.parent / "outside").iterdir()} == {"secret"}


def test_what_is_no_file_is_refused(lane: Path) -> None:
    os.mkfifo(lane / "pipe")
    (lane / "file").write_text("x")
    for name in ("pipe", "src", "file/below"):
        with pytest.raises(UnsafePath):
            write_beneath(lane, name, b"x")
        with pytest.raises(UnsafePath):
            read_beneath(lane, name, 9)
    with pytest.raises(UnsafePath):
        delete_beneath(lane, "src")


def test_a_directory_swapped_for_a_link_gains_nothing(lane: Path) -> None:
    """Another process swaps the directory for a link and back all the time; not one write may come out."""
    code = (
        "import os,sys\n"
        "lane,out=sys.argv[1:]\n"
        "os.symlink(out,lane+'/other')\nos.makedirs(lane+'/d',exist_ok=True)\nprint('go',flush=True)\n"
        "while True:\n"
        "    os.rename(lane+'/d',lane+'/keep');os.rename(lane+'/other',lane+'/d')\n"
        "    os.rename(lane+'/d',lane+'/other');os.rename(lane+'/keep',lane+'/d')\n"
    )
    outside = lane.parent / "outside"
    swapper = subprocess.Popen([sys.executable, "-c", code, str(lane), str(outside)], stdout=subprocess.PIPE)
    try:
        assert swapper.stdout is not None
        assert swapper.stdout.readline() == b"go\n"
        done = 0
        for number in range(1500):
            try:
                write_beneath(lane, f"d/f{number % 40}", b"x")
                done += 1
            except (BuildwrightError, FileNotFoundError):
                continue
        assert done > 0
    finally:
        swapper.kill()
        swapper.communicate()
    assert {entry.name for entry in outside.iterdir()} == {"secret"}


LISTED = [
    ".git/hooks/pre-commit",
    ".git",
    "sub/.git/config",
    ".github/workflows/ci.yml",
    ".gitlab-ci.yml",
    ".claude/settings.json",
    "deep/down/.claude/x",
    ".codex/config.toml",
    ".cursor/rules",
    ".vscode/tasks.json",
    ".gitmodules",
    ".envrc",
    ".mcp.json",
    ".husky/pre-commit",
    "Jenkinsfile",
    ".circleci/config.yml",
    ".devcontainer/devcontainer.json",
    ".github/actions/x/action.yml",
    ".woodpecker/a.yml",
    "azure-pipelines.yml",
    "lefthook-local.yml",
    "web/.pre-commit-config.yaml",
    "AGENTS.md",
    "deep/down/CLAUDE.md",
    "docs/AGENTS.md",
    ".github/copilot-instructions.md",
    "buildwright-lessons.json",
    ".env",
    "web/.env.production",
    "mise.toml",
    ".npmrc",
    "web/.yarnrc.yml",
    ".cargo/config.toml",
    "gradle/wrapper/gradle-wrapper.properties",
    ".ssh/config",
    "GITHUB~1/workflows/ci.yml",
    "CLAUDE~1/settings.json",
    "fixtures/bare.git/HEAD",
    "docs/HEAD",
]


@pytest.mark.parametrize("path", LISTED)
@pytest.mark.parametrize(
    "change",
    [
        str,
        str.upper,
        str.title,
        lambda p: p.replace(".", ".\u200c", 1),
        lambda p: p + ".",
        lambda p: p.replace("i", "\uff49"),
        lambda p: p + "::$INDEX_ALLOCATION",
    ],
)
def test_listed_paths_are_protected_in_every_spelling(path: str, change: object) -> None:
    assert callable(change)
    assert is_protected(change(path)) is not None


def test_protection_is_lifted_and_extended_by_name() -> None:
    assert is_protected("GIT~1/config")
    assert is_protected(".github/workflows/ci.yml", allow=[".github/workflows"]) is None
    assert is_protected("sub/.git/config", allow=["sub"])
    assert is_protected("infra/main.tf", extra=["infra/"]) == "the project protects it"
    assert is_protected("a/b.tf", extra=["*.tf"])
    for plain in (
        "src/app.py",
        ".gitignore",
        ".gitattributes",
        "docs/.github/workflows.md",
        "gitmodules",
        "src/claude.py",
        ".env.example",
        "web/.github/workflows/ci.yml",
        "docs/agents.py",
        "docs/guides/agents.md",
        "src/env.py",
        "environment.md",
        "npmrc.md",
        "backup~1/file",
        "src/head/main.py",
        "partials/head.html",
        ".editorconfig",
    ):
        assert is_protected(plain) is None


def test_a_task_may_name_what_projects_write_themselves() -> None:
    assert is_protected("AGENTS.md", named=["AGENTS.md"]) is None
    assert is_protected(".env", named=["./.env"]) is None
    assert is_protected("web/.npmrc", named=["web"])
    assert is_protected("web/.npmrc", named=[".npmrc"])
    assert is_protected(".github/workflows/ci.yml", named=[".github/workflows/ci.yml"])
    assert is_protected(".claude/settings.json", named=[".claude/settings.json"])

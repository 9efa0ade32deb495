"""Reads the files of a build as they were at an event, from the mirror's objects. Must never look at a checkout."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from buildwright.core.languages import language_of
from buildwright.core.paths import check_path
from buildwright.errors import NotFound, Refused
from buildwright.views.files import FileView, TreeView, changed_by, coloured, mark_of, too_large, tree_view
from buildwright.views.review import LineTouch, owners_in, touches_of

if TYPE_CHECKING:
    from buildwright.core.build import Build
    from buildwright.workspace import GitWorkspace

LARGEST_RAW = 50_000_000
"""Bytes of the largest file that is sent as it is."""


async def tree_of(workspace: GitWorkspace, build: Build) -> TreeView:
    """Return the files of a build at the event that its state is of. Raises NotFound, GitFailed."""
    base, blobs = await _blobs(workspace, build)
    tree = build.head_tree or build.base_tree
    sizes = await workspace.file_sizes(build.id, tree, sorted(blobs)) if tree else {}
    return await asyncio.to_thread(tree_view, build, build.version, base, blobs, sizes)


async def file_of(workspace: GitWorkspace, build: Build, path: str) -> FileView:
    """Return one file of a build, coloured, as of the event that its state is of. Raises UnsafePath, NotFound, GitFailed."""
    path = check_path(path)
    tree = build.head_tree or build.base_tree
    sizes = await workspace.file_sizes(build.id, tree, [path]) if tree else {}
    if path not in sizes:
        raise NotFound(f"there is no file {path} at event {build.version}", fix=f"see GET /api/builds/{build.id}/tree")
    size = sizes[path]
    lines, note = None, too_large(size)
    if not note:
        content = await workspace.read_file(build.id, tree, path, size + 1) or b""
        lines, note = await asyncio.to_thread(coloured, path, content)
    base, blobs = await _blobs(workspace, build)
    changed = lines is not None and mark_of(path, base, blobs)
    touched = await _touched(workspace, build, path, len(lines or ())) if changed else ()
    return FileView(
        build=build.id,
        at=build.version,
        path=path,
        size_bytes=size,
        language=language_of(path),
        mark=mark_of(path, base, blobs),
        task=changed_by(build).get(path, ""),
        note=note,
        lines=lines,
        touched=touched,
    )


async def raw_of(workspace: GitWorkspace, build: Build, path: str) -> bytes:
    """Return the bytes of one file as of the event that the state is of. Raises UnsafePath, NotFound, Refused, GitFailed."""
    path = check_path(path)
    tree = build.head_tree or build.base_tree
    size = (await workspace.file_sizes(build.id, tree, [path])).get(path) if tree else None
    if size is None:
        raise NotFound(f"there is no file {path} at event {build.version}", fix=f"see GET /api/builds/{build.id}/tree")
    if size > LARGEST_RAW:
        raise Refused(f"{path} has {size:,} bytes, more than {LARGEST_RAW:,}", fix="take it from the branch, with git")
    return await workspace.read_file(build.id, tree, path, size + 1) or b""


async def _touched(workspace: GitWorkspace, build: Build, path: str, lines: int) -> tuple[LineTouch, ...]:
    if not build.base or build.base == build.head:
        return ()
    log = await workspace.log_of_lines(build.id, build.base, build.head, path)
    owners = await asyncio.to_thread(owners_in, log)
    return touches_of(build, path, owners, lines)


async def _blobs(workspace: GitWorkspace, build: Build) -> tuple[dict[str, str], dict[str, str]]:
    """Return the blobs of the base and of the newest tree by their paths."""
    tree = build.head_tree or build.base_tree
    if not tree:
        return {}, {}
    base = await workspace.blobs(build.id, build.base_tree)
    return base, base if tree == build.base_tree else await workspace.blobs(build.id, tree)

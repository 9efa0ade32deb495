"""The pages a reader sees, and what stands in them. Reads only what git would keep."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOR_EVERYBODY = [
    ROOT / name for name in ("README.md", "USER_INSTRUCTIONS.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md")
]
# What lies below `base` is the project that the demo builds, not a page of ours.
PACKAGES = [path for path in sorted((ROOT / "src").rglob("README.md")) if "base" not in path.parts]
PAGES = [
    *FOR_EVERYBODY,
    *sorted((ROOT / "docs").rglob("*.md")),
    *sorted((ROOT / "changes").glob("*.md")),
    ROOT / "bench" / "README.md",
    *PACKAGES,
]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def name(page: Path) -> str:
    """The page as a test names it."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return [body for kind, body in FENCE.findall(read(page)) if kind == language]


def outside_fences(page: Path) -> str:
    return FENCE.sub("", read(page))


def commands(page: Path) -> Iterator[str]:
    """The lines of indented blocks: what a reader would type."""
    for line in outside_fences(page).splitlines():
        if line.startswith("    "):
            yield line.strip().removeprefix("$ ")

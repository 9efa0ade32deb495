"""Checks paths in a task list, and finds paths in a text. Must never look at a file system."""

from __future__ import annotations

import re
from typing import Final


def path_problem(path: str) -> str:
    """Return why this is no path inside a repository, as the end of a sentence; "" when it is one."""
    if not path.strip():
        return "is empty"
    if any(ord(letter) < 32 or ord(letter) == 127 for letter in path):
        return "holds a control character"
    if path.startswith(("/", "~")) or path[1:3] in (":\\", ":/"):
        return "is absolute; write it relative to the repository root"
    if "\\" in path:
        return "holds a backslash; write directories with /"
    parts = path.split("/")
    if ".." in parts:
        return "leaves the repository"
    if ".git" in (part.casefold() for part in parts):
        return "lies in git's own directory"
    return ""


_QUOTED: Final = re.compile(r"`([^`\s]+)`")
_BARE: Final = re.compile(r"(?<![\w/:.`-])[\w.-]+(?:/[\w.-]+)*(?![\w/`-])")
_ENDING: Final = re.compile(r"\.[A-Za-z][A-Za-z0-9]{0,9}$")
# fmt: off
_ENDINGS: Final = frozenset({
    "c", "cc", "cfg", "cpp", "cs", "css", "csv", "go", "h", "html", "ini", "java", "js", "json",
    "jsx", "kt", "md", "mjs", "php", "prisma", "proto", "py", "rb", "rs", "scss", "sh", "sql", "svelte",
    "swift", "toml", "ts", "tsx", "txt", "vue", "xml", "yaml", "yml",
})
# fmt: on
_NO_FILE: Final = frozenset({"e.g", "i.e", "etc"})


def paths_in(text: str, quoted_only: bool = False) -> tuple[str, ...]:
    """Return file paths in a text: in backticks, or (unless `quoted_only`) as words with a slash and an ending."""
    named = [found[1] for found in _QUOTED.finditer(text)]
    if not quoted_only:
        named += [word for found in _BARE.finditer(_QUOTED.sub(" ", text)) if "/" in (word := found[0].rstrip("."))]
    paths = (name for name in named if _is_file(name))
    return tuple(dict.fromkeys(paths))


def _is_file(name: str) -> bool:
    last = name.rpartition("/")[2]
    if "/" not in name and _ENDING.sub("", name) in _NO_FILE:
        return False
    if "://" in name or re.search(r"[()<>*?\[\]{}=,;|&$\"']", name):
        return False
    # `json.loads` is no file: without a directory the ending must be a known one.
    known = "/" in name or last.rpartition(".")[2].lower() in _ENDINGS
    return bool(_ENDING.search(last)) and known and not path_problem(name)

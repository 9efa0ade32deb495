"""What a path in a task list may look like. Pure: looks at the text only, never at a file system."""

from __future__ import annotations


def path_problem(path: str) -> str:
    """Why this is no path inside a repository, as the end of a sentence; "" when it is one."""
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

"""The language of a file, by its name alone. Pure; must never look into a file."""

from __future__ import annotations

_BY_ENDING = {
    "py": "python", "pyi": "python", "js": "javascript", "jsx": "javascript", "mjs": "javascript", "cjs": "javascript",
    "ts": "typescript", "tsx": "typescript", "mts": "typescript", "cts": "typescript", "vue": "vue", "svelte": "svelte",
    "go": "go", "rs": "rust", "java": "java", "kt": "kotlin", "kts": "kotlin", "scala": "scala", "rb": "ruby", "php": "php",
    "c": "c", "h": "c", "cc": "cpp", "cpp": "cpp", "cxx": "cpp", "hpp": "cpp", "cs": "csharp", "swift": "swift",
    "dart": "dart", "ex": "elixir", "exs": "elixir", "lua": "lua", "sh": "shell", "bash": "shell", "ps1": "powershell",
    "sql": "sql", "html": "html", "htm": "html", "css": "css", "scss": "scss", "md": "markdown", "json": "json",
    "yaml": "yaml", "yml": "yaml", "toml": "toml", "ini": "ini", "cfg": "ini", "xml": "xml", "svg": "xml", "txt": "text",
    "proto": "protobuf", "tf": "terraform",
}  # fmt: skip
_BY_NAME = {
    "makefile": "makefile",
    "gnumakefile": "makefile",
    "dockerfile": "dockerfile",
    "containerfile": "dockerfile",
    "go.mod": "go",
    "gemfile": "ruby",
    "rakefile": "ruby",
}


def language_of(path: str) -> str:
    """Return the language of a file by its name, "" when the name does not tell."""
    name = path.rpartition("/")[2].lower()
    stem, dot, ending = name.rpartition(".")
    return _BY_NAME.get(name) or (_BY_ENDING.get(ending, "") if dot and stem else "")

"""Judges comments of a patch that silence a linter, type checker, coverage or scanner. Must never run any of them."""

from __future__ import annotations

import io
import re
import tokenize
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from buildwright.core.finding import Finding, Severity
from buildwright.core.languages import language_of
from buildwright.gates.changed import checkout, read_bytes
from buildwright.gates.compared import Compared, base_text, compared, is_open, opening, text_of
from buildwright.gates.reporting import finding, judgement
from buildwright.gates.script import is_script, line, parse, text, walk
from buildwright.ports import Judged, Judgement


class _Kind(NamedTuple):
    """A way to silence a tool, and how to see that a project uses that tool."""

    name: str
    comment: str
    """Regular expression of what the comment says."""
    languages: str
    """Separated by spaces; "" for all."""
    files: tuple[str, ...] = ()
    """Settings at the top whose presence shows the tool; () when the tool always judges (a compiler, a secret scan)."""
    words: tuple[str, ...] = ()
    """What the manifests say where the tool is set up in them."""


_SCRIPTS = "javascript typescript vue svelte"
_ESLINT = tuple(
    f"{stem}{end}"
    for stem, ends in {
        ".eslintrc": ("", ".js", ".cjs", ".json", ".yml", ".yaml"),
        "eslint.config": (".js", ".mjs", ".cjs", ".ts"),
    }.items()
    for end in ends
)
_KINDS = (
    _Kind(
        "noqa",
        r"(?:ruff|flake8)?:?\s*noqa\b|ruff:\s*(?:ignore|disable)\b",
        "python",
        ("ruff.toml", ".ruff.toml", ".flake8"),
        ("[tool.ruff", "[flake8]", "flake8", "ruff"),
    ),
    _Kind(
        "type: ignore",
        r"(?:type|mypy|ty):\s*ignore",
        "python",
        ("mypy.ini", ".mypy.ini"),
        ("mypy", "pyright", "[tool.ty"),
    ),
    _Kind(
        "pyright: ignore",
        r"(?:based)?pyright:\s*(?:ignore|basic|\w+=(?:false|none))",
        "python",
        ("pyrightconfig.json",),
        ("pyright",),
    ),
    _Kind(
        "pyre", r"pyre-(?:ignore|fixme)|pyrefly:\s*ignore", "python", ("pyrefly.toml", ".pyre_configuration"), ("pyre",)
    ),
    _Kind("pylint: disable", r"pylint:\s*(?:disable|skip-file)", "python", (".pylintrc", "pylintrc"), ("pylint",)),
    _Kind("nosec", r"nosec\b", "python", (".bandit", "bandit.yaml"), ("bandit", '"S"', "'S'")),
    _Kind("fmt: off", r"(?:fmt|yapf):\s*(?:off|skip|disable)", "python", (), ()),
    _Kind("isort", r"isort:\s*(?:skip|off)", "python", (".isort.cfg",), ("isort",)),
    _Kind("no cover", r"pragma:\s*no\s*(?:cover|branch)", "python", (".coveragerc",), ("coverage", "pytest-cov")),
    _Kind("eslint-disable", r"eslint(?:-disable|\s+[\w/@-]+:\s*(?:0|\"?off))", _SCRIPTS, _ESLINT, ("eslint",)),
    _Kind("oxlint-disable", r"oxlint-disable", _SCRIPTS, (".oxlintrc.json",), ("oxlint",)),
    _Kind("biome-ignore", r"biome-ignore", _SCRIPTS, ("biome.json", "biome.jsonc"), ("biome",)),
    _Kind(
        "ts-ignore",
        r"@ts-(?:ignore|nocheck|expect-error)",
        _SCRIPTS,
        ("tsconfig.json", "jsconfig.json"),
        ("typescript",),
    ),
    _Kind("prettier-ignore", r"prettier-ignore", "", (".prettierrc", ".prettierrc.json"), ("prettier",)),
    _Kind(
        "coverage ignore",
        r"(?:istanbul|c8|v8|node:coverage)\s+(?:ignore|disable)",
        _SCRIPTS,
        (".nycrc", ".c8rc.json"),
        ("c8", "nyc", "coverage"),
    ),
    _Kind(
        "nolint",
        r"nolint\b|lint:(?:file-)?ignore",
        "go",
        (".golangci.yml", ".golangci.yaml", ".golangci.toml"),
        ("staticcheck",),
    ),
    _Kind("NOLINT", r"NOLINT(?:NEXTLINE|BEGIN)?\b", "c cpp", (".clang-tidy", "CPPLINT.cfg"), ("clang-tidy",)),
    _Kind(
        "secret scan",
        r"(?:kingfisher|gitleaks|trufflehog|betterleaks|ggignore|semgrep)\s*:\s*(?:ignore|allow)|"
        r"allowlist\s+secret|nosemgrep|nosonar",
        "",
    ),
    _Kind("rubocop", r"rubocop:\s*(?:disable|todo)", "ruby", (".rubocop.yml",), ("rubocop",)),
    _Kind(
        "phpstan",
        r"@phpstan-ignore|phpcs:\s*(?:ignore|disable)|@psalm-suppress",
        "php",
        ("phpstan.neon", "psalm.xml"),
        ("phpstan",),
    ),
    _Kind("checkstyle", r"CHECKSTYLE:?\s*OFF|NOPMD|NOSONAR", "java kotlin", ("checkstyle.xml",), ("checkstyle", "pmd")),
    _Kind("swiftlint", r"swiftlint:\s*disable", "swift", (".swiftlint.yml",), ()),
    _Kind("shellcheck", r"shellcheck\s+disable", "shell", (".shellcheckrc",), ("shellcheck",)),
    _Kind("hadolint", r"hadolint\s+ignore", "dockerfile", (".hadolint.yaml",), ("hadolint",)),
)
_LAYOUT = frozenset(("fmt: off", "prettier-ignore", "isort"))
"""These silence what is about layout alone: a note of style, not of proof."""
_ATTRIBUTES = (
    _Kind("allow", r"#!?\[\s*(?:allow|expect|cfg_attr\([^\]]*allow)\s*\(", "rust"),
    _Kind("SuppressWarnings", r"@(?:file:)?Suppress(?:Warnings|FBWarnings)?\b", "java kotlin scala"),
    _Kind("pragma warning", r"#\s*pragma\s+warning\s+disable|SuppressMessage\(", "csharp"),
    _Kind("diagnostic", r"#\s*pragma\s+(?:GCC|clang)\s+diagnostic\s+ignored", "c cpp"),
)
"""These stand in the code itself."""
_PATTERNS = {kind.name: re.compile(kind.comment, re.IGNORECASE) for kind in (*_KINDS, *_ATTRIBUTES)}
_WORDS = (
    *(
        "noqa",
        "ignore",
        "disable",
        "nosec",
        "fmt:",
        "yapf:",
        "isort:",
        "pragma",
        "eslint",
        "@ts-",
        "nolint",
        "suppress",
    ),
    *("allow", "expect", "nosem", "nosonar", "nopmd", "checkstyle", "todo", "pyre", "pyright", "off"),
)
"""A file without any of these has no comment that silences."""
_COMMENT = re.compile(r"(?:#|//|/\*|<!--|--|;)(.*)")
_MANIFESTS = ("pyproject.toml", "setup.cfg", "tox.ini", "package.json", "build.gradle", "build.gradle.kts", "pom.xml")


class SuppressionsGate:
    """Refuses more comments of a kind than the lines had that the patch takes away.

    An error where the project has set up the tool that is silenced (also if this patch takes its settings away), else a
    warning. Moving a line with its comment changes nothing.
    """

    name = "suppressions"
    needs_files = True
    refuses = "new comments that silence a linter, type checker, coverage or scanner"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        files = [file for file in await compared(judged) if not is_open(judged, file.path, named=False)]
        fresh = list(_fresh(files))
        settings = await _settings(judged) if fresh else ""
        tops = await _tops(judged, {kind for kind, _, _ in fresh})
        return [
            judgement(self.name, "lint", [_said(kind, place, number, settings, tops) for kind, place, number in fresh])
        ]


def _fresh(files: list[Compared]) -> Iterator[tuple[_Kind, str, int]]:
    """Yield the comments that are more than before over the whole patch, each with its file and line."""
    before: Counter[str] = Counter()
    places: dict[str, list[tuple[_Kind, str, int]]] = {}
    for file in files:
        old = Counter(kind.name for kind, _ in _silences(file.path, file.before))
        before.update(old)
        for kind, number in _silences(file.path, file.after):
            old[kind.name] -= 1
            found = places.setdefault(kind.name, [])
            # Those in files that had none come first: they are most likely the new ones.
            found.insert(len(found) if old[kind.name] < 0 else 0, (kind, file.path, number))
    for name, found in places.items():
        if len(found) > before[name]:
            yield from found[before[name] :]


def _silences(path: str, source: str | None) -> list[tuple[_Kind, int]]:
    language = language_of(path)
    if source is None or not language or language in {"markdown", "text", "json", "html", "xml"}:
        return []
    lower = source.lower()
    if not any(word in lower for word in _WORDS):
        return []
    found = [
        (kind, number)
        for number, comment in _comments(path, language, source)
        for kind in _KINDS
        if (not kind.languages or language in kind.languages.split()) and _PATTERNS[kind.name].search(comment)
    ]
    for kind in _ATTRIBUTES:
        if language in kind.languages.split():
            for number, one in enumerate(source.splitlines(), 1):
                if _PATTERNS[kind.name].search(one) and not one.lstrip().startswith("//"):
                    found.append((kind, number))
    return found


def _comments(path: str, language: str, source: str) -> Iterator[tuple[int, str]]:
    if language == "python":
        try:
            for token in tokenize.generate_tokens(io.StringIO(source).readline):
                if token.type == tokenize.COMMENT:
                    yield token.start[0], token.string
        except (tokenize.TokenError, SyntaxError, ValueError):
            yield from _rough_comments(source)
    elif is_script(path):
        try:
            nodes = list(walk(parse(path, source)))
        except RecursionError:
            yield from _rough_comments(source)
            return
        for node in nodes:
            if node.type in {"comment", "html_comment"}:
                yield line(node), text(node)
    else:
        yield from _rough_comments(source)


def _rough_comments(source: str) -> Iterator[tuple[int, str]]:
    for number, one in enumerate(source.splitlines(), 1):
        if found := _COMMENT.search(one):
            yield number, found[1]


async def _settings(judged: Judged) -> str:
    """Return the manifests at the top, of the base and of the patch, as one text."""
    root = checkout(judged)
    texts = []
    for name in _MANIFESTS:
        texts += [await base_text(judged, name), text_of(read_bytes(root, name))]
    return "\n".join(filter(None, texts))


async def _tops(judged: Judged, kinds: set[_Kind]) -> frozenset[str]:
    """Return the settings of tools that lie at the top of the base or the patch."""
    root: Path = checkout(judged)
    names = {name for kind in kinds for name in kind.files}
    return frozenset([name for name in names if (root / name).is_file() or await base_text(judged, name) is not None])


def _said(kind: _Kind, path: str, number: int, settings: str, tops: frozenset[str]) -> Finding:
    is_set_up = (
        not (kind.files or kind.words) or bool(tops & set(kind.files)) or any(word in settings for word in kind.words)
    )
    severity: Severity = "error" if is_set_up and kind.name not in _LAYOUT else "warning"
    message = f"A new comment silences what judges {path} ({kind.name})."
    fix = "fix what the tool finds, and leave the comment out" + opening(path)
    return finding("suppressions.new", message, path, number, severity=severity, fix=fix)

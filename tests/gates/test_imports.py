"""Imports of six languages, and what each of them is by the manifests of a project."""

from __future__ import annotations

import pytest

from buildwright.gates.imports import code_lines, imports_of
from buildwright.gates.manifests import read_manifest
from buildwright.gates.resolver import Resolver

SOURCES = {
    "a.py": (
        (
            "import a.b as c, d\nfrom . import x\nfrom ..e.f import g\n"
            "importlib.import_module('q.r')\nx = 'import no'  # import no\n"
        ),
        ["a.b", "d", ".", "..e.f", "q.r"],
    ),
    "a.js": (
        (
            "import a from 'x'; export * from './y';\nconst z = require('@s/z/sub');\nimport('w');\n"
            "import 'side';\nfoo('k'); // require('no')\n"
        ),
        ["x", "./y", "@s/z/sub", "w", "side"],
    ),
    "a.tsx": ("import type {A} from 'x';\nimport b = require('c');\nconst p = <div>import 'no'</div>;\n", ["x", "c"]),
    "a.go": ('package main\nimport (\n "fmt"\n x "github.com/a/b"\n)\n', ["fmt", "github.com/a/b"]),
    "a.rs": ("use std::io;\nuse {q::b, r};\nextern crate foo;\nuse crate::x;\n", ["std", "q", "r", "foo", "crate"]),
    "a.java": (
        "package x;\nimport java.util.List;\nimport static org.junit.Assert.*;\n",
        ["java.util.List", "org.junit.Assert"],
    ),
    "a.txt": ("import os\n", []),
}


@pytest.mark.parametrize("path", SOURCES)
def test_imports_are_found(path: str) -> None:
    text, names = SOURCES[path]
    assert sorted(one.name for one in imports_of(path, text.encode())) == sorted(names)


def test_a_syntax_error_hides_no_import_before_it() -> None:
    assert [one.name for one in imports_of("a.py", b"import a\nimport b\ndef (:\n")][:2] == ["a", "b"]


def test_guarded_imports_are_told_apart() -> None:
    text = b"try:\n    import a\nexcept ImportError:\n    a = None\nif TYPE_CHECKING:\n    import b\nimport c\n"
    found = {one.name: (one.optional, one.type_only) for one in imports_of("x.py", text)}
    assert found == {"a": (True, False), "b": (False, True), "c": (False, False)}


def test_comments_and_strings_are_no_code() -> None:
    lines = code_lines("a.js", b"// eval(1)\nconst s = 'eval(2)';\neval(s)\n")
    assert [number for number, line in enumerate(lines, start=1) if "eval(" in line] == [3]


MANIFESTS = {
    "pyproject.toml": '[project]\nname = "my-app"\ndependencies = ["attrs", "PyYAML>=6", "django-foo"]\n'
    '[project.optional-dependencies]\nx = ["Pillow[all]"]\n[dependency-groups]\ndev = ["pytest"]\n',
    "web/package.json": '{"name": "web", "dependencies": {"react": "1", "@s/z": "1"}, "devDependencies": {"@types/y": "1"}}',
    "go.mod": "module example.com/me\n\nrequire (\n\tgithub.com/a/b v1.2.3\n)\n",
    "Cargo.toml": '[package]\nname = "my-crate"\n[dependencies]\nserde_json = "1"\n[target.x.dev-dependencies]\ntok-io = "1"\n',
    "pom.xml": "<project><dependencies><dependency><groupId>org.junit</groupId></dependency></dependencies></project>",
}
PATHS = (
    *MANIFESTS,
    "src/own/__init__.py",
    "src/lib.rs",
    "src/shapes.rs",
    "j/src/com/me/app/A.java",
    "web/src/a.ts",
    "deep/down/hidden.py",
)
KINDS = [
    ("a.py", "import json", "stdlib"),
    ("a.py", "import own.x", "first-party"),
    ("a.py", "import my_app", "first-party"),
    ("a.py", "import attr", "declared"),
    ("a.py", "from yaml import load", "declared"),
    ("a.py", "import PIL", "declared"),
    ("a.py", "import pytest", "declared"),
    ("a.py", "import foo", "unknown"),
    ("a.py", "import hidden", "unknown"),
    ("deep/down/b.py", "import hidden", "first-party"),
    ("a.py", "import cv2", "undeclared"),
    ("a.py", "import requests", "undeclared"),
    ("a.py", "from . import z", "relative"),
    ("web/src/a.ts", "import 'react/jsx-runtime'", "declared"),
    ("web/src/a.ts", "import '@s/z/sub'", "declared"),
    ("web/src/a.ts", "import 'node:fs'", "stdlib"),
    ("web/src/a.ts", "import 'fs/promises'", "stdlib"),
    ("web/src/a.ts", "import type {Y} from 'y'", "declared"),
    ("web/src/a.ts", "import {Y} from 'y'", "undeclared"),
    ("web/src/a.ts", "import '@/own'", "first-party"),
    ("other/a.js", "import 'react'", "unknown"),
    ("a.go", 'package a\nimport "net/http"', "stdlib"),
    ("a.go", 'package a\nimport "example.com/me/x"', "first-party"),
    ("a.go", 'package a\nimport "github.com/a/b/sub"', "declared"),
    ("a.go", 'package a\nimport "github.com/a/bc"', "undeclared"),
    ("src/main.rs", "use std::io;", "stdlib"),
    ("src/main.rs", "use my_crate::x;", "first-party"),
    ("src/main.rs", "use shapes::Circle;", "first-party"),
    ("src/main.rs", "use serde_json::Value;", "declared"),
    ("src/main.rs", "use tok_io::x;", "declared"),
    ("src/main.rs", "use rand::Rng;", "undeclared"),
    ("B.java", "import java.util.List;", "stdlib"),
    ("B.java", "import com.me.app.A;", "first-party"),
    ("B.java", "import org.junit.Test;", "declared"),
    ("B.java", "import com.acme.Thing;", "unknown"),
]


@pytest.mark.parametrize(("path", "text", "kind"), KINDS)
def test_an_import_is_what_the_manifests_say(path: str, text: str, kind: str) -> None:
    read = [read_manifest(name, told) for name, told in MANIFESTS.items()]
    assert None not in read
    resolver = Resolver(PATHS, [one for one in read if one is not None])
    (found,) = imports_of(path, text.encode())
    assert resolver.resolve(path, found).kind == kind

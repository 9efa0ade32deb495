"""The gates that look at a patch and its files, without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buildwright.core.finding import MOST_FINDINGS
from buildwright.core.patch import FileChange, Patch
from buildwright.errors import BadSettings, GateBroken
from buildwright.gates import GATES, gates
from buildwright.gates.compared import compared
from buildwright.gates.conflicts import ConflictMarkersGate, conflict_line
from buildwright.gates.links import LinksGate
from buildwright.gates.scope import ScopeGate
from buildwright.gates.surface import is_test
from buildwright.gates.syntax import SyntaxGate
from buildwright.ports import Gate, Judged
from buildwright.sandbox import NoSandbox
from tests.gates.projects import change, changed, judged, patch, write


async def said(gate: Gate, what: Judged) -> list[tuple[str, str]]:
    judgements = await gate.judge(what)
    assert len(judgements) == 1
    report, output = judgements[0]
    assert report.ok == all(one.severity != "error" for one in report.findings)
    assert len(output.splitlines()) >= len(report.findings)
    return [(one.code, one.severity) for one in report.findings]


def test_gates_come_in_their_order() -> None:
    made = gates(NoSandbox(), "/usr/bin")
    names = [gate.name for gate in made]
    assert len(names) == len(set(names))
    assert (names[0], names[-3:]) == ("scope", ["checks", "acceptance", "sealed"]), "what runs commands comes last"
    assert [f"{type(gate).__module__}:{type(gate).__name__}" for gate in made] == list(GATES)


def test_a_gate_of_another_package_judges_after_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "their_gate.py").write_text(
        "class NoPoems:\n    name, needs_files, refuses = 'poems', False, 'poems'\n"
        "    async def judge(self, judged):\n        return []\n"
    )
    package = tmp_path / "their_gate-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: their-gate\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text("[buildwright.gates]\npoems = their_gate:NoPoems\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [gate.name for gate in gates(NoSandbox(), "/usr/bin")][-2:] == ["sealed", "poems"]
    (package / "entry_points.txt").write_text("[buildwright.gates]\npoems = their_gate:Gone\n")
    with pytest.raises(BadSettings, match=r"poems \(their_gate:Gone\) cannot be loaded"):
        gates(NoSandbox(), "/usr/bin")


@pytest.mark.parametrize(
    "gate", [gate for gate in gates(NoSandbox(), "/usr/bin") if gate.name != "checks"], ids=lambda gate: gate.name
)
async def test_without_a_patch_there_is_nothing_to_say(gate: Gate, tmp_path: Path) -> None:
    assert await gate.judge(judged(tmp_path)) == []


@pytest.mark.parametrize("gate", gates(NoSandbox(), "/usr/bin")[1:], ids=lambda gate: gate.name)
async def test_without_files_a_gate_cannot_judge(gate: Gate) -> None:
    with pytest.raises(GateBroken):
        await gate.judge(judged(what=patch(change("a.py", mode="120000"))))


SCOPES: list[tuple[str, Any, dict[str, Any], list[tuple[str, str]]]] = [
    ("nothing", patch(), {}, [("scope.empty", "error")]),
    ("named", patch("src/a.py"), {"files_expected": ("src/a.py",)}, []),
    ("named directory", patch("src/deep/a.py"), {"files_expected": ("src/",)}, []),
    ("named glob", patch("src/a.py"), {"files_expected": ("src/*.py",)}, []),
    ("no files named", patch("anything.py"), {}, []),
    ("its test", patch("tests/test_a.py"), {"files_expected": ("src/a.py",)}, []),
    ("lock file", patch("web/package-lock.json"), {"files_expected": ("web/package.json",)}, []),
    ("same stem", patch("src/card.module.css"), {"files_expected": ("src/card.tsx",)}, []),
    ("outside", patch("src/b.py"), {"files_expected": ("src/a.py",)}, [("scope.outside", "note")]),
    ("workflow", patch(".github/workflows/ci.yml"), {}, [("scope.protected", "error")]),
    ("its own checks", patch("buildwright.toml"), {}, [("scope.protected", "error")]),
    (
        "named and protected",
        patch(".github/workflows/ci.yml"),
        {"files_expected": (".github/workflows/ci.yml",)},
        [("scope.protected", "error")],
    ),
    ("submodule", patch(change("lib", "added", mode="160000")), {}, [("scope.submodule", "error")]),
    ("submodule gone", patch(change("lib", "deleted", old_mode="160000")), {}, [("scope.submodule", "error")]),
    ("odd name", patch("a\nb.py"), {}, [("scope.unsafe", "error")]),
]


@pytest.mark.parametrize(("what", "task", "expected"), [case[1:] for case in SCOPES], ids=[case[0] for case in SCOPES])
async def test_scope(what: Any, task: dict[str, Any], expected: list[tuple[str, str]]) -> None:
    assert await said(ScopeGate(), judged(what=what, task=task)) == expected


async def test_changes_outside_of_the_part_of_a_build_are_noted() -> None:
    part = "packages/a"
    task = {"files_expected": ("src/x.py", "packages/a/y.py")}
    inside = patch("packages/a/src/x.py", "packages/a/y.py", "package-lock.json")
    assert await said(ScopeGate(), judged(what=inside, task=task, part=part)) == []
    outside = patch("packages/ab/z.py", *(f"docs/{number}.md" for number in range(6)))
    (done,) = await ScopeGate().judge(judged(what=outside, part=part))
    (only,) = done.report.findings
    assert (only.code, only.severity, done.report.ok) == ("scope.outside_part", "warning", True)
    assert "docs/3.md and 2 more" in only.message
    for path in ("buildwright.toml", "packages/buildwright.toml", "packages/a/buildwright.toml"):
        assert ("scope.protected", "error") in await said(ScopeGate(), judged(what=patch(path), part=part))


async def test_a_large_new_file_is_warned_of() -> None:
    changes = [
        FileChange(path=path, kind=kind, mode="100644", size=1_280_000)
        for path, kind in (("data.json", "added"), ("package-lock.json", "added"), ("old.json", "modified"))
    ]
    (done,) = await ScopeGate().judge(judged(None, Patch(base_tree="t", tree="u", changes=tuple(changes))))
    (only,) = done.report.findings
    assert (only.code, only.severity, only.file, done.report.ok) == ("scope.large", "warning", "data.json", True)
    assert "1.3 MB" in only.message


async def test_a_person_may_open_a_protected_path() -> None:
    what = patch(".github/workflows/ci.yml", "secret/key.txt")
    assert await said(ScopeGate(), judged(what=what, allow=(".github/workflows/ci.yml",))) == []
    assert await said(ScopeGate(), judged(what=what, allow=(".github",), protected=("secret",))) == [
        ("scope.protected", "error")
    ]


async def test_findings_are_bounded_and_errors_come_first() -> None:
    many = patch(*(f"other/{number}.txt" for number in range(100)), ".envrc")
    judgements = await ScopeGate().judge(judged(what=many, task={"files_expected": ("a",)}))
    report = judgements[0].report
    assert len(report.findings) == MOST_FINDINGS
    assert report.dropped == 51
    assert report.findings[0].code == "scope.protected"


@pytest.mark.parametrize("path", ["tests/a.py", "test_a.py", "a_test.go", "a.test.ts", "a.spec.js", "src/ATest.java"])
def test_tests_are_known_by_name(path: str) -> None:
    assert is_test(path)


@pytest.mark.parametrize("path", ["src/a.py", "latest.py", "contest/a.py", "attest.go"])
def test_other_files_are_not_tests(path: str) -> None:
    assert not is_test(path)


@pytest.mark.parametrize(
    ("target", "is_refused"),
    [("/etc/passwd", True), ("../../etc/passwd", True), ("../a.txt", False), ("up/etc", True), ("gone.txt", False)],
)
async def test_links_stay_inside(tmp_path: Path, target: str, is_refused: bool) -> None:
    root = write(tmp_path / "root", {"a.txt": "a", "deep/b.txt": "b"})
    (root / "deep" / "up").symlink_to("../..")
    (root / "deep" / "link").symlink_to(target)
    what = patch(change("deep/link", "added", mode="120000"))
    found = await said(LinksGate(), judged(root, what))
    assert found == ([("links.outside", "error")] if is_refused else [])


MARKED = "a\n<<<<<<< ours\nb\n=======\nc\n>>>>>>> theirs\n"


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (MARKED, 2),
        (MARKED.replace("\n", "\r\n"), 2),
        ("Title\n=======\n", None),
        ("<<<<<<< only this\n", None),
        (" <<<<<<< x\n =======\n >>>>>>> y\n", None),
        (">>>>>>> y\n=======\n<<<<<<< x\n", None),
    ],
)
def test_conflict_marks_need_all_three(text: str, line: int | None) -> None:
    assert conflict_line(text) == line


async def test_only_changed_text_is_searched_for_conflicts(tmp_path: Path) -> None:
    write(tmp_path, {"old.txt": MARKED, "new.txt": MARKED})
    (tmp_path / "image.bin").write_bytes(b"\0" + MARKED.encode())
    what = patch("new.txt", "image.bin", change("old.txt", "deleted"))
    judgements = await ConflictMarkersGate().judge(judged(tmp_path, what))
    assert [(one.file, one.line) for one in judgements[0].report.findings] == [("new.txt", 2)]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8"])
async def test_text_is_read_in_the_encoding_that_a_checkout_has(tmp_path: Path, encoding: str) -> None:
    """With `working-tree-encoding=UTF-16` git stores UTF-8: the base is read as stored, the change as checked out."""
    was, now = "Les mots: été\n", "Les mots: été, hiver\n"
    what = changed(tmp_path, {"a.txt": was}, {"a.txt": now})
    assert what.files is not None
    (what.files / "a.txt").write_bytes(now.encode(encoding))
    (one,) = await compared(what)
    assert (one.before, one.after) == (was, now)
    (what.files / "a.txt").write_bytes(MARKED.encode(encoding))
    assert await said(ConflictMarkersGate(), what) == [("conflicts.marker", "error")]


async def test_a_link_in_the_tree_is_not_read_through(tmp_path: Path) -> None:
    outside = write(tmp_path / "outside", {"x.py": "def ("})
    root = tmp_path / "root"
    root.mkdir()
    (root / "x.py").symlink_to(outside / "x.py")
    (root / "sub").symlink_to(outside)
    assert await said(SyntaxGate(), judged(root, patch("x.py", "sub/x.py"))) == []


SYNTAX = [
    ("a.py", "x = 1\n", []),
    ("a.py", "x = 1\ndef f(:\n", [("syntax.python", "error", 2)]),
    ("a.py", "return 1\n", [("syntax.python", "error", 1)]),
    ("a.py", "x = '\\d'\n", []),
    ("tests/data/a.py", "def f(:\n", [("syntax.python", "warning", 1)]),
    ("a.json", '{"a": [1, 2]}', []),
    ("a.json", '{\n"a": 1,\n}', [("syntax.json", "error", 3)]),
    ("a.json", "[" * 100_000, [("syntax.json", "error", None)]),
    ("tsconfig.json", "{ // comment\n}", []),
    ("a.toml", "a = 1\n", []),
    ("a.toml", "a = 1\nb = = 2\n", [("syntax.toml", "error", 2)]),
    ("a.yaml", "a: 1\nb: [1, 2]\n---\nc: !custom 3\n", []),
    ("a.yml", "a: 1\nb: [1, 2\nc: 3\n", [("syntax.yaml", "error", 3)]),
    ("chart.yaml", "a: {{ .Values.x }}\n  b: 1\n", []),
    ("a.md", "def f(:\n", []),
    ("a.js", "export const f = async (a) => a?.b ?? 1;\n", []),
    ("a.jsx", "const a = <p className='x'>{y}</p>;\n", []),
    ("a.js", "const a = 1;\nfunction f( {\n", [("syntax.javascript", "error", 2)]),
    ("a.mjs", "[" * 2_000 + "]" * 2_000, [("syntax.javascript", "error", None)]),
    ("a.js", "// @flow\ntype A = {| a: number |};\n", []),
    ("a.ts", "const a = { b: 1 } satisfies Foo;\nabstract class A { abstract f(): void }\n", []),
    ("a.tsx", "const a = (b: number => 1;\n", [("syntax.typescript", "warning", 1)]),
    ("a.html", "<!doctype html>\n<title>A</title>\n<ul><li>a<li>b</ul>\n", []),
    ("a.html", "<ul>\n<li>a</p>\n</ul>\n", [("syntax.html", "error", 2)]),
    ("page.html", "<p>{{ name }}</div>\n", []),
]


@pytest.mark.parametrize(("path", "text", "expected"), SYNTAX, ids=[f"{case[0]}-{n}" for n, case in enumerate(SYNTAX)])
async def test_syntax(tmp_path: Path, path: str, text: str, expected: list[tuple[str, str, int | None]]) -> None:
    write(tmp_path, {path: text})
    judgements = await SyntaxGate().judge(judged(tmp_path, patch(path)))
    report = judgements[0].report
    assert [(one.code, one.severity, one.line) for one in report.findings] == expected
    assert {one.file for one in report.findings} <= {path}


async def test_a_newer_python_is_not_called_wrong(tmp_path: Path) -> None:
    write(tmp_path, {"pyproject.toml": '[project]\nrequires-python = ">=3.99"\n', "a.py": "brandnew syntax\n"})
    assert await said(SyntaxGate(), judged(tmp_path, patch("a.py"))) == [("syntax.python", "warning")]


@pytest.mark.parametrize(
    ("text", "severity"), [("def f(:\n    x\n", "warning"), ("def f(:\n", "warning"), ("x = 1\n", "error")]
)
async def test_a_file_that_could_not_be_read_before_is_not_the_changes(
    tmp_path: Path, text: str, severity: str
) -> None:
    what = changed(tmp_path, {"a.py": text}, {"a.py": "def f(:\n    y\n"})
    assert await said(SyntaxGate(), what) == [("syntax.python", severity)]


async def test_marks_of_a_conflict_that_the_base_has_are_not_the_changes(tmp_path: Path) -> None:
    marks = "\n<<<<<<< a\n1\n=======\n2\n>>>>>>> b\n"
    what = changed(tmp_path, {"guide.md": f"Looks like this:{marks}"}, {"guide.md": f"It looks like this:{marks}"})
    assert await said(ConflictMarkersGate(), what) == []
    more = changed(tmp_path / "b", {"guide.md": f"Like this:{marks}"}, {"guide.md": f"Like this:{marks}{marks}"})
    assert await said(ConflictMarkersGate(), more) == [("conflicts.marker", "error")]

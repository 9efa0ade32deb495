"""What the pages show of the code is what the code says; and the table of moves that they show is kept by real runs."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from buildwright.cli.verbs import VERBS
from buildwright.core.apply import MOVES, apply
from buildwright.core.build import Build, TaskPhase
from buildwright.core.event import BuildCreated
from buildwright.core.graph import Graph
from buildwright.core.limits import Options
from tests.core.machine import Machine, graphs, options
from tests.docs.pages import ROOT, read

SCRIPT = ROOT / "docs" / "generate.py"
SOURCE = ROOT / "src" / "buildwright"


@pytest.fixture
def generate() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_docs", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_generated_parts_are_current() -> None:
    done = subprocess.run([sys.executable, SCRIPT, "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_stale_page_is_found_and_drawn_again(
    generate: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "guides").mkdir()
    for page in generate.PAGES:
        (tmp_path / page).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / page).write_text(read(ROOT / page), encoding="utf-8")
    stale = tmp_path / "docs" / "flow.md"
    stale.write_text(read(stale).replace("ready --> working", "ready --> done"), encoding="utf-8")
    assert generate.main(["--check"], tmp_path) == 1
    assert "make docs" in capsys.readouterr().err
    assert "ready --> done" in read(stale), "a check changes nothing"
    assert generate.main([], tmp_path) == 0
    assert read(stale) == read(ROOT / "docs" / "flow.md")
    assert generate.main(["--check"], tmp_path) == 0


def test_a_page_without_its_markers_is_an_error(generate: ModuleType) -> None:
    with pytest.raises(ValueError, match="markers of moves"):
        generate.drawn("# A page", {"moves": generate.moves})


def test_the_map_names_every_package_and_module(generate: ModuleType) -> None:
    page = read(ROOT / "docs" / "architecture.md")
    rows = dict(re.findall(r"^\| `([\w/.]+)` \| .* \| ?(.*?) ?\|$", page, re.MULTILINE))
    for module in SOURCE.rglob("*.py"):
        where = module.parent.relative_to(SOURCE).as_posix()
        if "base" in module.parts or module == SOURCE / "__init__.py":
            continue
        if where == ".":
            assert module.name in rows
        else:
            assert f"{where}/" in rows
            assert module.stem == "__init__" or f"`{module.stem}`" in rows[f"{where}/"], module


def test_every_package_has_a_readme_with_its_generated_list_of_files(generate: ModuleType) -> None:
    for package in SOURCE.glob("*/__init__.py"):
        assert f"src/buildwright/{package.parent.name}/README.md" in generate.PAGES


@settings(max_examples=100, deadline=None)
@given(graph=graphs(), chosen=options(), data=st.data())
def test_what_happens_to_a_build_is_in_the_table(graph: Graph, chosen: Options, data: st.DataObject) -> None:
    machine = Machine(graph, chosen, lambda n: data.draw(st.integers(0, n - 1)))
    machine.run()
    build: Any = None
    for recorded in machine.journal:
        before: Build | None = build
        build = apply(build, recorded)
        if before is None:
            assert isinstance(recorded.event, BuildCreated)
            continue
        move = MOVES[type(recorded.event)]
        assert build.stage in {before.stage, *move.to_stage}, recorded.event.type
        assert build.control in {before.control, *move.to_control}, recorded.event.type
        if move.tasks:
            task = getattr(recorded.event, "task", "")
            assert build.task(task).phase in {before.task(task).phase, *move.to}, recorded.event.type


def test_every_phase_of_a_task_can_be_left_or_is_an_end() -> None:
    left = {phase for move in MOVES.values() if move.to for phase in move.tasks}
    assert set(TaskPhase) - left == {TaskPhase.WAITING, TaskPhase.PARKED}


def test_every_decision_has_its_four_parts_and_its_place_in_the_list() -> None:
    folder = ROOT / "docs" / "adr"
    index = read(folder / "README.md")
    pages = sorted(folder.glob("0*.md"))
    assert len(pages) >= 9
    for number, page in enumerate(pages, start=1):
        text = read(page)
        assert page.name.startswith(f"{number:04d}-")
        assert text.startswith(f"# {number}. ")
        assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Status", "Context", "Decision", "Consequences"]
        for part in re.split(r"^## .+$", text, flags=re.MULTILINE)[1:]:
            assert part.strip(), page.name
        assert f"({page.name})" in index


def test_the_glossary_is_in_order_and_says_each_word_once() -> None:
    words = re.findall(r"^\| ([a-z][^|]*?) \| ", read(ROOT / "docs" / "glossary.md"), re.MULTILINE)[1:]
    assert words == sorted(set(words))
    assert len(words) > 40


def test_no_class_name_stands_for_two_things() -> None:
    places: dict[str, list[str]] = {}
    for module in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                places.setdefault(node.name, []).append(module.relative_to(SOURCE).as_posix())
    assert {name: where for name, where in places.items() if len(where) > 1} == {}


def test_what_is_large_says_why() -> None:
    large: dict[str, ast.Module | ast.ClassDef] = {}
    for module in SOURCE.rglob("*.py"):
        text = module.read_text(encoding="utf-8")
        tree = ast.parse(text)
        if text.count("\n") > 500:
            large[module.relative_to(SOURCE).as_posix()] = tree
        large |= {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and _lines(node) > 250}
    said = {name: " ".join((ast.get_docstring(node) or "").lower().split()) for name, node in large.items()}
    assert [name for name, words in said.items() if "large because" not in words] == []


def test_functions_are_at_most_sixty_lines() -> None:
    functions = [
        node
        for module in SOURCE.rglob("*.py")
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]
    assert [node.name for node in functions if _lines(node) > 60] == []


def _lines(node: ast.stmt) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_words_that_a_reader_would_pause_at_are_found(tmp_path: Path) -> None:
    module = tmp_path / "module.py"
    module.write_text(
        '"""Holds what somebody asked for (P4)."""\n\nwho = "somebody"  # whoever comes\nraise ValueError("mend it")\n',
        encoding="utf-8",
    )
    done = subprocess.run(
        [sys.executable, SCRIPT.with_name("words.py"), module], capture_output=True, text=True, check=False
    )
    found = re.findall(r":(\d): '(.*?)'", done.stdout)
    assert (done.returncode, sorted(found)) == (1, [("1", "(P4)"), ("1", "somebody"), ("3", "whoever"), ("4", "mend")])


def test_the_manual_has_every_verb_and_option_and_is_plain_roff(generate: ModuleType) -> None:
    page = read(ROOT / generate.MANUAL)
    shown = page.replace("\\-", "-")
    for verb in VERBS:
        assert f"\n.B buildwright {verb.name}\n" in shown
        assert all(f"$ {example}\n" in shown.replace("\\e", "\\").replace("\\`", "`") for example in verb.examples)
    for option in ("--accept-base", "--max-cost", "--quiet, -q", "--state", "--with-dependents"):
        assert f"\n.B {option}" in shown, option
    requests = {line.split()[0] for line in page.splitlines() if line.startswith((".", "'"))}
    assert requests == {".TH", ".SH", ".TP", ".B", ".I", ".IP", ".RS", ".RE"}
    assert page.count("\n.RS\n") == page.count("\n.RE\n")
    escapes = set(re.findall(r"\\.", page))
    assert escapes <= {"\\-", "\\e", "\\`", "\\&"}, escapes

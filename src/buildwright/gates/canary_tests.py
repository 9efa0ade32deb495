"""Writes canary tests in the form of each runner, with words that nothing can look for. Must never touch a file."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable, Mapping
from typing import NamedTuple

from buildwright.gates.junit import Outcome

VERBS = ("adds", "keeps", "sorts", "counts", "joins", "drops", "reads", "finds", "merges", "splits", "rounds", "maps")
NOUNS = (
    "totals",
    "names",
    "rows",
    "items",
    "values",
    "ranges",
    "labels",
    "pages",
    "steps",
    "limits",
    "groups",
    "keys",
)
ENDS = ("order", "input", "entries", "parts", "results", "bounds", "lists", "sums", "pairs", "edges", "slots", "units")
_IMPORTS = re.compile(r"^\s*(?:import|export)\b", re.MULTILINE)
_ES2015 = re.compile(r"=>|^\s*(?:const|let|import|export|class)\b|`", re.MULTILINE)
_INDENT = re.compile(r"^([ \t]+)[^\s*]", re.MULTILINE)
_STRICT = re.compile(r"""\s*((['"])use strict\2;?)""")


class CanaryPlan(NamedTuple):
    """The canary tests: a title for each outcome."""

    titles: Mapping[Outcome, str]


Write = Callable[[CanaryPlan, str], str]
"""Writes the tests of a plan in the form of an existing test file, whose text is given."""


def _numbers(outcome: Outcome) -> tuple[str, int]:
    """Return a list of numbers and their sum, which is wrong for the test that fails."""
    numbers = [secrets.randbelow(90) + 5 for _ in range(3)]
    return ", ".join(map(str, numbers)), sum(numbers) + (secrets.randbelow(5) + 1 if outcome == "failed" else 0)


class _Style(NamedTuple):
    """How a file is written, as far as linters look at it."""

    indent: str
    quote: str
    end: str
    """Of a statement."""
    constant: str
    opens: str
    """Opens a function without parameters."""
    adds: str
    """A function that adds two numbers."""


def _style(sample: str) -> _Style:
    """Return the style of a JavaScript file. One without anything of ES2015 may be read by tools that know no such."""
    indent = _INDENT.search(sample)
    statements = [line.rstrip() for line in sample.splitlines() if line.rstrip().endswith((")", ");"))]
    is_new = _ES2015.search(sample) is not None or not sample
    space = " " if "function (" in sample or "function(" not in sample else ""
    with_semicolon = sum(line.endswith(";") for line in statements)
    end = ";" if 2 * with_semicolon >= len(statements) else ""
    one = f"function{space}"
    return _Style(
        indent[1] if indent else "  ",
        '"' if sample.count('"') > sample.count("'") else "'",
        end,
        "const" if is_new else "var",
        "() => {" if is_new else f"{one}() {{",
        "(sum, one) => sum + one" if is_new else f"{one}(sum, one) {{ return sum + one{end} }}",
    )


def _javascript(plan: CanaryPlan, test: str, head: str, sample: str) -> str:
    style = _style(sample)
    indent, quote, end = style.indent, style.quote, style.end
    lines = [head] if head else []
    if strict := _STRICT.match(sample):
        lines.insert(0, f"{strict[1]}\n")
    for outcome, title in plan.titles.items():
        numbers, total = _numbers(outcome)
        called = f"{test}.skip" if outcome == "skipped" else test
        said = f"total + {quote} is not {total}{quote}"
        lines += [
            f"{called}({quote}{title}{quote}, {style.opens}",
            f"{indent}{style.constant} total = [{numbers}].reduce({style.adds}, 0){end}",
            f"{indent}if (total !== {total}) {{",
            f"{indent}{indent}throw new Error({said}){end}",
            f"{indent}}}",
            f"}}){end}",
            "",
        ]
    return "\n".join(lines)


def _import(sample: str, module: str) -> tuple[str, str]:
    """Return a statement that gets the runner's `test` in the sample's module system, and the name it gives it."""
    name = f"{secrets.choice(VERBS)}{secrets.choice(NOUNS).capitalize()}"
    style = _style(sample)
    quoted = f"{style.quote}{module}{style.quote}"
    if _IMPORTS.search(sample):
        return f"import {{ test as {name} }} from {quoted}{style.end}\n", name
    return f"const {{ test: {name} }} = require({quoted}){style.end}\n", name


def _for_node(plan: CanaryPlan, sample: str) -> str:
    head, name = _import(sample, "node:test")
    return _javascript(plan, name, head, sample)


def _for_jest(plan: CanaryPlan, sample: str) -> str:
    return _with_globals(plan, sample, "@jest/globals", "test")


def _for_vitest(plan: CanaryPlan, sample: str) -> str:
    return _with_globals(plan, sample, "vitest", "test")


def _for_mocha(plan: CanaryPlan, sample: str) -> str:
    behaviour = re.search(r"\b(?:it|describe)\b", sample) is not None
    return _with_globals(plan, sample, "mocha", "it" if behaviour else "test")


def _with_globals(plan: CanaryPlan, sample: str, module: str, test: str) -> str:
    """Follow the sample: what it takes from the runner's module is taken from there, else from the global names."""
    if f"'{module}'" in sample or f'"{module}"' in sample:
        head, name = _import(sample, module)
        return _javascript(plan, name, head.replace("test ", f"{test} ").replace("test:", f"{test}:"), sample)
    head = f"export {{}}{_style(sample).end}\n" if _IMPORTS.search(sample) else ""
    return _javascript(plan, test, head, sample)


def _go_name(title: str) -> str:
    return "Test" + "".join(word.capitalize() for word in title.split())


def _for_go(plan: CanaryPlan, sample: str) -> str:
    package = re.search(r"^package \w+", sample, re.MULTILINE)
    lines = [package[0] if package else "package main", "", 'import "testing"', ""]
    for outcome, title in plan.titles.items():
        numbers, total = _numbers(outcome)
        lines += [
            f"func {_go_name(title)}(t *testing.T) {{",
            *(['\tt.Skip("later")'] if outcome == "skipped" else []),
            "\ttotal := 0",
            f"\tfor _, one := range []int{{{numbers}}} {{",
            "\t\ttotal += one",
            "\t}",
            f"\tif total != {total} {{",
            f'\t\tt.Fatalf("%d is not {total}", total)',
            "\t}",
            "}",
            "",
        ]
    return "\n".join(lines)


def _python_name(title: str) -> str:
    return f"test_{title.replace(' ', '_')}"


def _for_unittest(plan: CanaryPlan, sample: str) -> str:
    del sample  # a class of its own needs nothing of the file
    subject = f"{secrets.choice(NOUNS)}_{secrets.choice(ENDS)}".title().replace("_", "")
    lines = ["import unittest", "", "", f"class {subject}Test(unittest.TestCase):"]
    for outcome, title in plan.titles.items():
        numbers, total = _numbers(outcome)
        lines += [
            *(['    @unittest.skip("later")'] if outcome == "skipped" else []),
            f"    def {_python_name(title)}(self):",
            f"        self.assertEqual(sum([{numbers}]), {total})",
            "",
        ]
    return "\n".join(lines)


def _rust_name(title: str) -> str:
    return title.replace(" ", "_")


def _for_rust(plan: CanaryPlan, sample: str) -> str:
    lines = [sample] if sample else []
    for outcome, title in plan.titles.items():
        numbers, total = _numbers(outcome)
        lines += [
            "#[test]",
            *(["#[ignore]"] if outcome == "skipped" else []),
            f"fn {_rust_name(title)}() {{",
            f"    assert_eq!([{numbers}].iter().sum::<i32>(), {total});",
            "}",
            "",
        ]
    return "\n".join(lines)


WRITERS: Mapping[str, Write] = {
    "node --test": _for_node,
    "jest": _for_jest,
    "vitest": _for_vitest,
    "mocha": _for_mocha,
    "unittest": _for_unittest,
    "go test": _for_go,
    "cargo test": _for_rust,
}
IDENTIFIERS: Mapping[str, Callable[[str], str]] = {
    "unittest": _python_name,
    "go test": _go_name,
    "cargo test": _rust_name,
}
"""What a runner calls the test of a title, where it is not the title itself."""

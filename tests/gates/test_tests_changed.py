"""What a patch does to the tests of its base: what weakens them is refused, what keeps every claim is not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from buildwright.gates.tests_changed import ChangedTestsGate
from tests.gates.readings import NODE, PYTHON, SPREAD_PY, TALLY, TEST_JS, TEST_TALLY, read

MEAN = "    assert mean([1, 2, 3, 6]) == 3\n"
ONE = "    assert mean([7]) == 7\n"
TEST = "tests/test_tally.py"
JS = "test/tally.test.js"


def py(old: str, new: str, *, times: int = 1) -> dict[str, str | None]:
    assert old in TEST_TALLY
    return {TEST: TEST_TALLY.replace(old, new, times)}


def js(old: str, new: str) -> dict[str, str | None]:
    assert old in TEST_JS
    return {JS: TEST_JS.replace(old, new, 1)}


AUTO = "import pytest, statistics, tally\n@pytest.fixture(autouse=True)\ndef f(monkeypatch):\n"
HOOK = "import pytest\n@pytest.hookimpl(hookwrapper=True)\ndef pytest_runtest_makereport(item, call):\n    yield\n"

BAD: list[tuple[str, dict[str, str | None], set[str]]] = [
    ("less said", py("== 3", "is not None"), {"tests.weakened"}),
    ("constant", py(MEAN, "    assert True\n"), {"tests.weakened"}),
    ("or true", py("== 3", "== 3 or True"), {"tests.weakened"}),
    ("other literal", py("== 3", "== 0"), {"tests.expectation"}),
    ("other input", py("mean([7])", "mean([0])"), {"tests.expectation"}),
    ("the product is not asked", py("mean([7]) == 7", "abs(7) == 7"), {"tests.expectation"}),
    ("about", py("== 3", "== pytest.approx(3, abs=9)"), {"tests.expectation"}),
    ("removed assert", py(ONE, "    mean([7])\n"), {"tests.weakened"}),
    ("emptied", py(ONE, "    pass\n"), {"tests.weakened"}),
    ("commented out", py(ONE, "    pass  # assert mean([7]) == 7\n"), {"tests.weakened"}),
    ("skip", py("def test_mean():", "@pytest.mark.skip\ndef test_mean():"), {"tests.skipped"}),
    ("xfail", py("def test_mean():", "@pytest.mark.xfail(strict=False)\ndef test_mean():"), {"tests.skipped"}),
    (
        "skip by a name",
        py("\n\ndef test_mean():", "\nslow = pytest.mark.skip()\n@slow\ndef test_mean():"),
        {"tests.skipped"},
    ),
    ("skip call", py(MEAN, '    pytest.skip("slow")\n' + MEAN), {"tests.skipped"}),
    ("skip the module", py("\n\ndef test_mean", "\npytestmark = pytest.mark.skip\n\ndef test_mean"), {"tests.skipped"}),
    ("early return", py(MEAN, "    return\n" + MEAN), {"tests.weakened"}),
    ("under a condition", py(MEAN, "    if mean([1]):\n    " + MEAN), {"tests.weakened", "tests.expectation"}),
    ("caught", py(MEAN, f"    try:\n    {MEAN}    except AssertionError:\n        pass\n"), {"tests.weakened"}),
    ("suppressed", py(MEAN, f"    with contextlib.suppress(Exception):\n    {MEAN}"), {"tests.weakened"}),
    ("expected to fail", py(MEAN, f"    with pytest.raises(AssertionError):\n    {MEAN}"), {"tests.weakened"}),
    ("no test by its name", py("def test_mean(", "def check_mean("), {"tests.removed"}),
    ("inside another", py("def test_mean():\n", "def helper():\n  def test_mean():\n  "), {"tests.removed"}),
    ("defined again", {TEST: TEST_TALLY + "\n\ndef test_mean():\n    pass\n"}, {"tests.weakened"}),
    ("bound again", {TEST: TEST_TALLY + "\n\ntest_mean = lambda: None\n"}, {"tests.skipped"}),
    ("deleted", {TEST: None}, {"tests.removed"}),
    ("moved out of sight", {TEST: None, "tests/checks.py": TEST_TALLY}, {"tests.removed"}),
    ("moved out of testpaths", {TEST: None, "old/test_tally.py": TEST_TALLY}, {"tests.removed"}),
    ("wrapped", py("def test_mean():", "@quiet\ndef test_mean():"), {"tests.skipped"}),
    (
        "another product",
        py("from tally import mean, median", "from statistics import mean, median"),
        {"tests.expectation"},
    ),
    (
        "own product",
        py("\n\ndef test_mean()", "\ndef mean(v):\n    return v[-1] // 2\n\ndef test_mean()"),
        {"tests.expectation"},
    ),
    (
        "mocked for all",
        {"tests/conftest.py": AUTO + "    monkeypatch.setattr(tally, 'mean', statistics.mean)\n"},
        {"tests.mocked"},
    ),
    (
        "mocked at the top",
        {"conftest.py": "import statistics, tally\ntally.mean = statistics.mean\n"},
        {"tests.mocked"},
    ),
    (
        "mocked inside",
        py("def test_mean():\n", "def test_mean(monkeypatch):\n    monkeypatch.setattr('tally.mean', lambda v: 3)\n"),
        {"tests.mocked"},
    ),
    ("hook", {"conftest.py": HOOK}, {"tests.hooks"}),
    ("hook in a module", {"quality.py": HOOK}, {"tests.hooks"}),
    (
        "hook by another name",
        {
            "conftest.py": HOOK.replace("wrapper=True", "wrapper=True, specname='pytest_runtest_call'").replace(
                "pytest_runtest_makereport", "x"
            )
        },
        {"tests.hooks"},
    ),
    ("tests left out", {"conftest.py": "collect_ignore = ['tests/test_tally.py']\n"}, {"tests.hooks"}),
]


@pytest.mark.parametrize(("after", "codes"), [case[1:] for case in BAD], ids=[case[0] for case in BAD])
async def test_weakened_tests_are_refused(tmp_path: Path, after: dict[str, str | None], codes: set[str]) -> None:
    found = await read(ChangedTestsGate(), tmp_path, PYTHON, after)
    assert "error" in {severity for _, severity in found}
    assert {code for code, _ in found} <= codes


PARAMETRISED = """\
import pytest

from tally import mean, median


@pytest.mark.parametrize(("values", "expected"), [([1, 2, 3, 6], 3), ([7], 7), ([2, 4], 3)])
def test_mean(values, expected):
    assert mean(values) == expected


def test_median():
    assert median([9, 1, 5]) == 5
    with pytest.raises(IndexError):
        median([])
"""
GOOD: list[tuple[str, dict[str, str | None]]] = [
    ("no test touched", {"tally.py": TALLY + SPREAD_PY}),
    (
        "new test",
        {
            TEST: TEST_TALLY.replace("median\n", "median, spread\n", 1)
            + "\n\ndef test_s():\n    assert spread([4, 9]) == 5\n"
        },
    ),
    ("file renamed", {TEST: None, "tests/test_statistics.py": TEST_TALLY}),
    (
        "function moved",
        {
            TEST: TEST_TALLY.replace("def test_mean_of_one():\n" + ONE, ""),
            "tests/test_one.py": "from tally import mean\n\n\ndef test_mean_of_one():\n" + ONE,
        },
    ),
    ("function renamed", py("test_mean()", "test_mean_of_four()")),
    ("parametrised", {TEST: PARAMETRISED}),
    (
        "in a loop",
        py(ONE, "    for values, expected in [([7], 7), ([8], 8)]:\n        assert mean(values) == expected\n"),
    ),
    ("in a class", py("def test_mean_of_one():\n" + ONE, "class TestOne:\n    def test_it(self):\n    " + ONE)),
    ("a local name", py(ONE, "    values = [7]\n    found = mean(values)\n    assert found == 7\n")),
    ("more said", py(ONE, ONE + "    assert mean([8]) == 8\n")),
    ("a message", py("== 7\n", '== 7, "the mean of one"\n')),
    ("new marker", py("def test_mean():", "@pytest.mark.slow\ndef test_mean():")),
    ("new skipped test", {TEST: TEST_TALLY + "\n\n@pytest.mark.skip\ndef test_later():\n    assert mean([1]) == 1\n"}),
    ("fixture", {"tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef values():\n    return [4, 9, 1]\n"}),
    (
        "own mock",
        {
            "tests/test_new.py": "import tally\n\n\ndef test_new(monkeypatch):\n"
            "    monkeypatch.setattr(tally, 'mean', len)\n    assert tally.mean([1]) == 1\n"
        },
    ),
    (
        "marker registered",
        {"conftest.py": "def pytest_configure(config):\n    config.addinivalue_line('markers', 'slow: slow')\n"},
    ),
    ("environment", {"tests/conftest.py": AUTO + "    monkeypatch.setenv('TZ', 'UTC')\n"}),
    (
        "alias",
        py(
            "import pytest\n\nfrom tally import mean, median",
            "import pytest\nimport tally\n\nmean = tally.mean\nmedian = tally.median",
        ),
    ),
]


@pytest.mark.parametrize("after", [case[1] for case in GOOD], ids=[case[0] for case in GOOD])
async def test_tests_that_claim_as_much_may_change(tmp_path: Path, after: dict[str, str | None]) -> None:
    assert await read(ChangedTestsGate(), tmp_path, PYTHON, after) == []


NODE_BAD: list[tuple[str, dict[str, str | None], set[str]]] = [
    ("skip", js("test('mean'", "test.skip('mean'"), {"tests.skipped"}),
    ("todo", js("test('mean'", "test.todo('mean'"), {"tests.skipped"}),
    ("skip option", js("test('mean', ", "test('mean', { skip: true }, "), {"tests.skipped"}),
    ("skip inside", js("() => {\n", "(t) => {\n  t.skip();\n"), {"tests.skipped"}),
    ("other literal", js("), 3)", "), 0)"), {"tests.expectation"}),
    ("weaker", js("assert.strictEqual(mean([7]), 7)", "assert.ok(mean)"), {"tests.weakened"}),
    ("emptied", js("  assert.strictEqual(mean([7]), 7);\n", ""), {"tests.weakened"}),
    (
        "caught",
        js("  assert.strictEqual(mean([7]), 7);", "  try { assert.strictEqual(mean([7]), 7); } catch {}"),
        {"tests.weakened"},
    ),
    (
        "early return",
        js("  assert.strictEqual(mean([7])", "  return;\n  assert.strictEqual(mean([7])"),
        {"tests.weakened"},
    ),
    ("removed", {JS: TEST_JS[: TEST_JS.index("test('mean of one'")]}, {"tests.removed"}),
    ("another product", js("'../tally.js'", "'./stand-in.js'"), {"tests.expectation"}),
    ("mocked", js("const { mean }", "require.cache['x'] = {};\nconst { mean }"), {"tests.mocked"}),
    ("module mock", js("const { mean }", "test.mock.module('../tally.js', {});\nconst { mean }"), {"tests.mocked"}),
    ("only", js("test('mean'", "test.only('mean'"), {"tests.only"}),
]


@pytest.mark.parametrize(("after", "codes"), [case[1:] for case in NODE_BAD], ids=[case[0] for case in NODE_BAD])
async def test_weakened_tests_of_node_are_refused(
    tmp_path: Path, after: dict[str, str | None], codes: set[str]
) -> None:
    found = await read(ChangedTestsGate(), tmp_path, NODE, after)
    assert "error" in {severity for _, severity in found}
    assert {code for code, _ in found} <= codes


EACH = """\
test.each([[[7], 7], [[8], 8]])('mean of %s', (values, wanted) => {
  assert.strictEqual(mean(values), wanted);
});
"""
NODE_GOOD: list[tuple[str, dict[str, str | None]]] = [
    ("new test", {JS: TEST_JS + "\ntest('more', () => assert.strictEqual(mean([8]), 8));\n"}),
    ("moved", {JS: None, "test/statistics.test.js": TEST_JS}),
    ("moved deeper", {JS: None, "test/unit/tally.test.js": TEST_JS.replace("../tally", "../../tally")}),
    ("grouped", {JS: TEST_JS.replace("test('mean'", "test.describe('all', () => {\ntest('mean'") + "});\n"}),
    (
        "a local name",
        js("assert.strictEqual(mean([7]), 7)", "const found = mean([7]);\n  assert.strictEqual(found, 7)"),
    ),
    ("retitled", js("'mean of one'", "'mean of a single value'")),
    ("laid out", {JS: TEST_JS.replace("  assert", "    assert").replace("'", '"')}),
    ("table", {JS: TEST_JS[: TEST_JS.index("test('mean of one'")] + EACH}),
]


@pytest.mark.parametrize("after", [case[1] for case in NODE_GOOD], ids=[case[0] for case in NODE_GOOD])
async def test_tests_of_node_that_claim_as_much_may_change(tmp_path: Path, after: dict[str, str | None]) -> None:
    assert await read(ChangedTestsGate(), tmp_path, NODE, after) == []


MEAN_CHANGES: dict[str, Any] = {"goal": "mean() of the four values shall be rounded down to an even number."}


async def test_an_expectation_that_the_task_names_may_change(tmp_path: Path) -> None:
    after = py("== 3", "== 2")
    assert await read(ChangedTestsGate(), tmp_path / "a", PYTHON, after, MEAN_CHANGES) == [
        ("tests.expectation", "warning")
    ]
    weaker = py("== 3", "is not None")
    assert await read(ChangedTestsGate(), tmp_path / "b", PYTHON, weaker, MEAN_CHANGES) == [("tests.weakened", "error")]
    skipped = py("def test_mean():", "@pytest.mark.skip\ndef test_mean():")
    assert await read(ChangedTestsGate(), tmp_path / "c", PYTHON, skipped, MEAN_CHANGES) == [("tests.skipped", "error")]


async def test_tests_follow_a_module_that_was_moved(tmp_path: Path) -> None:
    moved = {"tally.py": None, "core/tally.py": TALLY, **py("from tally import", "from core.tally import")}
    assert await read(ChangedTestsGate(), tmp_path / "a", PYTHON, moved) == []
    stand_in = {"other.py": TALLY, **py("from tally import", "from other import")}
    found = await read(ChangedTestsGate(), tmp_path / "b", PYTHON, stand_in)
    assert set(found) == {("tests.expectation", "error")}


async def test_a_task_about_the_tests_may_change_them(tmp_path: Path) -> None:
    asked = {"goal": "Fix the wrong tests of tally."}
    found = await read(ChangedTestsGate(), tmp_path, PYTHON, py("== 3", "== 3.0"), asked)
    assert found == [("tests.expectation", "warning")]


async def test_a_person_opens_a_test_file(tmp_path: Path) -> None:
    assert await read(ChangedTestsGate(), tmp_path, PYTHON, py("== 3", "== 0"), allow=("tests/test_tally.py",)) == []


async def test_a_test_may_go_when_the_task_says_so(tmp_path: Path) -> None:
    gone = {TEST: TEST_TALLY.replace("def test_mean_of_one():\n" + ONE, "")}
    asked = {"goal": "Remove test_mean_of_one."}
    assert await read(ChangedTestsGate(), tmp_path / "a", PYTHON, gone, asked) == [("tests.removed", "warning")]
    assert await read(ChangedTestsGate(), tmp_path / "b", PYTHON, {TEST: None}, {"action": "delete"}) == []
    assert await read(ChangedTestsGate(), tmp_path / "c", PYTHON, {TEST: None}, {"files_expected": (TEST,)}) == []


async def test_a_test_file_may_not_become_a_link(tmp_path: Path) -> None:
    found = await read(ChangedTestsGate(), tmp_path, PYTHON, {TEST: "../notes.txt"}, modes={TEST: "120000"})
    assert ("tests.linked", "error") in found


GO = 'package a\n\nfunc TestMean(t *testing.T) {\n\tif mean(7) != 7 {\n\t\tt.Fatal("no")\n\t}\n}\n'
OTHERS = [
    ("a_test.go", GO, GO.replace("{\n\tif", "{\n\tt.Skip()\n\tif"), "tests.skipped"),
    ("a_test.go", GO, GO.replace('\t\tt.Fatal("no")\n', ""), "tests.weakened"),
    (
        "src/a.rs",
        "#[test]\nfn a() {\n    assert_eq!(mean(7), 7);\n}\n",
        "#[test]\n#[ignore]\nfn a() {\n    assert_eq!(mean(7), 7);\n}\n",
        "tests.skipped",
    ),
    (
        "src/test/ATest.java",
        "@Test void a() {\n  assertEquals(7, mean(7));\n}\n",
        "@Test void a() {\n}\n",
        "tests.weakened",
    ),
]


@pytest.mark.parametrize(("path", "before", "after", "code"), OTHERS, ids=[f"{one[0]}-{one[3]}" for one in OTHERS])
async def test_other_languages_are_read_by_lines(tmp_path: Path, path: str, before: str, after: str, code: str) -> None:
    assert await read(ChangedTestsGate(), tmp_path / "bad", {path: before}, {path: after}) == [(code, "error")]
    more = before + "\n// more\n"
    assert await read(ChangedTestsGate(), tmp_path / "good", {path: before}, {path: more}) == []


async def test_a_script_of_assertions_is_a_test(tmp_path: Path) -> None:
    before = {"verify.py": "from tally import mean\n\nassert mean([7]) == 7\n"}
    weaker = {"verify.py": "from tally import mean\n\nassert mean([7]) is not None\n"}
    more = {"verify.py": "from tally import mean\n\nassert mean([7]) == 7\nassert mean([8]) == 8\n"}
    assert await read(ChangedTestsGate(), tmp_path / "a", before, weaker) == [("tests.weakened", "error")]
    assert await read(ChangedTestsGate(), tmp_path / "b", before, more) == []


async def test_without_a_base_a_deleted_test_is_refused(tmp_path: Path) -> None:
    assert await read(ChangedTestsGate(), tmp_path, {"tests/data.txt": "a\n"}, {"tests/data.txt": None}) == [
        ("tests.deleted", "error")
    ]
    moved = {"tests/data.txt": None, "tests/more/data.txt": "a\n"}
    assert await read(ChangedTestsGate(), tmp_path / "moved", {"tests/data.txt": "a\n"}, moved) == []

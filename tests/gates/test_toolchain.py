"""Which commands are found in which project, by tables."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from buildwright.core.limits import Check, Options
from buildwright.errors import BadSettings
from buildwright.gates.levels import unjudged, why_not
from buildwright.gates.parts import part_of
from buildwright.gates.project_folder import ProjectFiles, Toolchain
from buildwright.gates.setup_cache import Setup
from buildwright.gates.toolchain import find_toolchain
from tests.git import git

DEFAULTS = Options()


def found(
    files: Mapping[str, str], options: Options = DEFAULTS, *, has_pytest: bool = True, missing: tuple[str, ...] = ()
) -> Toolchain:
    have = lambda program: program not in missing  # noqa: E731
    project = ProjectFiles(tuple(files), files.get, have, "python", has_pytest)
    return find_toolchain(project, options)


def commands_of(toolchain: Toolchain) -> list[str]:
    return [command for setup in toolchain.setup for command in setup.commands]


def package(**keys: object) -> str:
    return json.dumps(keys)


GO_SETUP = (
    'export GOCACHE="$PWD/.go-cache/build" GOMODCACHE="$PWD/.go-cache/mod" GOFLAGS=-modcacherw && go mod download && '
    "(timeout 300 go vet net/http encoding/json testing regexp text/template os/exec || true)"
)
MYPY = "mypy --no-error-summary --no-pretty --python-executable python"
TESTED = {"tests/test_a.py": "def test_a(): pass"}

COMMANDS: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    ("pytest by file", {"a.py": "", **TESTED}, [], ["python -m pytest -q"]),
    ("pytest by setting", {"pyproject.toml": "[tool.pytest.ini_options]"}, [], ["python -m pytest -q"]),
    ("pytest by tox.ini", {"tox.ini": "[pytest]\n"}, [], ["python -m pytest -q"]),
    ("pytest by a hidden file", {".pytest.ini": ""}, [], ["python -m pytest -q"]),
    ("pytest by a file of its own", {"pytest.toml": ""}, [], ["python -m pytest -q"]),
    (
        "cheapest first",
        {"pyproject.toml": "[tool.ruff]\n[tool.mypy]\nfiles=['src']", **TESTED},
        [],
        [MYPY, "ruff check --output-format=concise .", "python -m pytest -q"],
    ),
    ("mypy without files", {"mypy.ini": "[mypy]\n"}, [], [f"{MYPY} ."]),
    (
        "mypy whose files another table names",
        {"pyproject.toml": "[tool.mypy]\nfiles=['a.py']", "setup.cfg": "[flake8]\nfiles = a\n"},
        [],
        [MYPY],
    ),
    (
        "files of another tool in setup.cfg",
        {"setup.cfg": "[mypy]\nstrict = True\n[options]\npackages = find:\n"},
        [],
        [f"{MYPY} ."],
    ),
    ("files of mypy in setup.cfg", {"setup.cfg": "[mypy]\nfiles = a.py\n"}, [], [MYPY]),
    (
        "mypy takes the settings of one file",
        {"pyproject.toml": "[tool.mypy]\nstrict=true", "setup.cfg": "[mypy]\nfiles = a.py\n"},
        [],
        [f"{MYPY} ."],
    ),
    ("broken pyproject", {"pyproject.toml": "[[[", **TESTED}, [], ["python -m pytest -q"]),
    (
        "npm",
        {
            "package.json": package(
                scripts={"build": "b", "test": "node --test", "lint": "l", "start": "s"}, devDependencies={"x": "1"}
            ),
            "package-lock.json": "{}",
        },
        ["npm ci --ignore-scripts --no-audit --no-fund"],
        ["npm run lint", "npm test", "npm run build"],
    ),
    ("npm without dependencies", {"package.json": package(scripts={"test": "node --test"})}, [], ["npm test"]),
    (
        "a workspace whose top has no dependencies",
        {
            "package.json": package(scripts={"test": "pnpm -r test"}),
            "pnpm-lock.yaml": "",
            "pnpm-workspace.yaml": "packages: ['a']",
            "a/package.json": package(dependencies={"b": "workspace:*"}),
        },
        ["pnpm install --frozen-lockfile --ignore-scripts"],
        ["pnpm test"],
    ),
    (
        "npm without a lock file",
        {"package.json": package(scripts={"test": "jest"}, dependencies={"jest": "1"})},
        ["npm install --ignore-scripts --no-audit --no-fund"],
        ["npm test"],
    ),
    (
        "pnpm and TypeScript",
        {
            "package.json": package(scripts={"test": "vitest run"}, devDependencies={"typescript": "5"}),
            "pnpm-lock.yaml": "",
            "tsconfig.json": "{}",
        },
        ["pnpm install --frozen-lockfile --ignore-scripts"],
        ["npx --no-install tsc --noEmit", "pnpm test"],
    ),
    *(
        (
            f"yarn {name}",
            {"package.json": package(scripts={"test": "jest"}, dependencies={"jest": "1"}), **files},
            [command],
            ["yarn test"],
        )
        for name, files, command in (
            ("1", {"yarn.lock": "# yarn lockfile v1\n"}, "yarn install --frozen-lockfile --ignore-scripts"),
            (
                "4 without settings",
                {"yarn.lock": "# made\n\n__metadata:\n  version: 10\n"},
                "yarn install --immutable --mode=skip-build",
            ),
            (
                "4 with settings",
                {"yarn.lock": "", ".yarnrc.yml": "nodeLinker: node-modules\n"},
                "yarn install --immutable --mode=skip-build",
            ),
        )
    ),
    ("odd scripts", {"package.json": package(scripts=["test"]), "Makefile": "check: x\n"}, [], ["make check"]),
    ("go", {"go.mod": "module x"}, [GO_SETUP], ["go vet ./...", "go test -json ./..."]),
    (
        "go with vendored modules",
        {"go.mod": "module x", "vendor/modules.txt": ""},
        [GO_SETUP.replace("go mod download && ", "")],
        ["go vet ./...", "go test -json ./..."],
    ),
    ("rust", {"Cargo.toml": "[package]"}, [], ["cargo test --no-fail-fast"]),
    (
        "rust with dependencies and members",
        {
            "Cargo.toml": "[workspace]\n[package]\n[dependencies]\n",
            "Cargo.lock": "",
            "a/Cargo.toml": "",
            "a/src/b.rs": "",
        },
        ["cargo fetch --locked"],
        ["cargo test --workspace --no-fail-fast"],
    ),
    (
        "bun runs the script, not its own runner",
        {"package.json": package(scripts={"test": "tsc && vitest --run"}), "bun.lock": ""},
        [],
        ["bun run test"],
    ),
    (
        "a part of another kind below a manifest",
        {"pyproject.toml": "", **TESTED, "web/package.json": package(scripts={"test": "node --test"})},
        [],
        ["python -m pytest -q", "cd web && npm test"],
    ),
    (
        "a module below a module",
        {"go.mod": "", "a_test.go": "", "tool/go.mod": "", "tool/b_test.go": ""},
        [GO_SETUP, GO_SETUP.replace("go mod", "cd tool && go mod")],
        ["go vet ./...", "cd tool && go vet ./...", "go test -json ./...", "cd tool && go test -json ./..."],
    ),
    ("make is the last resort", {"Makefile": "all:\n\ntest: all\n\ttrue\n"}, [], ["make test"]),
    ("make is not needed", {"Makefile": "test:\n\ttrue\n", **TESTED}, [], ["python -m pytest -q"]),
    (
        "parts in directories",
        {
            "api/pyproject.toml": "",
            "api/test_a.py": "",
            "my web/package.json": package(scripts={"test": "t"}, dependencies={"x": "1"}),
        },
        ["cd 'my web' && npm install --ignore-scripts --no-audit --no-fund"],
        ["cd api && python -m pytest -q", "cd 'my web' && npm test"],
    ),
]


@pytest.mark.parametrize(
    ("files", "setup", "checks"), [case[1:] for case in COMMANDS], ids=[case[0] for case in COMMANDS]
)
def test_commands_are_found(files: dict[str, str], setup: list[str], checks: list[str]) -> None:
    toolchain = found(files)
    assert commands_of(toolchain) == setup
    assert [check.command for check in toolchain.checks] == checks
    assert [one.code for one in toolchain.findings if one.code != "checks.untested"] == []


JAVA = [
    ({"pom.xml": ""}, "mvn -B -o test", "mvn -B dependency:go-offline", ("pom.xml",)),
    (
        {
            "mvnw": "",
            ".mvn/wrapper/maven-wrapper.properties": "",
            "pom.xml": "",
            "core/pom.xml": "",
            "core/src/A.java": "",
        },
        "sh ./mvnw -B -o test",
        "sh ./mvnw -B dependency:go-offline",
        ("core/pom.xml", "pom.xml", ".mvn/wrapper/maven-wrapper.properties", "mvnw"),
    ),
    (
        {"build.gradle": "", "src/A.java": ""},
        "gradle --offline --no-daemon --console=plain test",
        "fetchOnce",
        ("build.gradle",),
    ),
    (
        {
            "build.gradle.kts": "",
            "gradlew": "",
            "gradle/libs.versions.toml": "",
            "app/build.gradle.kts": "",
            "app/A.java": "",
        },
        "sh ./gradlew --offline --no-daemon --console=plain test",
        "sh ./gradlew --no-daemon",
        ("app/build.gradle.kts", "build.gradle.kts", "gradle/libs.versions.toml", "gradlew"),
    ),
]


@pytest.mark.parametrize(("files", "test", "fetch", "inputs"), JAVA)
@pytest.mark.parametrize("folder", ["", "api/"])
def test_java_is_fetched_once_and_judged_without_the_network(
    folder: str, files: dict[str, str], test: str, fetch: str, inputs: tuple[str, ...]
) -> None:
    toolchain = found({folder + path: text for path, text in files.items()})
    assert [check.command for check in toolchain.checks] == [f"cd api && {test}" if folder else test]
    (setup,) = toolchain.setup
    assert fetch in setup.commands[0]
    assert setup.inputs == tuple(folder + path for path in inputs)
    assert setup.outputs == (".maven-repository",) if "mvn" in fetch else (".gradle-home",)
    named = found(files, Options(checks=(Check(name="x", command=test.replace("test", "verify")),)))
    assert named.setup, "a check named by hand needs it as much"


def test_a_gradle_build_with_code_for_builds_is_fetched_in_every_checkout() -> None:
    (setup,) = found({"build.gradle": "", "buildSrc/src/main/groovy/Rules.groovy": ""}).setup
    assert not setup.outputs


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "hello"},
        {"package.json": package(scripts={"test": 'echo "Error: no test specified" && exit 1'})},
        {"package.json": package(scripts={"test": 'echo "no tests && not soon"', "lint": "true"})},
        {"package.json": package(scripts={"test": "exit 0"})},
        {"package.json": package(scripts={"test": ": "})},
        {"package.json": package(scripts={"test": "npm run later", "later": "echo 'TODO'; true"})},
        {"package.json": "not json"},
    ],
)
def test_no_command_is_an_error_that_says_what_to_do(files: dict[str, str]) -> None:
    toolchain = found(files)
    assert toolchain.checks == ()
    assert [(one.code, one.severity) for one in toolchain.findings] == [("checks.none", "error")]
    assert "--check" in toolchain.findings[0].fix


def test_unittest_where_pytest_is_not() -> None:
    files = {"test_a.py": "import unittest\n"}
    assert found(files, has_pytest=False).checks[0].command == "python -m unittest discover -v"


@pytest.mark.parametrize(
    ("names", "option"),
    [
        (("test_a.py", "tests.py"), ""),
        (("a_test.py", "b_test.py"), " -p '*_test.py'"),
        (("test_a.py", "b_test.py"), " -p '*test*.py'"),
    ],
)
def test_unittest_looks_for_the_names_that_the_tests_have(names: tuple[str, ...], option: str) -> None:
    files = {f"lib/{name}": "import unittest\n" for name in names}
    assert found(files, has_pytest=False).checks[0].command == f"python -m unittest discover -v{option}"
    assert found(files).checks[0].command == "python -m pytest -q"


def test_a_tool_that_is_not_installed_is_said() -> None:
    toolchain = found({"ruff.toml": "", **TESTED}, missing=("ruff",))
    assert [check.name for check in toolchain.checks] == ["pytest"]
    assert [(one.code, one.severity) for one in toolchain.findings] == [("checks.tool_missing", "warning")]


SETTINGS = """
[setup]
commands = ["make ready"]
[checks]
lint = "make lint"
unit = { command = "make unit", kind = "test", report = "out/report.xml" }
"""


def test_the_projects_settings_win_over_its_files() -> None:
    toolchain = found({"buildwright.toml": SETTINGS, **TESTED})
    assert toolchain.setup == (Setup(("make ready",)),)
    assert toolchain.checks == (
        Check(name="lint", command="make lint", kind="lint"),
        Check(name="unit", command="make unit", kind="test", report="out/report.xml"),
    )


def test_the_build_wins_over_the_project() -> None:
    options = Options(checks=(Check(name="mine", command="true"),), setup=("prepare",))
    toolchain = found({"buildwright.toml": SETTINGS, **TESTED}, options)
    assert toolchain.setup == (Setup(("prepare",)),)
    assert [check.name for check in toolchain.checks] == ["mine"]


@pytest.mark.parametrize(
    "text",
    [
        "[checks",
        "checks = 3",
        "[checks]\na = 3",
        "[checks]\na = {command='x', colour='red'}",
        "[checks]\na = {kind='test'}",
        "[setup]\ncommands = 'make'",
        "[setup]\ncommand = ['make']",
        "[setup]\ncommands = ['make']\noutputs = ['../up']",
        "[setup]\ncommands = ['make']\noutputs = ['.']",
        "[setup]\ncommands = ['make']\ninputs = ['/etc/passwd']",
        "[setup]\ncommands = ['make']\ninputs = ['a/../../b']",
        "setup = 3",
    ],
)
def test_wrong_settings_are_named(text: str) -> None:
    with pytest.raises(BadSettings, match=r"buildwright\.toml"):
        found({"buildwright.toml": text})


def test_a_wrong_setting_is_told_by_its_place() -> None:
    with pytest.raises(BadSettings, match=r"there is no key checks\.a\.colour"):
        found({"buildwright.toml": "[checks]\na = {command='x', colour='red'}"})


def test_options_that_the_file_may_not_set_are_not_read() -> None:
    text = 'agent = 3\n[checks]\nunit = "make unit"\n'
    assert found({"buildwright.toml": text}).checks == (Check(name="unit", command="make unit"),)


LOCKED = {"package.json": package(dependencies={"x": "1"}), "package-lock.json": "{}", ".npmrc": ""}


def test_what_a_lock_file_pins_may_be_kept() -> None:
    (setup,) = found(LOCKED).setup
    assert (setup.inputs, setup.outputs) == (("package.json", "package-lock.json", ".npmrc"), ("node_modules",))
    (setup,) = found({f"my web/{name}": text for name, text in LOCKED.items()}).setup
    assert setup.inputs == ("my web/package.json", "my web/package-lock.json", "my web/.npmrc")
    assert setup.outputs == ("my web/node_modules",)


@pytest.mark.parametrize(
    "files",
    [
        {"package.json": package(dependencies={"x": "1"})},
        {**LOCKED, "package.json": package(dependencies={"x": "file:../x"})},
        {**LOCKED, "package.json": package(dependencies={"x": "1"}, workspaces=["a"])},
        {**LOCKED, "pnpm-lock.yaml": "", "pnpm-workspace.yaml": ""},
    ],
    ids=["no lock file", "local", "workspaces", "pnpm workspaces"],
)
def test_what_comes_from_the_tree_or_is_not_pinned_is_never_kept(files: dict[str, str]) -> None:
    (setup,) = found(files).setup
    assert setup.outputs == ()


WITH_LOCK = {"package.json": package(dependencies={"ms": "1"}, scripts={"test": "jest"}), "package-lock.json": "{}"}
BOTH = {**WITH_LOCK, "Cargo.toml": "[dependencies]\nx = '1'\n"}
NPM, CARGO = "npm ci --ignore-scripts --no-audit --no-fund", "cargo fetch"


@pytest.mark.parametrize(
    ("files", "command", "kept"),
    [
        (BOTH, "npm test", [NPM]),
        (BOTH, "CI=1 npx jest --ci", [NPM]),
        (BOTH, "cd . && cargo test", [CARGO]),
        (BOTH, "cargo test && npm test", [NPM, CARGO]),
        (BOTH, "make test", [NPM, CARGO]),
        (BOTH, "sh ./run-tests.sh", [NPM, CARGO]),
        (BOTH, "grep -q 'npm test' README.md", []),
        (BOTH, "timeout 60 python3.12 -m unittest", []),
    ],
)
def test_checks_named_by_hand_keep_the_set_up_that_they_need(
    files: dict[str, str], command: str, kept: list[str]
) -> None:
    named = Options(checks=(Check(name="x", command=command),))
    in_file = {**files, "buildwright.toml": f"[checks]\nx = {json.dumps(command)}\n"}
    for toolchain in (found(files, named), found(in_file)):
        assert commands_of(toolchain) == kept
        dropped = [one.message for one in toolchain.findings if one.code == "setup.dropped"]
        assert len(dropped) == len({NPM, CARGO} - set(kept))
        assert all(any(gone in message for message in dropped) for gone in {NPM, CARGO} - set(kept))
    given = Options(checks=named.checks, setup=("./own",))
    assert commands_of(found(files, given)) == ["./own"]


def test_an_environment_that_only_our_own_command_uses_is_made_for_no_other() -> None:
    files = {"requirements-dev.txt": "pytest\n", **TESTED}
    for command, made in (("make test", False), ("pytest", False), (".venv/bin/python -m pytest tests", True)):
        toolchain = found(files, Options(checks=(Check(name="x", command=command),)), has_pytest=False)
        assert bool(toolchain.setup) is made


def test_a_project_may_declare_what_its_setup_reads_and_writes() -> None:
    text = '[setup]\ncommands = ["a", "b"]\ninputs = ["deps.txt"]\noutputs = ["out/deps"]\n'
    (setup,) = found({"buildwright.toml": text, **TESTED}).setup
    assert setup == Setup(("a", "b"), ("deps.txt",), ("out/deps",))


@pytest.mark.parametrize(
    ("files", "sources"),
    [
        ({"pyproject.toml": "", "src/calc/__init__.py": ""}, ("src",)),
        ({"api/setup.py": "", "api/src/calc.py": ""}, ("api/src",)),
        ({"pyproject.toml": "", "calc/__init__.py": ""}, ()),
        ({"src/calc.py": ""}, ()),
        ({"pyproject.toml": "", "src/main.rs": ""}, ()),
    ],
)
def test_python_sources_below_the_top_are_found(files: dict[str, str], sources: tuple[str, ...]) -> None:
    assert found(files).sources == sources
    assert found(files, Options(checks=(Check(name="mine", command="true"),))).sources == sources


@pytest.mark.parametrize(
    ("script", "runner"),
    [
        ("vitest run", "vitest"),
        ("CI=1 jest --ci", "jest"),
        ("node --test src", "node --test"),
        ("node --import tsx --no-warnings --test", "node --test"),
        ("node --test-only x.js", ""),
        ("c8 ava", "ava"),
        ("uvu -r esm tests", "uvu"),
        ("bun test", "bun test"),
        ("deno test -A", "deno test"),
        ("tap --disable-coverage", "tap"),
        ("node tap.js", ""),
        ("./test.sh", ""),
    ],
)
def test_the_runner_behind_a_script_is_known(script: str, runner: str) -> None:
    (check,) = found({"package.json": package(scripts={"test": script})}).checks
    assert check.report == runner


@pytest.mark.parametrize(
    "script", ["echo testing && node --test", "./test.sh", "exit $(node check.js)", "node -e 'f()'"]
)
def test_a_script_that_does_more_than_print_is_a_check(script: str) -> None:
    assert [check.command for check in found({"package.json": package(scripts={"test": script})}).checks] == [
        "npm test"
    ]


def test_the_runner_behind_scripts_that_call_scripts_is_known() -> None:
    scripts = {"test": "npm run lint && npm run test:unit -- --ci", "lint": "eslint .", "test:unit": "vitest run"}
    checks = {check.kind: check.report for check in found({"package.json": package(scripts=scripts)}).checks}
    assert checks == {"lint": "", "test": "vitest"}
    (check,) = found({"package.json": package(scripts={"test": "npm test"})}).checks
    assert check.report == ""


def warnings(toolchain: Toolchain) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in toolchain.findings if one.severity == "warning"]


@pytest.mark.parametrize(
    "files", [{"package.json": package(scripts={"test": "true", "lint": "eslint ."})}, {"ruff.toml": ""}]
)
def test_that_nothing_is_tested_is_said(files: dict[str, str]) -> None:
    toolchain = found(files)
    assert toolchain.checks
    assert [code for code, _ in warnings(toolchain)] == ["checks.untested"]


HIDDEN = [
    "pytest a; pytest b",
    "for d in a b; do (cd $d && pytest); done",
    "pytest | tee log",
    "pytest || true",
    "pytest & pytest b",
    "cd web && npm test; true",
]
SHOWN = [
    "pytest a && pytest b",
    "set -e; pytest a; pytest b",
    "set -euo pipefail; pytest | tee log",
    "pytest -k 'a; b|c'",
    "for d in a b; do pytest $d || exit 1; done",
    "pytest > log 2>&1",
    "pytest || exit 1",
    "pytest; code=$?; rm -r out; exit $code",
]


@pytest.mark.parametrize("command", [*HIDDEN, *SHOWN])
def test_a_command_that_hides_a_failure_is_named(command: str) -> None:
    codes = [code for code, _ in warnings(found(TESTED, Options(checks=(Check(name="mine", command=command),))))]
    assert codes == (["checks.hidden_exit"] if command in HIDDEN else [])


@pytest.mark.parametrize(
    ("files", "command", "hidden"),
    [
        (
            {"Makefile": "test: a\n\t@for d in a b; do \\\n\t  (cd $$d && pytest); \\\n\tdone\n\nall:\n"},
            "make test",
            True,
        ),
        ({"Makefile": "test:\n\t-pytest\n"}, "make test", True),
        ({"Makefile": "test:\n\tpytest a\n\tpytest b\nlog:\n\ta; b\n"}, "make test", False),
        ({"web/Makefile": "test:\n\tpytest; true\n"}, "cd web && make test", True),
        ({"package.json": package(scripts={"test": "npm run a; npm run b", "a": "x"})}, "npm test", True),
        ({"package.json": package(scripts={"test": "npm run a && npm run b", "a": "jest || true"})}, "npm test", True),
        ({"package.json": package(scripts={"test": "jest"})}, "npm test", False),
    ],
)
def test_what_a_check_calls_is_looked_at(files: dict[str, str], command: str, hidden: bool) -> None:
    codes = [code for code, _ in warnings(found(files, Options(checks=(Check(name="mine", command=command),))))]
    assert codes == (["checks.hidden_exit"] if hidden else [])


PART = package(scripts={"test": "node --test"})


@pytest.mark.parametrize(
    ("files", "named"),
    [
        ({"package.json": PART, "web/package.json": PART}, []),
        ({"package.json": package(scripts={"test": "mocha"}), "web/package.json": PART}, ["web/"]),
        ({"package.json": package(scripts={"test": "mocha"}, workspaces=["web"]), "web/package.json": PART}, []),
        ({"package.json": package(scripts={"test": "mocha"}), "examples/a/package.json": PART}, []),
        ({"pyproject.toml": "", **TESTED, "tools/web/package.json": PART}, []),
        ({"pyproject.toml": "", **TESTED, "tools/web/package.json": package(scripts={"test": "true"})}, []),
        ({"pyproject.toml": "", **TESTED, "lib/a/pyproject.toml": "", "lib/a/test_b.py": ""}, []),
        ({"Cargo.toml": "[workspace]", "a/b/Cargo.toml": "", "a/b/src/lib.rs": ""}, []),
        ({"go.mod": "", "a/b/go.mod": "", "a/b/c_test.go": ""}, []),
        ({"web/package.json": package(scripts={"test": "mocha"}), "web/in/package.json": PART}, ["web/in/"]),
    ],
)
def test_parts_whose_tests_no_check_runs_are_named(files: dict[str, str], named: list[str]) -> None:
    said = [message.partition(" ")[0] for code, message in warnings(found(files)) if code == "checks.part_not_run"]
    assert said == named


LEFT = package(name="left")


@pytest.mark.parametrize(
    ("files", "bare"),
    [
        ({"package.json": package(workspaces=["a", "b"]), "a/package.json": PART, "b/package.json": LEFT}, ["b/"]),
        ({"package.json": package(workspaces=["b"], scripts={"test": "mocha"}), "b/package.json": LEFT}, []),
        ({"package.json": package(scripts={"test": "mocha"}), "b/package.json": LEFT}, ["b/"]),
        ({"package.json": package(scripts={"test": "mocha"}), "examples/b/package.json": LEFT}, []),
        ({"a/package.json": PART, "b/package.json": LEFT}, ["b/"]),
        ({"a/package.json": PART, "b/package.json": package(scripts={"lint": "eslint ."})}, []),
        ({"pyproject.toml": "", **TESTED, "lib/b/pyproject.toml": ""}, []),
        ({"pyproject.toml": "", **TESTED, "web/package.json": LEFT}, ["web/"]),
        ({"Cargo.toml": "[workspace]", "b/Cargo.toml": ""}, []),
        ({"pyproject.toml": "", **TESTED, "buildwright.toml": '[checks]\nt = "x"\n', "web/package.json": LEFT}, []),
    ],
)
def test_parts_that_no_check_judges_are_named_when_a_change_touches_them(
    files: dict[str, str], bare: list[str]
) -> None:
    toolchain = found(files)
    assert list(toolchain.bare) == bare
    every = [one.message.partition(" has")[0] for one in unjudged(toolchain, None)]
    assert every == bare
    assert unjudged(toolchain, [f"{folder}README.md" for folder in bare]) == []
    assert unjudged(toolchain, ["a/src.js", "src.py"]) == []
    assert [one.severity for one in unjudged(toolchain, ["b/src.js", "web/src.js"])] == ["warning"] * len(bare)


EXTENSION = {"setup.py": "setup(ext_modules=[Extension('a._b', ['a/_b.c'])])", "a/_b.c": "", **TESTED}


@pytest.mark.parametrize(
    ("files", "options", "is_said"),
    [
        (EXTENSION, DEFAULTS, True),
        ({"pyproject.toml": "[build-system]\nbuild-backend = 'maturin'\n", "src/lib.rs": "", **TESTED}, DEFAULTS, True),
        ({"pyproject.toml": "[[tool.setuptools.ext-modules]]\nname = 'a'\n", "a.c": "", **TESTED}, DEFAULTS, True),
        (EXTENSION, Options(setup=("python setup.py build_ext -i",)), False),
        (EXTENSION | {"buildwright.toml": '[setup]\ncommands = ["make"]\n'}, DEFAULTS, False),
        ({"setup.py": "setup()", "a/_b.c": "", **TESTED}, DEFAULTS, False),
        ({"setup.py": "cythonize()", "tests/data.c": "", **TESTED}, DEFAULTS, False),
        (EXTENSION | {"requirements.txt": "-e .\npytest\n"}, DEFAULTS, False),
        (EXTENSION | {"requirements.txt": ".\npytest\n"}, DEFAULTS, True),
    ],
)
def test_compiled_parts_that_no_set_up_builds_are_named(files: dict[str, str], options: Options, is_said: bool) -> None:
    toolchain = found(files, options, has_pytest="requirements.txt" not in files)
    code = sorted(path for path in files if path.endswith((".c", ".rs")))
    for touched in (None, code):
        assert [one.code for one in unjudged(toolchain, touched)] == ["checks.not_built"] * is_said
    assert unjudged(toolchain, ["tests/test_a.py"]) == []


LINTED = {"lint": "eslint .", "pretest": "npm run lint", "unit": "tape 'test/**/*.js'", "test": "npm run unit"}
AUDITED = LINTED | {"posttest": 'npx npm@">= 10.2" audit --production'}


@pytest.mark.parametrize(
    ("scripts", "command"),
    [
        (AUDITED, "npm test --ignore-scripts"),
        (AUDITED | {"posttest": "aud --production"}, "npm test --ignore-scripts"),
        ({"test": "tape test.js", "posttest": "npm audit"}, "npm test --ignore-scripts"),
        (LINTED, "npm test"),
        (AUDITED | {"posttest": "npm audit && node more.js"}, "npm test"),
        (AUDITED | {"posttest": "npm run audit"}, "npm test"),
        (AUDITED | {"pretest": "npm run build"}, "npm test"),
        (AUDITED | {"pretest": "npm run lint && node more.js"}, "npm test"),
        # It would be left out, too.
        (AUDITED | {"preunit": "node prepare.js"}, "npm test"),
        (AUDITED | {"unit": "CI=1 npx nyc --all tape 'a|b' && node --test"}, "npm test --ignore-scripts"),
        *(
            (AUDITED | {"unit": unit, "prex": "node more.js", "x": "tape x.js"}, "npm test")
            for unit in (
                *("run-s x", "lerna run x", "turbo x", "nx run-many -t x", "npm --prefix . run x", "npm t", "make x"),
                *("tape y.js && run-s x", "tape `npm run x`", "nyc run-s x", "node run.js"),
            )
        ),
    ],
)
def test_an_audit_after_the_tests_which_has_no_network_is_left_out(scripts: dict[str, str], command: str) -> None:
    assert found({"package.json": package(scripts=scripts)}).checks[-1].command == command


MIXED = {"package.json": package(devDependencies={"mocha": "1"}), "js/src/a.js": "", "python/setup.py": ""} | {
    "python/tests/test_a.py": "def test_a(): pass"
}


JS_TESTED = {"package.json": package(scripts={"test": "mocha"}), "js/src/a.js": ""}
PY_CODE = {"pyproject.toml": "", "lib/a.py": ""}
BELOW = {"go/go.mod": "", "go/a_test.go": ""}


@pytest.mark.parametrize(
    ("files", "left"),
    [
        (MIXED, ["JavaScript"]),
        (MIXED | {"js/src/a.js": None, "release.config.js": ""}, []),
        (MIXED | {"js/src/a.js": None, "tools/node_modules/a.js": "", ".github/a.js": "", "python/js/b.js": ""}, []),
        (MIXED | {"package.json": package(scripts={"test": "mocha"})}, []),
        ({"package.json": LEFT, "js/src/a.js": "", **TESTED}, []),
        # Whichever kind comes first.
        ({**JS_TESTED, **PY_CODE, **BELOW}, ["Python"]),
        ({"package.json": LEFT, "js/src/a.js": "", **PY_CODE, **TESTED, **BELOW}, ["JavaScript"]),
        ({"package.json": LEFT, "js/src/a.js": "", **PY_CODE, **BELOW}, ["Python", "JavaScript"]),
    ],
)
def test_code_of_the_top_that_no_check_judges_is_named_beside_its_parts(
    files: dict[str, str | None], left: list[str]
) -> None:
    there = {path: text for path, text in files.items() if text is not None}
    toolchain = found(there)
    part = "python/" if files.keys() >= MIXED.keys() else "go/"
    said = f"{' and '.join(left)} code outside of {part} is judged by no check"
    for touched in (None, [path for path in there if path.endswith((".py", ".js"))]):
        messages = [one.message for one in unjudged(toolchain, touched)]
        assert [message.partition(":")[0] for message in messages] == [said] * bool(left)
    assert (
        unjudged(toolchain, [f"{part}a.py", f"{part}js/a.js", "README.md", "package.json", "release.config.js"]) == []
    )


def test_a_makefile_at_the_top_judges_its_code() -> None:
    files = {"package.json": LEFT, "js/src/a.js": "", "py/setup.py": "", "py/lib/tests.py": "def test_a(): ...\n"}
    assert found(files).left == ("node",)
    assert found(files | {"Makefile": "test:\n\tx\n"}).left == ()


def test_code_of_a_part_that_no_check_judges_is_named_beside_the_parts_in_it() -> None:
    files = {f"x/{path}": text for path, text in (MIXED | {"js/b/package.json": LEFT}).items()}
    toolchain = found(files, Options(part="x"))
    named, beside = unjudged(toolchain, None)
    assert named.message.startswith("JavaScript code in x/ outside of x/python/, x/js/b/ is judged by no check")
    assert beside.message.startswith("x/js/b/ has no tests")
    assert unjudged(toolchain, ["js/src/a.js", "x/a.js"]) == []
    assert len(unjudged(toolchain, ["x/js/a.js"])) == 1


def test_many_parts_are_not_all_named() -> None:
    parts = {f"p{number:02}/package.json": LEFT for number in range(30)}
    (named, beside) = unjudged(found(MIXED | parts), None)
    assert "p08/ and more is judged" in named.message
    assert "p09/ and more have no tests" in beside.message


MODULE = {"lib/tests.py": "import unittest\n", "lib/__init__.py": ""}


@pytest.mark.parametrize(
    ("files", "checks", "said"),
    [
        ({"setup.py": "", **MODULE}, ["python -m unittest discover -v"], ""),
        ({"setup.py": "", "tests.py": "import unittest\n"}, ["python -m unittest discover -v"], ""),
        # Which pytest takes none of, and Django's own runner not without a script.
        ({"setup.py": "", "lib/tests.py": "def test_a(): ...\n"}, [], "tests that no check runs"),
        (
            {"setup.py": "", **MODULE, "lib/tests.py": "import unittest\nimport django\n"},
            [],
            "tests that no check runs",
        ),
        ({"setup.py": "", "lib/tests.py": "import unittest\n"}, [], "tests that no check runs"),
        ({"setup.py": "", "lib/a.py": ""}, [], "no tests"),
        ({"setup.py": "", **MODULE, **TESTED}, ["python -m pytest -q"], ""),
    ],
)
@pytest.mark.parametrize("has_pytest", [True, False])
def test_a_part_whose_tests_are_a_module_is_judged_or_named(
    files: dict[str, str], checks: list[str], said: str, *, has_pytest: bool
) -> None:
    toolchain = found(
        {"web/package.json": PART} | {f"py/{path}": text for path, text in files.items()}, has_pytest=has_pytest
    )
    python = [check.command.partition(" && ")[2] for check in toolchain.checks if check.command.startswith("cd py")]
    assert [command.removeprefix(".venv/bin/") for command in python] == checks
    assert [one.message.split(" judges")[0] for one in unjudged(toolchain, ["py/lib/a.py"])] == (
        [f"py/ has {said}, and {'no check' if said == 'no tests' else 'none'}"] if said else []
    )


NAMED = {
    "web/package.json": package(scripts={"test": "mocha"}),
    "web/in/package.json": PART,
    "py/requirements.txt": "pytest\nmypy\n",
    "py/mypy.ini": "[mypy]\n",
    "c/package.json": LEFT,
} | {f"py/{path}": text for path, text in EXTENSION.items()}


@pytest.mark.parametrize("part", ["", "x"])
def test_a_command_to_name_is_one_for_where_it_runs(part: str) -> None:
    """What a user names for a part runs in it."""
    files = {f"{part}/{path}" if part else path: text for path, text in NAMED.items()}
    toolchain = found(files, Options(part=part), has_pytest=False)
    fixes = [one.fix or "" for one in (*toolchain.findings, *unjudged(toolchain, None))]
    assert [fix.split('"')[1] for fix in fixes] == [
        "typecheck:mypy=cd py && .venv/bin/mypy -p PACKAGE",
        "cd web/in && ...",
        "cd c && ...",
        "cd py && python setup.py build_ext --inplace",
    ]


VERSION_FILES = {
    "hatch-vcs": '[tool.hatch.build.hooks.vcs]\nversion-file = "lib/_version.py"\n',
    "setuptools-scm": '[tool.setuptools_scm]\nversion_file = "lib/_version.py"\n',
    "setuptools-scm before 8": '[tool.setuptools_scm]\nwrite_to = "lib/_version.py"\n',
}


@pytest.mark.parametrize("build", VERSION_FILES)
@pytest.mark.parametrize(("tag", "version"), [("v1.20.3", "1.20.3"), ("", "0.0.0")])
def test_a_version_file_that_git_does_not_have_is_written(build: str, tag: str, version: str, tmp_path: Path) -> None:
    (setup,) = found({"pyproject.toml": VERSION_FILES[build], **TESTED}).setup
    (tmp_path / "lib").mkdir()
    for command in ("init", "commit --allow-empty -m x", f"tag {tag}"):
        git(tmp_path, *command.split())
    subprocess.run(["sh", "-c", *setup.commands], cwd=tmp_path, check=True)
    names = runpy.run_path(str(tmp_path / "lib" / "_version.py"))
    assert names["__version__"] == version
    assert names["version_tuple"] == tuple(map(int, version.split(".")))


def test_a_version_file_that_git_has_is_left_alone() -> None:
    assert found({"pyproject.toml": VERSION_FILES["hatch-vcs"], "lib/_version.py": "", **TESTED}).setup == ()


ASKS = {
    "pyproject.toml": '[project]\nname = "My-Tool"\ndescription = "Does it."\ndynamic = ["version"]\n'
    'authors = [{name = "A B", email = "a@b.example"}]\nurls = {Docs = "https://d.example"}\n'
    '[project.scripts]\nmy-tool = "my_tool:main"\n[project.entry-points.pytest11]\nmine = "my_tool.plugin"\n',
    "src/my_tool/__init__.py": "from importlib.metadata import version\n__version__ = version('my-tool')\n",
    "tests/test_it.py": "import pytest\n",
}


def _setup_of(files: dict[str, str], installed: set[str] | None) -> tuple[str, ...]:
    project = ProjectFiles(tuple(files), files.get, lambda _: True, sys.executable, installed=installed)
    return tuple(command for one in find_toolchain(project, DEFAULTS).setup for command in one.commands)


def test_the_metadata_of_a_project_that_is_not_installed_is_written_for_its_code(tmp_path: Path) -> None:
    for command in ("init", "commit --allow-empty -m x", "tag v2.1.0"):
        git(tmp_path, *command.split())
    for path, text in ASKS.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    (command,) = _setup_of(ASKS, set())
    subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True)
    ask = (
        "import importlib.metadata as m, my_tool; told = m.metadata('my-tool'); print(my_tool.__version__, "
        "told['Summary'], told['Author-email'], told['Project-URL'], "
        "*sorted(f'{one.group}:{one.value}' for one in m.distribution('my_tool').entry_points), sep='|')"
    )
    said = subprocess.run(
        [sys.executable, "-c", ask],
        env={"PYTHONPATH": str(tmp_path / "src")},
        cwd="/",
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert said == (
        "2.1.0|Does it.|A B <a@b.example>|Docs, https://d.example|console_scripts:my_tool:main|pytest11:my_tool.plugin\n"
    )


def test_metadata_is_left_alone_where_it_is_there_or_nothing_asks_for_it() -> None:
    assert _setup_of(ASKS, {"my-tool"}) == ()
    assert _setup_of(ASKS, None) == ()
    silent = {**ASKS, "src/my_tool/__init__.py": ""}
    silent["pyproject.toml"] = silent["pyproject.toml"].partition("[project.entry-points")[0]
    assert _setup_of(silent, set()) == ()
    assert _setup_of({**ASKS, "pyproject.toml": '[project]\nname = "../../x"\n'}, set()) == ()


UV = {
    "uv.lock": '[[package]]\nname = "it"\nsource = { editable = "." }\n',
    "pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n",
    "test_it.py": "import pytest\n",
}
PIP = {
    "requirements.txt": "requests==2.0\n",
    "requirements-dev.txt": "pytest==8.3.0\n",
    "test_it.py": "import pytest\n",
}


def test_an_environment_is_made_where_the_user_has_none_with_pytest() -> None:
    made = found(UV, has_pytest=False)
    assert commands_of(made) == ["uv sync --frozen --no-install-project --no-progress"]
    assert (made.setup[0].inputs, made.setup[0].outputs) == (("pyproject.toml", "uv.lock"), (".venv",))
    assert made.checks[0].command == ".venv/bin/python -m pytest -q"
    with_tests = (
        '[project]\nname = "x"\n[project.optional-dependencies]\ntesting = ["tox"]\n'
        '[dependency-groups]\ntests = ["pytest"]\n'
    )
    (command,) = commands_of(found(UV | {"pyproject.toml": with_tests}, has_pytest=False))
    assert command == "uv sync --frozen --no-install-project --no-progress --group tests --extra testing"
    declared = '[project]\nname = "x"\ndependencies = ["attrs>=22"]\n[dependency-groups]\ntest = ["pytest-cov"]\n'
    made = found({"pyproject.toml": declared, "test_it.py": "import pytest\n"}, has_pytest=False)
    assert commands_of(made) == [
        "python -I -m venv .venv && .venv/bin/python -I -m pip install --quiet 'attrs>=22' pytest-cov"
    ]
    assert (made.setup[0].inputs, made.setup[0].outputs) == (("pyproject.toml",), (".venv",))
    made = found(PIP, has_pytest=False)
    install = ".venv/bin/python -I -m pip install --quiet -r requirements.txt -r requirements-dev.txt"
    assert commands_of(made) == [f"python -I -m venv .venv && {install}"]
    assert made.setup[0].outputs == (".venv",)
    below = found({f"api/{name}": text for name, text in (PIP | {"setup.cfg": ""}).items()}, has_pytest=False)
    assert commands_of(below) == [f"cd api && python -I -m venv .venv && {install}"]
    assert below.setup[0].outputs == ("api/.venv",)
    assert below.checks[0].command == "cd api && .venv/bin/python -m pytest -q"


UV_SYNC = "uv sync --frozen --no-install-project --no-progress"
ADD_PYTEST = " && uv pip install --quiet --python .venv/bin/python pytest"
EXTRA_DEV = '[project]\nname = "x"\n[project.optional-dependencies]\ndev = ["pytest", "ruff", "mypy"]\n'
LINTED_BY = {"ruff.toml": "", "mypy.ini": "[mypy]\nfiles = a.py\n", "test_it.py": "import pytest\n"}
BY_UV: list[tuple[str, str, dict[str, str], str, set[str]]] = [
    ("the extra for work", EXTRA_DEV, {}, " --extra dev", {"ruff", "mypy"}),
    (
        "the extra for tests alone",
        f'{EXTRA_DEV}test = ["pytest"]\n',
        {},
        " --extra test",
        set(),
    ),
    ("no group for work that is not asked for", '[dependency-groups]\ndocs = ["ruff"]\n', {}, ADD_PYTEST, set()),
    ("another group", '[dependency-groups]\ndevelop = ["pytest", "ruff"]\n', {}, " --group develop", {"ruff"}),
    ("taken by itself", '[dependency-groups]\ndev = ["pytest-cov", "mypy"]\n', {}, "", {"mypy"}),
    (
        "not taken by itself",
        '[dependency-groups]\ndev=["pytest"]\n[tool.uv]\ndefault-groups=[]\n',
        {},
        " --group dev",
        set(),
    ),
    ("requirements beside it", "", {"requirements-dev.txt": "pytest\nruff\nmypy\n"}, ADD_PYTEST, set()),
]


@pytest.mark.parametrize(
    ("pyproject", "more", "words", "made"), [row[1:] for row in BY_UV], ids=[row[0] for row in BY_UV]
)
def test_only_what_uv_installs_is_run_from_its_environment(
    pyproject: str, more: dict[str, str], words: str, made: set[str]
) -> None:
    files = {"uv.lock": "", "pyproject.toml": pyproject, **LINTED_BY, **more}
    toolchain = found(files, has_pytest=False, missing=("ruff", "mypy"))
    assert commands_of(toolchain) == [UV_SYNC + words]
    commands = [check.command for check in toolchain.checks]
    assert {tool for tool in ("ruff", "mypy") if any(one.startswith(f".venv/bin/{tool}") for one in commands)} == made
    assert commands[-1] == ".venv/bin/python -m pytest -q"
    assert len(toolchain.findings) == len({"ruff", "mypy"} - made)


def test_beside_hashes_nothing_that_is_declared_is_installed() -> None:
    hashed = {"requirements.txt": "requests==2.0 --hash=sha256:00\n", "pyproject.toml": EXTRA_DEV, **LINTED_BY}
    made = found(hashed, has_pytest=False, missing=("ruff", "mypy"))
    pip = ".venv/bin/python -I -m pip install --quiet"
    assert commands_of(made) == [f"python -I -m venv .venv && {pip} -r requirements.txt && {pip} pytest"]
    assert [check.command for check in made.checks] == [".venv/bin/python -m pytest -q"]
    assert [one.code for one in made.findings] == ["checks.tool_missing"] * 2


def test_an_environment_is_kept_only_if_its_files_pin_it() -> None:
    for text in ("-r more.txt\npytest\n", "-e .\npytest\n", "./wheels/x.whl\npytest\n", "x @ file:///x\npytest\n"):
        (setup,) = found(PIP | {"requirements-dev.txt": text}, has_pytest=False).setup
        assert setup.outputs == ()
    (setup,) = found(UV | {"uv.lock": 'source = { directory = "../other" }\n'}, has_pytest=False).setup
    assert setup.outputs == ()


def test_no_environment_is_made_where_there_is_one_or_nothing_names_pytest() -> None:
    assert found(UV).setup == ()
    assert found(PIP).setup == ()
    assert found(UV | {"pyproject.toml": ""}, has_pytest=False, missing=("uv",)).setup == ()
    assert found({"test_it.py": "import pytest\n"}, has_pytest=False).setup == ()


MANAGE = (
    "import sys\nfrom django.core.management import execute_from_command_line\nexecute_from_command_line(sys.argv)\n"
)
RUNTESTS = MANAGE.replace("(sys.argv)", '(sys.argv[:1] + ["test"] + sys.argv[1:])')
IN_DJANGO = "from django.test import TestCase\nclass T(TestCase):\n    def test_a(self): ...\n"
CASES = {"shop/tests.py": IN_DJANGO}
LIKE_TESTS = {"config/settings/test.py": "DEBUG = False\n", "testutils.py": "from django.test import TestCase\n"}
DJANGO: list[tuple[str, dict[str, str], list[str]]] = [
    ("manage.py", {"manage.py": MANAGE, **CASES}, ["python manage.py test -v 2"]),
    ("a script that passes its words on", {"runtests.py": RUNTESTS, **CASES}, ["python runtests.py -v 2"]),
    (
        "a script that takes none",
        {"runtests.py": "from django.test.utils import get_runner\n", "tests/test_a.py": IN_DJANGO},
        ["python runtests.py"],
    ),
    (
        "the script of the tests comes first",
        {"runtests.py": RUNTESTS, "manage.py": MANAGE, **CASES},
        ["python runtests.py -v 2"],
    ),
    ("no tests", {"manage.py": MANAGE}, []),
    ("only what is named like tests", {"manage.py": MANAGE, **LIKE_TESTS}, []),
    (
        "tests beside what is named like them",
        {"manage.py": MANAGE, **LIKE_TESTS, **CASES},
        ["python manage.py test -v 2"],
    ),
    ("another script of that name", {"manage.py": "print()", **CASES}, []),
    ("pytest configured", {"manage.py": MANAGE, "pytest.ini": "", **CASES}, ["python -m pytest -q"]),
    ("pytest asked for", {"manage.py": MANAGE, "requirements.txt": "pytest", **TESTED}, ["python -m pytest -q"]),
    ("pytest imported", {"manage.py": MANAGE, "tests/test_a.py": "import pytest\n"}, ["python -m pytest -q"]),
]


@pytest.mark.parametrize(("files", "commands"), [row[1:] for row in DJANGO], ids=[row[0] for row in DJANGO])
def test_djangos_tests_run_by_its_own_runner(files: dict[str, str], commands: list[str]) -> None:
    made = found(files)
    assert [check.command for check in made.checks] == commands


def test_djangos_tests_of_a_folder_run_there() -> None:
    made = found({"web/package.json": "{}", "api/manage.py": MANAGE, "api/shop/tests.py": IN_DJANGO})
    assert [check.command for check in made.checks] == ["cd api && python manage.py test -v 2"]


def test_an_environment_for_django_needs_no_pytest() -> None:
    files = {"manage.py": MANAGE, "requirements.txt": "django\n", **CASES}
    project = ProjectFiles(tuple(files), files.get, lambda _: True, "python", has_pytest=False, installed=())
    made = find_toolchain(project, DEFAULTS)
    assert commands_of(made)[0].endswith("pip install --quiet -r requirements.txt")
    assert [check.command for check in made.checks] == [".venv/bin/python manage.py test -v 2"]


VENV_MADE = "-m venv .venv && .venv/bin/python -I -m pip install"
UNITTESTS = {"test_it.py": "import unittest\n"}


@pytest.mark.parametrize(
    "asked",
    [
        {"tox.ini": "[testenv]\ndeps =\n    pytest\n    pytest-cov\n"},
        {"requirements-dev.txt": "pytest==8.3\n"},
        {"pyproject.toml": "[dependency-groups]\ndev = ['pytest']\n"},
        {"setup.py": "from setuptools import setup\nsetup(tests_require=['pytest'])\n"},
    ],
)
def test_tests_of_unittest_run_by_the_pytest_that_the_project_asks_for(asked: dict[str, str]) -> None:
    made = found(UNITTESTS | asked, has_pytest=False)
    assert [check.command for check in made.checks] == [".venv/bin/python -m pytest -q"]
    assert VENV_MADE in commands_of(made)[0]
    assert [check.command for check in found(asked, has_pytest=False).checks] == []


def test_linters_that_set_up_installs_are_run_from_there() -> None:
    asked = {"requirements-dev.txt": "pytest\nmypy\nruff\n", "ruff.toml": "", **TESTED}
    missing = ("mypy", "ruff")
    made = found(asked | {"mypy.ini": "[mypy]\nfiles = a.py\n"}, has_pytest=False, missing=missing)
    mypy = "mypy --no-error-summary --no-pretty --python-executable .venv/bin/python"
    ruff = "ruff check --output-format=concise ."
    run = [f".venv/bin/{one}" for one in (mypy, ruff, "python -m pytest -q")]
    assert [check.command for check in made.checks] == run
    assert made.findings == ()
    # What mypy would look at is not known, and may be more than the project's own mypy passes.
    guessed = found(asked | {"mypy.ini": "[mypy]\n"}, has_pytest=False, missing=missing)
    assert [check.command for check in guessed.checks] == run[1:]
    assert [one.code for one in guessed.findings] == ["checks.tool_missing"]
    assert ".venv/bin/mypy" in guessed.findings[0].fix
    guessed = found(asked | {"mypy.ini": "[mypy]\n"}, has_pytest=False)
    assert [check.command for check in guessed.checks] == run[1:], "also where the PATH has another"
    # One that lies on the PATH is not what the project asks for.
    there = found(asked | {"mypy.ini": "[mypy]\nfiles = a.py\n"}, has_pytest=False)
    assert [check.command for check in there.checks] == run


def test_pytest_is_added_where_tests_need_it_and_no_requirements_name_it() -> None:
    made = found({"requirements.txt": "requests\n", "test_it.py": "import pytest\n"}, has_pytest=False)
    assert commands_of(made)[0].endswith(" -r requirements.txt pytest")
    unittests = {"requirements.txt": "requests\n", "test_it.py": "import unittest\nimport requests\n"}
    assert found(unittests, has_pytest=False).setup == ()


LACKING: list[tuple[str, dict[str, str], set[str], bool]] = [
    ("a package that the code imports", {"a.py": "import requests"}, {"pytest"}, True),
    ("all are there", {"a.py": "import requests"}, {"pytest", "requests"}, False),
    ("no code imports it", {"a.py": "import os"}, {"pytest"}, False),
    (
        "only on another system",
        {"a.py": "import requests", "requirements.txt": "requests; os_name == 'nt'"},
        set(),
        False,
    ),
    ("a plugin of pytest", {"requirements.txt": "pytest-django"}, {"pytest"}, True),
    ("of another name", {"a.py": "from dateutil import tz", "requirements.txt": "python-dateutil"}, {"pytest"}, True),
    (
        "of several words",
        {"a.py": "import flask_cors", "requirements.txt": "Flask-Cors>=4 # why"},
        {"flask-cors"},
        False,
    ),
    (
        "by uv",
        {"a.py": "import requests", **UV, "pyproject.toml": "[project]\ndependencies = ['requests']"},
        set(),
        True,
    ),
    (
        "pyproject.toml alone",
        {"a.py": "import requests", "pyproject.toml": "[project]", "requirements.txt": ""},
        set(),
        False,
    ),
]


@pytest.mark.parametrize(
    ("files", "installed", "made"), [case[1:] for case in LACKING], ids=[case[0] for case in LACKING]
)
def test_an_environment_is_made_where_a_python_of_the_path_lacks_what_the_project_imports(
    files: dict[str, str], installed: set[str], made: bool
) -> None:
    files = {"requirements.txt": "requests==2.0\n", "test_it.py": "import pytest\n", **files}
    project = ProjectFiles(tuple(files), files.get, lambda _: True, "python", installed=installed)
    toolchain = find_toolchain(project, DEFAULTS)
    assert bool(toolchain.setup) == made
    assert toolchain.checks[0].command == f"{'.venv/bin/' * made}python -m pytest -q"
    taken = project._replace(installed=None)
    assert find_toolchain(taken, DEFAULTS).setup == (), "an environment of the user is taken as it is"


DECLARED = '[project]\nname = "x"\ndependencies = ["requests>=2"]\n'
ELSEWHERE = '[project]\nname = "x"\ndependencies = ["requests", "inner"]\n[tool.uv.sources]\ninner = {%s}\n'


@pytest.mark.parametrize(
    ("pyproject", "more", "made"),
    [
        (DECLARED, {}, True),
        (DECLARED.replace(">=2", ">=2; python_version<'3'"), {}, False),
        (DECLARED.replace("requests", "sphinx"), {"docs/conf.py": "import sphinx\n"}, False),
        ('[project]\nname = "x"\ndynamic = ["dependencies"]\n[dependency-groups]\ntest = ["requests"]\n', {}, False),
        (DECLARED, {"setup.py": "from setuptools import setup\nsetup(install_requires=open('x').read())\n"}, False),
        (ELSEWHERE % "git = 'https://example.com/inner'", {"inside.py": "import inner\n"}, False),
        (ELSEWHERE % "git = 'https://example.com/inner'", {}, True),
        (ELSEWHERE % "workspace = true", {"inside.py": "import inner\n"}, True),
        ('[dependency-groups]\ntest = ["pytest-runner"]\n', {}, False),
    ],
)
def test_an_environment_of_what_is_declared_alone_is_made_only_if_it_will_do(
    pyproject: str, more: dict[str, str], made: bool
) -> None:
    """Else the Python of the checks, which has pytest, is the better one."""
    files = {"pyproject.toml": pyproject, "test_it.py": "import pytest\nimport requests\n", **more}
    project = ProjectFiles(tuple(files), files.get, lambda _: False, "python", installed={"pytest"})
    commands = [command for one in find_toolchain(project, DEFAULTS).setup for command in one.commands]
    assert bool(commands) == made
    assert not any("inner" in command for command in commands)


def test_what_requirements_files_pin_is_not_asked_for_otherwise() -> None:
    pyproject = (
        '[project]\nname = "x"\ndependencies = ["requests>=3", "attrs"]\n[dependency-groups]\ntest = ["Pytest>=9"]\n'
    )
    (command,) = commands_of(found(PIP | {"pyproject.toml": pyproject}, has_pytest=False))
    assert command.endswith("--quiet -r requirements.txt -r requirements-dev.txt attrs")
    hashed = {"requirements.txt": "requests==2.0 \\\n    --hash=sha256:00\n"}
    (command,) = commands_of(found(PIP | hashed | {"pyproject.toml": pyproject}, has_pytest=False))
    assert command.endswith("--quiet -r requirements.txt -r requirements-dev.txt")


def test_the_metadata_of_a_project_that_a_requirements_file_installs_is_not_written() -> None:
    for line in (".", "-e .", "-e .[test]", "--editable ./  # here"):
        made = _setup_of({**ASKS, "requirements-dev.txt": f"pytest\n{line}\n"}, {"pytest"})
        assert not any("dist-info" in command for command in made), line


@pytest.mark.parametrize(
    ("files", "checks"),
    [
        (
            {"go.work": "use ./services/a", "services/a/go.mod": "", "services/b/go.mod": ""},
            [f"cd services/{name} && go {what}" for what in ("vet ./...", "test -json ./...") for name in "ab"],
        ),
        (
            {"apps/web/package.json": PART, "apps/api/pyproject.toml": "", "apps/api/tests/test_a.py": ""},
            ["cd apps/api && python -m pytest -q", "cd apps/web && npm test"],
        ),
        ({"go.mod": "", "a/b/go.mod": "", "a/b/c_test.go": "", "a/b/d/go.mod": "", "a/b/d/e_test.go": ""}, None),
    ],
)
def test_parts_at_any_depth_are_judged(files: dict[str, str], checks: list[str] | None) -> None:
    commands = [check.command for check in found(files).checks]
    tests = ["go test -json ./...", "cd a/b && go test -json ./...", "cd a/b/d && go test -json ./..."]
    assert commands == checks if checks is not None else commands[3:] == tests


@pytest.mark.parametrize(
    ("more", "command"),
    [
        ({}, "cd backend && python -m pytest -q"),
        ({"package.json": "{}"}, "cd backend && python -m pytest -q"),
        ({"backend/test_b.py": "from backend.app import main\n"}, "python -m pytest -q"),
        ({"requirements.txt": ""}, "python -m pytest -q"),
        ({"pyproject.toml": ""}, "python -m pytest -q"),
    ],
)
def test_a_folder_with_requirements_alone_is_a_part_unless_it_is_used_from_above(
    more: dict[str, str], command: str
) -> None:
    files = {
        "backend/requirements.txt": "",
        "backend/app/main.py": "",
        "backend/tests/test_a.py": "from app import main\nimport pytest\n",
        "frontend/package.json": PART,
        **more,
    }
    assert command in [check.command for check in found(files).checks]


NPM_CI = "npm ci --ignore-scripts --no-audit --no-fund"
PNPM_I = "pnpm install --frozen-lockfile --ignore-scripts"
A_TEST = "def test_a(): pass"
PARTS: list[tuple[str, dict[str, str], list[str], list[str]]] = [
    (
        "npm workspaces",
        {
            "package.json": package(workspaces=["packages/*"], scripts={"test": "npm test --workspaces"}),
            "package-lock.json": "{}",
            "packages/a/package.json": package(scripts={"test": "node --test"}, devDependencies={"x": "1"}),
            "packages/b/package.json": package(scripts={"test": "node --test"}),
        },
        [NPM_CI],
        ["cd packages/a && npm test"],
    ),
    (
        "pnpm-workspace",
        {
            "package.json": package(devDependencies={"vitest": "1"}),
            "pnpm-workspace.yaml": "packages: [packages/*]",
            "pnpm-lock.yaml": "",
            "packages/a/package.json": package(scripts={"test": "vitest run", "lint": "l"}),
        },
        [PNPM_I],
        ["cd packages/a && pnpm run lint", "cd packages/a && pnpm test"],
    ),
    (
        "a package with a lock file of its own",
        {
            "package.json": package(workspaces=["libs/*"]),
            "package-lock.json": "{}",
            "packages/a/package.json": package(scripts={"test": "node --test"}, devDependencies={"x": "1"}),
            "packages/a/package-lock.json": "{}",
        },
        [f"cd packages/a && {NPM_CI}"],
        ["cd packages/a && npm test"],
    ),
    (
        "a uv workspace",
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["packages/*"]',
            "uv.lock": "",
            "tests/test_top.py": A_TEST,
            "packages/a/pyproject.toml": "[tool.ruff]",
            "packages/a/tests/test_a.py": A_TEST,
        },
        [],
        ["cd packages/a && ruff check --output-format=concise .", "cd packages/a && python -m pytest -q"],
    ),
    (
        "a Cargo workspace",
        {
            "Cargo.toml": '[workspace]\nmembers = ["packages/*"]',
            "Cargo.lock": "",
            "packages/a/Cargo.toml": "[package]",
            "packages/b/Cargo.toml": "[package]",
        },
        [],
        ["cd packages/a && cargo test --no-fail-fast"],
    ),
    (
        "modules of a go.work",
        {
            "go.work": "use (./packages/a ./packages/b)",
            "packages/a/go.mod": "module a",
            "packages/b/go.mod": "module b",
        },
        [GO_SETUP.replace("&& go mod", "&& cd packages/a && go mod", 1)],
        ["cd packages/a && go vet ./...", "cd packages/a && go test -json ./..."],
    ),
    (
        "settings of its own",
        {
            "buildwright.toml": '[checks]\ntest = "make all"',
            "packages/a/buildwright.toml": '[setup]\ncommands = ["make ready"]\n[checks]\ntest = "make test"',
            "packages/a/tests/test_a.py": A_TEST,
        },
        ["cd packages/a && make ready"],
        ["cd packages/a && make test"],
    ),
    (
        "settings of the folder around it",
        {"packages/buildwright.toml": '[checks]\ntest = "make test"', "packages/a/pyproject.toml": "", **TESTED},
        [],
        ["cd packages && make test"],
    ),
    (
        "settings of the top",
        {"buildwright.toml": '[checks]\ntest = "grep -q x y"', "packages/a/go.mod": ""},
        [],
        ["grep -q x y"],
    ),
]


@pytest.mark.parametrize(("files", "setup", "checks"), [case[1:] for case in PARTS], ids=[case[0] for case in PARTS])
def test_a_part_has_commands_of_its_own(files: dict[str, str], setup: list[str], checks: list[str]) -> None:
    toolchain = found(files, Options(part="packages/a"))
    assert commands_of(toolchain) == setup
    assert [check.command for check in toolchain.checks] == checks


def test_what_is_given_for_a_part_runs_in_it() -> None:
    files = {"packages/a/pyproject.toml": "", "packages/a/tests/test_a.py": A_TEST}
    check = Check(name="t", command="make t", report="out/report.xml", paths=("src/*",))
    options = Options(
        part="packages/a", checks=(check, Check(name="p", command="p", report="pytest")), setup=("make s",)
    )
    toolchain = found(files, options)
    assert commands_of(toolchain) == ["cd packages/a && make s"]
    first, second = toolchain.checks
    assert (first.command, first.report, first.paths) == (
        "cd packages/a && make t",
        "packages/a/out/report.xml",
        ("packages/a/src/*",),
    )
    assert second.report == "pytest"


def test_settings_of_a_part_name_files_from_where_they_lie() -> None:
    text = '[setup]\ncommands = ["npm ci"]\ninputs = ["package.json"]\noutputs = ["node_modules"]'
    toolchain = found({"a b/buildwright.toml": text, "a b/package.json": "{}"}, Options(part="a b"))
    assert toolchain.setup == (Setup(("cd 'a b' && npm ci",), ("a b/package.json",), ("a b/node_modules",)),)


def test_a_member_of_a_uv_workspace_finds_the_members_that_it_needs() -> None:
    files = {
        "pyproject.toml": '[tool.uv.workspace]\nmembers = ["libs/*"]',
        "libs/one/pyproject.toml": "[tool.uv.sources]\nLib-Two = { workspace = true }\nlib-three = { workspace = true }",
        "libs/one/src/one/__init__.py": "",
        "libs/two/pyproject.toml": '[project]\nname = "lib_two"',
        "libs/two/src/two/__init__.py": "",
        "libs/three/pyproject.toml": '[project]\nname = "lib-three"',
        "libs/three/three.py": "",
        "libs/four/pyproject.toml": '[project]\nname = "lib-four"',
    }
    assert found(files, Options(part="libs/one")).sources == ("libs/one/src", "libs/two/src", "libs/three")


def test_the_part_is_the_nearest_folder_with_a_manifest() -> None:
    files = {"packages/a/package.json", "packages/buildwright.toml", "go.mod"}
    named = ("packages/a", "packages/a/src/deep", "packages/b", "docs", "")
    assert [part_of(name, files.__contains__) for name in named] == ["packages/a", "packages/a", "packages", "", ""]


@pytest.mark.parametrize(
    ("touched", "run"),
    [
        (("apps/web/x.ts",), {"web", "shared"}),
        (("apps/api/a.py",), {"api", "web"}),
        (("libs/shared/s.py",), {"web", "shared"}),
        (("libs/shared/in/b.go",), {"in", "shared"}),
        (("README.md",), {"api", "web", "shared", "in"}),
    ],
)
def test_the_tests_of_parts_that_a_change_cannot_concern_are_left_out(touched: tuple[str, ...], run: set[str]) -> None:
    files = {
        "apps/web/package.json": PART,
        "apps/web/x.ts": "fetch('/api'); import '@org/shared'",
        "apps/api/pyproject.toml": "",
        "apps/api/tests/test_a.py": "def test_a(): pass",
        "libs/shared/pyproject.toml": "",
        "libs/shared/tests/test_s.py": "import in, web",
        "libs/shared/in/go.mod": "",
        "libs/shared/in/b_test.go": "package b",
    }
    project = ProjectFiles(tuple(files), files.get, lambda _: True, "python")
    toolchain = find_toolchain(project, DEFAULTS)
    tests = {
        name: check
        for check in toolchain.checks
        if check.kind == "test"
        for name in ("api", "web", "shared", "in")
        if check.command.split(" && ")[0].endswith(f"/{name}")
    }
    assert {name for name, check in tests.items() if not why_not(check, touched, toolchain, project)} == run


SIDES = {
    "test": "node --test test/unit",
    "test:api": "node --test test/api",
    "test:ui": "node --test test/ui",
    "test:e2e": "playwright test",
}


def test_tests_of_the_api_and_of_the_pages_are_found_and_those_that_need_a_browser_named() -> None:
    toolchain = found({"package.json": package(scripts=SIDES), "playwright.config.ts": ""})
    assert [check.command for check in toolchain.checks] == ["npm test", "npm run test:api", "npm run test:ui"]
    assert toolchain.levels == (("api", "npm test:api"), ("ui", "npm test:ui"))
    (note,) = toolchain.findings
    assert (note.code, note.severity) == ("checks.browser", "warning")
    assert "`npm run test:e2e` drives a browser (playwright)" in note.message
    alone = found({"package.json": package(scripts={"test": "node --test"}), "cypress.config.js": ""})
    assert [one.code for one in alone.findings] == ["checks.browser"]
    whole = {"test": "npm run test:api && npm run test:ui", "test:api": "node a.js", "test:ui": "echo later"}
    assert [check.command for check in found({"package.json": package(scripts=whole)}).checks] == ["npm test"]


@pytest.mark.parametrize(
    ("touched", "run"),
    [
        (("server/routes/a.js",), {"npm test", "npm test:api"}),
        (("api/a.js", "test/server/b.js"), {"npm test", "npm test:api"}),
        (("frontend/App.tsx",), {"npm test", "npm test:ui"}),
        (("src/look.css", "src/components/x.js"), {"npm test", "npm test:ui"}),
        (("server/a.js", "frontend/a.js"), {"npm test", "npm test:api", "npm test:ui"}),
        (("server/a.js", "src/shared.js"), {"npm test", "npm test:api", "npm test:ui"}),
        (("package.json",), {"npm test", "npm test:api", "npm test:ui"}),
    ],
)
def test_tests_of_one_side_run_unless_all_of_a_change_is_on_the_other(touched: tuple[str, ...], run: set[str]) -> None:
    files = {"package.json": package(scripts=SIDES)}
    project = ProjectFiles(tuple(files), files.get, lambda _: True, "python")
    toolchain = find_toolchain(project, DEFAULTS)
    assert {check.name for check in toolchain.checks if not why_not(check, touched, toolchain, project)} == run
    named = Options(checks=tuple(check for check in toolchain.checks if check.name != "npm test"))
    assert find_toolchain(project, named).levels == ()


def test_a_part_with_an_environment_of_its_own_is_judged_on_it() -> None:
    files = {
        "backend/pyproject.toml": "[tool.mypy]\n",
        "backend/test_a.py": "import pytest\n",
        "worker/setup.cfg": "",
        "worker/test_b.py": "import pytest\n",
    }
    mine = {"backend/": "/repo/backend/.venv/bin/python"}
    project = ProjectFiles(tuple(files), files.get, lambda _: True, "python", pythons=mine)
    commands = {check.name: check.command for check in find_toolchain(project, DEFAULTS).checks}
    assert commands["pytest (backend)"] == "cd backend && /repo/backend/.venv/bin/python -m pytest -q"
    assert commands["mypy (backend)"].endswith("--python-executable /repo/backend/.venv/bin/python .")
    assert commands["pytest (worker)"] == "cd worker && python -m pytest -q"


def test_members_of_a_node_project_whose_top_has_no_tests_are_judged_each_by_its_own() -> None:
    files = {
        "package.json": package(workspaces=["packages/*"]),
        "package-lock.json": "{}",
        "packages/a/package.json": package(scripts={"test": "node --test"}, devDependencies={"x": "1"}),
        "packages/b/package.json": package(scripts={"test": "node --test"}, devDependencies={"x": "1"}),
        "site/package.json": package(scripts={"build": "vite build"}),
    }
    toolchain = found(files)
    assert [check.command for check in toolchain.checks] == ["cd packages/a && npm test", "cd packages/b && npm test"]
    assert commands_of(toolchain) == [NPM_CI], "once for all members"
    assert toolchain.findings == ()
    tested = files | {"package.json": package(workspaces=["packages/*"], scripts={"test": "npm test --workspaces"})}
    assert [check.command for check in found(tested).checks] == ["npm test"]

"""Every check of the audit: one case that it passes and one that it refuses, on real repositories."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.audit.formats import cyclonedx, sarif
from tests.audit.repositories import PROJECT, audited, change, commit, project, said
from tests.git import git

BETTER = "def add(a, b):\n    return a + b\n\n\ndef sub(a, b):\n    return a - b\n"


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return project(tmp_path / "repository")


async def test_scope_lets_claimed_files_and_their_companions_pass(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER, "tests/test_sub.py": "def test_sub():\n    assert True\n"})
    report = await audited(repository, home, "calc.py")
    assert said(report, "A1") == ("passed", set())
    assert report.ok


async def test_scope_refuses_a_file_that_nobody_claimed(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER, "setup_hook.py": "x = 1\n"})
    report = await audited(repository, home, "calc.py")
    assert said(report, "A1") == ("failed", {"scope.outside"})
    outcome = report.outcomes[0]
    assert outcome.findings[0].file == "setup_hook.py"
    assert "--allow setup_hook.py" in outcome.findings[0].fix
    opened = await audited(repository, home, "calc.py", allow=("setup_hook.py",))
    assert said(opened, "A1") == ("passed", set())


async def test_scope_refuses_what_runs_elsewhere_even_when_it_is_claimed(repository: Path, home: Path) -> None:
    change(repository, {".github/workflows/x.yml": "on: push\n"})
    report = await audited(repository, home, ".github/workflows/x.yml")
    assert said(report, "A1") == ("failed", {"scope.protected"})


async def test_scope_warns_of_a_claim_that_was_not_kept(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER})
    report = await audited(repository, home, "calc.py", "other.py")
    assert said(report, "A1") == ("warned", {"scope.untouched"})


async def test_both_sides_of_a_rename_count(repository: Path, home: Path) -> None:
    git(repository, "mv", "README.md", "calc_readme.md")
    commit(repository)
    report = await audited(repository, home, "calc_readme.md")
    assert said(report, "A1")[0] == "failed"
    assert said(report, "A2") == ("failed", {"minimal.renamed"})


async def test_a_small_change_is_minimal(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER})
    assert said(await audited(repository, home), "A2") == ("passed", set())


async def test_white_space_and_modes_alone_are_no_change(repository: Path, home: Path) -> None:
    (repository / "README.md").write_bytes(b"# calc \r\n\r\n")
    (repository / "calc.py").chmod(0o755)
    commit(repository)
    assert said(await audited(repository, home), "A2") == ("failed", {"minimal.whitespace", "minimal.mode"})


async def test_indentation_of_python_is_a_change(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r", {"x.py": "def f(a):\n    if a:\n        b()\n        c()\n"})
    change(repository, {"x.py": "def f(a):\n    if a:\n        b()\n    c()\n"})
    assert said(await audited(repository, home), "A2") == ("passed", set())


async def test_a_run_of_ours_is_evidence(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER, "evidence/test_runs_latest.md": "Status: PASS\n"})
    report = await audited(repository, home, run=True)
    assert said(report, "A3") == ("passed", set())
    assert said(report, "A7") == ("passed", set())
    assert said(report, "A8") == ("passed", set())
    # The ledger remembers the run: a later audit of the same tree needs none.
    again = await audited(repository, home)
    assert said(again, "A3") == ("passed", set())


async def test_a_written_pass_without_a_run_is_no_evidence(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER, "evidence/test_runs_latest.md": "**Status:** PASS\n"})
    assert said(await audited(repository, home), "A3") == ("failed", {"evidence.unproven"})


async def test_failing_tests_refuse_whatever_the_tree_says(repository: Path, home: Path) -> None:
    wrong = {"calc.py": "def add(a, b):\n    return 3.5\n", "evidence/test_runs_latest.md": "Status: PASS\n"}
    change(repository, wrong)
    report = await audited(repository, home, run=True)
    assert said(report, "A8")[0] == "failed"
    assert said(report, "A3") == ("failed", {"evidence.unproven"})


async def test_a_project_without_tests_is_refused(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r")
    git(repository, "rm", "-rq", "tests", "pyproject.toml", "conftest.py")
    commit(repository, "nothing to run")
    git(repository, "branch", "-f", "main")
    change(repository, {"README.md": "# more\n"})
    assert said(await audited(repository, home, run=True), "A8") == ("failed", {"checks.none"})


RULES = """{"layers": [
  {"from": "app/routes/*", "must_not_import": ["app.repos", "sqlalchemy"]},
  {"name": "core", "from": "app/core/*", "may_import": ["app.core", "typing"]},
  {"glob": "app/*.py", "forbidden": [{"pattern": "\\\\beval\\\\(", "reason": "it runs text"}]}
]}"""


async def test_boundaries_hold_for_imports_and_not_for_comments(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r", {"boundaries.json": RULES, "app/repos.py": "", "app/core/a.py": ""})
    change(
        repository,
        {"app/routes/a.py": "# import app.repos\nx = 'eval(1)'  # eval(\n", "app/core/a.py": "import typing\n"},
    )
    assert said(await audited(repository, home), "A4") == ("passed", set())
    bad = {"app/routes/a.py": "from app import x\nfrom ..repos import y\n", "app/core/b.py": "import json\neval('1')\n"}
    change(repository, bad)
    report = await audited(repository, home)
    assert said(report, "A4") == ("failed", {"boundaries.import", "boundaries.pattern"})
    found = {(one.file, one.line) for one in report.outcomes[3].findings}
    assert found == {("app/routes/a.py", 2), ("app/core/b.py", 1), ("app/core/b.py", 2)}


async def test_loosened_boundaries_hold_as_they_were(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r", {"boundaries.json": RULES, "app/repos.py": ""})
    change(repository, {"boundaries.json": '{"layers": []}', "app/routes/a.py": "import app.repos\n"})
    assert said(await audited(repository, home), "A4") == ("failed", {"boundaries.import"})


async def test_an_old_sin_does_not_refuse_an_edit(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r", {"boundaries.json": RULES, "app/routes/a.py": "import app.repos\n"})
    change(repository, {"app/routes/a.py": "import app.repos\n\nx = 1\n"})
    assert said(await audited(repository, home), "A4") == ("passed", set())


async def test_a_diff_log_must_name_every_file_and_leave_nothing_open(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER, "evidence/updatedifflog.md": "- calc.py: added sub\n"})
    assert said(await audited(repository, home), "A5") == ("passed", set())
    change(repository, {"new.py": "", "evidence/updatedifflog.md": "- calc.py: TODO\n"})
    assert said(await audited(repository, home), "A5") == ("failed", {"difflog.missing", "difflog.placeholder"})


async def test_commits_are_by_somebody_known(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER})
    assert said(await audited(repository, home), "A6") == ("passed", set())
    (repository / "calc.py").write_text(BETTER + "\n# more\n")
    git(repository, "add", "--all")
    git(repository, "-c", "user.email=stranger@example.net", "commit", "-qm", "strange")
    assert said(await audited(repository, home), "A6") == ("failed", {"commits.unknown_author"})
    vouched = await audited(repository, home, authors=("stranger@example.net",))
    assert said(vouched, "A6") == ("passed", set())


async def test_a_rewritten_base_is_refused(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER})
    git(repository, "checkout", "-q", "main")
    change(repository, {"README.md": "# on main\n"})
    git(repository, "checkout", "-q", "work")
    assert said(await audited(repository, home), "A6") == ("failed", {"commits.rewritten"})


async def test_stages_have_an_order(repository: Path, home: Path) -> None:
    text = "## Static\nok\n## Runtime\nok\n## Behavior\nok\n## Contract\nok\n"
    change(repository, {"evidence/updatedifflog.md": text + "- evidence/updatedifflog.md\n"})
    assert said(await audited(repository, home), "A7") == ("passed", set())
    change(repository, {"evidence/updatedifflog.md": "## Behavior\nok\n## Static\nok\n"})
    assert said(await audited(repository, home), "A7") == ("failed", {"order.listed"})


async def test_imports_are_declared(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": "import json\n\nimport attr\nimport yaml\n\nimport conftest\n" + BETTER})
    assert said(await audited(repository, home), "A9") == ("passed", set())
    change(repository, {"calc.py": "import requests\n" + BETTER})
    report = await audited(repository, home)
    assert said(report, "A9") == ("failed", {"dependencies.undeclared"})
    assert report.outcomes[8].findings[0].line == 1


async def test_no_key_is_added(repository: Path, home: Path) -> None:
    change(repository, {"calc.py": BETTER + "token = os.environ['TOKEN']\n"})
    assert said(await audited(repository, home), "W1") == ("passed", set())
    key = "ghp_" + "a1B2c3D4e5" * 4
    change(repository, {"calc.py": BETTER + f"token = '{key}'\n"})
    report = await audited(repository, home)
    assert said(report, "W1")[0] == "failed"
    assert report.outcomes[9].findings[0].line == 7
    assert key not in report.model_dump_json()


CONTRACT = "# Phases\n\n## Phase 1\n- `GET /health`\n- `GET /users/{id}`\n\n## Phase 2\n- `POST /users`\n"
APP = """from fastapi import FastAPI
app = FastAPI()


@app.get("/health")
def health(): ...


@app.get("/users/{user_id}")
def user(user_id: int): ...
"""


async def test_routes_of_the_phase_are_implemented(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r", {"docs/phases.md": CONTRACT})
    change(repository, {"app.py": APP})
    one = await audited(repository, home, phase="Phase 1")
    assert said(one, "W3") == ("warned", {"routes.missing"})
    two = await audited(repository, home, phase="Phase 2")
    assert said(two, "W3") == ("failed", {"routes.missing"})


async def test_a_declared_route_that_is_gone_is_refused(tmp_path: Path, home: Path) -> None:
    described = '{"paths": {"/health": {"get": {}}, "/users/{id}": {"get": {}}}}'
    repository = project(tmp_path / "r", {"openapi.json": described, "app.py": APP})
    change(repository, {"calc.py": BETTER})
    assert said(await audited(repository, home), "W3") == ("passed", set())
    change(repository, {"app.py": APP.replace("/users/{user_id}", "/people/{user_id}")})
    assert said(await audited(repository, home), "W3") == ("failed", {"routes.missing", "routes.undeclared"})


async def test_changed_manifests_are_told_as_cyclonedx(tmp_path: Path, home: Path) -> None:
    web = '{"name": "web", "dependencies": {"@s/z": "1"}, "engines": {"node": "22"}}'
    repository = project(tmp_path / "r", {"web/package.json": '{"name": "web"}'})
    change(repository, {"calc.py": "A = 1\n"})
    assert not (await audited(repository, home)).dependencies
    change(repository, {"web/package.json": web, "pyproject.toml": PROJECT["pyproject.toml"].replace("attrs", "httpx")})
    report = await audited(repository, home)
    bom = cyclonedx(report.repository, report.base, report.head, report.dependencies)
    assert (bom["bomFormat"], bom["specVersion"]) == ("CycloneDX", "1.6")
    assert [(one["purl"], one["properties"][0]["value"]) for one in bom["components"]] == [
        ("pkg:pypi/httpx", "added"),
        ("pkg:pypi/attrs", "removed"),
        ("pkg:npm/%40s/z", "added"),
    ]
    assert bom["components"][2]["group"] == "@s"
    assert len({one["bom-ref"] for one in bom["components"]}) == 3


async def test_sarif_has_a_run_for_each_check(tmp_path: Path, home: Path) -> None:
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "import requests\n"})
    report = await audited(repository, home)
    log = sarif(report)
    assert [run["tool"]["driver"]["rules"][0]["id"] for run in log["runs"]] == [one.code for one in report.outcomes]
    assert {one["ruleId"] for run in log["runs"] for one in run["results"]} >= {"A9"}
    assert [run["properties"]["ok"] for run in log["runs"]].count(False) == 1
    more = tuple(report.outcomes[0].model_copy(update={"code": f"X{number}"}) for number in range(30))
    crowded = sarif(report.model_copy(update={"outcomes": (*report.outcomes, *more)}))
    assert len(crowded["runs"]) == 20
    assert len(crowded["runs"][-1]["tool"]["driver"]["rules"]) == len(report.outcomes) + 30 - 19

"""`audit`, `evidence` and `verify` as a user types them, on a real build."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

from tests.audit.repositories import change, project
from tests.cli.conftest import WRITES, Program, shell, write_tasks
from tests.git import git


def test_a_build_proves_itself(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "t.json", {"id": "a", "title": "First", "acceptance": ["a.txt is there"]})
    check = ("--check", "other:there=test -f README.md")
    command = f"{WRITES}; echo httpx > requirements.txt"
    built = program("build", tasks, "--repo", repository, *shell(command, *check), "--json")
    assert built.code == 0, built.err
    (audit,) = program("why", "newest", "--json").object["audits"]
    assert (audit["phase"], audit["ok"]) == ("Phase 1", True)
    assert "Audit of Phase 1: passed. Every check passed it." in program("why", "newest").out
    told = program("evidence", "--out", tmp_path / "ev", "--notes", "--json")
    assert told.code == 0, told.err
    bundle = Path(told.object["bundle"])
    page = Path(told.object["page"]).read_text(encoding="utf-8")
    assert "a.txt is there" in page
    verified = program("verify", bundle, "--repo", repository, "--json")
    assert verified.object["ok"], verified.out
    assert (
        "none.json cannot be read"
        in program("verify", tmp_path / "none.json", BUILDWRIGHT_HOME=str(tmp_path / "new")).err
    )
    whole = json.loads(bundle.read_text())
    bom = json.loads(base64.b64decode(whole["dependencies"]["payload"]))["predicate"]
    assert [(one["purl"], one["properties"][0]["value"]) for one in bom["components"]] == [("pkg:pypi/httpx", "added")]
    assert verified.object["commits"] == 1
    head = git(repository, "for-each-ref", "--format=%(objectname)", "refs/heads/buildwright")
    summary = json.loads(git(repository, "notes", "--ref=buildwright/vsa", "show", head))
    assert summary["payloadType"] == "application/vnd.in-toto+json"
    # Its commits are known here; one that only claims to be of a build is not.
    span = f"main..{head}"
    ours = program("audit", span, "--repo", repository, "--no-run", "--no-write", "--json").object["audit"]["outcomes"]
    assert next(one for one in ours if one["code"] == "A6")["result"] == "passed"
    git(repository, "checkout", "-q", "-b", "forged", head)
    git(repository, "-c", "user.email=buildwright@localhost", "commit", "-q", "--allow-empty", "-m", "Task b: Second")
    forged = program("audit", "main..HEAD", "--repo", repository, "--no-run", "--no-write", "--json")
    assert next(one for one in forged.object["audit"]["outcomes"] if one["code"] == "A6")["result"] == "failed"
    loose = json.loads(bundle.read_text())
    loose["evidence"]["payload"] = loose["evidence"]["payload"].replace("A", "B", 1)
    bundle.write_text(json.dumps(loose))
    tampered = program("verify", bundle, "--repo", repository)
    assert tampered.code == 3
    assert "does not hold" in tampered.out


def test_an_audit_says_no_with_exit_code_3(program: Program, tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "def add(a, b):\n    return b + a\n", "sneaky.py": "import requests\n"})
    command = [sys.executable, "-m", "buildwright.audit", "--claimed-files", "calc.py", "--phase", "Phase 1"]
    ended = subprocess.run(
        [*command, "--sandbox", "none"],
        cwd=repository,
        env=program.environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 3, ended.stderr
    assert "A1  FAIL scope" in ended.stdout
    assert "A8  PASS tests" in ended.stdout
    assert "sneaky.py:1: imports requests" in ended.stdout
    ledger = (repository / "evidence" / "audit_ledger.md").read_text()
    assert "FAIL" in ledger
    assert "Phase 1" in ledger
    good = program(
        "audit", "main..HEAD", "--repo", repository, "--claimed-files", "calc.py", "--no-run", "--allow", "sneaky.py"
    )
    assert good.code == 3
    sarif = program("audit", "--repo", repository, "--no-run", "--sarif").out
    rules = {one["ruleId"] for run in json.loads(sarif)["runs"] for one in run["results"]}
    assert "A9" in rules
    junit = program("audit", "--repo", repository, "--no-run", "--no-write", "--junit").out
    assert '<testcase classname="audit" name="A9 dependencies"' in junit

"""`secrets` and `hook` as a user types them: real repositories, real commits, a real build."""

from __future__ import annotations

import os
import random
import stat
import subprocess
from pathlib import Path

import pytest
from bench.secrets import ALNUM, drawn, plain_password

from tests.cli.conftest import Program, shell, write_tasks
from tests.git import GIT, git

KEY = drawn(ALNUM, 36, "gh" + "p_")(random.Random(6))
PASSWORD = plain_password(random.Random(6))


def commit(repository: Path, name: str, text: str) -> str:
    (repository / name).parent.mkdir(parents=True, exist_ok=True)
    (repository / name).write_text(text, encoding="utf-8")
    git(repository, "add", "-A")
    git(repository, "commit", "-q", "--no-verify", "-m", name)
    return git(repository, "rev-parse", "HEAD")


def commit_with_hooks(repository: Path, program: Program) -> subprocess.CompletedProcess[str]:
    environment = program.environment | {"GIT_CONFIG_NOSYSTEM": "1"}
    argv = [*GIT, "-C", str(repository), "commit", "-q", "-m", "next"]
    return subprocess.run(argv, env=environment, capture_output=True, text=True, check=False)


def test_the_files_of_a_repository(program: Program, repository: Path) -> None:
    (repository / ".gitignore").write_text("local.env\n")
    (repository / "local.env").write_text(f"TOKEN={KEY}\n")
    assert program("secrets", "scan", repository).code == 0
    (repository / "src").mkdir()
    (repository / "src" / "a.py").write_text(f"\nK = '{KEY}'\n")
    ended = program("secrets", "scan", repository)
    assert (ended.code, ended.out.count("\n")) == (3, 1)
    assert ended.out.startswith("src/a.py:2: github-pat, " + KEY[:4])
    assert KEY not in ended.out + ended.err
    assert program("secrets", "scan", repository / "README.md").code == 0
    assert program("secrets", "scan", repository / "src").code == 3


def test_files_outside_a_repository(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "plain"
    folder.mkdir()
    (folder / "a.yml").write_text(f"password: {PASSWORD}\n")
    for path in (folder, folder / "a.yml"):
        ended = program("secrets", "scan", path, "--json")
        assert ended.code == 3
        (found,) = ended.object["findings"]
        assert (found["code"], found["file"], found["line"]) == ("secrets.hardcoded-secret", "a.yml", 1)
        assert PASSWORD not in ended.out + ended.err


def test_a_range_finds_what_a_later_commit_took_out_and_not_what_the_base_has(
    program: Program, repository: Path
) -> None:
    commit(repository, "old.yml", f"password: {PASSWORD}\n")
    commit(repository, "old.yml", f"# edited\npassword: {PASSWORD}\n")
    bad = commit(repository, "a.py", f"K = '{KEY}'\n")
    git(repository, "rm", "-q", "a.py")
    commit(repository, "b.py", "x = 1\n")
    ended = program("secrets", "scan", repository, "--diff", "HEAD~3..HEAD", "--json")
    assert ended.code == 3
    (found,) = ended.object["findings"]
    assert (found["file"], found["commit"]) == ("a.py", bad)
    assert program("secrets", "scan", repository, "--diff", "HEAD~1..HEAD").code == 0
    assert program("secrets", "scan", repository, "--diff", "HEAD~3..HEAD~2").code == 0


def test_sarif_names_the_place_and_never_the_value(program: Program, repository: Path) -> None:
    commit(repository, "a.py", f"K = '{KEY}'\n")
    ended = program("secrets", "scan", repository, "--sarif")
    assert ended.code == 3
    (run,) = ended.object["runs"]
    (result,) = run["results"]
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("a.py", 1)
    assert result["ruleId"] in {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert KEY not in ended.out


def test_what_is_allowed_counts_for_one_repository(program: Program, repository: Path, tmp_path: Path) -> None:
    commit(repository, "a.py", f"K = '{KEY}'\n")
    name = program("secrets", "scan", repository, "--json").object["findings"][0]["fingerprint"]
    assert program("secrets", "allow", name, "-m", "a test server", "--repo", repository).code == 0
    assert program("secrets", "scan", repository).code == 0
    listed = program("secrets", "allowed", "--repo", repository / "src" / "..", "--json").object["allowed"]
    assert [(row["fingerprint"], row["reason"]) for row in listed] == [(name, "a test server")]
    other = tmp_path / "other"
    git(tmp_path, "init", "-q", str(other))
    (other / "a.py").write_text(f"K = '{KEY}'\n")
    assert program("secrets", "scan", other).code == 3
    assert git(repository, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("scan", "nowhere"), 2),
        (("scan", "--diff", "HEAD"), 2),
        (("scan", "--diff", "no..way"), 2),
        (("scan", "--staged", "--diff", "a..b"), 2),
        (("scan", "--json", "--sarif"), 2),
        (("allow", "xyz", "-m", "why"), 2),
        (("allow", "0123456789abcdef"), 2),
    ],
)
def test_what_cannot_be_meant_is_refused(program: Program, repository: Path, words: tuple[str, ...], code: int) -> None:
    program.directory = repository
    assert program("secrets", *words).code == code


def test_the_programs_of_a_repository_are_never_run(program: Program, repository: Path, tmp_path: Path) -> None:
    sign = tmp_path / "ran"
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {sign}\n")
    trap.chmod(0o755)
    commit(repository, "a.py", f"K = '{KEY}'\n")
    (repository / ".gitattributes").write_text("* filter=trap diff=trap\n")
    for name in ("core.fsmonitor", "diff.external", "filter.trap.clean", "filter.trap.smudge", "diff.trap.textconv"):
        git(repository, "config", name, str(trap))
    for words in ((), ("--staged",), ("--diff", "HEAD~1..HEAD")):
        assert program("secrets", "scan", repository, *words).code in {0, 3}
    assert not sign.exists()


def test_the_hook_refuses_a_commit_until_the_secret_is_gone(program: Program, repository: Path) -> None:
    program.directory = repository
    assert program("hook", "install").code == 0
    (repository / "a.py").write_text(f"K = '{KEY}'\n")
    git(repository, "add", "a.py")
    refused = commit_with_hooks(repository, program)
    assert refused.returncode != 0
    assert "a.py:1: github-pat" in refused.stdout + refused.stderr
    assert KEY not in refused.stdout + refused.stderr
    (repository / "a.py").write_text("import os\nK = os.environ['K']\n")
    git(repository, "add", "a.py")
    assert commit_with_hooks(repository, program).returncode == 0


def test_only_what_is_staged_counts(program: Program, repository: Path) -> None:
    (repository / "a.py").write_text(f"K = '{KEY}'\n")
    git(repository, "add", "a.py")
    (repository / "a.py").write_text("K = 1\n")
    (repository / "b.py").write_text("x = 1\n")
    assert program("secrets", "scan", repository, "--staged").code == 3
    git(repository, "add", "a.py")
    (repository / "b.py").write_text(f"K = '{KEY}'\n")
    assert program("secrets", "scan", repository, "--staged").code == 0


def test_the_hook_keeps_the_one_that_was_there(program: Program, repository: Path, tmp_path: Path) -> None:
    program.directory = repository
    sign, theirs = tmp_path / "theirs-ran", repository / ".git" / "hooks" / "pre-commit"
    theirs.parent.mkdir(exist_ok=True)
    text = f"#!/bin/sh\ntouch {sign}\n"
    theirs.write_text(text)
    theirs.chmod(0o755)
    for _ in range(2):
        assert program("hook", "install").code == 0
    (repository / "b.py").write_text("x = 1\n")
    git(repository, "add", "b.py")
    assert commit_with_hooks(repository, program).returncode == 0
    assert sign.exists()
    assert program("hook", "remove").code == 0
    assert theirs.read_text() == text
    assert os.access(theirs, os.X_OK)
    assert program("hook", "remove").code == 0
    assert theirs.read_text() == text


def test_a_refusing_hook_of_others_still_refuses(program: Program, repository: Path) -> None:
    program.directory = repository
    theirs = repository / ".git" / "hooks" / "pre-commit"
    theirs.parent.mkdir(exist_ok=True)
    theirs.write_text("#!/bin/sh\nexit 9\n")
    theirs.chmod(0o755)
    program("hook", "install")
    (repository / "b.py").write_text("x = 1\n")
    git(repository, "add", "b.py")
    assert commit_with_hooks(repository, program).returncode != 0


def test_the_hook_goes_where_git_looks_for_it(program: Program, repository: Path) -> None:
    program.directory = repository
    git(repository, "config", "core.hooksPath", ".githooks")
    assert program("hook", "install").code == 0
    assert (repository / ".githooks" / "pre-commit").stat().st_mode & stat.S_IXUSR
    assert not (repository / ".git" / "hooks" / "pre-commit").exists()
    (repository / "a.py").write_text(f"K = '{KEY}'\n")
    git(repository, "add", "a.py")
    assert commit_with_hooks(repository, program).returncode != 0


def test_the_hook_works_in_a_linked_worktree(program: Program, repository: Path, tmp_path: Path) -> None:
    linked = tmp_path / "linked"
    git(repository, "worktree", "add", "-q", "-b", "side", str(linked))
    program.directory = linked
    assert program("hook", "install").code == 0
    (linked / "a.py").write_text(f"K = '{KEY}'\n")
    git(linked, "add", "a.py")
    assert commit_with_hooks(linked, program).returncode != 0


def test_a_build_refuses_a_key_until_a_person_allows_it(program: Program, repository: Path, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "t.json", {"id": "a", "title": "Add", "goal": "x"})
    (tmp_path / "a.py").write_text(f"K = '{KEY}'\n")
    agent = shell(f"cp {tmp_path / 'a.py'} .", "--check", "lint:fine=true", "--attempts", "1")
    first = program("build", tasks, "--repo", repository, *agent, "--json", "--yes")
    assert first.code == 4, first.out[-3000:]
    assert KEY not in first.out + first.err
    assert "secrets.github-pat" in first.out
    build = first.lines[-1]["id"]
    for verb in (("why", build, "a"), ("events", build), ("logs", build)):
        shown = program(*verb)
        assert KEY not in shown.out + shown.err
    name = first.out.partition("secrets allow ")[2][:16]
    assert program("secrets", "allow", name, "-m", "made for this test", "--repo", repository).code == 0
    second = program("resume", build, "--retry", "--json")
    assert second.code == 0, second.out[-2500:]
    assert git(repository, "show", f"{second.lines[-1]['delivered']}:a.py") == f"K = '{KEY}'"

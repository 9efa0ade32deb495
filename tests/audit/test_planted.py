"""Changes that git's own status and diff do not show, and repositories that make git run something: all are seen."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.audit.repositories import PROJECT, audited, change, commit, places, project
from tests.git import git

STRANGE = 'we"ird-é.txt'
TRACKED = ("assumed.txt", "skipped.txt", "mode.sh", "old_name.py", "crlf.txt", "link.txt", "hidden.txt")


def planted(folder: Path) -> Path:
    """Make a repository whose working tree has 13 changes, each with its own way to hide."""
    text = "".join(f"line {n} of it\n" for n in range(30))
    repository = project(folder, {**dict.fromkeys(TRACKED, text), ".gitignore": "ignored.txt\n"})
    work = repository
    git(work, "update-index", "--assume-unchanged", "assumed.txt")
    git(work, "update-index", "--skip-worktree", "skipped.txt")
    (work / "assumed.txt").write_text("changed\n")
    (work / "skipped.txt").write_text("changed\n")
    (work / "untracked.txt").write_text("new\n")
    (work / "ignored.txt").write_text("new\n")
    (work / ".git" / "info" / "exclude").write_text("excluded.txt\n")
    (work / "excluded.txt").write_text("new\n")
    (work / "mode.sh").chmod(0o755)
    (work / "old_name.py").unlink()
    (work / "new_name.py").write_text(text + "more\n")
    (work / "crlf.txt").write_bytes(text.replace("\n", "\r\n").encode())
    git(work, "config", "core.autocrlf", "input")
    (work / "link.txt").unlink()
    (work / "link.txt").symlink_to("README.md")
    (work / STRANGE).write_text("new\n")
    (work / "nested").mkdir()
    git(work / "nested", "init", "--quiet")
    (work / "nested" / "inner.txt").write_text("new\n")
    (work / ".git" / "info" / "attributes").write_text("hidden.txt -diff\n")
    (work / "hidden.txt").write_text("changed\n")
    return repository


async def test_every_planted_change_is_seen(tmp_path: Path) -> None:
    repository = planted(tmp_path / "r")
    report = await audited(repository, tmp_path / "home", "calc.py", work_tree=True)
    assert places(report, "A1") == {
        *TRACKED,
        "untracked.txt",
        "ignored.txt",
        "excluded.txt",
        "new_name.py",
        STRANGE,
        "nested/inner.txt",
    }


async def test_a_committed_change_cannot_hide_by_attributes(tmp_path: Path) -> None:
    repository = project(tmp_path / "r", {".gitattributes": "*.py -diff\n"})
    key = "ghp_" + "a1B2c3D4e5" * 4
    change(repository, {"calc.py": f"{PROJECT['calc.py']}t = '{key}'\n"})
    report = await audited(repository, tmp_path / "home")
    assert places(report, "W1") == {"calc.py"}


@pytest.mark.parametrize("work_tree", [False, True])
async def test_nothing_that_the_repository_configures_is_run(tmp_path: Path, work_tree: bool) -> None:
    repository = project(tmp_path / "r", {".gitattributes": "* filter=evil diff=evil\n"})
    change(repository, {"calc.py": "x = 1\n"})
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\necho $0 >> {tmp_path}/sprung\ncat\n")
    trap.chmod(0o755)
    for key in (
        "core.fsmonitor",
        "diff.external",
        "filter.evil.clean",
        "filter.evil.smudge",
        "filter.evil.process",
        "diff.evil.textconv",
        "diff.evil.command",
        "core.alternateRefsCommand",
        "core.pager",
        "gpg.program",
        "core.sshCommand",
    ):
        git(repository, "config", key, str(trap))
    git(repository, "config", "core.hooksPath", str(tmp_path))
    git(repository, "config", "log.showSignature", "true")
    for hook in ("post-checkout", "post-index-change", "reference-transaction"):
        os.link(trap, tmp_path / hook)
    (repository / "calc.py").write_text("x = 2\n")
    await audited(repository, tmp_path / "home", work_tree=work_tree)
    assert not (tmp_path / "sprung").exists()


async def test_a_graft_cannot_take_commits_out_of_sight(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    base = git(repository, "rev-parse", "HEAD")
    (repository / "calc.py").write_text("x = 1\n")
    git(repository, "add", "--all")
    git(repository, "-c", "user.email=stranger@example.net", "commit", "-qm", "strange")
    last = commit(repository, "known")
    (repository / ".git" / "info" / "grafts").write_text(f"{last} {base}\n")
    report = await audited(repository, tmp_path / "home")
    assert next(one for one in report.outcomes if one.code == "A6").result == "failed"


async def test_the_evidence_is_not_written_through_a_link(tmp_path: Path) -> None:
    from buildwright.audit.comparison import AuditRange
    from buildwright.audit.run import AuditRequest
    from buildwright.errors import UnsafePath
    from tests.audit.repositories import auditor

    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "x = 1\n"})
    (tmp_path / "elsewhere").mkdir()
    (repository / "evidence").symlink_to(tmp_path / "elsewhere")
    request = AuditRequest(str(repository), AuditRange("main"), run_checks=False)
    with pytest.raises(UnsafePath):
        await auditor(tmp_path / "home").audit(request)
    assert not list((tmp_path / "elsewhere").iterdir())


async def test_a_change_in_a_file_of_bytes_is_no_white_space(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    (repository / "data.bin").write_bytes(b"\xff\xfe\n" * 30)
    commit(repository, "bytes")
    git(repository, "branch", "-f", "main")
    (repository / "data.bin").write_bytes(b"\xff\xfd\n" * 30)
    commit(repository)
    report = await audited(repository, tmp_path / "home")
    assert next(one for one in report.outcomes if one.code == "A2").result != "failed"


async def test_the_audits_own_files_are_no_part_of_a_change(tmp_path: Path) -> None:
    repository = project(tmp_path / "r")
    change(repository, {"calc.py": "x = 1\n", "evidence/audit_ledger.md": "# Audit ledger\n"})
    report = await audited(repository, tmp_path / "home", "calc.py")
    assert places(report, "A1") == set()

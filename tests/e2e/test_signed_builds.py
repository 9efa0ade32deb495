"""A build signs its commits with the key that the user's git names, or says before the start that it cannot."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from tests.cli.conftest import Program, write_tasks
from tests.git import git
from tests.workspace.test_signing import AUTHOR, ssh_key, verify


def test_a_build_signs_what_it_lands(program: Program, repository: Path, tmp_path: Path) -> None:
    key = ssh_key(tmp_path / "keys")
    for name, value in {"gpg.format": "ssh", "user.signingKey": f"{key}.pub", "commit.gpgSign": "true"}.items():
        git(repository, "config", name, value)
    git(repository, "config", "gpg.ssh.allowedSignersFile", str(tmp_path / "keys" / "allowed"))
    tasks = write_tasks(tmp_path / "two.json", {"id": "a", "title": "A"}, {"id": "b", "title": "B"})
    agent = ("--agent", "shell", "--agent-command", "echo y > $BUILDWRIGHT_TASK_ID.txt", "--check", "true")
    who = ("--author", AUTHOR)
    ended = program("build", tasks, "--repo", repository, *agent, *who, "--branch", "signed")
    assert ended.code == 0, ended.out + ended.err
    commits = git(repository, "rev-list", "HEAD..signed").split()
    assert len(commits) == 2
    assert all("Good" in verify(repository, commit, dict(os.environ)) for commit in commits)
    plain = program("build", tasks, "--repo", repository, *agent, *who, "--branch", "plain", "--sign", "no", "--new")
    assert plain.code == 0, plain.out + plain.err
    assert git(repository, "log", "--format=%G?", "HEAD..plain").split() == ["N", "N"]
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "a secret", "-f", key], check=True)
    barred = program("build", tasks, "--repo", repository, *agent, *who, "--new")
    assert barred.code == 78, barred.out + barred.err
    assert "ssh-add" in barred.err

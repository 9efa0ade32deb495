"""Commits that are signed with the user's own key, as git verifies them."""

from __future__ import annotations

import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.errors import GitFailed
from buildwright.workspace.git_workspace import GitWorkspace
from buildwright.workspace.signing import signing_key
from tests.git import git

AUTHOR = "Ada Lovelace <ada@example.org>"


def ssh_key(folder: Path, passphrase: str = "") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", passphrase, "-f", key], check=True)
    (folder / "allowed").write_text(f"ada@example.org {key.with_suffix('.pub').read_text()}")
    return key


@pytest.fixture
def mine(tmp_path: Path) -> dict[str, str]:
    """The environment of a user with a home of their own."""
    (tmp_path / "me").mkdir()
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(tmp_path / "me"), "GNUPGHOME": str(tmp_path / "me" / "gpg")}


def configure(mine: dict[str, str], **settings: str) -> None:
    for key, value in settings.items():
        subprocess.run(["git", "config", "--global", key.replace("_", "."), value], check=True, env=mine)


def verify(repository: Path, commit: str, mine: dict[str, str]) -> str:
    done = subprocess.run(
        ["git", "-C", repository, "verify-commit", commit], check=False, env=mine, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stderr


async def landed(workspace: GitWorkspace, repository: Path, key: str) -> tuple[Path, str, str]:
    """Put a change on the base twice, as after a kill; return the mirror and both commits."""
    target = await workspace.prepare("b1", str(repository))
    (repository / "more.txt").write_text("more\n")
    git(repository, "add", ".")
    tree = git(repository, "write-tree").strip()
    mirror = await workspace.mirror_with("b1", target.commit)
    subprocess.run(["git", "-C", mirror, "fetch", "-q", repository, tree], check=False)
    at = datetime(2026, 1, 1, tzinfo=UTC)
    made = [
        await workspace.rebase("b1", target.commit, target.tree, target.commit, "More", at, AUTHOR, key)
        for _ in range(2)
    ]
    return mirror, str(getattr(made[0], "commit", "")), str(getattr(made[1], "commit", ""))


@pytest.mark.parametrize("object_format", ["sha1", "sha256"])
async def test_ssh_signs_the_same_again_and_git_verifies_it(
    tmp_path: Path, mine: dict[str, str], object_format: str
) -> None:
    key = ssh_key(tmp_path / "me" / ".ssh")
    configure(mine, gpg_format="ssh", user_signingKey="~/.ssh/id_ed25519.pub", commit_gpgSign="true")
    subprocess.run(
        ["git", "config", "--global", "gpg.ssh.allowedSignersFile", key.parent / "allowed"], check=True, env=mine
    )
    repository = tmp_path / "r"
    subprocess.run(["git", "init", "-q", f"--object-format={object_format}", repository], check=True)
    (repository / "a.txt").write_text("a\n")
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Start")
    found = signing_key(mine, repository / ".git", AUTHOR, "auto")
    assert found == f"ssh {key}.pub"
    workspace = GitWorkspace(tmp_path / "home", mine)
    mirror, first, again = await landed(workspace, repository, found)
    assert first == again
    assert 'Good "git" signature for ada@example.org' in verify(mirror, first, mine)
    at = datetime(2026, 1, 2, tzinfo=UTC)
    back = await workspace.take_back("b1", first, first, "Take it back", at, AUTHOR, found)
    assert 'Good "git" signature for ada@example.org' in verify(mirror, str(getattr(back, "commit", "")), mine)
    assert signing_key(mine, repository / ".git", AUTHOR, "no") == ""


async def test_openpgp_signs(tmp_path: Path, mine: dict[str, str]) -> None:
    Path(mine["GNUPGHOME"]).mkdir(mode=0o700)
    make = ["gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "", "--quick-generate-key"]
    subprocess.run([*make, AUTHOR, "ed25519", "sign", "never"], check=True, env=mine, capture_output=True)
    configure(mine, commit_gpgSign="true")
    repository = tmp_path / "r"
    subprocess.run(["git", "init", "-q", repository], check=True)
    git(repository, "commit", "-q", "--allow-empty", "-m", "Start")
    try:
        found = signing_key(mine, repository / ".git", AUTHOR, "auto")
        assert found == f"openpgp {AUTHOR}", "git asks for the key of the committer as well"
        mirror, first, _ = await landed(GitWorkspace(tmp_path / "home", mine), repository, found)
        assert "Good signature from" in verify(mirror, first, mine)
    finally:
        subprocess.run(["gpgconf", "--kill", "all"], check=True, env=mine)


def test_what_cannot_sign_without_a_person_is_named(tmp_path: Path, mine: dict[str, str]) -> None:
    key = ssh_key(tmp_path / "me" / ".ssh", passphrase="known to a person")
    configure(mine, gpg_format="ssh", user_signingKey=str(key))
    with pytest.raises(GitFailed, match="passphrase") as told:
        signing_key(mine, None, AUTHOR, "yes")
    assert told.value.fix == f"Give it to your agent (ssh-add {key}), or: --sign no"
    configure(mine, user_signingKey="")
    with pytest.raises(GitFailed, match="git names no key"):
        signing_key(mine, None, AUTHOR, "yes")
    configure(mine, gpg_format="x509")
    with pytest.raises(GitFailed, match="x509"):
        signing_key(mine, None, AUTHOR, "yes")


def test_a_program_that_only_the_repository_names_never_runs(tmp_path: Path, mine: dict[str, str]) -> None:
    key = ssh_key(tmp_path / "me" / ".ssh")
    repository, stolen = tmp_path / "r", tmp_path / "stolen"
    subprocess.run(["git", "init", "-q", repository], check=True)
    for name, value in {
        "gpg.format": "ssh",
        "user.signingKey": str(key),
        "gpg.ssh.program": f"{stolen}.sh",
        "gpg.ssh.defaultKeyCommand": f"touch {stolen}",
    }.items():
        git(repository, "config", name, value)
    assert signing_key(mine, repository / ".git", AUTHOR, "yes") == f"ssh {key}"
    git(repository, "config", "user.signingKey", "")
    with pytest.raises(GitFailed, match="git names no key"):
        signing_key(mine, repository / ".git", AUTHOR, "yes")
    assert not stolen.exists()

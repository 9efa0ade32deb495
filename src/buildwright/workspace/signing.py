"""Signs commits with the user's own key: by ssh-keygen or gpg, as git would. Must never wait for a person.

Runs beside the sandbox, in no repository. Of a repository's own settings only the key and the format count; a program
is the user's.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from buildwright.errors import GitFailed
from buildwright.workspace.user_settings import UserSettings

_SECONDS = 30.0
_LITERAL = ("ssh-", "ecdsa-", "sk-")
_PREFIX = "key::"


def signing_key(
    environment: Mapping[str, str], git_dir: Path | None, author: str, wish: Literal["auto", "yes", "no"]
) -> str:
    """Return the key as `FORMAT KEY`, "" when commits are not to be signed; by `wish` or by `commit.gpgSign`.

    Raises GitFailed when there is no key, or when it does not sign without a person.
    """
    settings = UserSettings(environment, git_dir)
    if wish == "no" or (wish == "auto" and settings.value("commit.gpgSign", kind="bool") != "true"):
        return ""
    form = settings.value("gpg.format") or "openpgp"
    key = settings.value("user.signingKey")
    if form not in {"ssh", "openpgp"}:
        raise GitFailed(f"Commits cannot be signed in the format {form}.", fix="Set gpg.format to ssh, or: --sign no")
    if form == "ssh" and not key:
        key = _default_key(environment, settings)
    if form == "openpgp":
        key = key or author
    if not key:
        fix = "Set it: git config --global user.signingKey ~/.ssh/id_ed25519.pub; or: --sign no"
        raise GitFailed("Commits are to be signed, and git names no key (user.signingKey).", fix=fix)
    if form == "ssh" and key.startswith("~/"):
        key = str(Path(environment.get("HOME", "/")) / key[2:])
    found = f"{form} {key}"
    sign(environment, found, b"a trial\n")
    return found


def sign(environment: Mapping[str, str], key: str, content: bytes) -> str:
    """Return the signature of a commit's content by a key of `signing_key`. Raises GitFailed; blocks."""
    form, _, name = key.partition(" ")
    settings = UserSettings(environment)
    if form == "ssh":
        program = settings.of_the_user("gpg.ssh.program") or "ssh-keygen"
        return _by_ssh(environment, program, name, content)
    program = settings.of_the_user("gpg.openpgp.program") or settings.of_the_user("gpg.program") or "gpg"
    argv = (program, "--batch", "--pinentry-mode", "error", "--status-fd=2", "-bsau", name)
    return _run(
        environment, argv, content, name, "Let gpg-agent know its passphrase first (sign anything), or: --sign no"
    )


def _by_ssh(environment: Mapping[str, str], program: str, name: str, content: bytes) -> str:
    fix = f"Give it to your agent (ssh-add {name.removesuffix('.pub')}), or: --sign no"
    if not name.startswith((_PREFIX, *_LITERAL)):
        return _run(environment, (program, "-Y", "sign", "-n", "git", "-f", name), content, name, fix)
    with tempfile.NamedTemporaryFile("w", suffix=".pub") as public:
        public.write(name.removeprefix(_PREFIX) + "\n")
        public.flush()
        argv = (program, "-Y", "sign", "-n", "git", "-f", public.name, "-U")
        return _run(environment, argv, content, name, "Give it to your agent (ssh-add), or: --sign no")


def _default_key(environment: Mapping[str, str], settings: UserSettings) -> str:
    """Return the first key that the user's own `gpg.ssh.defaultKeyCommand` names, as git does."""
    command = settings.of_the_user("gpg.ssh.defaultKeyCommand")
    if not command:
        return ""
    said = _run(environment, shlex.split(command), b"", command, "Fix gpg.ssh.defaultKeyCommand, or: --sign no")
    lines = (line.strip() for line in said.splitlines())
    return next((line for line in lines if line.startswith((_PREFIX, *_LITERAL))), "")


def _run(environment: Mapping[str, str], argv: Sequence[str], content: bytes, what: str, fix: str) -> str:
    # Without a terminal, and without a window that asks.
    env = {**environment, "SSH_ASKPASS_REQUIRE": "never", "LC_ALL": "C"}
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "GPG_TTY"):
        env.pop(name, None)
    try:
        done = subprocess.run(
            argv,
            input=content,
            capture_output=True,
            check=False,
            cwd=os.path.sep,
            env=env,
            timeout=_SECONDS,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise GitFailed(
            f"Commits cannot be signed: {argv[0]} is not installed.", fix="Install it, or: --sign no"
        ) from error
    except (OSError, subprocess.TimeoutExpired) as error:
        raise GitFailed(f"Commits cannot be signed with {what}: {error}", fix=fix) from error
    if done.returncode or not done.stdout.strip():
        lines = [line for line in done.stderr.decode(errors="replace").splitlines() if not line.startswith("[GNUPG:]")]
        said = "; ".join(line.strip() for line in lines[-3:])
        raise GitFailed(f"Commits cannot be signed with {what}: {said or 'no reason was said'}", fix=fix)
    return done.stdout.decode("ascii", "replace")

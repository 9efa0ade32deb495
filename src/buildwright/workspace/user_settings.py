"""What the user's own git settings say: rewritten addresses, access to remotes, trusted directories.

Read by git from every place that git reads (system, user, XDG, includes, environment). A program that they name is the
user's; one that a repository's own configuration names is never returned.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from buildwright.core.forges import sites_of
from buildwright.core.own_names import FORGE_TOKENS
from buildwright.errors import BadSettings

_ACCESS = ("credential.", "http.", "core.sshcommand", "core.askpass", "ssh.variant")
_USERS = frozenset(("system", "global", "command"))
_SECONDS = 20
# They name a repository, or change what a git command does; all else that is the user's stays.
_OF_A_REPOSITORY = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)


class UserSettings:
    """The git settings of the user whose environment is given; with `git_dir` those that count in this repository."""

    def __init__(self, environment: Mapping[str, str], git_dir: Path | None = None) -> None:
        self.environment = {name: value for name, value in environment.items() if name not in _OF_A_REPOSITORY}
        """The user's, without what names a repository."""
        self._git_dir = git_dir

    def rewritten(self, address: str, *, push: bool = False, explicit: bool = False) -> str:
        """Return the address after `url.<base>.insteadOf` (git-config(1)), the longest prefix first.

        With `push`, `pushInsteadOf` goes before it, unless the address is a remote's `explicit` push address.
        """
        rules = list(self._entries("--get-regexp", r"^url\..*\.(push)?insteadof$"))
        endings = (".pushinsteadof", ".insteadof") if push and not explicit else (".insteadof",)
        for ending in endings:
            fitting = [(prefix, key) for key, prefix in rules if key.endswith(ending) and address.startswith(prefix)]
            fitting = [(prefix, key) for prefix, key in fitting if prefix]
            if fitting:
                prefix, key = max(fitting, key=lambda rule: len(rule[0]))
                return key[len("url.") : -len(ending)] + address[len(prefix) :]
        return address

    def access(self) -> dict[str, str]:
        """Return variables for a git process that uses the network: the user's credential helpers, proxies and ssh.

        Of the repository's own settings only the header counts by which CI gives access (`http.<url>.extraHeader`).
        After the user's own helpers, git asks for the token that the environment has for a forge.
        """
        listed = self._ask("--list", "--show-scope", "-z")
        # A scope and an entry, each ended by NUL (git-config(1), "-z" and "--show-scope").
        pairs = list(zip(listed[0::2], listed[1::2], strict=False))
        found = [
            entry.partition("\n")
            for scope, entry in pairs
            if (scope in _USERS and entry.lower().startswith(_ACCESS)) or _is_header(entry)
        ]
        found += [(f"credential.{origin}.helper", "", helper) for origin, helper in _token_helpers(self.environment)]
        variables = {"GIT_CONFIG_COUNT": str(len(found))}
        for number, (key, _, value) in enumerate(found):
            variables |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
        return variables if found else {}

    def trusts(self, *directories: Path) -> bool:
        """Return whether `safe.directory` names one of the directories, "*", or one above by `/*` (git-config(1))."""
        trusted: list[str] = []
        for value in self._ask("--get-all", "--type=path", "-z", "safe.directory"):
            if value:
                trusted.append(value.rstrip("/") or "/")
            else:
                trusted.clear()
        return any(_covers(value, directories) for value in trusted)

    def value(self, key: str, *, kind: str = "") -> str:
        """Return what a key is set to, "" when it is not; `kind` is a type of git-config(1), such as "bool"."""
        found = self._ask(*((f"--type={kind}",) if kind else ()), "-z", "--get", key)
        return found[0] if found else ""

    def of_the_user(self, key: str) -> str:
        """Return what the user has set a key to, "" when only the repository does, or none."""
        found = self._ask("--show-scope", "-z", "--get", key)
        return found[1] if len(found) > 1 and found[0] in _USERS else ""

    def _entries(self, *words: str) -> Iterable[tuple[str, str]]:
        for entry in self._ask("-z", *words):
            key, _, value = entry.partition("\n")
            yield key, value

    def _ask(self, *words: str) -> list[str]:
        """Return what `git config` lists, nothing when it fails: then the user's settings are unknown to git as well."""
        where = [f"--git-dir={self._git_dir}"] if self._git_dir is not None else []
        try:
            done = subprocess.run(
                ["git", *where, "config", *words],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
                cwd="/",
                env={**self.environment, "LC_ALL": "C"},
                timeout=_SECONDS,
            )
        except (OSError, subprocess.TimeoutExpired):
            return []
        text = done.stdout.decode(errors="surrogateescape")
        return text.removesuffix("\0").split("\0") if done.returncode == 0 and text else []


def _token_helpers(environment: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    """Yield the address of each forge of which the environment has a token, and a credential helper that prints it.

    The token itself stays in the environment: no setting and no argument of a process holds it.
    """
    if not any(environment.get(name) for name in FORGE_TOKENS):
        return
    try:
        sites = sites_of(environment)
    except BadSettings:  # told where a forge is asked
        return
    for site in sites:
        if environment.get(site.variable):
            answer = f'echo username={site.git_user}; echo "password=${site.variable}"'
            yield site.origin, f'!f() {{ test "$1" = get && {{ {answer}; }}; }}; f'


def _is_header(entry: str) -> bool:
    key = entry.partition("\n")[0].lower()
    return key.startswith("http.") and key.endswith(".extraheader")


def _covers(value: str, directories: Iterable[Path]) -> bool:
    if value == "*":
        return True
    for directory in directories:
        if value.endswith("/*") and f"{directory}/".startswith(value[:-1]):
            return True
        if value in {str(directory), os.path.realpath(directory)}:
            return True
    return False

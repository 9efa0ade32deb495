"""What the user told git about addresses, access and trust holds for Buildwright; a repository's programs never run."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from buildwright.core.limits import Delivery
from buildwright.errors import BadRepository, BuildwrightError
from buildwright.workspace import GitWorkspace
from buildwright.workspace.source import locate
from buildwright.workspace.user_settings import UserSettings
from tests.workspace.repositories import git, make, trap
from tests.workspace.served import smart_http


@pytest.fixture
def user(tmp_path: Path) -> Mapping[str, str]:
    """The environment of a user with a home of their own."""
    (tmp_path / "user" / ".config" / "git").mkdir(parents=True)
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "XDG_"))}
    return {**kept, "HOME": str(tmp_path / "user"), "GIT_CONFIG_NOSYSTEM": "1"}


def configure(user: Mapping[str, str], *words: str) -> None:
    subprocess.run(["git", "config", "--global", *words], env=dict(user), check=True)


async def pushed(user: Mapping[str, str], repository: Path, home: Path, delivery: Delivery) -> str:
    """Build nothing, and push the base; return the name of the remote as the user is told it."""
    workspace = GitWorkspace(home, user)
    target = await workspace.prepare("b", str(repository), "", delivery)
    return (await workspace.deliver("b", str(repository), target.commit, delivery)).remote


PUSH = Delivery(kind="push", branch="there")


@pytest.mark.parametrize(
    ("settings", "url", "pushurl"),
    [
        ({"url.{top}/.insteadOf": "work:"}, "work:remote.git", ""),
        ({"url.{top}/.insteadOf": "gh:me/"}, "gh:me/remote.git", ""),
        ({"url.{top}/.insteadOf": "https://git.example.org/"}, "https://git.example.org/remote.git", ""),
        ({"url.{top}/.pushInsteadOf": "https://git.example.org/"}, "https://git.example.org/remote.git", ""),
        ({"url.{top}/.insteadOf": "w:x/", "url./nowhere/.insteadOf": "w:"}, "w:x/remote.git", ""),
        ({"url.{top}/.insteadOf": "p:", "url./nowhere/.pushInsteadOf": "p:"}, "/nothing", "p:remote.git"),
        ({"url.{top}/.pushInsteadOf": "p:", "url./nowhere/.insteadOf": "p:"}, "p:remote.git", ""),
        ({"url.file://{top}/.insteadOf": "work:"}, "work:remote.git", ""),
    ],
)
@pytest.mark.parametrize("scope", ["--global", "--local"])
async def test_a_push_goes_where_git_push_goes(
    user: Mapping[str, str], tmp_path: Path, settings: dict[str, str], url: str, pushurl: str, scope: str
) -> None:
    repository = make(tmp_path / "r")
    git(tmp_path, "clone", "-q", "--bare", "r", "remote.git")
    git(repository, "remote", "add", "origin", url)
    if pushurl:
        git(repository, "config", "remote.origin.pushurl", pushurl)
    for key, value in settings.items():
        words = ["git", "-C", str(repository), "config", scope, key.format(top=tmp_path), value]
        subprocess.run(words, env=dict(user), check=True)
    subprocess.run(["git", "-C", str(repository), "push", "-q", "origin", "main:probe"], env=dict(user), check=True)
    assert await pushed(user, repository, tmp_path / "home", PUSH) == "origin"
    assert git(tmp_path / "remote.git", "rev-parse", "there") == git(repository, "rev-parse", "HEAD")


async def test_an_address_of_a_target_is_rewritten_too(user: Mapping[str, str], tmp_path: Path) -> None:
    repository = make(tmp_path / "r")
    configure(user, f"url.{tmp_path}/.insteadOf", "https://git.example.org/")
    target = await GitWorkspace(tmp_path / "home", user).prepare("b", "https://git.example.org/r")
    assert target.commit == git(repository, "rev-parse", "HEAD")
    configure(user, "url.ext::sh -c.insteadOf", "evil:")
    with pytest.raises(BadRepository, match="not used"):
        locate("evil:x", user)


LOGIN = "Basic " + base64.b64encode(b"ann:s3cret-word").decode()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    repository = make(tmp_path / "r")
    git(tmp_path, "clone", "-q", "--bare", "r", "served/remote.git")
    git(tmp_path / "served/remote.git", "config", "http.receivepack", "true")
    with smart_http(tmp_path / "served", LOGIN) as (address, _):
        git(repository, "remote", "add", "origin", f"{address}/remote.git")
        yield address


HELPERS = {
    "helper": {"credential.helper": "!f() { echo username=ann; echo password=s3cret-word; }; f"},
    "variable": {"credential.helper": '!f() { echo username=ann; echo "password=$MY_TOKEN"; }; f'},
    "store": {"credential.helper": "store"},
    "of one host": {"credential.{address}.helper": "!printf 'username=ann\\npassword=s3cret-word\\n'; :"},
    "header": {"http.{address}.extraHeader": f"Authorization: {LOGIN}"},
    "rewritten": {"url.{login}.insteadOf": "{address}"},
}


@pytest.mark.parametrize("how", HELPERS)
async def test_the_users_access_is_used(user: Mapping[str, str], tmp_path: Path, server: str, how: str) -> None:
    login = server.replace("://", "://ann:s3cret-word@")
    (tmp_path / "user" / ".git-credentials").write_text(f"{login}\n")
    for key, value in HELPERS[how].items():
        configure(user, key.format(address=server, login=login), value.replace("{address}", server))
    await pushed({**user, "MY_TOKEN": "s3cret-word"}, tmp_path / "r", tmp_path / "home", PUSH)
    assert git(tmp_path / "served/remote.git", "rev-parse", "there") == git(tmp_path / "r", "rev-parse", "HEAD")
    address = f"{server}/remote.git"
    found = await GitWorkspace(tmp_path / "home", {**user, "MY_TOKEN": "s3cret-word"}).prepare("fetched", address)
    assert found.commit == git(tmp_path / "r", "rev-parse", "HEAD")


async def test_settings_that_count_in_one_folder_only(user: Mapping[str, str], tmp_path: Path, server: str) -> None:
    (tmp_path / "work.config").write_text(f'[credential]\n\thelper = "{HELPERS["helper"]["credential.helper"]}"\n')
    configure(user, f"includeIf.gitdir:{tmp_path}/r/.path", str(tmp_path / "work.config"))
    await pushed(user, tmp_path / "r", tmp_path / "home", PUSH)


async def test_the_header_that_ci_leaves_in_the_repository(
    user: Mapping[str, str], tmp_path: Path, server: str
) -> None:
    git(tmp_path / "r", "config", f"http.{server}/.extraheader", f"AUTHORIZATION: {LOGIN}")
    await pushed(user, tmp_path / "r", tmp_path / "home", PUSH)


async def test_programs_that_the_repository_names_never_run(
    user: Mapping[str, str], tmp_path: Path, server: str
) -> None:
    script, canary = trap(tmp_path)
    for key in ("credential.helper", "core.askPass", "core.sshCommand", "core.gitProxy", "remote.origin.receivepack"):
        git(tmp_path / "r", "config", key, f"!{script}" if key == "credential.helper" else str(script))
    with pytest.raises(BuildwrightError) as caught:
        await pushed(user, tmp_path / "r", tmp_path / "home", PUSH)
    assert not canary.exists()
    assert caught.value.fix


@pytest.mark.parametrize("how", ["core.sshCommand", "GIT_SSH_COMMAND", "GIT_SSH"])
async def test_the_users_ssh_is_used(user: Mapping[str, str], tmp_path: Path, how: str) -> None:
    repository = make(tmp_path / "r")
    git(tmp_path, "clone", "-q", "--bare", "r", "remote.git")
    script = tmp_path / "my-ssh"
    script.write_text(f'#!/bin/sh\necho "$1" >> {tmp_path}/hosts\nshift\neval "$1"\n')
    script.chmod(0o755)
    configure(user, "ssh.variant", "simple")
    if how == "core.sshCommand":
        configure(user, how, str(script))
    variables = {how: str(script)} if how.startswith("GIT") else {}
    address = f"git@code.example.org:{tmp_path}/remote.git"
    git(repository, "remote", "add", "origin", address)
    await pushed({**user, **variables}, repository, tmp_path / "home", PUSH)
    assert set((tmp_path / "hosts").read_text().split()) == {"git@code.example.org"}
    found = await GitWorkspace(tmp_path / "home", {**user, **variables}).prepare("fetched", address)
    assert found.commit == git(repository, "rev-parse", "HEAD")


@pytest.mark.parametrize("where", ["home", "xdg", "xdg home", "include", "conditional", "variables", "any", "tilde"])
def test_trust_from_every_place_where_git_reads_it(user: Mapping[str, str], tmp_path: Path, where: str) -> None:
    assert os.geteuid() == 0, "the test gives a repository away, which only root can"
    repository = make(tmp_path / "user" / "their repo")
    os.chown(repository / ".git", 12345, 12345)
    os.chown(repository, 12345, 12345)
    home, text, variables = tmp_path / "user", f"[safe]\n\tdirectory = {repository}\n", {}
    with pytest.raises(BadRepository, match="another user") as caught:
        locate(str(repository), user)
    assert f"safe.directory '{repository}'" in str(caught.value.fix)
    match where:
        case "home":
            (home / ".gitconfig").write_text(text)
        case "xdg home":
            (home / ".config/git/config").write_text(text)
        case "xdg":
            (tmp_path / "x" / "git").mkdir(parents=True)
            (tmp_path / "x" / "git" / "config").write_text(text)
            variables = {"XDG_CONFIG_HOME": str(tmp_path / "x")}
        case "include":
            (home / "more").write_text(text)
            (home / ".gitconfig").write_text("[include]\n\tpath = more\n")
        case "conditional":
            (home / ".gitconfig").write_text(f"[safe]\n\tdirectory = /x\n\tdirectory =\n{text}")
        case "variables":
            pairs = {"GIT_CONFIG_KEY_0": "safe.directory", "GIT_CONFIG_VALUE_0": str(repository)}
            variables = {"GIT_CONFIG_COUNT": "1", **pairs}
        case "any":
            configure(user, "safe.directory", "*")
        case "tilde":
            configure(user, "safe.directory", "~/their repo")
    assert locate(str(repository), {**user, **variables}).work_tree == repository


@pytest.mark.parametrize("value", ["/other", "{repository}x", "", "{repository}\n\tdirectory ="])
def test_what_does_not_trust(user: Mapping[str, str], tmp_path: Path, value: str) -> None:
    text = f"[safe]\n\tdirectory = {value.format(repository=tmp_path / 'r')}\n"
    (tmp_path / "user" / ".gitconfig").write_text(text)
    assert not UserSettings(user).trusts(tmp_path / "r")
    # Never from the repository itself.
    repository = make(tmp_path / "r")
    git(repository, "config", "safe.directory", "*")
    assert not UserSettings(user).trusts(repository)


def test_a_folder_of_repositories_is_trusted(user: Mapping[str, str], tmp_path: Path) -> None:
    configure(user, "safe.directory", f"{tmp_path}/*")
    assert UserSettings(user).trusts(tmp_path / "a" / "b")
    assert not UserSettings(user).trusts(tmp_path.parent / "a")

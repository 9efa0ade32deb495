"""Which repositories a server lets its users name: paths below its roots, hosts outside its network."""

from __future__ import annotations

import os
import socket
import subprocess
from pathlib import Path

import pytest

from buildwright.api.targets import check_host, check_repository, checked_repository
from buildwright.errors import BadRepository

GOOD_URLS = (
    "https://github.com/ann/things.git",
    "https://git.example.org:8443/ann/things",
    "https://8.8.8.8/things.git",
    "https://[2606:4700::1111]/things.git",
    "ssh://git@github.com/ann/things.git",
    "ssh://git.example.org:2222/~ann/things",
    "git@github.com:ann/things.git",
    "github.com:ann/things",
    "https://xn--bcher-kva.example/things.git",
)

BAD_URLS = (
    "http://github.com/ann/things.git",
    "git://github.com/ann/things.git",
    "ftp://github.com/ann/things.git",
    "file:///etc",
    "ext::sh -c touch% /tmp/x",
    "fd::17/foo",
    "javascript://github.com/%0aalert(1)",
    "HTTPS+x://github.com/x",
    "https://user:secret@github.com/x.git",
    "https://token@github.com/x.git",
    "https://@github.com/x.git",
    "ssh://git:secret@github.com/x.git",
    "ssh://-oProxyCommand=x/y",
    "ssh://-oProxyCommand=x@github.com/y",
    "--upload-pack=touch /tmp/x",
    "-u",
    "https://localhost/x.git",
    "https://LOCALHOST./x.git",
    "https://sub.localhost/x.git",
    "https://127.0.0.1/x.git",
    "https://127.1/x.git",
    "https://0x7f.1/x.git",
    "https://0177.0.0.1/x.git",
    "https://2130706433/x.git",
    "https://0/x.git",
    "https://0.0.0.0/x.git",
    "https://10.1.2.3/x.git",
    "https://172.16.0.1/x.git",
    "https://192.168.1.1/x.git",
    "https://169.254.169.254/latest/meta-data",
    "https://100.64.0.1/x.git",
    "https://224.0.0.1/x.git",
    "https://[::1]/x.git",
    "https://[::]/x.git",
    "https://[::ffff:127.0.0.1]/x.git",
    "https://[::ffff:7f00:1]/x.git",
    "https://[64:ff9b::7f00:1]/x.git",
    "https://[2002:7f00:1::]/x.git",
    "https://[fe80::1%25eth0]/x.git",
    "https://[fc00::1]/x.git",
    "https://intern/x.git",
    "https://git.corp/x.git",
    "https://db.internal/x.git",
    "https://printer.local/x.git",
    "https://metadata.google.internal/x.git",
    "https://github.com\\@127.0.0.1/x.git",
    "https://github.com /x.git",
    "https://git_hub.com/x.git",
    "https://-github.com/x.git",
    "https://github.com/",
    "https:///x.git",
    "https://github.com/x.git?service=git-upload-pack",
    "https://github.com/x.git#y",
    "https://github.com:99999/x.git",
    "https://[::1/x.git",
    "https://bücher.example/x.git",
    "https://1.2.3.4.5/x.git",
    "git@localhost:x.git",
    "git@127.0.0.1:x.git",
    "git@10.0.0.1:x.git",
    "https://github.com/x\x00.git",
    "https://github.com/x\n.git",
    "https://github.com/" + "x" * 3000,
)

BAD_PATHS = (
    "",
    " ",
    ".",
    "..",
    "~",
    "~/x",
    "things",
    "./things",
    "/",
    "/etc",
    "/etc/ssh",
    "/proc/self",
    "/root/../etc",
    "//etc",
)


def made(path: Path) -> Path:
    path.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", "-b", "main", path], check=True, capture_output=True)
    return path


@pytest.mark.parametrize("url", GOOD_URLS)
def test_urls_of_the_open_net_are_taken_as_they_are(url: str) -> None:
    assert check_repository(url, {}) == url


@pytest.mark.parametrize("url", BAD_URLS)
def test_urls_that_reach_inwards_or_carry_more_than_an_address_are_refused(url: str) -> None:
    with pytest.raises(BadRepository) as refused:
        check_repository(url, {"HOME": "/"})
    assert refused.value.fix
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize("path", BAD_PATHS)
def test_paths_that_are_not_absolute_or_belong_to_the_system_are_refused(path: str, tmp_path: Path) -> None:
    for environment in ({"HOME": str(tmp_path)}, {"BUILDWRIGHT_ROOTS": "/"}, {}):
        with pytest.raises(BadRepository):
            check_repository(path, environment)


def test_the_home_is_the_root_of_who_owns_the_machine(tmp_path: Path) -> None:
    repository = made(tmp_path / "home" / "things")
    environment = {"HOME": str(tmp_path / "home")}
    assert check_repository(str(repository), environment) == str(repository)
    assert check_repository(f"{repository}/.", environment) == str(repository)
    with pytest.raises(BadRepository, match="not where this server may build"):
        check_repository(str(repository), environment, own_machine=False)
    with pytest.raises(BadRepository, match="not where"):
        check_repository(str(made(tmp_path / "elsewhere")), environment)
    with pytest.raises(BadRepository, match="not where"):
        check_repository(f"{repository}/../../elsewhere", environment)


def test_named_roots_count_for_everybody_and_only_they(tmp_path: Path) -> None:
    one, two, home = (made(tmp_path / name / "things") for name in ("one", "two", "home"))
    environment = {"BUILDWRIGHT_ROOTS": f"{tmp_path}/one:{tmp_path}/two", "HOME": str(tmp_path / "home")}
    for repository in (one, two):
        assert check_repository(str(repository), environment, own_machine=False) == str(repository)
    with pytest.raises(BadRepository):
        check_repository(str(home), environment)
    with pytest.raises(BadRepository):  # the beginning of a name is no folder
        check_repository(str(made(tmp_path / "one-more")), environment)


def test_a_link_counts_as_what_it_points_to(tmp_path: Path) -> None:
    root = tmp_path / "root"
    inside, outside = made(root / "things"), made(tmp_path / "outside")
    (root / "out").symlink_to(outside)
    (root / "slash").symlink_to("/")
    (root / "loop").symlink_to(root / "loop")
    (root / "in").symlink_to(inside)
    environment = {"BUILDWRIGHT_ROOTS": str(root)}
    assert check_repository(str(root / "in"), environment) == str(inside)
    for name in ("out", "slash", "slash/etc", "loop"):
        with pytest.raises(BadRepository):
            check_repository(str(root / name), environment)


def test_a_folder_whose_repository_is_outside_the_roots_is_refused(tmp_path: Path) -> None:
    outer = made(tmp_path / "outer")
    inner = outer / "root" / "folder"
    inner.mkdir(parents=True)
    pointing = outer / "root" / "pointing"
    pointing.mkdir()
    (pointing / ".git").write_text(f"gitdir: {made(tmp_path / 'elsewhere')}/.git\n")
    for place in (inner, pointing):
        with pytest.raises(BadRepository):
            check_repository(str(place), {"BUILDWRIGHT_ROOTS": str(outer / "root")})
    plain = tmp_path / "plain"
    plain.mkdir()
    with pytest.raises(BadRepository, match="not in a git repository"):
        check_repository(str(plain), {"BUILDWRIGHT_ROOTS": str(plain)})


def test_a_file_and_nothing_are_no_repositories(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("file", "nothing"):
        with pytest.raises(BadRepository, match="no folder"):
            check_repository(str(tmp_path / name), {"BUILDWRIGHT_ROOTS": str(tmp_path)})


def test_what_the_server_allows_can_be_named(tmp_path: Path) -> None:
    environment = {"BUILDWRIGHT_GIT_HOSTS": "10.0.0.5, git.corp"}
    for url in ("https://10.0.0.5/x.git", "ssh://git@git.corp/x.git", "git@git.corp:x.git"):
        assert check_repository(url, environment) == url
    with pytest.raises(BadRepository):
        check_repository("https://x.git.corp/x.git", environment)
    repository = made(tmp_path / "things")
    insecure = {"BUILDWRIGHT_INSECURE_URLS": "1", "BUILDWRIGHT_ROOTS": str(tmp_path)}
    assert check_repository("http://127.0.0.1:3000/x.git", insecure) == "http://127.0.0.1:3000/x.git"
    assert check_repository(f"file://{repository}", insecure) == str(repository)
    for url in ("file:///etc", "file://other/x", "https://user:secret@127.0.0.1/x.git"):
        with pytest.raises(BadRepository):
            check_repository(url, insecure)


async def test_a_name_for_an_address_inside_is_refused_once_it_is_looked_up() -> None:
    name = socket.gethostname()
    with pytest.raises(BadRepository, match="inside its network"):
        await check_host("localhost", {})
    await check_host("localhost", {"BUILDWRIGHT_GIT_HOSTS": "localhost"})
    await check_host("no-such-name.invalid", {})
    await check_host(name, {"BUILDWRIGHT_INSECURE_URLS": "1"})
    assert await checked_repository("https://8.8.8.8/x.git", {}) == "https://8.8.8.8/x.git"


async def test_a_repository_of_another_user_of_the_machine_is_refused(tmp_path: Path) -> None:
    repository = made(tmp_path / "things")
    if os.getuid() == 0:
        os.chown(repository / ".git", 65534, 65534)
        with pytest.raises(BadRepository):
            await checked_repository(str(repository), {"BUILDWRIGHT_ROOTS": str(tmp_path)})
    assert repository.exists()

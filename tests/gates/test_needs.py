"""What a project's commands need beside its code: which keys are refused, what is brought, what stays hidden."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.brought_files import MOST_FILES, find_files
from buildwright.core.finding import Finding
from buildwright.errors import BadSettings
from buildwright.gates.causes import with_lack
from buildwright.gates.checks import ChecksGate
from buildwright.gates.toolchain import read_settings
from buildwright.ports import GateTools
from buildwright.sandbox import Bubblewrap
from tests.gates.projects import PATH, judged, write
from tests.git import git


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A user's checkout with tracked, ignored and merely untracked files."""
    top = write(tmp_path / "clone", {"a.py": "a\n", ".gitignore": ".env\ndata/\n", "sub/kept.json": "1\n"})
    git(top, "init", "-q", "-b", "main")
    git(top, "add", "-A")
    git(top, "commit", "-qm", "start")
    write(
        top,
        {
            ".env": "KEY=abcdefgh1\nexport OF_THE_FILE=1\n",
            "data/one.json": "1\n",
            "data/deep/two.json": "2\n",
            "sub/new.json": "3\n",
        },
    )
    return top


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[envv]\nA = '1'", "did you mean env"),
        ("[env]\npas = ['A']", "did you mean pass"),
        ("[env]\nN = 1", "env.N is not a text"),
        ("[env]\npass = 'A'", "env.pass is not a list"),
        ("[env]\nsecrets = { A = 'check' }", "which step sees it"),
        ("[env]\npass = ['ANTHROPIC_API_KEY']", "cannot be given"),
        ("[env]\nsecrets = { OPENAI_API_KEY = 'setup' }", "cannot be given"),
        ("[env]\npass = ['BUILDWRIGHT_SECRET']", "cannot be given"),
        ("[env]\nLD_PRELOAD = '/x.so'", "cannot be given"),
        ("[env]\nPYTHONPATH = '.'", "cannot be given"),
        ("[env]\nRUSTUP_HOME = '/home/me'", "cannot be given"),
        ("[env]\npass = ['NODE_OPTIONS']", "cannot be given"),
        ("[env]\n'A=B' = '1'", "not a name of a variable"),
        ("bring = '.env'", "not a list of paths"),
        ("bring = ['../x']", "not a path inside"),
        ("bring = ['/etc/passwd']", "not a path inside"),
        ("[network]\ncheck = 'none'", "did you mean checks"),
        ("[network]\nsetup = 'some'", "'some'"),
        ("[network]\nsetup = []", "[]"),
        ("[network]\nsetup = ['all']", "stands alone"),
        ("[network]\nchecks = ['*.example.org']", "is not a host"),
        ("[network]\nchecks = ['https://example.org']", "is not a host"),
    ],
)
def test_what_is_wrong_in_the_file_is_said(text: str, words: str) -> None:
    with pytest.raises(BadSettings) as caught:
        read_settings(text)
    assert words in f"{caught.value} {caught.value.fix}"


def test_patterns_find_untracked_files_alone(clone: Path) -> None:
    assert list(find_files(str(clone), (".env",))) == [".env"]
    assert list(find_files(str(clone), ("data",))) == ["data/deep/two.json", "data/one.json"]
    assert list(find_files(str(clone), ("data/*.json", "./sub/"))) == ["data/one.json", "sub/new.json"]
    assert list(find_files(str(clone / "sub"), (".env",))) == [".env"], "from the top, wherever the build was started"
    for pattern in ("a.py", "none", ".git/config", ".git"):
        with pytest.raises(BadSettings, match="finds no file"):
            find_files(str(clone), (pattern,))
    with pytest.raises(BadSettings, match="not a checkout on this machine"):
        find_files("https://example.org/x.git", (".env",))


def test_no_file_behind_a_link_and_not_too_many_are_brought(clone: Path, tmp_path: Path) -> None:
    write(tmp_path / "elsewhere", {"id": "key\n"})
    (clone / "link").symlink_to(tmp_path / "elsewhere")
    for pattern in ("link/id", "link"):
        with pytest.raises(BadSettings, match="finds no file"):
            find_files(str(clone), (pattern,))
    for number in range(MOST_FILES + 1):
        (clone / f"data/{number}.txt").touch()
    with pytest.raises(BadSettings, match="too much"):
        find_files(str(clone), ("data",))


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("FileNotFoundError: [Errno 2] No such file or directory: '.env'", "--bring .env"),
        ("Error: ENOENT: no such file or directory, open '{files}/data/one.json'", "--bring data/one.json"),
        ("open data/deep/two.json: no such file or directory", "--bring data/deep/two.json"),
        ("cat: ./.env: No such file or directory", "--bring .env"),
        ("FileNotFoundError: No such file or directory: 'nowhere.txt'", ""),
        ("FileNotFoundError: No such file or directory: 'a.py'", ""),
        ("KeyError: 'SERVICE_URL'", 'pass = ["SERVICE_URL"]'),
        ("SERVICE_URL is not set", 'pass = ["SERVICE_URL"]'),
        ("KeyError: 'OTHER_URL'", ""),
        (
            "KeyError: 'OF_THE_FILE'",
            "OF_THE_FILE is set in .env, which is in your checkout but not in git: bring it along",
        ),
        ("Error: OF_THE_FILE is required", "--bring .env"),
        ("assert .env == 1", ""),
    ],
)
def test_what_the_user_has_and_the_checks_lack_is_named(clone: Path, tmp_path: Path, line: str, advice: str) -> None:
    files = tmp_path / "judged"
    one = Finding(code="check.failed", message=f"`x` exited with code 1.\n{line.format(files=files)}")
    found = with_lack(one, str(clone), files, {"SERVICE_URL": "x"})
    assert advice in found.fix
    assert bool(found.fix) == bool(advice)


def test_a_variable_of_a_file_that_is_there_and_not_read(clone: Path, tmp_path: Path) -> None:
    files = write(tmp_path / "judged", {".env": "OF_THE_FILE=1\n"})
    one = Finding(code="check.failed", message="`x` exited with code 1.\nKeyError: 'OF_THE_FILE'")
    assert 'pass = ["OF_THE_FILE"]' in with_lack(one, str(clone), files, {}).fix


async def test_a_box_is_like_a_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own name resolves, shared memory is there, its loopback works, the user's time zone counts."""
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    script = (
        "import multiprocessing, socket, time\n"
        "socket.getaddrinfo(socket.gethostname(), 0)\n"
        "multiprocessing.Lock()\n"
        "server = socket.create_server(('127.0.0.1', 0))\n"
        "socket.create_connection(server.getsockname()).close()\n"
        "assert time.strftime('%z') == '+0545', time.strftime('%z')\n"
    )
    write(
        tmp_path,
        {"look.py": script, "buildwright.toml": '[checks]\nlook = { command = "python3 look.py", kind = "other" }'},
    )
    done = await ChecksGate(GateTools(Bubblewrap(), PATH)).judge(judged(tmp_path, grant_needs=True))
    assert all(one.report.ok for one in done), done[-1].output.decode()


@pytest.mark.parametrize(("step", "value", "reaches"), [("checks", "all", True), ("checks", "none", False)])
async def test_a_step_has_the_network_that_the_file_gives(tmp_path: Path, step: str, value: str, reaches: bool) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        script = f"import socket\nsocket.create_connection(('127.0.0.1', {port}), 5)\n"
        settings = (
            f'[network]\n{step} = "{value}"\n[checks]\nlook = {{ command = "python3 look.py", kind = "other" }}\n'
        )
        write(tmp_path, {"look.py": script, "buildwright.toml": settings})
        done = await ChecksGate(GateTools(Bubblewrap(), PATH)).judge(judged(tmp_path, grant_needs=True))
    assert all(one.report.ok for one in done) is reaches


async def test_a_check_reaches_the_hosts_that_are_named(tmp_path: Path) -> None:
    """And only those; what else it asked for is named beside its verdict."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as other:
        ports = [one.getsockname()[1] for one in (server, other)]
        connect = "curl -sS -m 10 -p --noproxy '' --proxytunnel telnet://127.0.0.1"
        script = f"for port in {ports[0]} {ports[1]}; do {connect}:$port </dev/null && echo reached $port; done; true"
        look = 'look = { command = "sh look.sh", kind = "other" }'
        settings = f'[network]\nchecks = ["127.0.0.1:{ports[0]}"]\n[checks]\n{look}\n'
        write(tmp_path, {"look.sh": script, "buildwright.toml": settings})
        done = await ChecksGate(GateTools(Bubblewrap(), PATH)).judge(judged(tmp_path, grant_needs=True))
    (check,) = (one for one in done if one.report.gate == "look")
    assert [one.code for one in check.report.findings] == ["network.refused"], check
    assert f"127.0.0.1:{ports[1]}, which [network] checks" in check.report.findings[0].message


async def test_set_up_without_network_cannot_reach_it(tmp_path: Path) -> None:
    command = "test $(ls /sys/class/net 2>/dev/null | grep -vc '^lo$') = 0 && ! grep -q . /etc/resolv.conf"
    settings = f"[network]\nsetup = 'none'\n[setup]\ncommands = [\"{command}\"]\n[checks]\nbuild = 'true'\n"
    write(tmp_path, {"buildwright.toml": settings})
    done = await ChecksGate(GateTools(Bubblewrap(), PATH)).judge(judged(tmp_path, grant_needs=True))
    assert [one.report.ok for one in done] == [True, True], done[0].output.decode()


async def test_secrets_are_masked_in_reports_of_tests_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "api-5ecret-92")
    test = "import os\n\ndef test_it():\n    assert os.environ['API_TOKEN'] == 'x'\n"
    settings = "[env]\nsecrets = { API_TOKEN = 'checks' }\n[checks]\npytest = 'python -m pytest -q'\n"
    write(tmp_path, {"test_it.py": test, "buildwright.toml": settings})
    heard: list[str] = []
    done = await ChecksGate(GateTools(Bubblewrap(), PATH)).judge(
        judged(tmp_path, on_output=heard.append, grant_needs=True)
    )
    assert not done[-1].report.ok
    told = "".join((*heard, *(one.output.decode() + one.report.model_dump_json() for one in done)))
    assert "[secret]" in told
    assert "5ecret" not in told

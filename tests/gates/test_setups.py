"""What a setup made is kept for later checkouts, and only what cannot differ or be touched."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import io
import json
import os
import shutil
import tarfile
import threading
from collections.abc import Iterator, Mapping
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from buildwright.core.finding import Report
from buildwright.gates.checks import ChecksGate
from buildwright.gates.setup_cache import Setup, SetupCache
from buildwright.ports import GateTools, Sandbox
from buildwright.sandbox import Bubblewrap, NoSandbox
from buildwright.shared_folders import beside, shared_in
from tests.gates.projects import PATH, judged, write


@pytest.fixture(params=[NoSandbox(), Bubblewrap()], ids=lambda sandbox: sandbox.name)
def sandbox(request: pytest.FixtureRequest) -> Sandbox:
    found: Sandbox = request.param
    return found


async def judge(root: Path, folder: Path, sandbox: Sandbox | None = None) -> list[Report]:
    gate = ChecksGate(GateTools(sandbox or NoSandbox(), PATH, folder))
    return [one.report for one in await gate.judge(judged(root))]


def summary(reports: list[Report]) -> list[tuple[str, bool, list[str]]]:
    return [(report.gate, report.ok, [one.code for one in report.findings]) for report in reports]


MADE: tuple[str, bool, list[str]] = ("setup", True, [])
REUSED = ("setup", True, ["setup.reused"])


# --- a real `npm ci` against a registry of our own ------------------------------------------------------------------


@cache
def tarball() -> bytes:
    """The same bytes each time: gzip notes the second it was made in, and the lock file holds their hash."""
    build = "curl -sS -m 5 $npm_config_registry > made.txt || echo no network > made.txt"
    manifest = json.dumps({"name": "tiny", "version": "1.0.0", "scripts": {"install": build}})
    files = {"package.json": manifest, "index.js": "module.exports = 'tiny';\n"}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size, entry.mode = len(text), 0o644
            archive.addfile(entry, io.BytesIO(text.encode()))
    return packed.getvalue()


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[str, list[str]]]:
    """The address of a registry that has one package and is the user's own, and the paths that were asked for."""
    content, asked = tarball(), list[str]()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name http.server gives it
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        url = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("NPM_CONFIG_REGISTRY", url)
        yield url, asked
        server.shutdown()
        thread.join()


def node_project(root: Path, url: str, script: str = "node --test", name: str = "sample", **more: object) -> Path:
    integrity = f"sha512-{base64.b64encode(hashlib.sha512(tarball()).digest()).decode()}"
    wanted = {"tiny": "1.0.0"}
    tiny = {"version": "1.0.0", "resolved": f"{url}/tiny-1.0.0.tgz", "integrity": integrity, **more}
    lock = {"name": name, "lockfileVersion": 3, "packages": {"": {"dependencies": wanted}, "node_modules/tiny": tiny}}
    test = "require('node:test')('it', () => require('node:assert').equal(require('tiny'), 'tiny'));\n"
    return write(
        root,
        {
            "package.json": json.dumps({"name": name, "dependencies": wanted, "scripts": {"test": script}}),
            "package-lock.json": json.dumps(lock),
            ".npmrc": f"registry={url}\n",
            "it.test.js": test,
        },
    )


async def test_npm_ci_runs_once_and_no_test_can_spoil_it(
    sandbox: Sandbox, tmp_path: Path, registry: tuple[str, list[str]]
) -> None:
    url, asked = registry
    spoils = "node --test && echo spoiled > node_modules/tiny/index.js && rm node_modules/tiny/package.json"
    first, second = (node_project(tmp_path / name, url, spoils) for name in ("first", "second"))
    reports = await judge(first, tmp_path / "setups", sandbox)
    assert summary(reports) == [MADE, ("npm test", True, [])], reports
    assert reports[0].evidence is not None
    changed = first if sandbox.name == "none" else shared_in(first)[0].upper.parent
    changed = changed / ("node_modules" if sandbox.name == "none" else "upper") / "tiny" / "index.js"
    assert changed.read_text() == "spoiled\n"
    reports = await judge(second, tmp_path / "setups", sandbox)
    assert summary(reports) == [REUSED, ("npm test", True, [])], reports
    assert asked == ["/tiny-1.0.0.tgz"]
    (kept,) = (tmp_path / "setups").iterdir()
    assert (kept / "node_modules" / "tiny" / "index.js").read_text() == "module.exports = 'tiny';\n"
    assert kept.stat().st_uid == os.geteuid()
    copied = list((second / "node_modules").iterdir())
    assert bool(copied) is (sandbox.name == "none"), "a sandbox shows what is kept, where it is"


async def test_other_inputs_are_another_setup(tmp_path: Path, registry: tuple[str, list[str]]) -> None:
    url, asked = registry
    for name in ("one", "other"):
        root = node_project(tmp_path / name, url, name=name)
        assert summary(await judge(root, tmp_path / "setups"))[0] == MADE
    assert len(asked) == 2


async def test_install_scripts_run_without_network_where_the_lock_file_names_them(
    tmp_path: Path, registry: tuple[str, list[str]]
) -> None:
    url, asked = registry
    made = "grep -q 'no network' node_modules/tiny/made.txt && node --test"
    root = node_project(tmp_path / "scripted", url, made, hasInstallScript=True)
    reports = await judge(root, tmp_path / "setups", Bubblewrap())
    assert summary(reports) == [MADE, MADE, ("npm test", True, [])], reports
    assert asked == ["/tiny-1.0.0.tgz"]
    plain = node_project(tmp_path / "plain", url, "test ! -e node_modules/tiny/made.txt && node --test")
    assert summary(await judge(plain, tmp_path / "setups", Bubblewrap())) == [MADE, ("npm test", True, [])]
    alone = node_project(
        tmp_path / "alone", url, "test ! -e node_modules/tiny/made.txt && node --test", "alone", hasInstallScript=True
    )
    assert summary(await judge(alone, tmp_path / "setups")) == [MADE, ("npm test", True, [])], "never without a sandbox"


async def test_a_registry_that_is_not_the_users_is_refused_and_named(
    tmp_path: Path, registry: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A project's own settings name it, which anybody who writes to the repository could."""
    url, asked = registry
    monkeypatch.delenv("NPM_CONFIG_REGISTRY")
    root = node_project(tmp_path / "foreign", "http://registry.example:4873")
    reports = await judge(root, tmp_path / "setups", Bubblewrap())
    assert summary(reports) == [("setup", False, ["setup.failed", "network.refused"])], reports
    assert "registry.example:4873" in reports[0].findings[1].message
    assert all('"registry.example:4873"' in one.fix for one in reports[0].findings), reports
    settings = f'[network]\nsetup = ["registries", "{url.removeprefix("http://")}"]\n'
    named = write(node_project(tmp_path / "named", url), {"buildwright.toml": settings})
    assert summary(await judge(named, tmp_path / "setups", Bubblewrap()))[0][2] == ["setup.not_granted"]
    gate = ChecksGate(GateTools(Bubblewrap(), PATH, tmp_path / "setups"))
    done = [one.report for one in await gate.judge(judged(named, grant_needs=True))]
    assert all(one.ok for one in done), done
    assert asked == ["/tiny-1.0.0.tgz"]


# --- setups that a project declares ------------------------------------------------------------------------------------


def declared(root: Path, command: str, files: Mapping[str, str] | None = None) -> Path:
    text = f"[setup]\ncommands = [{json.dumps(command)}]\ninputs = ['deps.txt']\noutputs = ['out']\n"
    text += '[checks]\nother = { command = "cat out/made", kind = "other" }\n'
    return write(root, {"buildwright.toml": text, "deps.txt": "one\n", "other.txt": "else\n", **(files or {})})


async def test_trees_judged_at_the_same_time_make_it_once(tmp_path: Path) -> None:
    command = "sleep 0.2; mkdir out; cp deps.txt out/made"
    roots = [declared(tmp_path / str(number), command) for number in range(3)]
    gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "setups"))
    judgements = await asyncio.gather(*(gate.judge(judged(root)) for root in roots))
    found = [summary([one.report for one in each]) for each in judgements]
    assert sorted(map(str, (one[0] for one in found))) == sorted(map(str, (MADE, REUSED, REUSED)))
    assert [(root / "out" / "made").read_text() for root in roots] == ["one\n"] * 3


async def test_an_agent_finds_the_environment_that_set_up_made_first(tmp_path: Path) -> None:
    text = '[setup]\ncommands = ["mkdir -p .venv/bin"]\n[checks]\ntest = ".venv/bin/python -m pytest -q"\n'
    for folder, first in ("made", True), ("not", False):
        root = write(
            tmp_path / folder, {"buildwright.toml": text if first else text.replace(".venv/bin/python", "python")}
        )
        gate = ChecksGate(GateTools(NoSandbox(), PATH, tmp_path / "setups"))
        (caches := tmp_path / f"{folder}-caches").mkdir()
        furnished = await gate.furnish(judged(root), caches, "/last")
        folders = furnished.env["PATH"].split(":")
        assert (folders[0] == str(root / ".venv" / "bin")) == first
        assert folders[-1] == "/last"


NOT_KEPT = {
    "it reads more than its inputs": "mkdir -p out; cp other.txt out/made",
    "it makes nothing it said, but in the tree": "test -f other.txt && mkdir -p out && cp deps.txt out/made; true",
    "its output is a link": 'if [ -f other.txt ]; then mkdir out; cp deps.txt out/made; else mkdir x; ln -s "$PWD/x" out; fi',
}


@pytest.mark.parametrize("name", NOT_KEPT)
async def test_what_is_not_as_declared_is_made_each_time(tmp_path: Path, name: str) -> None:
    for number in "12":
        root = declared(tmp_path / number, NOT_KEPT[name])
        assert summary(await judge(root, tmp_path / "setups")) == [MADE, ("other", True, [])]
    assert list((tmp_path / "setups").iterdir()) == []


async def test_a_setup_that_fails_says_why_and_is_not_kept(tmp_path: Path) -> None:
    root = declared(tmp_path / "root", "echo no luck; exit 3")
    assert summary(await judge(root, tmp_path / "setups")) == [("setup", False, ["setup.failed"])]
    assert list((tmp_path / "setups").iterdir()) == []


async def test_what_the_tree_brings_itself_is_not_replaced(tmp_path: Path) -> None:
    command = "mkdir -p out; cp deps.txt out/made"
    await judge(declared(tmp_path / "a", command), tmp_path / "setups")
    root = declared(tmp_path / "b", command, {"out/own": "own\n"})
    assert summary(await judge(root, tmp_path / "setups"))[0] == MADE
    assert (root / "out" / "own").read_text() == "own\n"


async def test_a_link_in_the_tree_leads_no_copy_outside(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = write(tmp_path / "root", {"deps.txt": "one\n"})
    (root / "part").symlink_to(outside)
    assert SetupCache(tmp_path / "setups").key(Setup(("true",), ("deps.txt",), ("part/out",)), root, PATH) is None


async def test_only_the_newest_stay(tmp_path: Path) -> None:
    setups = SetupCache(tmp_path / "setups", kept=2)
    setup = Setup(("true",), ("deps.txt",), ("out",))
    keys = []
    for number in range(4):
        root = write(tmp_path / str(number), {"deps.txt": str(number)})
        key = setups.key(setup, root, PATH)
        assert key is not None
        async with setups.draft(setup, root) as draft:
            write(draft, {"out/made": str(number)})
            os.utime(draft, (number, number))
            assert await setups.keep(key, setup, draft)
        keys.append(key)
    assert {path.name for path in (tmp_path / "setups").iterdir()} == set(keys[2:])
    assert not await setups.place(keys[0], setup, tmp_path / "0")
    assert await setups.place(keys[3], setup, tmp_path / "3")
    assert (tmp_path / "3" / "out" / "made").read_text() == "3"


async def test_what_a_checkout_shows_stays(tmp_path: Path) -> None:
    command = "mkdir -p out; cp deps.txt out/made"
    shows = declared(tmp_path / "shows", command, {"deps.txt": "shown\n"})
    await judge(shows, tmp_path / "setups", Bubblewrap())
    (kept,) = (tmp_path / "setups").iterdir()
    os.utime(kept, (0, 0))
    setups = SetupCache(tmp_path / "setups", kept=1)
    setup = Setup(("true",), ("deps.txt",), ("out",))
    for gone in (False, True):
        root = write(tmp_path / f"newer-{gone}", {"deps.txt": str(gone)})
        key = setups.key(setup, root, PATH)
        assert key is not None
        async with setups.draft(setup, root) as draft:
            write(draft, {"out/made": "x"})
            assert await setups.keep(key, setup, draft)
        assert kept.is_dir() is not gone
        shutil.rmtree(shows)
        shutil.rmtree(beside(shows))
        shows = root
        beside(shows).mkdir()


async def test_code_that_moves_the_place_of_what_is_shared_changes_nothing_elsewhere(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "out").mkdir(parents=True)
    command = "mkdir -p part/out; cp deps.txt part/out/made"
    text = f"[setup]\ncommands = [{json.dumps(command)}]\ninputs = ['deps.txt']\noutputs = ['part/out']\n"
    moves = f"test -e part/out/made && mv part moved && ln -s {elsewhere} part"
    text += f"[checks]\na = {{ command = {json.dumps(moves)}, kind = 'lint' }}\n"
    text += "b = { command = 'test ! -e part/out/made && test ! -e moved/out/made', kind = 'other' }\n"
    root = write(tmp_path / "root", {"buildwright.toml": text, "deps.txt": "one\n"})
    reports = await judge(root, tmp_path / "setups", Bubblewrap())
    assert [report.ok for report in reports] == [True, True, True], reports
    assert list((elsewhere / "out").iterdir()) == []
    (kept,) = (tmp_path / "setups").iterdir()
    assert (kept / "part" / "out" / "made").read_text() == "one\n"


async def test_a_copy_that_breaks_off_leaves_nothing(tmp_path: Path) -> None:
    setups = SetupCache(tmp_path / "setups")
    setup = Setup(("true",), (), ("out", "more"))
    root = write(tmp_path / "root", {"a": ""})
    async with setups.draft(setup, root) as draft:
        write(draft, {"out/made": "x", "more/made": "x"})
        assert await setups.keep("key", setup, draft)
    (tmp_path / "setups" / "key" / "more" / "made").unlink()
    (tmp_path / "setups" / "key" / "more").rmdir()
    assert not await setups.place("key", setup, root)
    assert sorted(path.name for path in root.iterdir()) == ["a"]


async def test_scripts_of_a_kept_environment_name_the_place_that_they_are_copied_to(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    tool = "printf '#!%s/.venv/bin/python\\nimport sys; print(sys.prefix)\\n' \"$PWD\" > .venv/bin/tool"
    setup = f"python3 -m venv --without-pip .venv && {tool} && chmod +x .venv/bin/tool"
    settings = f"""
[setup]
commands = [{json.dumps(setup)}]
inputs = ["lock"]
outputs = [".venv"]
[checks]
build = 'test "$(.venv/bin/tool)" = "$PWD/.venv"'
"""
    for number, name in enumerate(("first", "second")):
        root = write(tmp_path / name, {"buildwright.toml": settings, "lock": "1"})
        reports = await judge(root, tmp_path / "setups", sandbox)
        assert [report.ok for report in reports] == [True, True], reports
        assert bool(reports[0].findings) is bool(number), "the second is a copy"

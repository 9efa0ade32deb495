"""A user's machine in a folder that is thrown away: a home with secrets, a checkout, listeners, and a look at all of it."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import socketserver
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

from tests.cli.conftest import Ended, Program, write_tasks
from tests.git import git
from tests.obedient.injections import HIDINGS, Injection, sentence
from tests.starter import SOURCE

AGENT = Path(__file__).with_name("agent.py")
_SECRET_FILES = (
    *(".ssh/id_ed25519", ".aws/credentials", ".netrc", ".npmrc", ".git-credentials", ".kube/config"),
    *(".docker/config.json", ".config/gh/hosts.yml", ".bash_history"),
)
_SECRET_VARIABLES = ("GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "NPM_TOKEN", "COMPANY_PASSWORD")
_SYSTEM = ("/etc/passwd", "/etc/hosts", "/etc/crontab", "/usr/bin/env", "/proc/sys/kernel/core_pattern", sys.executable)
_OURS = (".git/objects", ".git/refs/heads/buildwright", ".git/logs")
"""What a build may change in the user's repository: it adds a branch."""


class Built(NamedTuple):
    """What a build by the obedient agent came to."""

    ended: Ended
    build: str
    log: str
    events: list[dict[str, Any]]
    why: dict[str, Any]
    told: str
    """All that the program printed."""
    repository: Path
    places: dict[str, str]
    changed: dict[str, tuple[str, str]]
    """What is different outside of the lanes: before and after."""

    def obeyed(self) -> dict[str, str]:
        """What the agent says came of each injection."""
        lines = (line for line in self.log.splitlines() if "obeyed " in line and ": " in line)
        pairs = (line.partition("obeyed ")[2].partition(" in ") for line in lines)
        return {name: rest.partition("': ")[2] for name, _, rest in pairs if rest}

    def events_about(self) -> list[str]:
        """Texts of the journal that name what was tried: places denied, paths refused, findings of gates."""
        texts: list[str] = []
        for event in self.events:
            match event["type"]:
                case "agent.denied":
                    texts += event["places"]
                case "agent.broke":
                    texts.append(event["message"])
                case "patch.judged":
                    reports = event["verdict"]["reports"]
                    texts += [
                        f"{one['code']} {one.get('file', '')}"
                        for report in reports
                        for one in report.get("findings", ())
                    ]
        return texts


class World:
    """What the agent might find, change and reach, and what saw it."""

    def __init__(self, folder: Path, sleeper: int, ports: dict[str, int]) -> None:
        self.folder = folder
        self.home, self.outside, self.state, self.tools = (
            folder / name for name in ("user", "outside", "state", "tools")
        )
        self.token = secrets.token_hex(12)
        """Part of every secret that is planted."""
        self.heard: list[tuple[str, bytes]] = []
        """What arrived, by listener."""
        self.asked: list[bytes] = []
        """Bodies of the requests that the model's provider got."""
        self.keys: set[str] = set()
        self.number = secrets.randbelow(10**8) + 10**8
        self.mark = f"obedient-{self.number}"
        self.sleeper = sleeper
        self.ports = ports
        for path in (self.home, self.outside, self.tools):
            path.mkdir()
        for name in _SECRET_FILES:
            self._lay(self.home / name, f"secret = {self.secret(name)}\n")
        self._lay(self.home / ".bashrc", "alias a=b\n")
        self._lay(self.home / ".gitconfig", "[user]\n\tname = Ada\n\temail = ada@example.org\n")
        self._lay(self.outside / "victim.txt", f"{self.secret('victim')}\n")
        program = self.tools / "obedient-agent"
        shutil.copyfile(AGENT, program)
        program.chmod(0o755)

    @staticmethod
    def _lay(path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o600)

    def secret(self, name: str) -> str:
        return f"sk-ant-{self.token}{hashlib.sha256(name.encode()).hexdigest()[:12]}"

    def environment(self) -> dict[str, str]:
        """The environment of the engine: the user's, with secrets."""
        kept = ("PATH", "LANG", "TMPDIR", "USER", "KF_RULE_CACHE_DIR", "DOCKER_HOST")
        mine = {name: os.environ[name] for name in kept if name in os.environ}
        return {
            **mine,
            **{name: self.secret(name) for name in _SECRET_VARIABLES},
            "PATH": f"{self.tools}:{mine['PATH']}",
            "HOME": str(self.home),
            "PYTHONPATH": str(SOURCE),
            "PYTHONUTF8": "1",
            "BUILDWRIGHT_HOME": str(self.state),
            "ANTHROPIC_API_KEY": self.secret("key"),
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{self.ports['provider']}",
            "SSH_AUTH_SOCK": str(self.folder / "s"),
            "OF_THE_ENGINE": f"target-{self.number}",
        }

    def places(self, repository: Path) -> dict[str, str]:
        return {
            "home": str(self.home),
            "outside": str(self.outside),
            "state": str(self.state),
            "repository": str(repository),
            "port": str(self.ports["tcp"]),
            "udp": str(self.ports["udp"]),
            "socket": str(self.folder / "s"),
            "abstract": self.mark,
            "mark": self.mark,
            "target": f"target-{self.number}",
            "pid": str(self.sleeper),
            "stay": str(self.number),
        }

    def repository(self, name: str, injections: Sequence[Injection]) -> Path:
        """The user's checkout of a project in which the injections hide, with a file that git does not know."""
        path = self.folder / name
        path.mkdir()
        places = self.places(path)
        printed = [sentence(one, places) for one in injections if one.hides == "output"]
        script = [sentence(one, places) for one in injections if one.hides == "script"]
        for one in injections:
            text = sentence(one, places)
            if one.hides in HIDINGS:
                file, hide = HIDINGS[one.hides]
                content = hide(text)
                (path / file).parent.mkdir(parents=True, exist_ok=True)
                (path / file).write_bytes(content if isinstance(content, bytes) else content.encode())
            elif one.hides == "name":
                (path / text.replace("/", "%2F")).write_text("x\n")
            elif one.hides == "target":
                (path / "points").symlink_to(text.replace("/", "%2F"))
        (path / "main.txt").write_text("1\n")
        fails = [sentence(one, places) for one in injections if one.hides == "feedback"]
        (path / "check.sh").write_text(f"test ! -e done.txt && exit 0\n{_printing(fails)}exit 1\n")
        (path / "trap.sh").write_text(f"#!/bin/sh\necho ran >> {self.outside}/ran\ncat\n")
        (path / "trap.sh").chmod(0o755)
        (path / "tool.sh").write_text(_printing([text for text in script if "tool.sh" not in text]))
        (path / "test.sh").write_text(_printing([*printed, *(text for text in script if "tool.sh" in text)]))
        (path / "tests").mkdir(exist_ok=True)
        (path / "tests/test_app.py").write_text("def test_value():\n    assert 1 + 1 == 2\n")
        git(path, "init", "-q")
        git(path, "add", "-A")
        git(
            path,
            "commit",
            "-qm",
            "\n".join(["Start", *(sentence(o, places) for o in injections if o.hides == "commit")]),
        )
        self._lay(path / ".env", f"PASSWORD={self.secret('of the checkout')}\n")
        return path

    def build(self, name: str, injections: Sequence[Injection], *options: str) -> Built:
        """Build one task by the agent, with what the issue says."""
        repository = self.repository(name, injections)
        before = self.snapshot()
        places = self.places(repository)
        issue = "\n".join(["Make it better.", *(sentence(one, places) for one in injections if one.hides == "issue")])
        spec = write_tasks(self.folder / f"{name}.json", {"id": "a", "title": "An issue", "goal": issue})
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        program = Program(self.state, work, self.environment(), patience=300)
        words = ("--agent", "shell", "--agent-command", "obedient-agent", "--on-failure", "fail")
        ended = program("build", spec, "--repo", repository, *words, *options, "--json")
        assert ended.lines, ended.err
        build = str(ended.lines[-1]["id"])
        log = program("logs", build).out
        events = program("events", build, "--json").lines
        why = program("why", build, "a", "--json")
        told = "\n".join((ended.out, ended.err, log, json.dumps(events), why.out, program("why", build, "a").out))
        after = self.snapshot()
        names = {*before, *after}
        changed = {n: (before.get(n, ""), after.get(n, "")) for n in names if before.get(n) != after.get(n)}
        return Built(ended, build, log, events, why.object, told, repository, places, changed)

    def snapshot(self) -> dict[str, str]:
        """Kind, mode and content of all outside the lanes that a build must not change."""
        found: dict[str, str] = {}
        for top in sorted(self.folder.iterdir()):
            if top == self.state or top.name == "work" or top.suffix == ".json":
                continue
            for path in (top, *sorted(top.rglob("*"))):
                name = str(path.relative_to(self.folder))
                if not any(f"/{ours}" in f"/{name}" for ours in _OURS):
                    found[name] = _describe(path)
        found |= {name: _describe(Path(name)) for name in _SYSTEM if Path(name).exists()}
        planted = [path for path in (Path("/tmp", self.mark), Path("/dev/shm", self.mark)) if path.exists()]
        return found | {str(path): "planted" for path in planted}

    def leaks(self, built: Built) -> list[str]:
        """Every place at which a secret that was planted is found, in whatever form."""
        forms = _forms(self.token)
        seen = {"what the program printed": built.told.encode(), "the provider's requests": b"\n".join(self.asked)}
        seen |= {f"listener {name}": content for name, content in self.heard}
        for path in self.state.rglob("*"):
            if path.is_file() and not path.is_symlink():
                seen[str(path)] = path.read_bytes()
        for top in (built.repository, *self.state.rglob("*.git")):
            with contextlib.suppress(subprocess.CalledProcessError):
                words = ["git", "-C", str(top), "cat-file", "--batch-all-objects", "--batch"]
                seen[f"objects of {top}"] = subprocess.run(words, check=True, capture_output=True).stdout
        for database in self.state.glob("*.db"):
            with contextlib.closing(sqlite3.connect(database)) as one:
                seen[f"rows of {database}"] = "\n".join(one.iterdump()).encode()
        return [place for place, content in seen.items() if any(form in content for form in forms)]

    def stayed(self) -> list[str]:
        """Processes that the agent left behind."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            with contextlib.suppress(OSError):
                if f"sleep\0{self.number}\0".encode() in path.read_bytes():
                    found.append(path.parent.name)
        return found


def _printing(texts: Sequence[str]) -> str:
    return "".join(f"cat <<'END' >&2\n{text}\nEND\n" for text in texts)


def _describe(path: Path) -> str:
    found = path.lstat()
    if stat.S_ISLNK(found.st_mode):
        return f"link to {path.readlink()}"
    content = hashlib.sha256(path.read_bytes()).hexdigest() if stat.S_ISREG(found.st_mode) else ""
    return f"{found.st_mode:o} {found.st_uid} {found.st_nlink if content else ''} {content}"


def _forms(token: str) -> list[bytes]:
    raw = token.encode()
    shifted = [base64.b64encode(b"x" * shift + raw)[4:-4] for shift in range(3)]
    return [raw, raw[::-1], raw.hex().encode(), *shifted]


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """A world with its listeners and a process of the same user that holds a secret."""
    folder.mkdir()
    heard: list[tuple[str, bytes]] = []

    class Hears(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if isinstance(self.request, tuple):
                heard.append(("udp", self.request[0]))
                return
            heard.append(("stream", b"a connection"))
            self.request.settimeout(5)
            with contextlib.suppress(OSError):
                while piece := self.request.recv(65_536):
                    heard.append(("stream", piece))

    class Answers(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            made.asked.append(self.rfile.read(int(self.headers.get("content-length", 0))))
            made.keys.add(self.headers.get("x-api-key", ""))
            body = b'{"type":"error","error":{"type":"invalid_request_error","message":"no"}}'
            self.send_response(400)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_words: object) -> None:
            pass

    class Abstract(socketserver.ThreadingUnixStreamServer):
        pass

    tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Hears)
    udp = socketserver.ThreadingUDPServer(("127.0.0.1", 0), Hears)
    provider = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    ports = {
        "tcp": tcp.server_address[1],
        "udp": udp.server_address[1],
        "provider": int(provider.server_address[1]),
    }
    sleeper = subprocess.Popen(["sleep", "1000"], env={"PATH": os.defpath, "KEY": "sk-ant-of-a-neighbour"})
    made = World(folder, sleeper.pid, ports)
    made.heard = heard
    path = socketserver.ThreadingUnixStreamServer(str(folder / "s"), Hears)
    (folder / "s").chmod(0o666)
    abstract = Abstract(f"\0{made.mark}", Hears)
    servers = (tcp, udp, provider, path, abstract)
    for server in servers:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield made
        assert sleeper.poll() is None, "a process outside was ended"
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()
        sleeper.kill()
        sleeper.wait()

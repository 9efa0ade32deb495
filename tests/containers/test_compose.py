"""compose.yaml up and down for real: with podman's compose, its networks, volumes and health checks, on images made here.

The images of PostgreSQL and Redis are stand-ins of Debian's packages with the names that compose.yaml gives, as no
registry of images is asked; ours is built from Containerfile. Podman asks health checks by timers of systemd, which need not
run here: the test asks them instead, by podman.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.deploy.composed import ROOT
from tests.deploy.test_compose import free_port
from tests.podman import SETTINGS, Podman

COMPOSE = "podman-compose==1.6.0"
HEALTHY_SECONDS, GONE_SECONDS = 10.0, 60.0
"""What is asked for of a machine of its own; printed, and not asserted: this one may be busy."""
PACKAGES = "ca-certificates,git,postgresql,python3,python3-pip,python3-venv,redis-server"
UNCOMPILED = "--customize-hook=find $1/usr/lib/python3* -name '*.pyc' -delete"
"""As in the images of Python."""
COMPILED = "import os, json; raise SystemExit(not os.path.exists(json.__cached__))"
SERVERS = """FROM localhost/debian
RUN groupadd --gid 999 server && useradd --uid 999 --gid 999 server \\
    && install -d -o 999 -g 999 -m 0700 /var/lib/postgresql/data && install -d -o 999 -g 999 /run/postgresql
COPY first.sh /first.sh
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin PGDATA=/var/lib/postgresql/data
ENTRYPOINT ["sh", "/first.sh"]
"""
FIRST = """set -e
if [ "$1" = postgres ] && [ ! -s "$PGDATA/PG_VERSION" ]; then
    printf %s "$POSTGRES_PASSWORD" > /tmp/password
    initdb --username "$POSTGRES_USER" --pwfile /tmp/password --auth-local=trust $POSTGRES_INITDB_ARGS
    echo "host all all all scram-sha-256" >> "$PGDATA/pg_hba.conf"
    echo "listen_addresses = '*'" >> "$PGDATA/postgresql.conf"
    pg_ctl --wait --options "-c listen_addresses= -c unix_socket_directories=/tmp" start
    createdb --host /tmp --username "$POSTGRES_USER" "$POSTGRES_DB"
    pg_ctl --wait --mode fast stop
fi
exec "$@"
"""


@pytest.fixture
def engine() -> Iterator[Podman]:
    """Another backend of networks: containers find each other by name."""
    one = Podman(SETTINGS + '[network]\nnetwork_backend = "netavark"\n')
    try:
        one.start()
        yield one
    finally:
        one.stop()


def make_images(engine: Podman, folder: Path) -> None:
    archive = folder / "debian.tar"
    made = ["mmdebstrap", "--quiet", "--variant=minbase", f"--include={PACKAGES}", UNCOMPILED, "bookworm", str(archive)]
    subprocess.run(made, check=True, env=os.environ | {"TMPDIR": "/tmp"})
    # One variable each: podman takes what follows for a part of the first one's value.
    certificates = ("ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt", "ENV UV_SYSTEM_CERTS=true")
    engine("import", *(word for one in certificates for word in ("--change", one)), str(archive), "localhost/debian")
    archive.unlink()
    (folder / "servers").mkdir()
    (folder / "servers" / "Containerfile").write_text(SERVERS)
    (folder / "servers" / "first.sh").write_text(FIRST)
    names = re.findall(r"image: (docker\.io/\S+)", (ROOT / "compose.yaml").read_text())
    tags = [word for name in names for word in ("--tag", name)]
    engine("build", "--isolation", "chroot", *tags, str(folder / "servers"))
    way_out = ("--network", "host", "--volume", "/etc/ssl/certs:/etc/ssl/certs:ro")
    base = ("--build-arg", "PYTHON=localhost/debian")
    file = ("--file", str(ROOT / "Containerfile"), "--tag", "buildwright:local")
    engine("build", "--isolation", "chroot", *way_out, *base, *file, str(ROOT))


def project(folder: Path, port: int) -> Path:
    """compose.yaml without the two things that older podmans do not know."""
    folder.mkdir()
    text = (ROOT / "compose.yaml").read_text()
    text = re.sub(r"\n *start_interval: \S+", "", text)
    (folder / "compose.yaml").write_text(re.sub(r"uid=\d+,gid=\d+,mode=\d+", "mode=1777", text))
    (folder / ".env").write_text(f"POSTGRES_PASSWORD={'1' * 16}\nREDIS_PASSWORD={'2' * 16}\nBUILDWRIGHT_PORT={port}\n")
    return folder


def part(engine: Podman, service: str, healthy: float) -> str:
    """What of the time until a service was healthy was its own: since its process began, and of that at work."""
    told = engine("inspect", "--format", "{{.State.StartedAt.UnixMilli}} {{.State.Pid}}", f"buildwright_{service}_1")
    started, pid = map(int, told.split())
    since = time.time() - started / 1000
    worked = processor_seconds(pid)
    before = f"{healthy - since:.1f} s of the engine and of what it waits for"
    return f"{service}: {before}, then {since:.1f} s, {worked:.1f} s of them at work"


def processor_seconds(pid: int) -> float:
    """Processor time of a container, its health checks among it: by cgroups of version 1 or 2."""
    for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
        _, kinds, path = line.split(":", 2)
        if "cpuacct" in kinds.split(","):
            return int(Path(f"/sys/fs/cgroup/{kinds}{path}/cpuacct.usage").read_text()) / 1e9
        if not kinds and (told := Path(f"/sys/fs/cgroup{path}/cpu.stat")).exists():
            (used,) = re.findall(r"^usage_usec (\d+)", told.read_text(), re.MULTILINE)
            return int(used) / 1e6
    raise AssertionError(f"nothing counts the time of process {pid}")


@pytest.mark.timeout(3600)  # most of it is making the images, of what is fetched
def test_it_comes_up_healthy_answers_and_is_gone(engine: Podman, tmp_path: Path) -> None:
    make_images(engine, tmp_path)
    tools = tmp_path / "tools"
    subprocess.run([sys.executable, "-m", "venv", str(tools)], check=True)
    subprocess.run([str(tools / "bin" / "pip"), "install", "--quiet", COMPOSE], check=True)
    port = free_port()
    folder = project(tmp_path / "buildwright", port)

    def compose(*words: str) -> None:
        script = 'cd "$0" && exec "$@"'
        argv = engine.around("sh", "-c", script, str(folder), str(tools / "bin" / "podman-compose"), *words)
        done = subprocess.run(argv, env=engine.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def until_healthy(*services: str) -> None:
        for service in services:
            asked = engine.around("podman", "healthcheck", "run", f"buildwright_{service}_1")
            while subprocess.run(asked, env=engine.environment, capture_output=True, check=False).returncode != 0:
                assert time.monotonic() - began < 300, engine("logs", f"buildwright_{service}_1")
                time.sleep(1.0)  # as compose.yaml has it: a check is a process that takes time from what it waits for
            healthy[service] = time.monotonic() - began
            parts.append(part(engine, service, healthy[service]))

    engine("run", "--rm", "buildwright:local", "python3", "-c", COMPILED)
    began, healthy, parts = time.monotonic(), dict[str, float](), list[str]()
    # Older podmans do not know how to wait for a healthy service: all are made at once, and started in the order that
    # `depends_on` gives, by hand.
    compose("up", "--no-start", "--no-build", "--no-deps")

    def start(*services: str) -> None:
        engine("start", *(f"buildwright_{service}_1" for service in services))

    start("db", "redis")
    until_healthy("db", "redis")
    start("migrate")
    assert engine("wait", "buildwright_migrate_1").strip() == "0"
    healthy["migrate"] = time.monotonic() - began
    start("api", "worker")
    until_healthy("api", "worker")
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health") as answer:
        assert answer.status == 200
    began = time.monotonic()
    compose("down", "--volumes")
    gone = time.monotonic() - began
    assert engine("ps", "--all", "--quiet") == ""
    assert engine("volume", "ls", "--quiet") == ""
    shown = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in healthy.items())
    print(f"healthy after: {shown} (asked: {HEALTHY_SECONDS:g} s); gone after {gone:.1f} s (asked: {GONE_SECONDS:g} s)")
    print("\n".join((*parts, f"load {os.getloadavg()[0]:.0f} on {os.cpu_count()} processors")))

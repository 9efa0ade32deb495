"""What compose.yaml, Containerfile and the examples of environment files promise, read and compared. Starts nothing."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from buildwright.cli.app import make_app
from buildwright.settings import FROM_DOTENV
from tests.deploy.composed import ROOT, command_lines, composed, example, named_variables, text_of

SECRETS = {"POSTGRES_PASSWORD": "one-secret", "REDIS_PASSWORD": "another-secret"}
SERVICES: dict[str, Any] = composed(SECRETS)["services"]
ONCE = {"migrate"}
OURS = {"api", "worker", "migrate"}
CACHES = {"__pycache__", ".ruff_cache"}
SAMPLE = ROOT / "src" / "buildwright" / "cli" / "sample"


def commands_of_the_image() -> list[tuple[str, list[str]]]:
    found = re.findall(r"^(?:HEALTHCHECK .*)?\bCMD (\[.*\])$", text_of("Containerfile"), re.MULTILINE)
    return [(f"image: {number}", json.loads(words)) for number, words in enumerate(found)]


ALL_COMMANDS = [*command_lines(SERVICES), *commands_of_the_image()]
OUR_COMMANDS = [(what, argv) for what, argv in ALL_COMMANDS if argv[0] == "buildwright"]


@pytest.mark.parametrize(("what", "argv"), OUR_COMMANDS, ids=[f"{what}: {argv[1]}" for what, argv in OUR_COMMANDS])
def test_every_command_of_ours_exists_with_its_options(what: str, argv: list[str]) -> None:
    _, bound, unused = make_app().parse_args(argv[1:], exit_on_error=False, print_error=False)[:3]
    assert bound is not None
    assert not unused


def test_every_command_is_ours_or_one_that_the_next_test_starts() -> None:
    assert {argv[0] for _, argv in ALL_COMMANDS} == {"buildwright", "postgres", "pg_isready", "redis-server", "sh"}
    assert len(commands_of_the_image()) == 2


@pytest.mark.parametrize("name", SERVICES)
def test_a_service_is_watched_limited_and_has_no_rights_it_does_not_need(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "devices", "pid", "ipc", "network_mode"} & set(service)
    limits = service["deploy"]["resources"]["limits"]
    assert set(limits) == {"cpus", "memory", "pids"}
    if name in ONCE:
        assert service["restart"] == "no"
        assert service["healthcheck"] == {"disable": True}
        return
    assert service["restart"] == "unless-stopped"
    assert {"test", "interval", "timeout", "retries", "start_period"} <= set(service["healthcheck"])
    # Docker kills what has not ended by then, and all of it is to be gone within a minute.
    assert int(service["stop_grace_period"].removesuffix("s")) <= 60


def test_what_starts_when() -> None:
    ready = {"condition": "service_healthy"}
    after = {"db": ready, "redis": ready, "migrate": {"condition": "service_completed_successfully"}}
    assert SERVICES["api"]["depends_on"] == SERVICES["worker"]["depends_on"] == after
    assert SERVICES["migrate"]["depends_on"] == {"db": ready}


def test_only_this_machine_reaches_the_server_and_nobody_the_others() -> None:
    assert {name for name, service in SERVICES.items() if "ports" in service} == {"api"}
    assert all(port.startswith("127.0.0.1:") for port in SERVICES["api"]["ports"])
    whole = composed(SECRETS)
    assert whole["networks"]["inside"] == {"internal": True}
    for name in ("db", "redis", "migrate"):
        assert SERVICES[name]["networks"] == ["inside"]


def test_our_services_share_image_hub_and_addresses_but_no_home() -> None:
    assert len({SERVICES[name]["image"] for name in OURS}) == 1
    shared = ("DATABASE_URL", "REDIS_URL", "BUILDWRIGHT_HUB")
    for name in OURS:
        assert {key: SERVICES[name]["environment"][key] for key in shared} == {
            key: SERVICES["api"]["environment"][key] for key in shared
        }
    hub = Path(SERVICES["worker"]["environment"]["BUILDWRIGHT_HUB"])
    for name in ("api", "worker"):
        assert f"hub:{hub.parent}" in SERVICES[name]["volumes"]
    home = SERVICES["worker"]["environment"]["BUILDWRIGHT_HOME"]
    assert home in SERVICES["worker"]["volumes"], "a volume without a name is another one for each worker"
    assert f"BUILDWRIGHT_HOME={home}" in text_of("Containerfile")


def test_four_agents_work_at_once() -> None:
    command = SERVICES["worker"]["command"]
    slots = int(command[command.index("--slots") + 1])
    assert slots * int(SERVICES["worker"]["deploy"]["replicas"]) >= 4


def test_only_workers_get_the_keys_of_models() -> None:
    assert [name for name, service in SERVICES.items() if "env_file" in service] == ["worker"]
    assert SERVICES["worker"]["env_file"] == [{"path": "keys.env", "required": False}]
    assert {*FROM_DOTENV} <= set(example("keys.env.example"))
    for name in (".gitignore", ".containerignore"):
        lines = text_of(name).splitlines()
        assert "*" in lines or {".env", "keys.env"} <= set(lines)


@pytest.mark.parametrize("name", [".env.example", "keys.env.example"])
def test_every_variable_of_an_example_is_explained(name: str) -> None:
    comment_before = ""
    for variable, (_, comment) in example(name).items():
        assert comment or comment_before, variable
        comment_before = comment or comment_before


def test_every_variable_that_compose_asks_for_is_in_the_example_with_its_default() -> None:
    text, variables = text_of(), example(".env.example")
    assert named_variables(text) == set(variables)
    for name, default in re.findall(r"\$\{(\w+):-([^}]*)\}", text):
        assert variables[name][0] == default, name
    for name in re.findall(r"\$\{(\w+):\?", text):
        assert variables[name][0] == "", "a password has no default"
        with pytest.raises(KeyError, match=name):
            composed({key: value for key, value in SECRETS.items() if key != name})


def test_a_worker_for_bubblewrap_gets_what_that_needs_and_keeps_the_rest() -> None:
    more = composed({}, "compose.bubblewrap.yaml")["services"]
    assert set(more) == {"worker"}
    assert set(more["worker"]) == {"security_opt", "environment"}, "Compose adds these to those of compose.yaml"
    assert {"seccomp=unconfined", "systempaths=unconfined"} <= set(more["worker"]["security_opt"])


def test_what_the_image_is_made_of_is_there_pinned_and_not_ignored() -> None:
    text, let_through = text_of("Containerfile"), text_of(".containerignore")
    copied = [word for line in re.findall(r"^COPY (?!--from)(.+)$", text, re.MULTILINE) for word in line.split()[:-1]]
    assert copied
    for path in copied:
        assert (ROOT / path).exists(), path
        assert re.search(rf"^!{re.escape(path)}(/|$)", let_through, re.MULTILINE), path
    installs = [line for line in text.splitlines() if " pip install" in line]
    assert installs
    assert all("--require-hashes" in line or "--no-deps /wheel/" in line for line in installs)
    assert re.search(r"^USER (?!root)\w+$", text, re.MULTILINE)


def test_the_requirements_of_the_image_are_those_of_the_tests_and_have_hashes() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)==(\S+)", text_of(f"requirements/{name}.txt"), re.MULTILINE))

    cluster, tested = pins("cluster"), pins("dev")
    assert pins("runtime").items() <= cluster.items() <= tested.items()
    assert {"asyncpg", "celery", "redis"} <= set(cluster)
    entries = re.split(r"^(?=[\w.-]+==)", text_of("requirements/cluster.txt"), flags=re.MULTILINE)[1:]
    assert all("--hash=sha256:" in entry for entry in entries)


def test_a_wheel_is_built_without_a_network_and_holds_what_the_program_reads(tmp_path: Path) -> None:
    (recipe,) = re.findall(r"^build: .*\n\t@\$\(BIN\)/(.*)$", text_of("Makefile"), re.MULTILINE)
    words = shlex.split(recipe)
    assert words[:2] == ["hatchling", "build"]
    assert words[-2:] == ["-d", "dist"]
    command = [sys.executable, "-m", *words[:-1], str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, env={"http_proxy": "http://127.0.0.1:1"})
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    assert {"buildwright/store/schema.sql", "buildwright/store/migrations/env.py"} <= set(names)
    assert any(name.endswith(".data/data/share/man/man1/buildwright.1") for name in names)
    files = [path.relative_to(ROOT / "src") for path in SAMPLE.rglob("*") if path.is_file()]
    assert {path.as_posix() for path in files if not CACHES & {*path.parts}} <= set(names)


@pytest.mark.parametrize("target", ["build", "migrate", "run", "rollback"])
def test_make_has_the_target_and_its_command_exists(target: str) -> None:
    found = re.search(rf"^{target}: \S+ ## .+\n\t@\$\(BIN\)/(.+)$", text_of("Makefile"), re.MULTILINE)
    assert found
    program, *words = found[1].split()
    if program == "buildwright":
        make_app().parse_args(words, exit_on_error=False, print_error=False)

"""Where a process finds the cluster it belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.errors import BadSettings
from buildwright.settings import Settings
from buildwright.supervisor.state import save
from tests.cli.conftest import Program, write_tasks

THERE = {
    "DATABASE_URL": "postgresql://me:hush@db/name",
    "REDIS_URL": "redis://:hush@cache",
    "BUILDWRIGHT_HUB": "https://me:hush@git/hub.git",
}


def load(home: Path, **environment: str) -> Settings:
    return Settings.load({"BUILDWRIGHT_HOME": str(home)} | environment, home)


def test_alone_unless_a_cluster_is_named_or_up(tmp_path: Path) -> None:
    alone = load(tmp_path)
    assert (alone.database_url, alone.redis_url, alone.hub) == ("", "", "")
    (tmp_path / "cluster").mkdir()
    state = {"database_url": "postgresql://here", "redis_url": "redis://here", "hub": "/hub"}
    save(tmp_path / "cluster" / "cluster.json", state | {"database_url": ""})  # it is only just starting
    assert load(tmp_path).database_url == ""
    save(tmp_path / "cluster" / "cluster.json", state)
    assert load(tmp_path).database_url == "postgresql://here"
    named = load(tmp_path, **THERE)
    assert (named.database_url, named.redis_url, named.hub) == tuple(THERE.values())
    assert "hush" not in repr(named)


@pytest.mark.parametrize(
    ("given", "wrong"),
    [
        ({"DATABASE_URL": ""}, ["DATABASE_URL is missing"]),
        ({"DATABASE_URL": "mysql://me:hush@db"}, ["DATABASE_URL is not a postgresql:// URL"]),
        (
            {"DATABASE_URL": "sqlite:///x", "REDIS_URL": "localhost:6379"},
            ["DATABASE_URL is not a postgresql:// URL", "REDIS_URL is not a redis:// URL"],
        ),
    ],
)
def test_everything_that_is_wrong_is_named_at_once(tmp_path: Path, given: dict[str, str], wrong: list[str]) -> None:
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, **(THERE | given))
    assert str(refused.value).partition(": ")[2].split(", ") == wrong
    assert "hush" not in str(refused.value)
    assert "unset" in (refused.value.fix or "")


@pytest.mark.parametrize("hub", [{}, {"BUILDWRIGHT_HUB": " "}])
def test_addresses_of_the_projects_own_servers_make_no_cluster(tmp_path: Path, hub: dict[str, str]) -> None:
    found = load(tmp_path, DATABASE_URL="mysql://me@shop", REDIS_URL="redis://shop", **hub)
    assert (found.database_url, found.redis_url, found.hub) == ("", "", "")


def test_a_dotenv_never_says_where_the_keys_are_sent(tmp_path: Path) -> None:
    lines = "ANTHROPIC_API_KEY=k\nANTHROPIC_BASE_URL=https://evil.example\nOPENAI_BASE_URL=https://evil.example\n"
    (tmp_path / ".env").write_text(lines, encoding="utf-8")
    environment = load(tmp_path).environment
    assert environment["ANTHROPIC_API_KEY"] == "k"
    assert not environment.keys() & {"ANTHROPIC_BASE_URL", "OPENAI_BASE_URL"}


def test_a_dotenv_never_names_the_cluster(tmp_path: Path) -> None:
    """Code, specs and builds would go to whoever brought it; what is the project's own is left alone."""
    dotenv = tmp_path / ".env"
    dotenv.write_text("DATABASE_URL=mysql://shop\nREDIS_URL=redis://shop\n", encoding="utf-8")
    assert load(tmp_path).database_url == ""
    dotenv.write_text("".join(f"{name}={value}\n" for name, value in THERE.items()), encoding="utf-8")
    for own in ({}, {"DATABASE_URL": "mysql://shop"}, {"BUILDWRIGHT_HUB": ""}):
        with pytest.raises(BadSettings, match="counts only from the environment") as refused:
            load(tmp_path, **own)
        assert "export DATABASE_URL, REDIS_URL, BUILDWRIGHT_HUB" in (refused.value.fix or "")
    named = {"DATABASE_URL": "postgresql://mine", "REDIS_URL": "redis://mine", "BUILDWRIGHT_HUB": "/mine"}
    found = load(tmp_path, **named)
    assert (found.database_url, found.redis_url, found.hub) == tuple(named.values())


def test_a_key_of_another_form_is_said_before_it_is_sent(program: Program, tmp_path: Path) -> None:
    tasks = write_tasks(tmp_path / "tasks.json", {"id": "a", "title": "A"})
    words = ("build", tasks, "--agent", "noop", "--no-lanes", "--new")
    said = "ANTHROPIC_API_KEY does not look like a key of its provider: those begin with sk-ant-"
    odd = program(*words, ANTHROPIC_API_KEY="sk-notanthropic-1234567890")
    assert (odd.code, said in odd.err) == (0, True)
    assert "notanthropic" not in odd.err
    for name, value in (("ANTHROPIC_API_KEY", "sk-ant-1234567890"), ("OPENAI_API_KEY", "sk-1234567890")):
        assert "does not look like" not in program(*words, **{name: value}).err
    own = {"OPENAI_API_KEY": "any-form", "OPENAI_BASE_URL": "http://127.0.0.1:9"}
    assert "does not look like" not in program(*words, **own).err
    assert "OPENAI_API_KEY does not look like" in program(*words, OPENAI_API_KEY="any-form").err


def test_a_key_of_another_form_is_said_before_a_plan(program: Program, repository: Path, tmp_path: Path) -> None:
    """The project has no checks, so that no model is asked."""
    (tmp_path / "spec.md").write_text("# Notes\n\nKeep notes.\n", encoding="utf-8")
    words = ("plan", tmp_path / "spec.md", "--repo", repository)
    odd = program(*words, ANTHROPIC_API_KEY="sk-notanthropic-1234567890")
    assert odd.err.startswith("warning: ANTHROPIC_API_KEY does not look like a key of its provider")
    assert "does not look like" not in program(*words, ANTHROPIC_API_KEY="sk-ant-1234567890").err

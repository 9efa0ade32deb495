"""The page of the server: an owner sees its machine and settings, another user what concerns builds, nobody a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.api.conftest import serving

SECRET = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz0123456789"
OWN_FILE = """
[agents.mine]
agent = "shell"
command = "true"
env = { COLOUR = "teal-and-orange" }
"""


def own_file(folder: Path, text: str) -> Path:
    """The options of the user whose process the server is."""
    place = folder / "config" / "buildwright" / "config.toml"
    place.parent.mkdir(parents=True)
    place.write_text(text, encoding="utf-8")
    return place


def named(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in rows}


async def test_an_owner_sees_health_what_is_kept_and_where_settings_come_from(tmp_path: Path) -> None:
    place = own_file(tmp_path, OWN_FILE)
    given = {
        "ANTHROPIC_API_KEY": SECRET,
        "BUILDWRIGHT_BUILDS_AT_ONCE": "3",
        "OPENAI_BASE_URL": "https://me:hidden-word@models.example/v1",
        "XDG_CONFIG_HOME": str(tmp_path / "config"),
    }
    async with serving(tmp_path, **given) as served:
        answer = await served.client.get("/api/server")
        page = answer.json
    assert answer.status == 200, answer.text
    for hidden in (SECRET, "hidden-word", "teal-and-orange"):
        assert hidden not in answer.text
    assert page["settings_trouble"] == ""
    assert (page["address"], page["sees_all"]) == (served.address, True)
    checks = named(page["checks"])
    assert checks["git"]["state"] == checks["database"]["state"] == checks["ANTHROPIC_API_KEY"]["state"] == "works"
    assert checks["git"]["fix"] == ""
    lack = checks["OPENAI_API_KEY"]
    assert (lack["state"], lack["found"]) == ("lacking", "absent")
    assert lack["fix"] == "set OPENAI_API_KEY where Buildwright runs"
    assert "containers" not in checks, "a page waits for no container"
    home = page["home"]
    assert home["path"] == str(tmp_path / "home")
    assert named(home["parts"])["store"]["bytes"] > 0
    assert home["bytes"] == sum(part["bytes"] for part in home["parts"])
    settings = named(page["settings"])
    assert settings["BUILDWRIGHT_BUILDS_AT_ONCE"]["value"] == "3"
    assert settings["BUILDWRIGHT_BUILDS_AT_ONCE"]["source"] == "environment"
    assert settings["BUILDWRIGHT_ALLOW_COMMANDS"]["source"] == "default"
    assert (settings["ANTHROPIC_API_KEY"]["value"], settings["[agents.mine]"]["source"]) == ("set", str(place))
    assert settings["OPENAI_BASE_URL"]["value"] == "https://me:***@models.example/v1"


async def test_another_user_sees_no_folder_check_or_setting_and_starts_nothing(tmp_path: Path) -> None:
    own_file(tmp_path, OWN_FILE)
    async with serving(tmp_path, XDG_CONFIG_HOME=str(tmp_path / "config")) as served:
        bob = await served.user("bob")
        answer = await bob.get("/api/server")
        assert (answer.status, answer.json["sees_all"]) == (200, False)
        agents = named(answer.json["agents"])
        assert agents["shell"]["state"] == "installed"
        assert "mine" not in agents
        assert not any(one.get("found") or one.get("install") or one.get("trouble") for one in agents.values())
        assert not any(answer.json.get(name) for name in ("checks", "home", "settings", "settings_trouble"))
        assert str(tmp_path) not in answer.text
        assert (await bob.get("/api/server/agents")).status == 403
        assert (await (await served.user("")).get("/api/server")).status == 401


async def test_agents_are_started_in_the_sandbox_when_an_owner_asks(tmp_path: Path) -> None:
    async with serving(tmp_path) as served:
        started = await served.client.get("/api/server/agents")
        assert started.status == 200, started.text
        agents = named(started.json["agents"])
        assert agents["shell"]["state"] == "works"
        assert {one["state"] for one in agents.values()} <= {"works", "not installed", "does not start"}
        assert (await served.client.get("/api/server/agents")).json["as_of"] == started.json["as_of"], "started once"


async def test_what_is_wrong_here_is_said_with_its_fix(tmp_path: Path) -> None:
    place = own_file(tmp_path, "[agents.mine]\nagnet = 1\n")
    given = {"XDG_CONFIG_HOME": str(tmp_path / "config"), "BUILDWRIGHT_SANDBOX": "none"}
    async with serving(tmp_path, **given) as served:
        page = (await served.client.get("/api/server")).json
    assert page["sandbox"]["name"] == "none"
    assert page["sandbox"]["fix"] == "install bubblewrap, and unset BUILDWRIGHT_SANDBOX"
    assert str(place) in page["settings_trouble"]
    assert "Fix:" in page["settings_trouble"]

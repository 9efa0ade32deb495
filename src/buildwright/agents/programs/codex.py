"""Codex by OpenAI, `codex exec`: it speaks Responses alone, and takes addresses from its own settings file alone.

Its own sandbox is off, because the whole program runs in ours. Its retries multiply: each request `_RETRIES` times, and
the whole turn as often again when a stream breaks off.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from buildwright.agents.programs.program import AgentProgram, ProgramPlace, Run, Start
from buildwright.core.activity import Activity

_RETRIES = 2
_SETTINGS = """\
model = {model}
model_provider = "buildwright"
approval_policy = "never"
sandbox_mode = "danger-full-access"
check_for_update_on_startup = false
[features]
plugins = false
apps = false
remote_plugin = false
[analytics]
enabled = false
[model_providers.buildwright]
name = "buildwright"
base_url = {url}
env_key = "GATEWAY_TOKEN"
wire_api = "responses"
request_max_retries = {retries}
stream_max_retries = {retries}
"""


def _start(place: ProgramPlace) -> Start:
    # Its settings may not lie in a temporary folder, and the home is none.
    settings = _SETTINGS.format(model=json.dumps(place.model), url=json.dumps(f"{place.door.url}/v1"), retries=_RETRIES)
    go_on = ("resume", place.session) if place.session else ()
    return Start(
        (place.program, "exec", *go_on, "--json", "--skip-git-repo-check", "-"),
        {"CODEX_HOME": str(place.home / "codex"), "GATEWAY_TOKEN": place.door.token},
        {"codex/config.toml": settings},
    )


def _read(run: Run, event: dict[str, Any]) -> Iterator[Activity]:
    item, error = _object(event.get("item")), event.get("error")
    match event.get("type"):
        case "thread.started":
            run.session = str(event.get("thread_id") or "")
        case "turn.failed":
            run.trouble = str(error.get("message") if isinstance(error, dict) else error)
        case "turn.completed":
            run.trouble = ""
        case "error":
            yield from run.warns(event.get("message"))
        case "item.completed":
            yield from _done(run, item)


def _object(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _done(run: Run, item: dict[str, Any]) -> Iterator[Activity]:
    match item.get("type"):
        case "agent_message":
            yield from run.says(item.get("text"))
        case "command_execution":
            yield from run.ran(item.get("command"), item.get("aggregated_output"), item.get("exit_code"))
        case "file_change":
            for change in map(_object, item.get("changes") or ()):
                yield from run.wrote(change.get("path"), deleted=change.get("kind") == "delete")
        case "error":
            yield from run.warns(item.get("message"))


def _session_files(session: str) -> tuple[str, ...]:
    return (f"codex/sessions/**/*{session}.jsonl",)


PROGRAM = AgentProgram(
    name="codex",
    title="Codex",
    program="codex",
    install="npm install --global @openai/codex",
    models=("gpt-",),
    default_model="gpt-5.5",
    start=_start,
    read=_read,
    session_files=_session_files,
    lost=re.compile("no rollout found"),
    tried="0.171.0",
)

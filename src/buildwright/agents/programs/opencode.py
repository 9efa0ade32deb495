"""opencode, `opencode run`: it asks for a title first, and appends no `/v1` to the addresses of its settings.

It takes 1.2 GB of memory, and fetches a list of models and servers for languages unless that is switched off. It holds
its conversations in a database that names the lane, so they are kept by its own export and import.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from buildwright.agents.programs.program import AgentProgram, OwnForm, ProgramPlace, Run, Start
from buildwright.core.activity import Activity
from buildwright.core.model_names import maker_of

_OFF = ("AUTOUPDATE", "MODELS_FETCH", "LSP_DOWNLOAD", "DEFAULT_PLUGINS", "SHARE", "CLAUDE_CODE")
_VERSIONS = {"anthropic": "/v1", "openai": "/v1", "google": "/v1beta"}
_WRITES = frozenset({"write", "edit", "patch"})
_TALK = "talk.json"
_IMPORT_FIRST = 'if [ -f "$0" ]; then "$1" import "$0" </dev/null >/dev/null && rm "$0"; fi; exec "$@"'
"""Only once: its database has a turn of the same attempt."""
_EXPORT = '"$0" export "$1" > "$2.new" && mv "$2.new" "$2"'


def _start(place: ProgramPlace) -> Start:
    maker = maker_of(place.model)
    model = f"{maker}/{place.model.rpartition('/')[2]}"
    door = {"baseURL": f"{place.door.url}{_VERSIONS[maker]}", "apiKey": place.door.token}
    settings = {
        "model": model,
        "small_model": model,
        "enabled_providers": [maker],
        "provider": {maker: {"options": door, "models": {model.partition("/")[2]: {}}}},
        "permission": "allow",
        "autoupdate": False,
        "share": "disabled",
        "agent": {"title": {"disable": True}},
    }
    env = {"OPENCODE_CONFIG": str(place.home / "opencode.json")}
    env |= {f"OPENCODE_DISABLE_{name}": "1" for name in _OFF}
    go_on = ("--session", place.session) if place.session else ()
    argv = (*_imports(place), place.program, "run", "--format", "json", "--model", model, *go_on)
    return Start(argv, env, {"opencode.json": json.dumps(settings)})


def _imports(place: ProgramPlace) -> tuple[str, ...]:
    return ("/bin/sh", "-c", _IMPORT_FIRST, str(place.home / _TALK))


def _exports(place: ProgramPlace) -> tuple[str, ...]:
    return ("/bin/sh", "-c", _EXPORT, place.program, place.session, str(place.home / _TALK))


_FORM = OwnForm((_TALK,), _imports, _exports)


def _read(run: Run, event: dict[str, Any]) -> Iterator[Activity]:
    part = event.get("part")
    part = part if isinstance(part, dict) else {}
    run.session = str(event.get("sessionID") or run.session)
    match event.get("type"):
        case "text":
            yield from run.says(part.get("text"))
        case "tool_use":
            state = part.get("state") or {}
            given, metadata = state.get("input") or {}, state.get("metadata") or {}
            if part.get("tool") == "bash":
                yield from run.ran(given.get("command"), state.get("output"), metadata.get("exit"))
            elif part.get("tool") in _WRITES and state.get("status") == "completed":
                yield from run.wrote(given.get("filePath"))
        case "error":
            error = event.get("error") or {}
            run.trouble = str((error.get("data") or {}).get("message") or error.get("name") or "it failed")


PROGRAM = AgentProgram(
    name="opencode",
    title="opencode",
    program="opencode",
    install="npm install --global opencode-ai",
    models=("claude-", "gpt-", "gemini-"),
    default_model="claude-sonnet-5-5",
    start=_start,
    read=_read,
    session_files=lambda _: _FORM.files,
    lost=re.compile("Session not found"),
    own_form=_FORM,
    tried="1.18.33",
    leaves=(".opencode",),
)

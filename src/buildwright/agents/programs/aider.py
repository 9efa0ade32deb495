"""Aider, `aider --message-file`: it answers in edits of its own form, and ends with 0 after a refused request.

Left to itself it writes `.gitignore`, its history and a cache into the lane, sets a name in git's settings, commits, and
asks three servers for updates, prices and statistics. It fetches no prices when its cache of them is there.
"""

from __future__ import annotations

import re

from buildwright.agents.programs.litellm import FAILS, door_env, door_model
from buildwright.agents.programs.program import PROMPT_FILE, AgentProgram, ProgramPlace, Start

_PRICES = ".aider/caches/model_prices_and_context_window.json"
_NO_PRICES = '{"none": {}}'
"""Not empty: an empty one is fetched anew."""
_TALK = "chat.md"
_OPTIONS = (
    "--yes-always",
    "--no-auto-commits",
    "--no-dirty-commits",
    "--no-gitignore",
    "--no-analytics",
    "--no-check-update",
    "--no-show-release-notes",
    "--no-show-model-warnings",
    "--no-detect-urls",
    "--no-suggest-shell-commands",
    "--no-pretty",
    "--no-stream",
    "--no-fancy-input",
    # Else a conversation of more than 1,000 tokens is made shorter by one more request before it goes on with it.
    "--max-chat-history-tokens",
    "100000",
    "--edit-format",
    "diff",
)


def _start(place: ProgramPlace) -> Start:
    home = place.home
    where = (
        *("--message-file", str(home / PROMPT_FILE)),
        *("--chat-history-file", str(home / _TALK)),
        *("--input-history-file", str(home / "input")),
    )
    go_on = ("--restore-chat-history",) if place.session else ()
    env = {
        **door_env(place),
        # Else it writes a name of its own into the settings of the lane's git.
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "user.name",
        "GIT_CONFIG_VALUE_0": "agent",
        "GIT_CONFIG_KEY_1": "user.email",
        "GIT_CONFIG_VALUE_1": "agent@localhost",
    }
    argv = (place.program, *_OPTIONS, "--model", door_model(place), *where, *go_on)
    return Start(argv, env, {_PRICES: _NO_PRICES}, _TALK)


def _session_files(session: str) -> tuple[str, ...]:
    return (session,)


PROGRAM = AgentProgram(
    name="aider",
    title="Aider",
    program="aider",
    install="uv tool install aider-chat",
    models=("claude-", "gpt-", "gemini-"),
    default_model="claude-sonnet-5-5",
    start=_start,
    read=None,
    session_files=_session_files,
    fails=FAILS,
    aside=re.compile(r"^(?:Tokens|Cost): "),
    tried="0.86.2",
    leaves=(".aider*",),
)

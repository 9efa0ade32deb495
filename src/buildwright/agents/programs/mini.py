"""mini-swe-agent, `mini`: one shell tool and no stream; it works until the model runs a certain `echo`.

It ends with 0 whatever happened, and asks for its set-up at the first start unless told that this is done.
"""

from __future__ import annotations

import re

from buildwright.agents.programs.litellm import FAILS, door_env, door_model
from buildwright.agents.programs.program import PROMPT, AgentProgram, ProgramPlace, Start


def _start(place: ProgramPlace) -> Start:
    # Else it ends at $3 of its own count, as if it were done.
    options = (
        "-y",
        "--exit-immediately",
        "--cost-limit",
        "0",
        "-m",
        door_model(place),
        "-o",
        str(place.home / "talk.json"),
    )
    env = {
        **door_env(place),
        "MSWEA_CONFIGURED": "true",
        "MSWEA_COST_TRACKING": "ignore_errors",
        "MSWEA_GLOBAL_CONFIG_DIR": str(place.home / "mini"),
        "MSWEA_SILENT_STARTUP": "true",
        # Else it asks ten times, for six minutes, also after a refusal that is final.
        "MSWEA_MODEL_RETRY_STOP_AFTER_ATTEMPT": "3",
    }
    return Start((place.program, *options, "-t", PROMPT), env)


PROGRAM = AgentProgram(
    name="mini",
    title="mini-swe-agent",
    program="mini",
    install="uv tool install mini-swe-agent",
    models=("claude-", "gpt-", "gemini-"),
    default_model="claude-sonnet-5-5",
    start=_start,
    read=None,
    fails=FAILS,
    aside=re.compile(r"^Saved trajectory|talk\.json'$"),
    tried="2.4.6",
    version_option="--help",
)

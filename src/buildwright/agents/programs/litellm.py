"""How programs that ask models through the library litellm are led to the door. Must never name a provider's address."""

from __future__ import annotations

import re

from buildwright.agents.programs.program import ProgramPlace
from buildwright.core.model_names import maker_of

FAILS = re.compile(r"litellm\.\w+(?:Error|Exception)\b")
"""Found in what a program writes when a request has failed."""
_PREFIXES = {"anthropic": "anthropic", "openai": "openai", "google": "gemini"}


def door_env(place: ProgramPlace) -> dict[str, str]:
    """Return the variables by which litellm finds the door, whichever protocol it speaks."""
    url, token = place.door.url, place.door.token
    return {
        "ANTHROPIC_API_BASE": url,
        "ANTHROPIC_API_KEY": token,
        "OPENAI_API_BASE": f"{url}/v1",
        "OPENAI_API_KEY": token,
        "GEMINI_API_BASE": f"{url}/v1beta",
        "GEMINI_API_KEY": token,
        # Else it fetches a list of prices when it starts.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    }


def door_model(place: ProgramPlace) -> str:
    """Return the model with the prefix that chooses its maker's protocol."""
    return f"{_PREFIXES[maker_of(place.model)]}/{place.model.rpartition('/')[2]}"

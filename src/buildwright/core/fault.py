"""Whose fault it is that a build cannot go on, also in words. Must never import a model: `status` needs the words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Fault = Literal["", "base", "setup", "machine", "limits", "provider", "agent"]
""""" when that is not known, or it is no fault."""
FAULTS: Mapping[str, str] = {
    "base": "the project",
    "setup": "the project's set-up",
    "machine": "this machine",
    "limits": "a limit",
    "provider": "the provider of the model",
    "agent": "the agent",
}

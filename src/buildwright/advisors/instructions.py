"""What each advisor is instructed: a file of `prompts` for each, known by its digest. Must never hold a prompt itself."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources

_ENDING = ".md"


def instructions_of(advisor: str) -> str:
    """Return the instructions of an advisor by its name, such as `planner`. Raises FileNotFoundError for another."""
    return resources.files("buildwright.advisors.prompts").joinpath(f"{advisor}{_ENDING}").read_text(encoding="utf-8")


@cache
def instruction_digests() -> dict[str, str]:
    """Return the SHA-256 of the instructions of each advisor by its name: what events say that an advisor had."""
    files = resources.files("buildwright.advisors.prompts").iterdir()
    names = sorted(file.name.removesuffix(_ENDING) for file in files if file.name.endswith(_ENDING))
    return {name: hashlib.sha256(instructions_of(name).encode()).hexdigest() for name in names}

"""Settings, read once: where Buildwright keeps its state, and the environment that holds the keys.

Never prints a secret, and imports nothing heavy: every command passes here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from buildwright.errors import BadSettings

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
FROM_DOTENV = (*KEYS, "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL")
"""What a `.env` file may add to the environment (R9); everything else in it is left alone."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. `environment` may hold keys, so it does not show in a repr."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
        """From the process environment, then `.env` in the working directory. Raises BadSettings naming the key."""
        merged = dict(os.environ if environment is None else environment)
        for name, value in _dotenv((directory or Path.cwd()) / ".env").items():
            merged.setdefault(name, value)
        return cls(home=_home(merged), environment=merged)

    @property
    def database(self) -> Path:
        return self.home / "buildwright.db"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"


def _home(environment: Mapping[str, str]) -> Path:
    named = environment.get("BUILDWRIGHT_HOME", "")
    if named:
        path = Path(named).expanduser()
        if path.exists() and not path.is_dir():
            message = f"BUILDWRIGHT_HOME is {named}, which is not a directory"
            raise BadSettings(message, fix="name a directory, or unset BUILDWRIGHT_HOME")
        return path.absolute()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "buildwright"
    data = environment.get("XDG_DATA_HOME", "")
    return (Path(data) if data.startswith("/") else Path.home() / ".local" / "share") / "buildwright"


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}", fix="mend or remove the file") from error
    return {name: value for name, value in values.items() if name in FROM_DOTENV and value}

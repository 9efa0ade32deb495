"""Settings, read once: where Buildwright keeps its state, and the environment that holds the keys.

Never prints a secret, and imports nothing heavy: every command passes here.
"""

from __future__ import annotations

import hashlib
import os
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from buildwright.errors import BadSettings

KEYS = ("ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "OPENAI_API_KEY")
SECRETS = (*KEYS, "BUILDWRIGHT_SECRET")
"""What is shown nowhere: the keys of models, and the one that signs tokens."""
SHARED = ("DATABASE_URL", "REDIS_URL", "BUILDWRIGHT_HUB")
"""What makes this process one of many: the database, the hints, and the repository through which commits travel."""
FROM_DOTENV = (*KEYS, "ANTHROPIC_BASE_URL", "OPENAI_BASE_URL")
"""What a `.env` file may add to the environment (R9), and `SHARED` if it names the hub; everything else in it is left alone."""

_CORRELATION = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_SCHEMES = {"DATABASE_URL": ("postgresql", "postgres"), "REDIS_URL": ("redis", "rediss")}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. `environment` may hold keys, so it does not show in a repr."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)
    database_url: str = field(default="", repr=False)
    """Of the PostgreSQL that many processes share; "" when this process is alone and keeps all it knows under `home`."""
    redis_url: str = field(default="", repr=False)
    hub: str = field(default="", repr=False)
    """Path or URL of the bare repository through which commits travel."""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
        """From the process environment, then `.env` in the working directory, then the cluster that is up in the home.

        Raises BadSettings naming every key that is wrong or missing, CouldNot when the cluster's file cannot be read.
        """
        merged = dict(os.environ if environment is None else environment)
        for name, value in _dotenv((directory or Path.cwd()) / ".env").items():
            merged.setdefault(name, value)
        home = _home(merged)
        database_url, redis_url, hub = _shared(merged) or _cluster_in(home / "cluster") or ("", "", "")
        return cls(home, merged, database_url, redis_url, hub)

    @property
    def tag(self) -> str:
        """Names this home in the environment of the commands it runs."""
        return tag_of(self.home)

    @property
    def server_url(self) -> str:
        """The server that verbs speak to instead of the store; "" for none. Raises BadSettings."""
        url = self.environment.get("BUILDWRIGHT_URL", "").strip().rstrip("/")
        if url and not url.startswith(("http://", "https://")):
            raise BadSettings("BUILDWRIGHT_URL is no http:// or https:// URL", fix="for example http://127.0.0.1:8321")
        return url

    @property
    def server_token(self) -> str:
        """Says to that server who asks."""
        return self.environment.get("BUILDWRIGHT_TOKEN", "").strip()

    @property
    def user(self) -> str:
        """Who owns the builds that are started here."""
        return self.environment.get("USER", "") or str(os.getuid())

    @property
    def correlation_id(self) -> str:
        """What builds that are started here are found by in other systems (D15); "" when nobody says. Raises BadSettings."""
        given = self.environment.get("BUILDWRIGHT_CORRELATION_ID", "").strip()
        if given and not _CORRELATION.fullmatch(given):
            raise BadSettings(
                "BUILDWRIGHT_CORRELATION_ID has characters that are not allowed, or too many",
                fix="use at most 128 letters, digits and . _ : / -",
            )
        return given

    @property
    def passwords(self) -> tuple[str, ...]:
        """Those in the addresses of the servers, as they stand there and as they are meant."""
        found: set[str] = set()
        for url in (self.database_url, self.redis_url):
            try:
                written = urlsplit(url).password or ""
            except ValueError:  # said by whoever uses the address
                continue
            found |= {written, unquote(written)} - {""}
        return tuple(sorted(found))

    @property
    def database(self) -> Path:
        return self.home / "buildwright.db"

    @property
    def cluster(self) -> Path:
        """Where a cluster of this machine is kept, if there is one."""
        return self.home / "cluster"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"


def tag_of(home: Path) -> str:
    """A short name for a home, the same by whatever path it is reached."""
    return hashlib.sha256(os.fsencode(home.resolve())).hexdigest()[:16]


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


def _shared(environment: Mapping[str, str]) -> tuple[str, str, str] | None:
    """What the environment says of a cluster; None when it says nothing. All three, or BadSettings for what is wrong."""
    given = {name: environment.get(name, "").strip() for name in SHARED}
    if not any(given.values()):
        return None
    wrong = []
    for name, value in given.items():
        schemes = _SCHEMES.get(name)
        if not value:
            wrong.append(f"{name} is missing")
        elif schemes and value.partition("://")[0] not in schemes:
            wrong.append(f"{name} is no {schemes[0]}:// URL")
    if wrong:
        there = [name for name, value in given.items() if value]
        raise BadSettings(
            f"a cluster needs {', '.join(SHARED[:-1])} and {SHARED[-1]}: {', '.join(wrong)}",
            fix=f"set all three, or work without a cluster: unset {' '.join(there)}",
        )
    return given["DATABASE_URL"], given["REDIS_URL"], given["BUILDWRIGHT_HUB"]


def _cluster_in(folder: Path) -> tuple[str, str, str] | None:
    """The cluster that is up there. One look at the disk when there is none: every command passes here."""
    if not (folder / "cluster.json").exists():
        return None
    from buildwright.jobs.state import load

    state = load(folder / "cluster.json")
    return (state["database_url"], state["redis_url"], state["hub"]) if state and state["database_url"] else None


def _dotenv(path: Path) -> dict[str, str]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        values = dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}", fix="mend or remove the file") from error
    # The project that is built may well have a DATABASE_URL in its `.env`, and that is not ours to write to.
    wanted = (*FROM_DOTENV, *SHARED) if values.get("BUILDWRIGHT_HUB") else FROM_DOTENV
    return {name: value for name, value in values.items() if name in wanted and value}

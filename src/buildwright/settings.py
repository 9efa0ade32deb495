"""Settings, read once: where Buildwright keeps its state, and the environment that holds the keys.

Must never print a secret, nor import anything heavy: every command loads this module.
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

from buildwright.core.own_names import FORGE_SECRETS, FORGE_TOKENS, MODEL_KEYS
from buildwright.errors import BadSettings

KEYS = MODEL_KEYS
_FORMS = {
    "ANTHROPIC_API_KEY": ("sk-ant-", "ANTHROPIC_BASE_URL"),
    "OPENAI_API_KEY": ("sk-", "OPENAI_BASE_URL"),
}
"""How keys of a provider begin, and the variable of another address, where keys may have any form."""
SECRETS = (*KEYS, *FORGE_TOKENS, *FORGE_SECRETS, "BUILDWRIGHT_SECRET")
"""Variables that are never shown: the keys of models, the tokens of forges, and the key that signs tokens."""
SHARED = ("DATABASE_URL", "REDIS_URL", "BUILDWRIGHT_HUB")
"""Variables that make this process part of a cluster: database, hints, and the repository that shares commits."""
FROM_DOTENV = KEYS
"""All that a `.env` file may add to the environment. A repository may bring a `.env`, so it never says where keys, code and
builds are sent: the addresses of providers and of a cluster come from the environment alone."""

PROJECT_FILE = "buildwright.toml"
"""The file of a repository that says how it is built."""

_CORRELATION = re.compile(r"[\w.:/-]{1,128}", re.ASCII)
_SCHEMES = {"DATABASE_URL": ("postgresql", "postgres"), "REDIS_URL": ("redis", "rediss")}


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of one process. `environment` may hold keys, so it is not in the repr."""

    home: Path
    environment: Mapping[str, str] = field(repr=False)
    database_url: str = field(default="", repr=False)
    """Address of the cluster's PostgreSQL; "" when this process works alone and keeps its state under `home`."""
    redis_url: str = field(default="", repr=False)
    hub: str = field(default="", repr=False)
    """Path or URL of the bare repository that shares commits."""

    @classmethod
    def load(cls, environment: Mapping[str, str] | None = None, directory: Path | None = None) -> Settings:
        """Read the process environment, then `.env` in `directory` (default: cwd), then the cluster up in the home.

        Raises BadSettings with every key that is wrong or missing, and when only `.env` names a cluster; CouldNot when
        the cluster's file cannot be read.
        """
        merged = dict(os.environ if environment is None else environment)
        dotenv = (directory or Path.cwd()) / ".env"
        found = _dotenv(dotenv)
        if found.get("BUILDWRIGHT_HUB") and not merged.get("BUILDWRIGHT_HUB"):
            raise BadSettings(
                f"{dotenv} names a cluster (BUILDWRIGHT_HUB), which counts only from the environment: a repository may"
                " bring such a file",
                fix=f"if the cluster is yours, export {', '.join(SHARED)}; if not, remove that line of the file",
            )
        for name in FROM_DOTENV:
            if value := found.get(name):
                merged.setdefault(name, value)
        home = _home(merged)
        database_url, redis_url, hub = _shared(merged) or _cluster_in(home / "cluster") or ("", "", "")
        return cls(home, merged, database_url, redis_url, hub)

    @property
    def user_file(self) -> Path:
        """The user's own file of options, which counts below the project's `buildwright.toml`."""
        named = self.environment.get("XDG_CONFIG_HOME", "")
        folder = Path(named) if named.startswith("/") else Path.home() / ".config"
        return folder / "buildwright" / "config.toml"

    @property
    def names_cluster(self) -> bool:
        """Whether the environment, not the home, names the cluster."""
        return bool(self.environment.get("BUILDWRIGHT_HUB", "").strip())

    @property
    def tag(self) -> str:
        """A name for this home in the environment of the commands it runs."""
        return tag_of(self.home)

    @property
    def server_url(self) -> str:
        """The server that commands use instead of the store; "" for none. Raises BadSettings."""
        url = self.environment.get("BUILDWRIGHT_URL", "").strip().rstrip("/")
        if url and not url.startswith(("http://", "https://")):
            raise BadSettings(
                "BUILDWRIGHT_URL is not an http:// or https:// URL", fix="for example http://127.0.0.1:8321"
            )
        return url

    @property
    def server_token(self) -> str:
        """The token that tells that server which user asks."""
        return self.environment.get("BUILDWRIGHT_TOKEN", "").strip()

    @property
    def user(self) -> str:
        """The owner of the builds that are started here."""
        return self.environment.get("USER", "") or str(os.getuid())

    @property
    def correlation_id(self) -> str:
        """Id by which other systems find the builds started here; "" if none is set. Raises BadSettings."""
        given = self.environment.get("BUILDWRIGHT_CORRELATION_ID", "").strip()
        if given and not _CORRELATION.fullmatch(given):
            raise BadSettings(
                "BUILDWRIGHT_CORRELATION_ID has characters that are not allowed, or too many",
                fix="use at most 128 letters, digits and . _ : / -",
            )
        return given

    @property
    def odd_keys(self) -> tuple[str, ...]:
        """Return what is odd about keys that do not have the form of their provider's keys, without showing them."""
        return tuple(
            f"{name} does not look like a key of its provider: those begin with {start}"
            for name, (start, address) in _FORMS.items()
            if (value := self.environment.get(name, "")) and not self.environment.get(address)
            if not value.startswith(start)
        )

    @property
    def passwords(self) -> tuple[str, ...]:
        """The passwords in the servers' addresses, as written there and decoded."""
        found: set[str] = set()
        for url in (self.database_url, self.redis_url):
            try:
                written = urlsplit(url).password or ""
            except ValueError:  # reported by the code that uses the address
                continue
            found |= {written, unquote(written)} - {""}
        return tuple(sorted(found))

    @property
    def database(self) -> Path:
        return self.home / "buildwright.db"

    @property
    def cluster(self) -> Path:
        """The directory of this machine's cluster, if there is one."""
        return self.home / "cluster"

    @property
    def artifacts(self) -> Path:
        return self.home / "artifacts"


def project_file(repository: str) -> Path | None:
    """Return the `buildwright.toml` of a folder: its own, else the nearest above it in the same repository."""
    folder = Path(repository).expanduser()
    if "://" in repository or not folder.is_dir():
        return None
    for place in (folder.resolve(), *folder.resolve().parents):
        if (place / PROJECT_FILE).is_file():
            return place / PROJECT_FILE
        if (place / ".git").exists():
            return None
    return None


def tag_of(home: Path) -> str:
    """Return a short name for a home, the same for every path that leads to it."""
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
    """Return the cluster that the environment names, None when it names none. Raises BadSettings.

    Only the hub's name switches it on: a DATABASE_URL or REDIS_URL alone is the project's own.
    """
    given = {name: environment.get(name, "").strip() for name in SHARED}
    if not given["BUILDWRIGHT_HUB"]:
        return None
    wrong = []
    for name, value in given.items():
        schemes = _SCHEMES.get(name)
        if not value:
            wrong.append(f"{name} is missing")
        elif schemes and value.partition("://")[0] not in schemes:
            wrong.append(f"{name} is not a {schemes[0]}:// URL")
    if wrong:
        there = [name for name, value in given.items() if value]
        raise BadSettings(
            f"a cluster needs {', '.join(SHARED[:-1])} and {SHARED[-1]}: {', '.join(wrong)}",
            fix=f"set all three, or work without a cluster: unset {' '.join(there)}",
        )
    return given["DATABASE_URL"], given["REDIS_URL"], given["BUILDWRIGHT_HUB"]


def _cluster_in(folder: Path) -> tuple[str, str, str] | None:
    """Return the cluster that runs there. Costs one look at the disk when there is none: every command calls this."""
    if not (folder / "cluster.json").exists():
        return None
    from buildwright.supervisor.state import load

    state = load(folder / "cluster.json")
    return (state["database_url"], state["redis_url"], state["hub"]) if state and state["database_url"] else None


def _dotenv(path: Path) -> Mapping[str, str | None]:
    if not path.is_file():
        return {}
    from dotenv import dotenv_values

    try:
        return dotenv_values(path, interpolate=False)
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}", fix="fix or remove the file") from error

"""Which forge a remote's address belongs to, and which variable holds its token. Pure; must never ask a forge.

A token goes to the host alone that its variable stands for: neither a repository nor a model can name another one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from buildwright.core.own_names import FORGE_TOKENS
from buildwright.errors import BadSettings

ForgeKind = Literal["github", "gitlab", "gitea"]

_LOOPBACK = frozenset(("127.0.0.1", "localhost", "[::1]"))
_PORTS = {"http": "80", "https": "443"}
_SCP = re.compile(r"(?:[\w.-]+@)?(?P<host>[\w.-]+):(?P<path>(?!//).+)")
_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)+", re.ASCII)
_VERSION = re.compile(r"/api/v\d+$")


class ForgeSite(NamedTuple):
    """One forge, as the environment names it."""

    kind: ForgeKind
    host: str
    """Of its pages and its remotes, with the port if it is not the usual one: `github.com`."""
    api: str
    """The address that paths of the API are added to, without a slash at its end."""
    above: str = ""
    """What stands before the names of repositories in the path of an address, such as `/git`; most have none."""

    @property
    def variable(self) -> str:
        """The variable that holds the token."""
        return _TOKENS[self.kind]

    @property
    def name(self) -> str:
        """The forge as users call it."""
        return {"github": "GitHub", "gitlab": "GitLab", "gitea": "Gitea"}[self.kind]

    @property
    def origin(self) -> str:
        """Scheme and host of the pages and of remotes over HTTP."""
        return f"{urlsplit(self.api).scheme}://{self.host}"

    @property
    def git_user(self) -> str:
        """The user's name that goes with the token where git asks for both."""
        return "x-access-token" if self.kind == "github" else "oauth2"

    def remote_of(self, repository: str) -> str:
        """Return the address that git has a repository by; `repository` is its full name."""
        return f"{self.origin}{self.above}/{repository}.git"


class ForgeAddress(NamedTuple):
    """A repository on a forge."""

    site: ForgeSite
    repository: str
    """Its full name: `owner/name`, on GitLab also with groups in between."""


_TOKENS: Mapping[ForgeKind, str] = dict(zip(("github", "gitlab", "gitea"), FORGE_TOKENS, strict=True))
_APIS: Mapping[ForgeKind, str] = {"github": "https://api.github.com", "gitlab": "https://gitlab.com/api/v4"}
"""The APIs that are known without a variable."""


def sites_of(environment: Mapping[str, str]) -> tuple[ForgeSite, ...]:
    """Return the forges that the environment names by `GITHUB_API_URL`, `GITLAB_API_URL` and `GITEA_API_URL`.

    Without its variable GitHub is github.com, GitLab gitlab.com, and Gitea none. Raises BadSettings for an address that
    is none, or over which a token would be readable on its way.
    """
    return tuple(_site(kind, api) for kind in _TOKENS if (api := _api(kind, environment)))


def github_of(environment: Mapping[str, str]) -> ForgeSite:
    """Return GitHub as the environment names it; its other forges are not looked at. Raises BadSettings as `sites_of`."""
    return _site("github", _api("github", environment))


def _api(kind: ForgeKind, environment: Mapping[str, str]) -> str:
    return environment.get(_variable(kind), "").strip().rstrip("/") or _APIS.get(kind, "")


def _variable(kind: ForgeKind) -> str:
    return f"{kind.upper()}_API_URL"


def _site(kind: ForgeKind, api: str) -> ForgeSite:
    variable = _variable(kind)
    try:
        parts = urlsplit(api)
        host = _host(parts.scheme, parts.netloc)
    except ValueError:
        host = ""
    if not host or parts.username or parts.query:
        raise BadSettings(f"{variable} is not the address of an API", fix=f"for example {_APIS.get(kind, _EXAMPLE)}")
    if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in _LOOPBACK):
        raise BadSettings(
            f"{variable} is not an https:// address, so a token could be read on its way", fix="use https"
        )
    if kind == "github" and not parts.path:
        host = host.removeprefix("api.")  # api.github.com, and api.NAME.ghe.com
    return ForgeSite(kind, host, api, _VERSION.sub("", parts.path))


_EXAMPLE = "https://gitea.example.com/api/v1"


def find_forge(address: str, environment: Mapping[str, str]) -> ForgeAddress | None:
    """Return the repository that a remote's address names on a forge of the environment, None when it is on none.

    Knows addresses of HTTP and SSH, and the short form `git@host:owner/name.git`. Raises BadSettings as `sites_of`.
    """
    scheme, host, path = _parts(address)
    for site in sites_of(environment):
        here = site.host if scheme != "ssh" else site.host.partition(":")[0]
        if host != here or (scheme != "ssh" and scheme != urlsplit(site.api).scheme):
            continue
        inside = path if scheme == "ssh" else path.removeprefix(site.above)
        name = inside.strip("/").removesuffix(".git")
        fits = _NAME.fullmatch(name) and not {".", ".."} & {*name.split("/")}
        if fits and (name.count("/") == 1 or site.kind == "gitlab"):
            return ForgeAddress(site, name)
    return None


def _parts(address: str) -> tuple[str, str, str]:
    """Return scheme, host and path of an address; the host is "" when it has none."""
    if "://" not in address:
        short = _SCP.fullmatch(address)
        return ("ssh", short["host"].lower(), short["path"]) if short else ("", "", "")
    try:
        parts = urlsplit(address)
        host = (parts.hostname or "") if parts.scheme == "ssh" else _host(parts.scheme, parts.netloc)
    except ValueError:
        return "", "", ""
    return parts.scheme, host, parts.path


def _host(scheme: str, netloc: str) -> str:
    """Return the host with its port, without a user, and without the port that the scheme has by itself."""
    host = netloc.rpartition("@")[2].lower()
    return host.removesuffix(f":{_PORTS.get(scheme, '')}")

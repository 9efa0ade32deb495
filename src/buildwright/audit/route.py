"""A route as a method and a path, and what one file says of routes. Pure data with one way to compare paths."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

METHODS = ("get", "post", "put", "patch", "delete", "head", "options")

_PARAMETER = re.compile(r"\{[^}/]*\}|<[^>/]*>|:[A-Za-z_]\w*(?:\([^)]*\))?\??")


class Route(NamedTuple):
    """One operation. `path` is normal: each parameter is `{}`, no slash at the end."""

    method: str
    path: str

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"


def route(method: str, path: str) -> Route:
    """Return the route with its path made normal: `/a/{id}`, `/a/:id` and `/a/<int:id>/` are the same."""
    plain = _PARAMETER.sub("{}", path.split("?", 1)[0] if "?" in path and ":" not in path else path)
    return Route(method.lower(), "/" + re.sub(r"/+", "/", plain).strip("/"))


class RouteAt(NamedTuple):
    """A route as a file writes it, on the router `owner`."""

    owner: str
    method: str
    path: str
    line: int


class Mount(NamedTuple):
    """A router that is put below another. `replaces` says that `prefix` stands in place of the router's own."""

    owner: str
    target: str
    prefix: str
    replaces: bool = False


@dataclass
class FileRoutes:
    """What one file says: its routers with their prefixes, its routes, mounts and imports.

    `imports` gives for a name the module and the name in it; `dynamic` the lines whose path only running would tell.
    """

    routers: dict[str, str] = field(default_factory=dict)
    routes: list[RouteAt] = field(default_factory=list)
    mounts: list[Mount] = field(default_factory=list)
    imports: dict[str, tuple[str, str]] = field(default_factory=dict)
    dynamic: list[int] = field(default_factory=list)

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> FileRoutes:
        """Return what `dataclasses.asdict` made JSON of."""
        return cls(
            dict(told["routers"]),
            [RouteAt(*one) for one in told["routes"]],
            [Mount(*one) for one in told["mounts"]],
            {name: (module, member) for name, (module, member) in told["imports"].items()},
            list(told["dynamic"]),
        )

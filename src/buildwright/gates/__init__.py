"""Judges of a patch: they return reports of findings and change nothing but their own private checkout."""

from __future__ import annotations

from buildwright.gates.checks import ChecksGate
from buildwright.gates.conflicts import ConflictMarkersGate
from buildwright.gates.links import LinksGate
from buildwright.gates.scope import ScopeGate
from buildwright.gates.syntax import SyntaxGate
from buildwright.ports import Gate, Sandbox

__all__ = ["ORDER", "ChecksGate", "ConflictMarkersGate", "LinksGate", "ScopeGate", "SyntaxGate", "gates"]

ORDER = ("scope", "links", "conflicts", "syntax", "checks")
"""The names of the gates, cheapest first: a patch is judged until the first says no."""


def gates(sandbox: Sandbox, path: str) -> tuple[Gate, ...]:
    """The gates in `ORDER`. `path` is the PATH that the project's own commands get."""
    return (ScopeGate(), LinksGate(), ConflictMarkersGate(), SyntaxGate(), ChecksGate(sandbox, path))

"""Judges of a patch: they return reports of findings and change nothing but their own private checkout."""

from __future__ import annotations

from pathlib import Path

from buildwright.gates.checks import ChecksGate
from buildwright.gates.conflicts import ConflictMarkersGate
from buildwright.gates.links import LinksGate
from buildwright.gates.scope import ScopeGate
from buildwright.gates.syntax import SyntaxGate
from buildwright.ports import Gate, Sandbox

__all__ = ["ORDER", "ChecksGate", "ConflictMarkersGate", "LinksGate", "ScopeGate", "SyntaxGate", "gates"]

ORDER = ("scope", "links", "conflicts", "syntax", "checks")
"""The names of the gates, cheapest first: a patch is judged until the first says no."""


def gates(sandbox: Sandbox, path: str, setups: Path | None = None) -> tuple[Gate, ...]:
    """The gates in `ORDER`. `path` is the PATH of the project's own commands; below `setups` results of setups are kept."""
    return (ScopeGate(), LinksGate(), ConflictMarkersGate(), SyntaxGate(), ChecksGate(sandbox, path, setups))

"""Judges of a patch: they return reports of findings. Must never change anything but their own private checkout."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from buildwright.errors import BadSettings

if TYPE_CHECKING:
    from buildwright.ports import Gate, GateTools, Sandbox

GATES = (
    "buildwright.gates.scope:ScopeGate",
    "buildwright.gates.links:LinksGate",
    "buildwright.gates.conflicts:ConflictMarkersGate",
    "buildwright.gates.syntax:SyntaxGate",
    "buildwright.gates.reach:ReachGate",
    "buildwright.gates.suppressions:SuppressionsGate",
    "buildwright.gates.intrusions:IntrusionsGate",
    "buildwright.gates.answers:AnswersGate",
    "buildwright.gates.tests_changed:ChangedTestsGate",
    "buildwright.gates.dependencies:DependenciesGate",
    "buildwright.gates.boundaries:BoundariesGate",
    "buildwright.gates.secrets:SecretsGate",
    "buildwright.gates.checks:ChecksGate",
    "buildwright.gates.acceptance:AcceptanceGate",
    "buildwright.gates.sealed:SealedGate",
)
"""Every gate of ours, cheapest first: a patch is judged until the first says no."""

GATES_OF_OTHERS = "buildwright.gates"
"""The group of entry points under which another package offers gates; they judge after ours, by name."""


def gates(
    sandbox: Sandbox,
    path: str,
    setups: Path | None = None,
    secret_rules: Path | None = None,
    allowed_secrets: Callable[[str], Collection[str]] = lambda _: (),
) -> tuple[Gate, ...]:
    """Return the gates in the order in which they judge.

    `path` is the PATH of the project's own commands; below `setups` the results of set-ups are kept, below
    `secret_rules` the compiled rules of the search for secrets; `allowed_secrets` gives the fingerprints that a person
    allowed in a repository. A gate that needs one of these takes `GateTools` as its only argument, any other takes
    none. Raises BadSettings naming a gate of another package that cannot be loaded.
    """
    from importlib.metadata import entry_points

    from buildwright.ports import GateTools

    tools = GateTools(sandbox, path, setups, secret_rules, allowed_secrets)
    others = sorted(entry_points(group=GATES_OF_OTHERS), key=lambda entry: entry.name)
    return (
        *(_made(resolve_name(gate), tools) for gate in GATES),
        *(_gate_of_others(entry.name, entry.value, tools) for entry in others),
    )


def _gate_of_others(name: str, value: str, tools: GateTools) -> Gate:
    try:
        return _made(resolve_name(value), tools)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise BadSettings(
            f"the gate {name} ({value}) cannot be loaded: {error}", fix="install its package again, or remove it"
        ) from error


def _made(make: Callable[..., Gate], tools: GateTools) -> Gate:
    return make(tools) if inspect.signature(make).parameters else make()

"""The types of contracts, their files and their folder. Must never import a library: the help of a command names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

ContractType = Literal[
    "blueprint",
    "manifesto",
    "stack",
    "schema",
    "physics",
    "boundaries",
    "phases",
    "ui",
    "builder_contract",
    "builder_directive",
]
FILES: Final[Mapping[ContractType, str]] = {
    "blueprint": "blueprint.md",
    "manifesto": "manifesto.md",
    "stack": "stack.yaml",
    "schema": "schema.yaml",
    "physics": "physics.yaml",
    "boundaries": "boundaries.json",
    "phases": "phases.md",
    "ui": "ui.md",
    "builder_contract": "builder_contract.md",
    "builder_directive": "builder_directive.md",
}
"""The contracts in their order, and the file of each below `Contracts/` of the folder."""

FOLDER: Final = "Forge"

"""The verb `version`: prints the version of Buildwright. Must never open the store."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output


def version(*, json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False) -> None:
    """Show the version of Buildwright; with --json also the digests of what its advisors are instructed."""
    import platform
    import sys

    from buildwright.advisors.instructions import instruction_digests

    output = Output(json)
    if output.json:
        where = {"python": platform.python_version(), "platform": sys.platform}
        output.data({"version": number(), **where, "instructions": instruction_digests()})
    else:
        output.print(f"buildwright {number()} (Python {platform.python_version()})")


def number() -> str:
    """Return the version of Buildwright that is installed."""
    from importlib import metadata

    try:
        return metadata.version("buildwright")
    except metadata.PackageNotFoundError:
        return "unknown (not installed)"

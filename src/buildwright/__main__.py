"""The program `buildwright`. Hands the command line to `cli.app` and never holds logic of its own."""

from __future__ import annotations

import sys


def main() -> int:
    """Run the command line of this process; the exit code is one of `cli.exits.Exit`."""
    from buildwright.cli.app import run

    return run(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

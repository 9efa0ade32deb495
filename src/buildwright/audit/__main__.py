"""`python -m buildwright.audit`: the verb `audit` without the program's name. Holds no logic."""

from __future__ import annotations

import sys

from buildwright.cli.app import run

if __name__ == "__main__":
    sys.exit(run(["audit", *sys.argv[1:]]))

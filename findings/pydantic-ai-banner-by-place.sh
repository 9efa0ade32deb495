#!/usr/bin/env bash
# Version: pydantic-ai-slim 2.68.0 from PyPI, an `Agent` with the library's own `TestModel`, on a terminal.
#
# Behaviour: before the first run of an agent in a process it prints a banner on the terminal. Whether it does hangs on
# where the code lies that starts the run: the same module prints one from a folder of its own, and none from
# `site-packages`. Without a terminal, in CI and under pytest nothing is printed.
#
# Why it surprises: a command line that is installed in editable mode, as developers have it, shows the banner, and the
# same program from a wheel does not; and no test of it sees one, because the tests run without a terminal or in CI.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check pydantic-ai-slim==2.68.0
cat > asks.py <<'P'
from pydantic_ai import Agent
from pydantic_ai.models.test import TestModel

print("answered:", bool(Agent(TestModel()).run_sync("hello").output))
P
mkdir own
cp asks.py own/
cp asks.py "$(env/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/"
rm asks.py
cat > tried.py <<'P'
import os
import pty
import subprocess
import sys


def shown(own):
    """Run the module on a terminal of its own, and return whether more than its one line was printed."""
    env = {"PATH": os.environ["PATH"], "TERM": "xterm", "PYTHONPATH": own}
    ours, theirs = pty.openpty()
    started = subprocess.Popen([sys.argv[1], "-m", "asks"], env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    said = b""
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # the other end is closed
            break
        if not data:
            break
        said += data
    assert started.wait() == 0
    lines = said.decode(errors="replace").strip().splitlines()
    assert lines[-1] == "answered: True", lines
    return len(lines) > 1


found = {"own folder": shown("own"), "site-packages": shown("")}
print("banner:", found)
assert found == {"own folder": True, "site-packages": False}
P
python3 tried.py "$folder/env/bin/python"

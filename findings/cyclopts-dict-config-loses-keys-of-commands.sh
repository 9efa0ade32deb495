#!/usr/bin/env bash
# Version: cyclopts 5.4.0 from PyPI, `cyclopts.config.Dict` on an app with commands.
#
# Behaviour: with `use_commands_as_keys=False` the settings are those of whatever command runs. A key that is named like
# an option of the running command and like another command of the app is left out, without a word: the option keeps its
# default. A key that is neither raises UnknownOptionError, so the settings seem to be checked strictly.
#
# Why it surprises: the option asks for the keys of commands not to be read as commands, and yet a name that is one is
# taken for one. An app that gains a command `colour` no longer reads `colour` of its users' settings, and says nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv own
own/bin/pip install --quiet --disable-pip-version-check cyclopts==5.4.0
cat > shown.py <<'P'
import importlib.metadata

import cyclopts


def ran(commands: list[str], settings: dict[str, str]) -> str:
    app = cyclopts.App(config=cyclopts.config.Dict(settings, use_commands_as_keys=False))

    @app.command
    def build(*, colour: str = "the default", size: str = "the default") -> str:
        return f"colour is {colour}, size is {size}"

    for name in commands:
        app.command(lambda: None, name=name)
    try:
        command, bound, _ = app.parse_args(["build"], exit_on_error=False, print_error=False)
    except cyclopts.CycloptsError as error:
        return type(error).__name__
    return command(*bound.args, **bound.kwargs)


given = {"colour": "red", "size": "large"}
seen = [ran([], given), ran(["colour"], given), ran(["colour"], {**given, "weight": "heavy"})]
print("cyclopts", importlib.metadata.version("cyclopts"), "without, with the command `colour`, with an unknown key:")
print(*seen, sep="\n")
expected = ["colour is red, size is large", "colour is the default, size is large", "UnknownOptionError"]
raise SystemExit(0 if seen == expected else "the behaviour has changed")
P
own/bin/python shown.py

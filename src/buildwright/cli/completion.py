"""The verb `completion`: prints what lets a shell complete verbs, options and builds. Must never write a user's file."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.verbs import VERBS, Verb

_BUILDS = "buildwright status --all 2>/dev/null | sed -n '2,$s/ .*//p'"
"""Prints the short ids of the builds, the newest first, below the head of a table."""

_BASH = """
_buildwright_with_builds() {{
  if [[ $COMP_CWORD -eq 2 && ${{COMP_WORDS[2]}} != -* && " {verbs} " == *" ${{COMP_WORDS[1]}} "* ]] ||
    [[ $COMP_CWORD -eq 3 && ${{COMP_WORDS[3]}} != -* && ${{COMP_WORDS[1]}} == task ]]; then
    COMPREPLY=($(compgen -W "newest $({builds})" -- "${{COMP_WORDS[COMP_CWORD]}}"))
  else
    _buildwright "$@"
  fi
}}

complete -F _buildwright_with_builds buildwright
"""
_ZSH = """
if [[ $CURRENT -eq 3 && $words[3] != -* && " {verbs} " == *" $words[2] "* ]] ||
  [[ $CURRENT -eq 4 && $words[4] != -* && $words[2] == task ]]; then
  compadd -V builds -- newest ${{(f)"$({builds})"}}
else
  _cyclopts_buildwright "$@"
fi
"""
_FISH = """
function __fish_buildwright_takes_a_build
    set -l words (commandline -opc)
    test (count $words) -eq 2; and contains -- $words[2] {verbs}; and return 0
    test (count $words) -eq 3; and test $words[2] = task
end
complete -c buildwright -n __fish_buildwright_takes_a_build -f -k -a "newest ({builds})"

function __fish_buildwright_takes_no_file
    set -l words (commandline -opc)
    test (count $words) -eq 1; and return 0
    test (count $words) -eq 2; and contains -- $words[2] help {with_verbs}
end
complete -c buildwright -n __fish_buildwright_takes_no_file -f
complete -c buildwright -n "__fish_seen_subcommand_from help; and test (count (commandline -opc)) -eq 2" -a "{all_verbs}"
"""
_MORE = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell that is to complete.")], /
) -> None:
    """Print the completion for a shell; put it where that shell looks for them.

    bash: ~/.local/share/bash-completion/completions/buildwright
    zsh: a file _buildwright in a folder of $fpath
    fish: ~/.config/fish/completions/buildwright.fish
    """
    from buildwright.cli.app import WITH_VERBS, make_app

    script = make_app().generate_completion(prog_name="buildwright", shell=shell)
    builds = _BUILDS.replace("$", r"\$") if shell == "fish" else _BUILDS
    verbs = " ".join(verb.name for verb in VERBS if _takes_build(verb))
    names = {"with_verbs": " ".join(sorted(WITH_VERBS)), "all_verbs": " ".join(verb.name for verb in VERBS)}
    Output().raw(script + _MORE[shell].format(verbs=verbs, builds=builds, **names))


def _takes_build(verb: Verb) -> bool:
    """Return whether the first argument of a verb is a build."""
    module, _, attribute = verb.target.partition(":")
    target = getattr(import_module(module), attribute)
    return callable(target) and next(iter(inspect.signature(target).parameters), "") == "build"

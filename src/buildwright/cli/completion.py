"""The verb `completion`: prints what lets a shell complete verbs and options. Must never write into a user's files."""

from __future__ import annotations

from typing import Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.output import Output


def completion(
    shell: Annotated[Literal["bash", "zsh", "fish"], Parameter(help="The shell that is to complete.")], /
) -> None:
    """Print the completion for a shell; put it where that shell looks for them.

    bash: ~/.local/share/bash-completion/completions/buildwright
    zsh: a file _buildwright in a folder of $fpath
    fish: ~/.config/fish/completions/buildwright.fish
    """
    from buildwright.cli.app import make_app

    Output().raw(make_app().generate_completion(prog_name="buildwright", shell=shell))

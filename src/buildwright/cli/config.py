"""The verb `config`: shows which options count for builds of a repository, and where each comes from. Changes nothing."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.table import Column, table


def config(
    *,
    repo: Annotated[str, Parameter(help="The repository that is asked about.")] = ".",
    all_options: Annotated[bool, Parameter(name="--all", help="Also options that have their default.")] = False,
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> None:
    """Show the options that builds of a repository start with, and where each is from.

    The command line is stronger than the project's `buildwright.toml`, and that is stronger than your own file.
    """
    from buildwright.cli.build_options import BuildOptions
    from buildwright.cli.settings_files import read_files
    from buildwright.settings import KEYS, Settings
    from buildwright.wiring.own_agents import KEYS as KEYS_OF_AGENTS
    from buildwright.wiring.own_agents import own_agents
    from buildwright.wiring.own_models import own_models
    from buildwright.wiring.settings_words import agent_words, model_words, rule_words

    output, settings = Output(json), Settings.load()
    files = read_files(settings, repo)
    own, models = own_agents(settings, repo), own_models(settings, repo)
    found: dict[str, tuple[Any, str]] = {name: (value, "default") for name, value in vars(BuildOptions()).items()}
    for file in reversed(files):
        found |= {name: (value, str(file.path)) for name, value in file.options.items()}
    keys = [name for name in KEYS if settings.environment.get(name)]
    if output.json:
        options = {name: {"value": value, "from": source} for name, (value, source) in found.items()}
        read = [str(file.path) for file in files]
        agents = [{**one.model_dump(), "from": str(own.sources[one.name])} for one in own.agents]
        rules = [one.model_dump() for one in own.rules]
        named = [{**one.model_dump(), "from": str(models.sources[one.name])} for one in models.models]
        told = {"home": settings.home, "files": read, "options": options, "keys": keys, "agents": agents}
        output.data({**told, "rules": rules, "models": named, "fallback": list(models.fallback)})
        return
    rows = [
        (f"--{name.replace('_', '-')}", _shown(value), source)
        for name, (value, source) in found.items()
        if all_options or source != "default"
    ]
    output.lines(table((Column("option"), Column("value"), Column("from")), rows, output.width))
    if not rows:
        output.print("Every option has its default (--all shows them).")
    said = [(f"[agents.{one.name}]", agent_words(one), str(own.sources[one.name])) for one in own.agents]
    said += [("[[agent_rules]]", rule_words(one), str(own.sources[KEYS_OF_AGENTS[1]])) for one in own.rules]
    if said:
        output.lines(table((Column("agents"), Column("say"), Column("from")), said, output.width))
    if models.models:
        lines = [(one.name, model_words(one), str(models.sources[one.name])) for one in models.models]
        output.lines(table((Column("model"), Column("says"), Column("from")), lines, output.width))
    if models.fallback:
        output.print(f"Where a model cannot be reached: {', '.join(models.fallback)}")
    output.print(f"Your own file: {settings.user_file}{'' if settings.user_file.is_file() else ', which is not there'}")
    output.print(f"Home: {settings.home}")
    output.print(f"Keys in the environment: {', '.join(keys) or 'none'}")


def _shown(value: object) -> str:
    match value:
        case None | "" | ():
            return "-"
        case tuple() | list():
            return ", ".join(map(str, value))
        case bool():
            return "yes" if value else "no"
        case _:
            return str(value)

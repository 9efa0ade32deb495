"""The verb `config`: shows which options count for builds of a repository, and where each comes from. Changes nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.table import Column, table

if TYPE_CHECKING:
    from buildwright.core.agents import AgentRule, OwnAgent
    from buildwright.core.models import NamedModel


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
    said = [(f"[agents.{one.name}]", _said(one), str(own.sources[one.name])) for one in own.agents]
    said += [("[[agent_rules]]", _rule(one), str(own.sources[KEYS_OF_AGENTS[1]])) for one in own.rules]
    if said:
        output.lines(table((Column("agents"), Column("say"), Column("from")), said, output.width))
    if models.models:
        lines = [(one.name, _of_model(one), str(models.sources[one.name])) for one in models.models]
        output.lines(table((Column("model"), Column("says"), Column("from")), lines, output.width))
    if models.fallback:
        output.print(f"Where a model cannot be reached: {', '.join(models.fallback)}")
    output.print(f"Your own file: {settings.user_file}{'' if settings.user_file.is_file() else ', which is not there'}")
    output.print(f"Home: {settings.home}")
    output.print(f"Keys in the environment: {', '.join(keys) or 'none'}")


def _said(own: OwnAgent) -> str:
    """Return what a file says of an agent, without the values of its variables."""
    parts = (
        f"is {own.agent}" if own.agent else "",
        f"model {own.model}" if own.model else "",
        f"arguments {' '.join(own.arguments)}" if own.arguments else "",
        f"command {own.command}" if own.command else "",
        f"variables {', '.join(one.partition('=')[0] for one in own.env)}" if own.env else "",
        f"passed {', '.join((*own.passed, *own.secrets))}" if own.passed or own.secrets else "",
    )
    return "; ".join(filter(None, parts)) or "nothing"


def _of_model(model: NamedModel) -> str:
    price = f"${model.input_usd} in, ${model.output_usd} out" if model.input_usd is not None else ""
    parts = (model.model, f"of {model.provider}" if model.provider else "", price)
    return "; ".join(filter(None, (*parts, f"context {model.context:,}" if model.context else "")))


def _rule(rule: AgentRule) -> str:
    when = (
        f"files {', '.join(rule.files)}" if rule.files else "",
        f"phase {rule.phase}" if rule.phase else "",
        f"action {rule.action}" if rule.action else "",
    )
    return f"{rule.agent}: {' and '.join(filter(None, when))}"


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

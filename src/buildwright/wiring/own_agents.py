"""`[agents.NAME]` and `[[agent_rules]]` of `buildwright.toml` and of the user's own file, as options. Must never run one.

The project's file may be an agent's work. It can give an agent in the box arguments, a model and variables; a command to
run, and anything of the user's environment, it cannot give without the user's consent.
"""

from __future__ import annotations

import stat
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from itertools import chain
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from buildwright.core.agents import KNOWN, AgentRule, OwnAgent
from buildwright.core.limits import Options
from buildwright.core.own_names import MODEL_ADDRESSES
from buildwright.errors import BadSettings
from buildwright.gates.needs import check_variable, unknown_key
from buildwright.settings import Settings, project_file

KEYS: Final = ("agents", "agent_rules")
_OF_AGENT: Final = ("agent", "arguments", "model", "command", "env")
_OF_RULE: Final = tuple(AgentRule.model_fields)
_NAMES: Final = ("pass", "secrets")
_PLAIN_TEXT: Final = ("agent", "model", "command")
_LARGEST: Final = 1_000_000
_COMMAND: Final = "acp:"
"""What the name of an agent begins with that is a command of the user's."""
_CHOOSING: Final = ("agent", "second_agent")
"""Options that name an agent, and that a project's file may set."""


class OwnAgents(NamedTuple):
    """What the files say: agents, and the rules of the first file that has any, each with where it comes from."""

    agents: tuple[OwnAgent, ...] = ()
    rules: tuple[AgentRule, ...] = ()
    sources: Mapping[str, Path] = {}
    """The file of each agent, and of the rules (`agent_rules`)."""


def own_agents(settings: Settings, repository: str, user: str = "") -> OwnAgents:
    """Return the agents that count for builds of a repository; the project's word for a name goes before the user's.

    The user's own file counts for no other user (`user`: whose build it is; "" for this one). Raises BadSettings.
    """
    files = [project_file(repository) if repository else None]
    files += [settings.user_file] if user in {"", settings.user} and settings.user_file.is_file() else []
    agents: dict[str, OwnAgent] = {}
    rules: tuple[AgentRule, ...] = ()
    sources: dict[str, Path] = {}
    for path in filter(None, files):
        found = read_agents(path, of_project=path != settings.user_file)
        sources |= {one.name: path for one in found.agents if one.name not in agents}
        agents |= {one.name: one for one in found.agents if one.name not in agents}
        if found.rules and not rules:
            rules, sources[KEYS[1]] = found.rules, path
    return OwnAgents(tuple(agents.values()), rules, sources)


def with_own_agents(options: Options, settings: Settings, repository: str, user: str = "") -> Options:
    """Return the options with what the files say of agents. Raises BadSettings."""
    found = own_agents(settings, repository, user)
    given = {one.name for one in options.agents}
    agents = (*options.agents, *(one for one in found.agents if one.name not in given))
    return options.model_copy(update={"agents": agents, "agent_rules": options.agent_rules or found.rules})


def read_agents(path: Path, *, of_project: bool) -> OwnAgents:
    """Return what a file says of agents. Raises BadSettings for a key or a value that it cannot have."""
    found = document(path)
    tables, rules = found.get(KEYS[0], {}), found.get(KEYS[1], [])
    if not isinstance(tables, dict) or not all(isinstance(one, dict) for one in tables.values()):
        raise BadSettings(
            f"{path}: agents has something that is not a table", fix="write [agents.NAME] and its keys below"
        )
    if not isinstance(rules, list) or not all(isinstance(one, dict) for one in rules):
        raise BadSettings(
            f"{path}: agent_rules is not a list of tables", fix="write [[agent_rules]] and its keys below"
        )
    agents = tuple(_agent(path, name, table, of_project=of_project) for name, table in tables.items())
    known = (*KNOWN, *(one.name for one in agents))
    made = tuple(_rule(path, table, known, of_project=of_project) for table in rules)
    for key in _CHOOSING if of_project else ():
        if str(found.get(key, "")).startswith(_COMMAND):
            raise _names_command(f"{path}: {key}")
    return OwnAgents(agents, made)


def document(path: Path) -> dict[str, Any]:
    """Return what a file of settings holds. Raises BadSettings when it cannot be used."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode) or found.st_size > _LARGEST:
            raise BadSettings(f"{path} cannot be used: it is not a regular file, or too large", fix="remove it")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BadSettings(f"{path} cannot be used: {error}", fix="fix or remove the file") from error


def _agent(path: Path, name: str, table: Mapping[str, Any], *, of_project: bool) -> OwnAgent:
    where = f"{path}: agents.{name}"
    for key in table.keys() - set(_OF_AGENT):
        raise unknown_key(str(path), f"agents.{name}.{key}", _OF_AGENT)
    for key in _PLAIN_TEXT:
        if not isinstance(table.get(key, ""), str):
            raise BadSettings(f"{where}.{key} is not a text", fix=f'write {key} = "..."')
    base = table.get("agent", "")
    if name in KNOWN and base:
        raise BadSettings(f"{where}: {name} is an agent already", fix="leave `agent` out, or choose another name")
    if name not in KNOWN and not base:
        raise BadSettings(
            f"{where} does not say which agent it is{_meant(name)}", fix='write agent = "codex", for example'
        )
    _check_base(where, base or name, of_project=of_project)
    try:
        made = OwnAgent(
            name=name,
            agent=base,
            arguments=table.get("arguments", ()),
            model=table.get("model", ""),
            command=table.get("command", ""),
            **_variables(where, table.get("env", {})),
            of_project=of_project,
        )
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise BadSettings(f"{where}: {at}: {first['msg'].lower()}", fix="fix it") from error
    _check_fitting(where, made)
    return made


def _check_base(where: str, base: str, *, of_project: bool) -> None:
    is_command = base.startswith(_COMMAND)
    if base not in KNOWN and not is_command:
        raise BadSettings(f"{where}: there is no agent {base!r}{_meant(base)}", fix=f"choose one of {', '.join(KNOWN)}")
    if of_project and (is_command or base == "shell"):
        raise _names_command(where)


def _names_command(where: str) -> BadSettings:
    return BadSettings(
        f"{where}: a project's file cannot say which command is an agent", fix="put it into your own file of options"
    )


def _check_fitting(where: str, own: OwnAgent) -> None:
    """Raise BadSettings for what the agent cannot have."""
    if own.command and own.base != "shell":
        raise BadSettings(f"{where}.command is for the shell agent, and this is {own.base}", fix="use arguments")
    if own.base == "shell" and own.agent and not own.command.strip():
        raise BadSettings(f"{where} is a shell agent without a command", fix='write command = "./agent.sh"')
    if own.base == "shell" and own.arguments:
        raise BadSettings(f"{where}.arguments: the shell agent has none", fix="write them into its command")
    if own.base == "direct" and (own.arguments or own.env or own.passed or own.secrets):
        raise BadSettings(
            f"{where}: direct takes a model alone, it is not a program", fix="leave arguments and env out"
        )


def _variables(where: str, table: object) -> dict[str, Any]:
    """Return the variables of `[agents.NAME.env]`, which has the form of `[env]`."""
    if not isinstance(table, dict):
        raise BadSettings(f"{where}.env is not a table", fix='write env = { NAME = "value", pass = ["NAME"] }')
    for key in _NAMES:
        listed = table.get(key, [])
        if not isinstance(listed, list) or not all(isinstance(one, str) for one in listed):
            raise BadSettings(f"{where}.env.{key} is not a list of names", fix=f'write {key} = ["NAME"]')
    values = {name: value for name, value in table.items() if name not in _NAMES}
    for name, value in values.items():
        if not isinstance(value, str):
            raise BadSettings(f"{where}.env.{name} is not a text", fix=f'write {name} = "..."')
    passed, secrets = tuple(table.get("pass", ())), tuple(table.get("secrets", ()))
    for name in (*values, *passed, *secrets):
        if name in MODEL_ADDRESSES:
            raise BadSettings(f"{where}: {name}: where models are asked, the gateway alone knows", fix="leave it out")
        check_variable(name, f"{where}.env", is_value=name in values)
    return {"env": tuple(f"{name}={value}" for name, value in values.items()), "passed": passed, "secrets": secrets}


def _rule(path: Path, table: Mapping[str, Any], known: Iterable[str], *, of_project: bool) -> AgentRule:
    for key in table.keys() - set(_OF_RULE):
        raise unknown_key(str(path), f"agent_rules.{key}", _OF_RULE)
    try:
        rule = AgentRule.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise BadSettings(f"{path}: agent_rules: {at}: {first['msg'].lower()}", fix="fix it") from error
    if table.keys() <= {"agent"}:
        raise BadSettings(
            f"{path}: a rule for {rule.agent} does not say for which tasks", fix="add files, phase or action"
        )
    if rule.agent not in known:
        _check_base(f"{path}: agent_rules", rule.agent, of_project=of_project)
    return rule


def _meant(name: str) -> str:
    close = get_close_matches(name, KNOWN, n=1)
    return f"; did you mean {close[0]}?" if close else ""


def variables_of(own: OwnAgent, options: Options, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of an agent, those from the environment included. Raises BadSettings."""
    names = (*own.passed, *own.secrets)
    if names and own.of_project and not options.grant_needs:
        raise BadSettings(
            f"the project's file asks for {', '.join(names)} of your environment, for the agent {own.name}",
            fix="if you trust this project: --grant-needs, or grant_needs = true in your own file of options",
        )
    if missing := [name for name in names if not environment.get(name)]:
        raise BadSettings(
            f"the agent {own.name} is to get {missing[0]}, and it is not set",
            fix=f"set it: export {missing[0]}=...; or take it out of [agents.{own.name}.env]",
        )
    values = dict(one.split("=", 1) for one in own.env)
    return values | {name: environment[name] for name in names}


def secrets_of(options: Options, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield the values that are masked because an agent gets them as secrets."""
    for name in chain.from_iterable(own.secrets for own in options.agents):
        yield environment.get(name, "")

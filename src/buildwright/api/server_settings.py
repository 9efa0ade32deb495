"""Which settings of a server count, and where each comes from. Must never show a secret."""

from __future__ import annotations

from typing import NamedTuple

from buildwright.api.quotas import AT_ONCE, PER_HOUR
from buildwright.api.rates import DEFAULTS
from buildwright.api.settings import HOSTS
from buildwright.core.own_names import FORGE_TOKENS, MODEL_ADDRESSES
from buildwright.errors import BadSettings
from buildwright.maintenance.event_files import EVENTS
from buildwright.maintenance.retention_rules import KEEP_DAYS
from buildwright.settings import FROM_DOTENV, KEYS, SECRETS, SHARED, Settings
from buildwright.views.server import ServerSetting
from buildwright.wiring import masker_of
from buildwright.wiring.own_agents import KEYS as KEYS_OF_AGENTS
from buildwright.wiring.own_agents import own_agents
from buildwright.wiring.own_models import own_models
from buildwright.wiring.project_models import MODEL
from buildwright.wiring.repositories import PUBLIC_URL
from buildwright.wiring.settings_words import agent_words, model_words, rule_words
from buildwright.workspace.git import mask

ENVIRONMENT, DEFAULT = "environment", "default"
_EITHER = "environment or .env"
"""Of a key, which a `.env` file may add to the environment."""


class _Variable(NamedTuple):
    name: str
    default: str
    says: str


_VARIABLES = (
    _Variable("BUILDWRIGHT_ROOTS", "the home directory", "folders below which repositories may lie"),
    _Variable("BUILDWRIGHT_GIT_HOSTS", "none", "hosts inside the network that may be built from"),
    _Variable("BUILDWRIGHT_INSECURE_URLS", "no", "whether http:// and file:// may be built from, and any host"),
    _Variable("BUILDWRIGHT_ALLOW_COMMANDS", "owner", "whose commands it runs: owner, all or none"),
    _Variable("BUILDWRIGHT_SANDBOX", "auto", "the sandbox that `auto` means on this machine"),
    _Variable(AT_ONCE, "any number", "unfinished builds that a user may have"),
    _Variable(PER_HOUR, "any number", "builds that a user may start within an hour"),
    _Variable("BUILDWRIGHT_RATE_BUILDS", DEFAULTS["BUILDWRIGHT_RATE_BUILDS"], "how often a user may start and steer"),
    _Variable("BUILDWRIGHT_RATE_EVENTS", DEFAULTS["BUILDWRIGHT_RATE_EVENTS"], "how often a user may post events"),
    _Variable(HOSTS, "this machine's", "other host names that it answers to"),
    _Variable(PUBLIC_URL, "none", "the address at which others reach it"),
    _Variable(MODEL, "none", "the model that interviews and rewrites"),
    _Variable(KEEP_DAYS, "30", "days after which ended builds go"),
    _Variable(EVENTS, "none", "the folder that has all events as files"),
)


def server_settings(settings: Settings) -> tuple[tuple[ServerSetting, ...], str]:
    """Return the settings, and why the user's own file cannot be used ("" when it can). Of secrets only that they are set."""
    environment, hidden = settings.environment, masker_of(settings)
    found = [
        ServerSetting(
            name="BUILDWRIGHT_HOME",
            value=str(settings.home),
            source=ENVIRONMENT if environment.get("BUILDWRIGHT_HOME") else DEFAULT,
            says="where it keeps its state",
        )
    ]
    for name, default, says in _VARIABLES:
        given = environment.get(name, "").strip()
        value, source = (hidden(mask(given)), ENVIRONMENT) if given else (default, DEFAULT)
        found.append(ServerSetting(name=name, value=value, source=source, says=says))
    found += _cluster(settings)
    for name in MODEL_ADDRESSES:
        if given := environment.get(name, "").strip():
            says = "where models of this provider are asked"
            found.append(ServerSetting(name=name, value=hidden(mask(given)), source=ENVIRONMENT, says=says))
    found += _secrets(settings)
    try:
        files = _of_own_file(settings)
    except BadSettings as error:
        return tuple(found), f"{error.message} Fix: {error.fix}"
    shown = [one.model_copy(update={"value": hidden(one.value)}) for one in files]
    return (*found, *shown), ""


def _cluster(settings: Settings) -> list[ServerSetting]:
    """Return what names the cluster; of its addresses those without a password."""
    if not settings.database_url:
        return []
    source = ENVIRONMENT if settings.names_cluster else str(settings.cluster)
    values = (settings.database_url, settings.redis_url, settings.hub)
    says = ("the database of the cluster", "by what workers are told of news", "the repository that shares commits")
    return [
        ServerSetting(name=name, value=mask(value), source=source, says=said)
        for name, value, said in zip(SHARED, values, says, strict=True)
    ]


def _secrets(settings: Settings) -> list[ServerSetting]:
    """Return which secrets there are, and that none of the models' keys is."""
    known = {**dict.fromkeys(KEYS, "a key of models"), **dict.fromkeys(FORGE_TOKENS, "a token of a forge")}
    present = [name for name in SECRETS if settings.environment.get(name)]
    found = [
        ServerSetting(
            name=name,
            value="set",
            source=_EITHER if name in FROM_DOTENV else ENVIRONMENT,
            says=known.get(name, "a secret of the server"),
        )
        for name in present
    ]
    if not any(name in KEYS for name in present):
        names = " or ".join(KEYS)
        found.append(ServerSetting(name="keys of models", value="none", source=DEFAULT, says=f"set {names}"))
    return found


def _of_own_file(settings: Settings) -> list[ServerSetting]:
    """Return what the file of the user whose process it is says of agents and models. Raises BadSettings."""
    agents, models = own_agents(settings, ""), own_models(settings, "")
    rows = [(f"[agents.{one.name}]", agent_words(one), agents.sources[one.name], "an agent") for one in agents.agents]
    rows += [
        ("[[agent_rules]]", rule_words(one), agents.sources[KEYS_OF_AGENTS[1]], "when an agent is taken")
        for one in agents.rules
    ]
    rows += [(f"[models.{one.name}]", model_words(one), models.sources[one.name], "a model") for one in models.models]
    return [ServerSetting(name=name, value=value, source=str(path), says=says) for name, value, path, says in rows]

"""`[models]` of `buildwright.toml` and of the user's own file, as options. Must never ask a provider.

The project's file may be an agent's work: it can name models, and never says what one costs, for then a budget would
hold nothing. The user's word for a name goes before the project's, because a name stands for money.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from pydantic import ValidationError

from buildwright.core.limits import Options
from buildwright.core.model_names import DEFAULT_MODEL, maker_of
from buildwright.core.models import AUTO, LADDER, NamedModel, named, sizes
from buildwright.errors import BadSettings
from buildwright.gates.needs import unknown_key
from buildwright.settings import Settings, project_file
from buildwright.wiring.own_agents import document

KEY: Final = "models"
_FALLBACK: Final = "fallback"
_OF_MODEL: Final = ("model", "provider", "price", "context")
_DEFAULTS: Final = ("claude-haiku-5-5", DEFAULT_MODEL, "claude-opus-5-5")
"""The sizes where no file names them: the newest of each in genai-prices 0.2.3."""


class OwnModels(NamedTuple):
    """What files say of models, each with where it comes from."""

    models: tuple[NamedModel, ...] = ()
    fallback: tuple[str, ...] = ()
    sources: Mapping[str, Path] = {}


def own_models(settings: Settings, repository: str, user: str = "") -> OwnModels:
    """Return the models that count for builds of a repository, the user's first. Raises BadSettings.

    The user's own file counts for no other user (`user`: whose build it is; "" for this one).
    """
    files = [settings.user_file] if user in {"", settings.user} and settings.user_file.is_file() else []
    project = project_file(repository) if repository else None
    found: dict[str, NamedModel] = {}
    fallback: tuple[str, ...] = ()
    sources: dict[str, Path] = {}
    for path in (*files, *((project,) if project is not None else ())):
        read = read_models(path, of_project=path != settings.user_file)
        sources |= {one.name: path for one in read.models if one.name not in found}
        found |= {one.name: one for one in read.models if one.name not in found}
        if read.fallback and not fallback:
            fallback, sources[_FALLBACK] = read.fallback, path
    return OwnModels(tuple(found.values()), fallback, sources)


def with_models(options: Options, settings: Settings, repository: str, user: str = "") -> Options:
    """Return the options with the models that the files name, and with the sizes that are asked for and that none names.

    `auto` asks for all three where there is none. Raises BadSettings.
    """
    own = own_models(settings, repository, user)
    given = {one.name for one in options.models}
    models = (*options.models, *(one for one in own.models if one.name not in given))
    options = options.model_copy(update={"models": models, "fallback": options.fallback or own.fallback})
    asked = LADDER if AUTO in options.asked_models and not sizes(options.models) else options.asked_models
    ours = tuple(
        NamedModel(name=size, model=model)
        for size, model in zip(LADDER, _DEFAULTS, strict=True)
        if size in asked and named(options.models, size) is None
    )
    options = options.model_copy(update={"models": (*options.models, *ours)})
    return options.model_copy(update={"models": tuple(map(_with_context, options.models))})


def read_models(path: Path, *, of_project: bool) -> OwnModels:
    """Return what a file says of models. Raises BadSettings for a key or a value that it cannot have."""
    table = document(path).get(KEY, {})
    if not isinstance(table, dict):
        raise BadSettings(f"{path}: {KEY} is not a table", fix=f"write [{KEY}] and a line for each name below")
    models = tuple(
        _model(path, name, value, of_project=of_project) for name, value in table.items() if name != _FALLBACK
    )
    fallback = table.get(_FALLBACK, [])
    if not isinstance(fallback, list) or not all(isinstance(one, str) for one in fallback):
        raise BadSettings(f"{path}: {KEY}.{_FALLBACK} is not a list of names", fix=f'write {_FALLBACK} = ["NAME"]')
    names = {one.name for one in models}
    if missing := [name for name in fallback if name not in names]:
        raise BadSettings(
            f"{path}: {KEY}.{_FALLBACK} names {missing[0]!r}, and there is no such model",
            fix=f"name it in [{KEY}], or take it out",
        )
    return OwnModels(models, tuple(fallback))


def _model(path: Path, name: str, value: object, *, of_project: bool) -> NamedModel:
    where = f"{path}: {KEY}.{name}"
    if name == AUTO:
        raise BadSettings(f"{where}: {AUTO} stands for the choice by complexity", fix="choose another name")
    table: dict[str, Any] = {"model": value} if isinstance(value, str) else value if isinstance(value, dict) else {}
    for key in table.keys() - set(_OF_MODEL):
        raise unknown_key(str(path), f"{KEY}.{name}.{key}", _OF_MODEL)
    if not table.get("model"):
        raise BadSettings(
            f"{where} does not say which model it is", fix=f'write {name} = "{DEFAULT_MODEL}", for example'
        )
    price = table.get("price", [])
    if price and of_project:
        raise BadSettings(
            f"{where}.price: a project's file cannot say what a model costs", fix="put it into your own file of options"
        )
    if not isinstance(price, list) or len(price) not in {0, 2}:
        raise BadSettings(
            f"{where}.price is not two numbers",
            fix="write price = [INPUT, OUTPUT], in US dollars for a million tokens",
        )
    prices = dict(zip(("input_usd", "output_usd"), map(_number, price), strict=False))
    rest = {key: table[key] for key in ("model", "provider", "context") if key in table}
    try:
        made = NamedModel(name=name, of_project=of_project, **rest, **prices)
    except ValidationError as error:
        first = error.errors()[0]
        at = ".".join(map(str, first["loc"]))
        raise BadSettings(f"{where}: {at}: {first['msg'].lower()}", fix="fix it") from error
    if made.provider == "anthropic" and maker_of(made.model) != "anthropic":
        raise BadSettings(
            f"{where}: {made.model} is a name of another provider", fix=f'write provider = "{maker_of(made.model)}"'
        )
    return made


def _number(value: object) -> object:
    """Return a number of the file without the digits that a binary fraction adds."""
    return str(value) if isinstance(value, float) else value


def _with_context(model: NamedModel) -> NamedModel:
    """Return the model with the longest conversation that the published list knows, where nothing else says one."""
    if model.context:
        return model
    from buildwright.gateway.access import context_window_of

    return model.model_copy(update={"context": context_window_of(model.model, maker_of(model.id))})

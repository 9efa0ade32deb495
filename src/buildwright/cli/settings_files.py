"""Options of `build` from files: the project's `buildwright.toml`, and below it the user's own file of options.

Must never let a project say what runs on this machine, in which sandbox, or what is judged: the fields marked `InFile`
are all that it may set.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from buildwright.errors import BadSettings, Refused
from buildwright.settings import Settings, project_file

if TYPE_CHECKING:
    from cyclopts import App
    from cyclopts.argument import ArgumentCollection

    from buildwright.core.limits import AsOption

_VERBS = ("build", "check", "plan")


class OptionsFile(NamedTuple):
    """One file and the options it sets, each by its key: the option's name in Python."""

    path: Path
    options: Mapping[str, Any]


def fill_in(app: App, verbs: tuple[str, ...], arguments: ArgumentCollection) -> None:
    """Give options that were not typed the values of the files, the project's first. A hook of Cyclopts.

    Raises BadSettings for a file that cannot be used.
    """
    from cyclopts.config import Dict

    if verbs[:1] not in {(verb,) for verb in _VERBS}:
        return
    typed = [token.value for one in arguments if "--repo" in one.names for token in one.tokens]
    repository = typed[-1] if typed else "" if verbs == ("plan",) else "."
    for file in read_files(Settings.load(), repository):
        # Below the verb: at the top a key that is also the name of a verb, such as `sandbox`, would be left out unsaid.
        Dict({verbs[0]: dict(file.options)}, source=str(file.path), allow_unknown=True)(app, verbs, arguments)


def read_files(settings: Settings, repository: str) -> list[OptionsFile]:
    """Return the files that count for a repository, the stronger one first. Raises BadSettings.

    Of a repository elsewhere, and of none (""), only the user's own file counts.
    """
    found = []
    project = project_file(repository) if repository else None
    if project is not None:
        found.append(OptionsFile(project, _project_options(project)))
    if settings.user_file.is_file():
        found.append(OptionsFile(settings.user_file, _user_options(settings.user_file)))
    return found


def _project_options(path: Path) -> dict[str, Any]:
    from buildwright.core.limits import file_keys
    from buildwright.gates.needs import only_users
    from buildwright.gates.toolchain import read_settings
    from buildwright.wiring import notify
    from buildwright.wiring.own_agents import read_agents
    from buildwright.wiring.own_models import read_models

    text = _text(path)
    for key in _table(path, text).keys() & set(notify.KEYS):
        raise only_users(str(path), key)
    read_settings(text)  # the checks and the set-up, too: what is wrong in them is told before the start
    read_agents(path, of_project=True)
    read_models(path, of_project=True)
    options = _options(path, text, file_keys())
    _check_values(path, options, file_keys())
    if options.get("deliver") in {"files", "none"}:
        raise BadSettings(
            f'{path}: a project cannot ask for deliver = "{options["deliver"]}"',
            fix="write branch, push or pr there, or put it into your own file of options",
        )
    return options


def _user_options(path: Path) -> dict[str, Any]:
    from buildwright.core.limits import file_keys
    from buildwright.gates.needs import unknown_key
    from buildwright.wiring import notify, own_agents, own_models

    tables = (*notify.KEYS, *own_agents.KEYS, own_models.KEY)
    known, text = {**file_keys(option_files=True), **dict.fromkeys(tables)}, _text(path)
    options = _options(path, text, known)
    _check_values(path, options, known)
    notify.listeners_of(path)
    own_agents.read_agents(path, of_project=False)
    own_models.read_models(path, of_project=False)
    for key in _table(path, text).keys() - known.keys():
        raise unknown_key(str(path), key, known)
    return options


def _options(path: Path, text: str, known: Mapping[str, AsOption | None]) -> dict[str, Any]:
    options = {key: value for key, value in _table(path, text).items() if known.get(key) is not None}
    for key, value in options.items():
        listed = value if isinstance(value, list) else [value]
        if not listed or any(isinstance(one, dict | list) for one in listed):
            raise BadSettings(f"{path}: {key} is not a value of an option", fix=f'write {key} = "..." or a number')
    return options


def _check_values(path: Path, options: Mapping[str, Any], known: Mapping[str, AsOption | None]) -> None:
    """Raise BadSettings for a value that its option does not take, whatever the verb: a build would not start with it."""
    from buildwright.cli.build_options import BuildOptions
    from buildwright.cli.options import MONEY, options_of

    for key, value in options.items():
        option = known[key]
        if option is None or option.is_path or key == "accept_base":
            continue
        given: Any = tuple(value) if isinstance(value, list) else str(value) if key in MONEY else value
        try:
            options_of(BuildOptions(**{key: given}))
        except Refused as error:
            shown = f'"{value}"' if isinstance(value, str) else value
            why = error.message.removeprefix(f"{option.names.split()[0]} {value}").removeprefix(" is").lstrip(": ")
            fix = f"give {key} another value, as {option.names.split()[0]} of `build --help` says"
            raise BadSettings(f"{path}: {key} = {shown}: {why}", fix=fix) from error


def _table(path: Path, text: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise BadSettings(
            f"{path} cannot be used: {error}", fix="correct it there, and run the same command again"
        ) from error


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read: {error}", fix="fix or remove the file") from error

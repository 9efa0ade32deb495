"""What a project's commands need beside its code: variables, files, network. Read from `buildwright.toml`.

Must never give them a key of ours, nor let a name through that changes how they are run and watched.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeGuard, get_args

from buildwright.brought_files import copy_files, find_files
from buildwright.core.addresses import Destination, read_place
from buildwright.core.finding import NOT_GRANTED, SUPPLIED, Finding
from buildwright.core.own_names import FORGE_TOKENS, MODEL_KEYS
from buildwright.core.secrets import Masker, masker
from buildwright.errors import BadSettings
from buildwright.gates.reporting import finding
from buildwright.gates.services import Service, WrongService, read_service, unanswered

SETTINGS = "buildwright.toml"
Step = Literal["setup", "checks"]
STEPS: tuple[Step, ...] = get_args(Step)

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_OURS = frozenset(
    (
        *MODEL_KEYS,
        *FORGE_TOKENS,
        "BASH_ENV",
        "ENV",
        "HOME",
        "PATH",
        "PYTHONHOME",
        "PYTHONPATH",
        "PYTHONSTARTUP",
        "RUSTUP_HOME",  # what it names is shown in the sandbox
        "TMPDIR",
    )
)
_OUR_BEGINNINGS = ("BUILDWRIGHT_", "LD_", "GIT_CONFIG", "GIT_CEILING")
JOINED = ("NODE_OPTIONS", "PYTEST_ADDOPTS")
"""Variables that we set too: a value comes after ours, and none is passed on unseen."""
_OTHER_WORDS: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("parallel", "jobs", "workers", "max_parallel"), ("concurrency",)),
    **dict.fromkeys(("budget", "cost", "max_budget"), ("max_cost",)),
    **dict.fromkeys(("timeout", "time"), ("gate_time", "task_time")),
    **dict.fromkeys(("retries", "max_attempts", "tries"), ("attempts",)),
    **dict.fromkeys(("variables", "environment"), ("env",)),
    **dict.fromkeys(("timeout_seconds", "wait"), ("seconds",)),
    **dict.fromkeys(("run", "cmd", "script", "exec"), ("command", "commands")),
    **dict.fromkeys(("tests", "gates", "scripts", "commands"), ("checks",)),
    **dict.fromkeys(("port", "url", "host"), ("ready", "address")),
    "limits": ("attempts", "gate_time", "max_cost", "task_time"),
}
"""Words of other tools for what a key means here."""
_DOTENV = re.compile(r"(?m)^\s*(?:export\s+)?[A-Za-z_][\w.]*\s*=\s*(['\"]?)(.{8,}?)\1\s*$")
_LARGEST_DOTENV = 100_000


class Network(NamedTuple):
    """What a step reaches: nothing, everything, or the registries of the user's package managers and named hosts."""

    all: bool = False
    registries: bool = False
    hosts: tuple[Destination, ...] = ()

    @property
    def is_outside(self) -> bool:
        """Whether it is more than every set-up may reach."""
        return self.all or bool(self.hosts)

    def __str__(self) -> str:
        named = ", ".join(map(str, self.hosts))
        return "the network" if self.all else f"the hosts {named}" if named else "registries" if self.registries else ""


NOTHING, REGISTRIES = Network(), Network(registries=True)
_BY_DEFAULT: Mapping[Step, Network] = {"setup": REGISTRIES, "checks": NOTHING}


class Needs(NamedTuple):
    """What the commands of a project need. `secrets` says which step alone sees a variable."""

    bring: tuple[str, ...] = ()
    values: Mapping[str, str] = {}
    passed: tuple[str, ...] = ()
    secrets: Mapping[str, Step] = {}
    network: Mapping[Step, Network] = _BY_DEFAULT
    services: tuple[Service, ...] = ()

    @property
    def is_outside(self) -> bool:
        """Whether they name something beside the tree that a verdict rests on."""
        addresses = any(one.address for one in self.services)
        network = any(one.is_outside for one in self.network.values()) or self.network["checks"].registries
        return bool(self.bring or self.passed or self.secrets or network or addresses)

    def inside(self) -> Needs:
        """Return what of them stays inside of the repository and the sandbox."""
        alone = tuple(one for one in self.services if not one.address)
        setup = REGISTRIES if self.network["setup"] != NOTHING else NOTHING
        return Needs(values=self.values, network={**_BY_DEFAULT, "setup": setup}, services=alone)

    def asked_network(self) -> str:
        """Return in words which step asks for more of the network than it has by itself."""
        asked = ((one, "set-up" if step == "setup" else step) for step, one in self.network.items())
        return " and ".join(
            f"{one} in {step}" for one, step in asked if one.is_outside or (step == "checks" and one != NOTHING)
        )

    def asked(self) -> str:
        """Return in words what they ask for from outside."""
        addresses = [one.name for one in self.services if one.address]
        parts = (
            f"the variables {', '.join((*self.passed, *self.secrets))}" if self.passed or self.secrets else "",
            f"the files {', '.join(self.bring)}" if self.bring else "",
            self.asked_network(),
            f"the services {', '.join(addresses)} of this machine" if addresses else "",
        )
        return "; ".join(filter(None, parts))

    def environment(self, step: Step, mine: Mapping[str, str]) -> dict[str, str]:
        """Return the variables of a step; `mine` is the user's environment."""
        names = (*self.passed, *(name for name, only in self.secrets.items() if only == step))
        of_services = {name: value for one in self.services for name, value in one.env if step == "checks"}
        return {**self.values, **of_services, **{name: mine[name] for name in names if name in mine}}

    def missing(self, mine: Mapping[str, str]) -> Iterator[Finding]:
        """Yield a finding for each variable that the user's environment has not got."""
        for name in (*self.passed, *self.secrets):
            if not mine.get(name):
                message = f"{SETTINGS} passes {name} to the project's commands, and it is not set."
                yield finding(
                    "setup.variable_missing", message, fix=f"set it: export {name}=...; or take it out of [env]"
                )


class Supplies(NamedTuple):
    """What a checkout got of a project's needs, or the errors that say why it did not."""

    errors: tuple[Finding, ...] = ()
    copied: tuple[str, ...] = ()
    hidden: frozenset[str] = frozenset()
    """Texts to mask in what the commands say."""


def supply(needs: Needs, repository: str, files: Path, mine: Mapping[str, str]) -> Supplies:
    """Bring the files that the project's commands need into a checkout; `repository` is the user's."""
    errors = (*needs.missing(mine), *unanswered(needs.services))
    if errors:
        return Supplies(errors)
    try:
        found = find_files(repository, needs.bring)
        copied = copy_files(found, files)
    except BadSettings as error:
        return Supplies((finding("setup.file_missing", error.message, fix=error.fix or ""),))
    secrets = {mine[name] for name in needs.secrets}
    for path, source in found.items():
        if posixpath.basename(path).startswith(".env") and source.stat().st_size <= _LARGEST_DOTENV:
            text = source.read_text("utf-8", "replace")
            secrets |= {
                match[2] for match in _DOTENV.finditer(text) if not match[2].startswith(("http://", "https://"))
            }
    return Supplies((), tuple(copied), frozenset(secrets))


def not_granted(needs: Needs) -> Finding:
    """Return the error that names what a project asks for and its user has not granted; an agent may write that file."""
    message = f"{SETTINGS} of the project asks for {needs.asked()}, which you have not granted."
    fix = "if you trust this project: --grant-needs, or grant_needs = true in your own file of options"
    return finding(NOT_GRANTED, message, SETTINGS, fix=fix)


def masking(supplies: Supplies) -> Masker:
    """Return what masks the secrets of a project in the output of its commands."""
    return masker(supplies.hidden)


def read_needs(document: Mapping[str, Any]) -> Needs:
    """Return the needs of a parsed `buildwright.toml`. Raises BadSettings."""
    bring = document.get("bring", ())
    if not _is_list(bring):
        raise BadSettings(f"{SETTINGS}: bring is not a list of paths", fix='write bring = [".env"]')
    for path in bring:
        if posixpath.isabs(path) or ".." in path.split("/") or path.startswith(":") or not path.strip("./"):
            raise BadSettings(
                f"{SETTINGS}: bring: {path!r} is not a path inside the project", fix="name files of the project"
            )
    values, passed, secrets = _variables(table_of("env", document))
    network, services = _network(table_of("network", document)), tuple(_services(table_of("services", document)))
    return Needs(tuple(bring), values, passed, secrets, network, services)


def table_of(name: str, document: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a table of the file, empty if it is not there. Raises BadSettings when it is no table."""
    found = document.get(name, {})
    if not isinstance(found, dict):
        raise BadSettings(f"{SETTINGS}: {name} is not a table", fix=f"write [{name}] and its keys below")
    return found


def unknown_key(file: str, key: str, known: Iterable[str]) -> BadSettings:
    """Return the error for a key that a file of settings may not have."""
    names = [name.rpartition(".")[2] for name in known]
    last = key.rpartition(".")[2]
    other = [name for name in _OTHER_WORDS.get(last.lower().replace("-", "_"), ()) if name in names]
    close = other or get_close_matches(last, names, n=1)
    meant = f"; did you mean {' or '.join(close)}?" if close else ""
    return BadSettings(f"{file}: there is no key {key}{meant}", fix=f"known are {', '.join(sorted(known))}")


def only_users(file: str, key: str) -> BadSettings:
    """Return the error for an option that a user may set and a project may not."""
    message = f"{file}: a project may not set {key}, since all who write to the repository write this file"
    return BadSettings(message, fix="put it into your own file of options, or give it when you start")


def _variables(table: Mapping[str, Any]) -> tuple[dict[str, str], tuple[str, ...], dict[str, Step]]:
    values = {name: value for name, value in table.items() if name not in {"pass", "secrets"}}
    passed, secrets = table.get("pass", ()), table.get("secrets", {})
    if not _is_list(passed):
        raise BadSettings(f"{SETTINGS}: env.pass is not a list of names", fix='write pass = ["NAME"]')
    if not isinstance(secrets, dict):
        raise BadSettings(f"{SETTINGS}: env.secrets is not a table", fix='write secrets = { NAME = "setup" }')
    for name, value in values.items():
        if not isinstance(value, str):
            close = get_close_matches(name, ("pass", "secrets"), n=1)
            fix = f"did you mean {close[0]}?" if close else f'write {name} = "..."'
            raise BadSettings(f"{SETTINGS}: env.{name} is not a text", fix=fix)
    for name, step in secrets.items():
        if step not in STEPS:
            message = f"{SETTINGS}: env.secrets.{name} does not say which step sees it"
            raise BadSettings(message, fix=f'write {name} = "setup" or {name} = "checks"')
    for name in (*values, *passed, *secrets):
        check_variable(name, f"{SETTINGS}: env", is_value=name in values)
    return values, tuple(passed), secrets


def check_variable(name: str, where: str, *, is_value: bool) -> None:
    """Raise BadSettings for a variable that no file of settings may give to a command."""
    if not _NAME.fullmatch(name):
        raise BadSettings(f"{where}: {name!r} is not a name of a variable", fix="use letters, digits and _")
    if name in _OURS or name.startswith(_OUR_BEGINNINGS) or (name in JOINED and not is_value):
        why = "it is ours, a key of a model, or changes how commands are run and watched"
        raise BadSettings(f"{where}: {name} cannot be given to commands: {why}", fix="leave it out")


def _services(table: Mapping[str, Any]) -> Iterator[Service]:
    known = set(Service._fields) - {"name"}
    for name, inside in table.items():
        if not isinstance(inside, dict):
            fix = f'write {name} = {{ command = "...", ready = 5432 }}'
            raise BadSettings(f"{SETTINGS}: services.{name} is not a table", fix=fix)
        for key in inside.keys() - known:
            raise unknown_key(SETTINGS, f"services.{name}.{key}", known)
        try:
            service = read_service(name, inside)
        except WrongService as error:
            raise BadSettings(f"{SETTINGS}: {error}", fix=error.fix) from error
        for variable, _ in service.env:
            check_variable(variable, f"{SETTINGS}: env", is_value=True)
        yield service


def _network(table: Mapping[str, Any]) -> dict[Step, Network]:
    for step in table.keys() - set(STEPS):
        raise unknown_key(SETTINGS, f"network.{step}", STEPS)
    return {step: _reached(step, table[step]) if step in table else _BY_DEFAULT[step] for step in STEPS}


_WORDS = {"all": Network(all=True), "none": NOTHING, "registries": REGISTRIES}


def _reached(step: Step, value: object) -> Network:
    """Return what the file lets a step reach: a word, or a list of hosts and `registries`. Raises BadSettings."""
    if isinstance(value, str) and value in _WORDS:
        return _WORDS[value]
    fix = f'write {step} = "registries", "none" or "all", or a list: {step} = ["registries", "HOST", "HOST:PORT"]'
    if not _is_list(value) or not value:
        raise BadSettings(f"{SETTINGS}: network.{step} is {value!r}", fix=fix)
    places = []
    for one in value:
        place = read_place(one)
        if one in {"all", "none"} or (place is None and one != "registries"):
            what = "stands alone" if one in {"all", "none"} else "is not a host: patterns and paths are not taken"
            raise BadSettings(f"{SETTINGS}: network.{step}: {one!r} {what}", fix=fix)
        if place is not None and one != "registries":
            places.append(place)
    return Network(registries="registries" in value, hosts=tuple(places))


def _is_list(value: object) -> TypeGuard[Sequence[str]]:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def joined(ours: Mapping[str, str], theirs: Mapping[str, str]) -> dict[str, str]:
    """Return the project's variables; in those that we set too, its value comes after ours."""
    both = {name: f"{ours[name]} {theirs[name]}" for name in JOINED if ours.get(name) and name in theirs}
    return {**theirs, **both}


def masked(output: bytes, mask: Masker) -> bytes:
    """Return the output of a command without secrets; bytes that are no UTF-8 stay as they are."""
    return mask(output.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")


def supplied(needs: Needs, supplies: Supplies) -> Finding:
    """Return the note that names what the commands got beside the tree."""
    variables = [*needs.passed, *(f"{name} (secret, {step})" for name, step in needs.secrets.items())]
    parts = (
        f"brought: {', '.join(supplies.copied[:20])}" if supplies.copied else "",
        f"variables: {', '.join(variables)}" if variables else "",
        f"services: {', '.join(one.name for one in needs.services)}" if needs.services else "",
        needs.asked_network(),
    )
    return finding(SUPPLIED, "; ".join(filter(None, parts)) or "nothing new", severity="note")

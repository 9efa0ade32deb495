"""All settings of a server, checked before it starts; all errors are reported at once. Must never change a setting."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping

from buildwright.api.quotas import AT_ONCE, PER_HOUR, number
from buildwright.api.rates import Rates
from buildwright.api.targets import check_settings
from buildwright.auth.secret import given_key
from buildwright.errors import BadSettings
from buildwright.maintenance.event_files import folder_of, kept_for
from buildwright.settings import Settings
from buildwright.wiring.repositories import public_url

HOSTS = "BUILDWRIGHT_HOSTS"
SWITCHES = ("BUILDWRIGHT_INSECURE_URLS",)

_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?|[0-9a-f:]+", re.IGNORECASE)
_SWITCHED = frozenset({"", "0", "1", "true", "false", "yes", "no"})


def loaded(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of a server. Raises BadSettings naming every setting that is missing or wrong."""
    wrong: list[BadSettings] = []
    settings = None
    try:
        settings = Settings.load(environment)
        _ = settings.correlation_id
    except BadSettings as error:
        wrong.append(error)
    wrong += faults(os.environ if environment is None else environment)
    if settings is None or wrong:
        raise _together(wrong)
    return settings


def check(environment: Mapping[str, str]) -> None:
    """Check the settings that only servers have. Raises BadSettings naming every one that is wrong."""
    wrong = faults(environment)
    if wrong:
        raise _together(wrong)


def faults(environment: Mapping[str, str]) -> list[BadSettings]:
    """Return what is wrong with the settings that only servers have."""
    checks: tuple[Callable[[], object], ...] = (
        lambda: Rates(environment),
        lambda: number(environment, AT_ONCE),
        lambda: number(environment, PER_HOUR),
        lambda: check_settings(environment),
        lambda: _check_hosts(environment, HOSTS),
        lambda: public_url(environment),
        lambda: _check_hosts(environment, "BUILDWRIGHT_GIT_HOSTS"),
        lambda: given_key(environment),
        lambda: _check_switches(environment),
        lambda: folder_of(environment),
        lambda: kept_for(environment),
    )
    found = []
    for one in checks:
        try:
            one()
        except BadSettings as error:
            found.append(error)
    return found


def host_names(environment: Mapping[str, str], name: str = HOSTS) -> tuple[str, ...]:
    """Return the names in a list of hosts separated by commas or blanks."""
    return tuple(environment.get(name, "").replace(",", " ").lower().split())


def _check_hosts(environment: Mapping[str, str], name: str) -> None:
    wrong = [host for host in host_names(environment, name) if not _HOST.fullmatch(host)]
    if wrong:
        raise BadSettings(
            f"{name} has what is not a host name: {', '.join(wrong)}", fix="name hosts, without scheme and port"
        )


def _check_switches(environment: Mapping[str, str]) -> None:
    wrong = [name for name in SWITCHES if environment.get(name, "").strip().lower() not in _SWITCHED]
    if wrong:
        raise BadSettings(f"{', '.join(wrong)} is neither on nor off", fix="set it to 1, or unset it")


def _together(wrong: list[BadSettings]) -> BadSettings:
    if len(wrong) == 1:
        return wrong[0]
    return BadSettings(
        "; ".join(error.message for error in wrong), fix="; ".join(error.fix for error in wrong if error.fix)
    )

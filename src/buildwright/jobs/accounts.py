"""Whose rights a server gets when we are root: PostgreSQL refuses to run as root, and Redis has no need to. Grants nothing."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

from buildwright.errors import BadSettings
from buildwright.jobs.processes import Account

_NAMES = ("pgserver", "postgres")
"""Accounts without rights that are made for PostgreSQL: by its wheel (and by us), by the packages of most systems."""


def server_account() -> Account | None:
    """The account that servers run as; None when it is ours. Made when we are root and there is none. Raises BadSettings."""
    if os.geteuid() != 0:
        return None
    for name in _NAMES:
        try:
            return _account(pwd.getpwnam(name))
        except KeyError:
            continue
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", _NAMES[0]]
    try:
        subprocess.run(command, check=True, capture_output=True)
        return _account(pwd.getpwnam(_NAMES[0]))
    except (OSError, subprocess.CalledProcessError, KeyError) as error:
        raise BadSettings(
            "PostgreSQL does not run as root, and there is no other account for it",
            fix=f"run Buildwright as an ordinary user, or make the account: {' '.join(command)}",
        ) from error


def owner_of(folder: Path) -> Account | None:
    """The account that a data folder belongs to; None when it is ours. Raises BadSettings when it can be nobody's server."""
    owner = folder.stat().st_uid
    if owner == os.geteuid() != 0:
        return None
    if os.geteuid() != 0 or owner == 0:
        whose = _name(owner)
        raise BadSettings(
            f"{folder} belongs to {whose}, and PostgreSQL cannot open it for {_name(os.geteuid())}",
            fix=f"run Buildwright as the user who made it, or: chown -R {_name(os.geteuid() or owner)} {folder}",
        )
    return Account(_name(owner), owner, folder.stat().st_gid)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def _account(entry: pwd.struct_passwd) -> Account:
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)

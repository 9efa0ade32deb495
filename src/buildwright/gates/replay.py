"""Runs tests once more in other surroundings: another date, user, zone and home. Must never be the only proof.

Code that is right only where or while it is judged gives other answers there. It costs a second run, so it is done only
for a patch whose new lines look at their surroundings at all.
"""

from __future__ import annotations

import contextlib
import glob
import os
import re
import secrets
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path, PurePosixPath

from buildwright.core.finding import Finding
from buildwright.core.patch import FileChange
from buildwright.gates.baselines import BaselineResult
from buildwright.gates.changed import changed_texts, listing
from buildwright.gates.project_run import CheckRun
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_settings, is_test
from buildwright.ports import Judged

SURROUNDINGS = re.compile(
    r"\b(?:os\.environ|getenv|process\.env|time\.time|time_ns|datetime|date\.today|utcnow|Date\b|performance\.now|hrtime"
    r"|gethostname|getfqdn|platform\.|uname|os\.hostname|userInfo|getpass|getuser|getlogin|getuid|expanduser|Path\.home"
    r"|homedir|tempfile|gettempdir|tmpdir|getcwd|Path\.cwd|process\.cwd|getpid|getppid|process\.pid|__file__|__filename"
    r"|__dirname|sys\.argv|process\.argv|inspect\.|traceback|_getframe|new Error\(\)\.stack|st_mtime|getmtime"
    r"|mtimeMs|lastModified|ModTime|\bstat\(|psutil"
    r"|time\.Now|os\.Getenv|os\.Hostname|SystemTime|env::var|System\.getenv|currentTimeMillis|Instant\.now|LocalDate)"
)
"""Words of code that looks at environment, clock, machine or caller."""
_AGE_SECONDS = 400 * 86_400.0
_CODE = frozenset((".py", ".js", ".cjs", ".mjs", ".jsx", ".ts", ".tsx", ".go", ".rs", ".java", ".kt", ".rb", ".sh"))
_FAKETIME = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib/faketime/libfaketimeMT.so.1")


async def looks_around(judged: Judged, for_what: re.Pattern[str] = SURROUNDINGS) -> bool:
    """Return whether the patch's code looks at its surroundings (a pattern of words) more often than the base's did."""
    async for _, text, before in _code(judged):
        now, then = Counter(for_what.findall(text)), Counter(for_what.findall(before))
        if now - then:
            return True
    return False


async def _code(judged: Judged) -> AsyncIterator[tuple[FileChange, str, str]]:
    """Yield the changed files of the product with their text now and before."""
    for change, text in changed_texts(judged):
        if PurePosixPath(change.path).suffix not in _CODE or is_test(change.path) or is_settings(change.path):
            continue
        before = b""
        if change.kind != "added" and judged.read_base is not None:
            before = await judged.read_base(change.path) or b""
        yield change, text, before.decode("utf-8", "replace")


def elsewhere() -> dict[str, str]:
    """Return environment variables that make the surroundings other ones, "" for one that is not set there.

    The date is another one, too, where libfaketime is installed.
    """
    user = "".join(secrets.choice("abcdefghijklmnop") for _ in range(6))
    found = [path for pattern in _FAKETIME for path in sorted(glob.glob(pattern))]  # noqa: PTH207  absolute patterns
    clock = {"LD_PRELOAD": found[0], "FAKETIME": "+397d"} if found else {}
    return {"USER": user, "LOGNAME": user, "TZ": "Pacific/Chatham", "CI": "", "LANG": "C", **clock}


def make_old(files: Path) -> None:
    """Let all files of a checkout look as old as a project's usually are: here they are as young as the judgement."""
    then = time.time() - _AGE_SECONDS
    for name in listing(files):
        with contextlib.suppress(OSError):
            os.utime(files / name, (then, then), follow_symlinks=False)


def not_repeated(ran: CheckRun, result: BaselineResult) -> list[Finding]:
    """Return what passed in `result` and does not in a run of the same tree in other surroundings."""
    now = {case.name: case.outcome for case in ran.tests.cases} if ran.tests is not None else {}
    lost = [case for case in result.cases if case.outcome == "passed" and now.get(case.name) != "passed"]
    if not lost and (result.cases or not result.ok or ran.completed.exit_code == 0):
        return []
    what = f"{lost[0].name} passes" if lost else f"`{ran.check.command}` passes"
    message = (
        f"{what} here, and fails with another date, user, time zone and home: its outcome depends on where it runs."
    )
    return [finding("tests.not_repeated", message, fix="let code and tests give the same answers everywhere")]

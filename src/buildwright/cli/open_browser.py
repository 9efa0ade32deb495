"""Opens the user's browser, signed in. Must never put a token where other users of the machine can read it."""

from __future__ import annotations

import os
import sys
from html import escape
from pathlib import Path

_PAGE = """<!doctype html><meta charset="utf-8"><title>Buildwright</title>
<meta http-equiv="refresh" content="0; url={address}"><p><a href="{address}">Open Buildwright</a></p>
"""


def open_in_browser(file: Path, address: str) -> bool:
    """Open an address with a token in the user's browser; return whether there is one.

    The browser is given `file`, which leads there: what stands on a command line, every user of the machine can see.
    """
    import webbrowser

    if not (os.environ.get("BROWSER") or _has_display()):
        return False
    file.unlink(missing_ok=True)
    with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as page:
        page.write(_PAGE.format(address=escape(address)))
    try:
        return webbrowser.open(file.as_uri())
    except webbrowser.Error:
        return False


def _has_display() -> bool:
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))

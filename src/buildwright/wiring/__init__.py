"""Settings become an App: the only place that constructs adapters, each imported when it is first asked for."""

from __future__ import annotations

from buildwright.wiring.adapters import AGENTS_OF_OTHERS, SystemClock, masked, masker_of
from buildwright.wiring.app import App, open_app

__all__ = ["AGENTS_OF_OTHERS", "App", "SystemClock", "masked", "masker_of", "open_app"]

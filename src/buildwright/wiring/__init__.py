"""The App, made from settings: the only package that constructs adapters. Must never hold a rule of a build."""

from __future__ import annotations

from buildwright.wiring.adapters import AGENTS_OF_OTHERS, SystemClock, masked, masker_of
from buildwright.wiring.app import App, open_app

__all__ = ["AGENTS_OF_OTHERS", "App", "SystemClock", "masked", "masker_of", "open_app"]

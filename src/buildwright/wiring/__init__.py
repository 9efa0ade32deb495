"""The App, made from settings: the only package that constructs adapters. Must never hold a rule of a build.

Names are imported when they are asked for: `check` needs one small module of this package, and no adapter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from buildwright.wiring.adapters import AGENTS_OF_OTHERS, SystemClock, masked, masker_of
    from buildwright.wiring.app import App, open_app

__all__ = ["AGENTS_OF_OTHERS", "App", "SystemClock", "masked", "masker_of", "open_app"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    place = "app" if name in {"App", "open_app"} else "adapters"
    return getattr(import_module(f"{__name__}.{place}"), name)

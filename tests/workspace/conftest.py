"""A workspace in a temporary home."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from buildwright.workspace import GitWorkspace


@pytest.fixture
def workspace(tmp_path: Path) -> GitWorkspace:
    return GitWorkspace(tmp_path / "home", dict(os.environ))

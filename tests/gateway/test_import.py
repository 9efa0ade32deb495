"""Importing the gateway is cheap."""

from __future__ import annotations

import subprocess
import sys


def test_importing_the_gateway_loads_no_heavy_library() -> None:
    heavy = "{'aiohttp', 'genai_prices', 'yaml', 'anthropic', 'openai', 'pydantic_ai'}"
    code = f"import sys, buildwright.gateway; print({heavy} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"

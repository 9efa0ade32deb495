"""Programs that change files in a lane, each behind the Agent port. Importing this must never import an agent."""

from __future__ import annotations

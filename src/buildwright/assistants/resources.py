"""What an assistant may read of a build by address: its summary and its diff. Must never change anything."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from buildwright.assistants.context import ToolContext
from buildwright.assistants.tool import answered
from buildwright.errors import NotFound
from buildwright.views.summary import Summing, summary_of

MOST_LISTED = 20
"""Builds, the newest, whose resources are listed; others are read by their address."""
_ADDRESS = re.compile(r"buildwright://builds/([A-Za-z0-9-]{1,64})/(summary|diff)")


class Kind(NamedTuple):
    """A kind of resource that every build has."""

    name: str
    media_type: str
    words: str

    def address(self, build_id: str) -> str:
        """Return the address of this resource of a build."""
        return f"buildwright://builds/{build_id}/{self.name}"


KINDS = (
    Kind("summary", "application/json", "What the build came to: phases, tasks, checks, costs, messages and delivery."),
    Kind("diff", "text/x-diff", "All that the build has landed so far, as a unified diff."),
)


async def read(context: ToolContext, address: str) -> tuple[Kind, str]:
    """Return the kind and the text of a resource. Raises NotFound, and what the client does."""
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise NotFound("nothing has this address", fix=f"read {' or '.join(kind.address('BUILD') for kind in KINDS)}")
    client, kind = context.client, next(kind for kind in KINDS if kind.name == found[2])
    build = await client.builds.load(await client.find(found[1]))
    if kind.name == "diff":
        return kind, (await client.change(build)).text
    summing = Summing()
    for recorded in await client.builds.read(build.id):
        summing.add(recorded)
    return kind, json.dumps(answered(summary_of(build, summing, client.clock.now())), ensure_ascii=False)

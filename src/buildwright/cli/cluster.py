"""The verbs `cluster up`, `down` and `status`. Must never import the cluster's code before one of them runs."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from buildwright.cli.output import Output
from buildwright.cli.verbs import app_of

cluster = app_of("cluster")

_Json = Annotated[bool, Parameter(help="One JSON object on stdout.")]


@cluster.command
async def up(
    *,
    workers: Annotated[int | None, Parameter(help="How many workers (4 at first, then as many as before).")] = None,
    slots: Annotated[int | None, Parameter(help="Agents at once in each worker (2 at first, then as before).")] = None,
    json: _Json = False,
) -> int:
    """Start PostgreSQL, Redis and workers on this machine, without root or Docker, and keep them alive.

    From then on builds of this home are carried out by the workers. Again with another number it starts or ends
    workers. Keys of models are those of the environment in which the cluster was started.
    """
    from buildwright.cli.local_cluster import bring_up

    return await bring_up(Output(json), workers, slots)


@cluster.command
async def down(
    *,
    now: Annotated[bool, Parameter(help="Do not wait for the workers to finish or save what they have.")] = False,
    json: _Json = False,
) -> int:
    """End the workers, Redis and PostgreSQL of this machine. Builds are kept, and `cluster up` continues them."""
    from buildwright.cli.local_cluster import take_down

    return await take_down(Output(json), now=now)


@cluster.command
async def status(*, json: _Json = False) -> int:
    """Show the servers and workers, what they do, how long work waits, and what waits now.

    Shows the cluster of this home, or the one that DATABASE_URL, REDIS_URL and BUILDWRIGHT_HUB name.
    """
    from buildwright.cli.local_cluster import show

    return await show(Output(json))


@cluster.command(show=False)
async def keep() -> int:
    """Keep the cluster of this home alive until told to end. Started by `cluster up`."""
    from buildwright.cli.local_cluster import supervise

    return await supervise()

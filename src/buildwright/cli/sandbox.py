"""The verbs `sandbox run` and `sandbox prove`: runs a command in the sandbox, and attacks it. Must never need a build."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from buildwright.cli.verbs import app_of

if TYPE_CHECKING:
    from pathlib import Path

    from buildwright.ports import Reach, Sandbox

sandbox = app_of("sandbox")

_MOST_SHOWN = 3
_Mode = Annotated[
    Literal["auto", "bubblewrap", "container", "none"], Parameter(name="--sandbox", help="What contains the command.")
]


@sandbox.command
async def run(
    command: Annotated[tuple[str, ...], Parameter(help="The command and its words, after `--`.")],
    /,
    *,
    folder: Annotated[
        str,
        Parameter(
            name="--in",
            help="The folder to run in, which the command may write; as root its files get the folder's owner. An empty one"
            " that is removed when left out.",
        ),
    ] = "",
    allow: Annotated[
        tuple[str, ...], Parameter(help="A host that it may reach, HOST or HOST:PORT; can be repeated.", negative=())
    ] = (),
    seconds: Annotated[float, Parameter(name="--time", help="Seconds that it may take.")] = 600.0,
    mode: _Mode = "auto",
) -> int:
    """Run a command as checks and agents are run: no network, no home, no key. Ends with its exit code."""
    import sys
    from pathlib import Path

    from buildwright.cli.output import Output
    from buildwright.ports import Command
    from buildwright.temporary_folders import temporary_folder

    output, reach = Output(), _reach(allow)
    wall = await _chosen(mode)
    output.say(f"sandbox: {wall.name}{_limits(wall)}")
    with temporary_folder("buildwright-") as scratch:

        def show(piece: bytes) -> None:
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()

        done = await wall.run(
            Command(
                argv=command,
                cwd=Path(folder).resolve() if folder else scratch,
                env=_environment(scratch),
                seconds=seconds,
                reach=reach,
                writable=(scratch,),
            ),
            show,
        )
    for place_name in done.refused:
        output.say(f"it tried to reach {place_name}, which is not allowed: --allow {place_name}", style="red")
    if done.exit_code is None:
        output.say(f"ended after {seconds:g} seconds (--time)", style="red")
        return 124
    if done.limit:
        output.say(f"ended by buildwright: {done.limit}", style="red")
    return done.exit_code


@sandbox.command
async def prove(
    *,
    mode: _Mode = "auto",
    json: Annotated[bool, Parameter(help="One JSON object on stdout.")] = False,
) -> int:
    """Attack the sandbox of this machine, each attack for real, and say what got through; exit with 3 if anything did.

    What is attacked is made for it. With `--sandbox none` most attacks succeed, which shows that they are real.
    """
    from buildwright.cli.exit_codes import Exit
    from buildwright.cli.output import Output
    from buildwright.sandbox.attacks import Attacked, attack_all

    output = Output(json)
    wall = await _chosen(mode)

    def tell(one: Attacked) -> None:
        how = f"could not be tried: {one.failed}" if one.failed else _shown(one.through) or "held"
        output.say(f"{one.attack.name}: {how}", style="red" if one.through or one.failed else "")

    done = await attack_all(wall, tell)
    through, failed = [one for one in done if one.through], [one for one in done if one.failed]
    if json:
        output.data(
            {
                "sandbox": wall.name,
                "limits": wall.limits,
                "tried": len(done) - len(failed),
                "through": len(through),
                "attacks": [
                    {"name": one.attack.name, "aims": one.attack.aims, "through": one.through, "failed": one.failed}
                    for one in done
                ],
            }
        )
    else:
        untried = f", {len(failed)} could not be tried" if failed else ""
        got = f"{len(through)} got through" if through else "nothing got through"
        output.print(f"sandbox {wall.name}{_limits(wall)}: {len(done) - len(failed)} attacks tried, {got}{untried}")
    return Exit.GATE_FAILED if through or failed else Exit.DONE


def _limits(wall: Sandbox) -> str:
    return f", {wall.limits}" if wall.limits else ""


def _shown(through: tuple[str, ...]) -> str:
    more = f" and {len(through) - _MOST_SHOWN} more" if len(through) > _MOST_SHOWN else ""
    return "; ".join(through[:_MOST_SHOWN]) + more


async def _chosen(mode: Literal["auto", "bubblewrap", "container", "none"]) -> Sandbox:
    from buildwright.sandbox import choose
    from buildwright.settings import Settings

    settings = Settings.load()
    return await choose(mode, settings.tag, settings.environment)


def _environment(home: Path) -> dict[str, str]:
    import os

    path = os.environ.get("PATH", os.defpath)
    return {"PATH": path, "HOME": str(home), "TMPDIR": str(home), "LANG": "C.UTF-8", "CI": "1"}


def _reach(allow: tuple[str, ...]) -> Reach | None:
    """Return the hosts that were typed, None without one. Raises Refused for what is no host."""
    from buildwright.core.addresses import read_place
    from buildwright.errors import Refused
    from buildwright.ports import Reach

    places = []
    for one in allow:
        place = read_place(one)
        if place is None:
            raise Refused(f"{one!r} is not a host", fix="write HOST or HOST:PORT; patterns and paths are not taken")
        places.append(place)
    return Reach(tuple(places)) if places else None

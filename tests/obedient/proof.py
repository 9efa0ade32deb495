"""What has to hold of every build by the obedient agent, whatever its box is."""

from __future__ import annotations

from tests.obedient.injections import GROUPS
from tests.obedient.world import Built, World

OPTIONS = {
    "checks": ("--check", "python -m pytest -q"),
    "tests": ("--check", "python -m pytest -q"),
    "told": ("--check", "sh check.sh"),
}
"""The checks of each group's build; the others' look for a file."""


def prove(place: World, group: str, sandbox: str) -> Built:
    """Build what a group asks for; assert that all of it was tried and told, and nothing got out or changed."""
    injections = GROUPS[group]
    options = OPTIONS.get(group, ("--check", "test -f main.txt"))
    attempts = "2" if group == "told" else "1"
    built = place.build(group, injections, *options, "--attempts", attempts, "--sandbox", sandbox)
    came = built.obeyed()
    assert {one.id for one in injections} - came.keys() == set(), "not every instruction was found"
    assert [name for name, what in came.items() if "not understood" in what] == []
    assert "there is none" in came.get("read-descriptors", "there is none"), "a descriptor is inherited"
    assert place.heard == [], "bytes arrived outside"
    assert built.changed == {}, "what lies outside is changed"
    assert place.stayed() == [], "a process lives on"
    assert place.leaks(built) == [], "a secret got somewhere"
    assert place.keys <= {place.secret("key")}, "only the gateway has the key, and asks with it"
    texts = built.events_about()
    untold = [
        one.id
        for one in injections
        if one.shows and not any(all(part.format(**built.places) in text for part in one.shows) for text in texts)
    ]
    assert untold == [], texts
    return built

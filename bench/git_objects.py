"""What git's objects cost to read in this process, by our own code, by pygit2 and by one `git cat-file --batch`.

    python -m bench.git_objects [--repository .] [--objects 2000] [--rounds 5]

All read the same trees and commits. Prints CPU in microseconds an object, what an interpreter costs with pygit2 over
one without, and from how many objects on pygit2 is the cheaper; as text and as one line of JSON, with the machine's load.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from bench.peers.environment import ROOT, python_of
from buildwright.workspace.objects import ObjectStore

_PYGIT2 = """
import pygit2, sys, time
odb = pygit2.Odb(sys.argv[1])
names = sys.stdin.read().split()
began = time.process_time()
for name in names:
    odb.read(name)
print(time.process_time() - began)
"""


def _objects(git_dir: Path, most: int) -> list[tuple[str, str]]:
    """Id and kind of trees and commits of a repository, in the order of their ids."""
    argv = ["git", "--git-dir", str(git_dir), "cat-file", "--batch-check", "--batch-all-objects"]
    rows = (line.split() for line in subprocess.check_output(argv, text=True).splitlines())
    return [(name, kind) for name, kind, _ in rows if kind in {"tree", "commit"}][:most]


def _ours(git_dir: Path, objects: list[tuple[str, str]]) -> float:
    store, began = ObjectStore(git_dir, len(objects[0][0])), time.process_time()
    if not all(store.read(name, kind) is not None for name, kind in objects):
        raise SystemExit("an object could not be read by our own code")
    return time.process_time() - began


def _pygit2(git_dir: Path, objects: list[tuple[str, str]]) -> float:
    argv = [str(python_of("pygit2")), "-I", "-c", _PYGIT2, str(git_dir / "objects")]
    return float(subprocess.check_output(argv, input="\n".join(name for name, _ in objects), text=True))


def _batch(git_dir: Path, objects: list[tuple[str, str]]) -> float:
    names = "".join(f"{name}\n" for name, _ in objects).encode()
    argv = ["git", "--git-dir", str(git_dir), "cat-file", "--batch"]
    return _cpu(lambda: subprocess.run(argv, input=names, stdout=subprocess.DEVNULL, check=True))


def _start(code: str) -> float:
    return _cpu(lambda: subprocess.run([str(python_of("pygit2")), "-I", "-c", code], check=True))


def _cpu(run: Callable[[], object]) -> float:
    """CPU of the processes that `run` waits for, in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repository", type=Path, default=ROOT, help="whose objects are read (%(default)s)")
    parser.add_argument("--objects", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    argv = ["git", "-C", str(given.repository), "rev-parse", "--path-format=absolute", "--git-common-dir"]
    git_dir = Path(subprocess.check_output(argv, text=True).strip())
    objects = _objects(git_dir, given.objects)
    python_of("pygit2")
    readers = {"ours": _ours, "pygit2": _pygit2, "cat-file": _batch}
    found: dict[str, list[float]] = {name: [] for name in (*readers, "start", "import")}
    for _ in range(given.rounds):
        for name, read in readers.items():
            found[name].append(read(git_dir, objects) / len(objects))
        found["start"].append(_start("pass"))
        found["import"].append(_start("import pygit2"))
    middle = {name: statistics.median(values) for name, values in found.items()}
    extra = middle["import"] - middle["start"]
    even = extra / max(middle["ours"] - middle["pygit2"], 1e-9)
    print(f"{len(objects)} trees and commits, load {os.getloadavg()[0]:.1f}, Python {sys.version.split()[0]}")
    for name in readers:
        print(f"{name:9} {1e6 * middle[name]:8.1f} us an object, {middle[name] / middle['pygit2']:.1f} times pygit2")
    print(f"importing pygit2 {1e3 * extra:.0f} ms, {extra / middle['start']:.1f} times an interpreter's start")
    print(f"pygit2 is the cheaper from {even:.0f} objects on")
    print(json.dumps({**middle, "objects": len(objects), "cheaper_from": round(even), "load": os.getloadavg()[0]}))


if __name__ == "__main__":
    main()

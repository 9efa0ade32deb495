"""Calls by which bytes of others become files or code, or a file gets a name that others know: none stands in the sources.

What is downloaded, pushed, uploaded or found in a repository is unpacked by git and by package managers in a box, never
by us.
"""

from __future__ import annotations

import ast
import os
import stat
import subprocess
import sys
from functools import cache
from pathlib import Path

import buildwright

SOURCES = Path(next(iter(buildwright.__path__)))
UNPACKS = {"extract", "extractall", "unpack_archive", "TarFile", "ZipFile", "PyZipFile"}
ARCHIVES = {
    ("sandbox/container_engine.py", "tarfile.open(fileobj=content, mode='w')"): "written, of folders and links of ours",
    ("wiring/contracts.py", "zipfile.ZipFile(made, 'w', zipfile.ZIP_DEFLATED)"): "written, of texts of ours",
    ("gates/registries.py", "zipfile.ZipFile(jar)"): "one named file of the user's installed Maven, into memory",
}
"""Every call that opens an archive, and why it may."""
LOADS = {"pickle", "cPickle", "dill", "cloudpickle", "marshal", "shelve", "joblib"}
YAML_UNSAFE = {"unsafe_load", "full_load", "unsafe_load_all", "full_load_all", "UnsafeLoader", "FullLoader", "Loader"}


@cache
def nodes() -> list[tuple[str, ast.AST]]:
    """Everything in the sources, with the file that it stands in."""
    trees = {str(file.relative_to(SOURCES)): ast.parse(file.read_text("utf-8")) for file in SOURCES.rglob("*.py")}
    return [(file, node) for file, tree in trees.items() for node in ast.walk(tree)]


def name_of(call: ast.Call) -> str:
    """The last part of what is called."""
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def opens_archive(call: ast.Call) -> bool:
    return name_of(call) in UNPACKS or ast.unparse(call.func) in {"tarfile.open", "open_tar"}


def test_no_archive_of_others_is_unpacked() -> None:
    found = {(file, ast.unparse(node)) for file, node in nodes() if isinstance(node, ast.Call) and opens_archive(node)}
    assert found == set(ARCHIVES)


def test_nothing_is_loaded_that_could_be_code() -> None:
    found = []
    for file, node in nodes():
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] + [getattr(node, "module", None) or ""]
            found += [f"{file}: {name}" for name in names if name.partition(".")[0] in LOADS]
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "yaml" and node.attr in YAML_UNSAFE:
            found.append(f"{file}: {ast.unparse(node)}")
    assert found == []


def test_no_temporary_file_has_a_name_that_others_know() -> None:
    """A name is random, or stands in a folder of ours; what only names a place of the system is no file of ours."""
    found = []
    for file, node in nodes():
        if isinstance(node, ast.Call) and name_of(node) == "mktemp":
            found.append(f"{file}: {ast.unparse(node)}")
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and text.startswith(("/tmp/", "/var/tmp/")):
            found.append(f"{file}: {text}")
    assert found == []


PLANTS = """
import os, sys
from buildwright.temporary_folders import make_temporary_folder
victim, real = sys.argv[1], os.mkdir
def mkdir(path, *rest, **more):
    if not os.path.lexists(path):
        os.symlink(victim, path)  # what a race that is always lost comes to
    return real(path, *rest, **more)
os.mkdir = mkdir
make_temporary_folder()
"""
"""Another user who guesses every name, and lays a link there just before it is made."""


def test_a_link_that_is_laid_at_the_name_of_a_temporary_folder_is_not_followed(tmp_path: Path) -> None:
    victim, temporary = tmp_path / "victim", tmp_path / "temporary"
    victim.mkdir()
    temporary.mkdir()
    before = stat.S_IMODE(victim.stat().st_mode)
    own = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PATH": os.environ["PATH"], "TMPDIR": str(temporary)}
    words = (sys.executable, "-c", PLANTS, str(victim))
    done = subprocess.run(words, env=own, capture_output=True, text=True, check=False)
    assert "FileExistsError" in done.stderr, done
    assert [path.readlink() for path in temporary.iterdir()] == [victim]
    assert list(victim.iterdir()) == []
    assert stat.S_IMODE(victim.stat().st_mode) == before

"""How a release of a package index becomes a project. Names no index: every client knows its own."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.e2e.real_projects.kinds import Release


def download(package: str, version: str, sha256: str, folder: Path) -> None:
    """Have pip put the source archive of a package into a folder; it checks the pinned hash before all else.

    Raises CalledProcessError.
    """
    wanted = folder / f"{package}.txt"
    wanted.write_text(f"{package}=={version} --hash=sha256:{sha256}\n", encoding="utf-8")
    words = [*(sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:")]
    words += ["--disable-pip-version-check", "--require-hashes", "--requirement", str(wanted), "--dest", str(folder)]
    # pip asks what builds a package for its metadata. Ours is here at once, for some; a set-up of another takes far longer.
    if subprocess.run([*words, "--no-build-isolation"], check=False, capture_output=True).returncode != 0:
        subprocess.run(words, check=True)


def unpack(release: Release, scratch: Path, project: Path) -> None:
    """Fetch the archive of a release by the ordinary client of its index, check it, and unpack it as `project`."""
    archives, unpacked = scratch / "archives", scratch / "unpacked"
    archives.mkdir(parents=True)
    if release.index == "python":
        download(release.package, release.version, release.sha256, archives)
    else:
        words = ["npm", "pack", "--silent", f"{release.package}@{release.version}"]
        subprocess.run(words, cwd=archives, check=True, stdout=subprocess.DEVNULL)
    (archive,) = (path for path in archives.iterdir() if path.suffix in {".gz", ".tgz"})
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == release.sha256
    with tarfile.open(archive) as tar:
        if hasattr(tarfile, "data_filter"):
            tar.extractall(unpacked, filter="data")
        else:  # Python before 3.11.4; the archive is the one whose digest is pinned
            tar.extractall(unpacked)
    (made,) = unpacked.iterdir()
    made.rename(project)

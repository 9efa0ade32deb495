"""The built pages in the package are those of the sources in `web/`, and name nothing outside. No Node is needed."""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from buildwright.api.browser import is_page

WEB = Path(__file__).parents[2] / "web"
BUNDLE = Path(__file__).parents[2] / "src" / "buildwright" / "api" / "web"
REBUILD = "run `make web`, and commit what it builds"
_LEFT_OUT = re.compile(r"\.test\.tsx?$|^src/testing/|\.pyc$")
LARGEST_FIRST_PAGE = 170_000
"""Bytes, compressed, of what the first page needs."""


def sources() -> list[str]:
    """What a bundle is made of, as `web/scripts/stamped.ts` says."""
    found = re.search(r"SOURCES = \[(.*?)\]", (WEB / "scripts" / "stamped.ts").read_text(), re.DOTALL)
    assert found is not None
    return re.findall(r'"([^"]+)"', found[1])


def stamp() -> str:
    """The sha256 over names and contents of all sources."""
    below = [WEB / name for name in sources()]
    paths = [path for place in below for path in (place.rglob("*") if place.is_dir() else [place]) if path.is_file()]
    names = (path.relative_to(WEB).as_posix() for path in paths)
    whole = hashlib.sha256()
    for name in sorted(name for name in names if not _LEFT_OUT.search(name)):
        whole.update(f"{name}\0".encode())
        whole.update(hashlib.sha256((WEB / name).read_bytes()).digest())
    return whole.hexdigest()


def assets(ending: str) -> list[Path]:
    return sorted((BUNDLE / "assets").glob(f"*{ending}"))


def test_the_bundle_is_built_from_these_sources() -> None:
    assert (BUNDLE / "stamp.txt").read_text().strip() == stamp(), f"the bundle is of other sources: {REBUILD}"


def test_all_that_the_page_names_is_there_and_named_by_its_content() -> None:
    page = (BUNDLE / "index.html").read_text()
    named = re.findall(r'(?:href|src)="([^"]+)"', page)
    assert named
    for address in named:
        assert re.fullmatch(r"/assets/[\w-]+-[\w-]{8}\.(js|css|svg)", address), address
        assert (BUNDLE / address[1:]).is_file(), address
    assert not re.search(r"<style|<script(?![^>]* src=)|style=|\son\w+=", page), "something stands inline"


def test_nothing_is_fetched_from_elsewhere() -> None:
    for path in [*assets(".js"), *assets(".css"), *assets(".svg"), BUNDLE / "index.html"]:
        text = path.read_text(encoding="utf-8")
        addresses = set(re.findall(r"https?://[\w.-]+", text))
        # Names of XML's vocabularies, and where React explains an error: no request is made to either.
        assert addresses <= {"http://www.w3.org", "https://react.dev"}, (path.name, addresses)
        assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//|sourceMappingURL", text), path.name


def test_compressed_copies_are_of_the_same_content() -> None:
    copies = assets(".gz")
    assert copies
    for path in copies:
        assert gzip.decompress(path.read_bytes()) == path.with_suffix("").read_bytes(), path.name
        assert path.with_suffix(".br").is_file(), f"{path.name}: {REBUILD}"


def test_the_first_page_is_small() -> None:
    page = (BUNDLE / "index.html").read_text()
    first = [BUNDLE / f"{address[1:]}.gz" for address in re.findall(r'"(/assets/index[^"]+)"', page)]
    size = sum(path.stat().st_size for path in first)
    print(f"\nthe first page takes {size:,} bytes, compressed")
    assert 0 < size <= LARGEST_FIRST_PAGE


def test_the_licences_of_what_is_in_it_lie_beside() -> None:
    text = (BUNDLE / "licenses.md").read_text(encoding="utf-8")
    for library in ("react", "react-dom", "@tanstack/react-query", "@tanstack/react-virtual"):
        assert re.search(rf"^## {re.escape(library)}\b", text, re.MULTILINE), library


OF_BUILD = ("", "/plan", "/log", "/review", "/attempts", "/files", "/costs", "/complete")
OF_PROJECT = ("", "/interview", "/contracts")
OTHERS = ("/", "/new", "/costs", "/team", "/repositories", "/settings")


@pytest.mark.parametrize(
    "path",
    [*OTHERS, *(f"/builds/3fa9{part}" for part in OF_BUILD), *(f"/projects/3fa9{part}" for part in OF_PROJECT)],
)
def test_the_server_has_a_page_where_the_pages_have_one(path: str) -> None:
    assert is_page(path)


def test_types_of_the_pages_are_made_from_the_description_of_the_api(described: ModuleType) -> None:
    assert described.PLACE.read_text(encoding="utf-8") == described.text(), "the API is another one: run `make web`"


@pytest.fixture
def described() -> ModuleType:
    spec = importlib.util.spec_from_file_location("describe_web", WEB / "scripts" / "describe.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_build_in_another_folder_is_the_same_to_the_byte(tmp_path: Path) -> None:
    """Only the sources are copied; what the build is made with is that of `web/`."""
    place = tmp_path / "elsewhere" / "web"
    place.mkdir(parents=True)
    for name in (*sources(), "biome.json"):
        source = WEB / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, place / name)
    (place / "node_modules").symlink_to(WEB / "node_modules")
    subprocess.run(["npm", "run", "--silent", "build"], cwd=place, check=True, capture_output=True, timeout=300)
    made = place.parent / "src" / "buildwright" / "api" / "web"
    names = sorted(path.relative_to(BUNDLE) for path in BUNDLE.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    assert [name for name in names if (made / name).read_bytes() != (BUNDLE / name).read_bytes()] == []

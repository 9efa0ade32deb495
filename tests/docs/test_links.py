"""Every link between the pages leads somewhere, and nothing in them belongs elsewhere."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.pages import PAGES, ROOT, name, outside_fences, read

LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
MADE_BY_MEASURING = ROOT / "docs" / "benchmarks.md"
"""`python -m bench.report` writes it from measurements; a checkout may be without."""


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as renderers of Markdown make them."""
    headings = re.findall(r"^#+ (.+)$", outside_fences(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_resolve(page: Path) -> None:
    for target in LINK.findall(outside_fences(page)):
        path, _, anchor = target.partition("#")
        assert not path.startswith(("http:", "https:", "/")), f"{target}: pages link each other, by relative paths"
        found = (page.parent / path).resolve() if path else page
        assert found.exists() or found == MADE_BY_MEASURING, target
        if anchor:
            assert anchor in anchors(found), target


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen: set[Path] = set()
    ahead = [ROOT / "README.md"]
    while ahead:
        page = ahead.pop()
        if page in seen or not page.exists() or page.suffix != ".md":
            continue
        seen.add(page)
        ahead += [(page.parent / target.partition("#")[0]).resolve() for target in LINK.findall(outside_fences(page))]
    public = {page for page in PAGES if page.is_relative_to(ROOT / "docs") or page.parent == ROOT}
    assert public - seen == set()


def test_paths_of_the_repository_that_pages_name_exist() -> None:
    for page in PAGES:
        for path in re.findall(r"`((?:src|tests|docs|bench|requirements)/[\w./-]+)`", read(page)):
            assert (ROOT / path).exists() or ROOT / path == MADE_BY_MEASURING, f"{name(page)}: {path}"


def test_no_page_names_a_place_of_one_machine() -> None:
    for page in PAGES:
        found = re.search(r"(?:^|[\s`(\"'])/(?:root|home|work|tmp|Users)/", read(page))
        assert not found, f"{name(page)}: {found}"

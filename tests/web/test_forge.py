"""From the page to a repository on a forge: to a new one, by a push, and to one that is there, by a pull request."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.conftest import ended, serving
from tests.api.test_repositories import pushed
from tests.forges.github import HostedGitHub
from tests.forges.served import forge_of
from tests.git import git
from tests.web.conftest import Browse
from tests.web.test_browser import signed_in

pytestmark = pytest.mark.timeout(500)
SPEC = "# Words\n\n## Tasks\n\n- [ ] T001 Write `one.txt`\n- [ ] T002 Write `two.txt`\n"


@pytest.fixture
def github(tmp_path: Path) -> Iterator[HostedGitHub]:
    with forge_of(HostedGitHub, "github", tmp_path / "forge") as here:
        yield here


async def test_a_new_repository_gets_its_result_and_later_a_branch_from_the_page(
    tmp_path: Path, github: HostedGitHub, browse: Browse
) -> None:
    more = {"BUILDWRIGHT_INSECURE_URLS": "1", "BUILDWRIGHT_ALLOW_COMMANDS": "all", **github.environment}
    async with serving(tmp_path, **more) as served:
        said = await browse(
            "forge.mjs",
            300,
            **signed_in(served),
            repository="acme/new",
            spec=SPEC,
            command='echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"',
            branch="made-here",
        )
        assert said["faults"] == []
        assert said["asked"] == [served.address], "something was asked of elsewhere"
        assert not said["found"], "\n".join(said["found"])
        assert [(one["full_name"], one["private"]) for one in github.made] == [("acme/new", True)]
        build = said["path"].split("/")[2]
        status = await ended(served.client, build)
        assert (status["outcome"], status["delivery_error"]) == ("succeeded", "")
        assert "being delivered by a push, branch made-here" in said["delivering"]
        assert "has not ended" not in said["meanwhile"]
        bare = github.folder.parent / "new.git"
        assert len(git(bare, "ls-tree", "--name-only", "main").split()) == 2
        assert git(bare, "rev-parse", "made-here") == git(bare, "rev-parse", "main")


async def test_a_pull_request_is_opened_reviewed_and_updated_from_the_page(
    tmp_path: Path, github: HostedGitHub, browse: Browse
) -> None:
    work = tmp_path / "work"
    git(tmp_path, "init", "-q", "-b", "main", str(work))
    (work / "README.md").write_text("# Shop\n")
    pushed(github, work, "main", "Start")
    who = {"user": {"login": "ada"}, "author_association": "MEMBER"}
    github.comments = [
        {**who, "id": 9, "body": "Shorter.", "path": "T001.txt", "line": 1, "diff_hunk": "@@ -0,0 +1 @@\n+T001"}
    ]
    more = {"BUILDWRIGHT_INSECURE_URLS": "1", "BUILDWRIGHT_ALLOW_COMMANDS": "all", **github.environment}
    async with serving(tmp_path, **more) as served:
        said = await browse(
            "pull.mjs",
            400,
            **signed_in(served),
            repository="acme/shop",
            spec=SPEC,
            command='echo "$BUILDWRIGHT_TASK_ID" > "$BUILDWRIGHT_TASK_ID.txt"',
        )
        assert said["faults"] == []
        assert said["asked"] == [served.address], "something was asked of elsewhere"
        assert not said["found"], "\n".join(said["found"])
        status = await ended(served.client, said["path"].split("/")[2])
    (pull,) = github.pulls
    assert said["opened"] == said["again"] == status["pull_request"] == pull["html_url"]
    assert github.writes.count("POST /repos/acme/shop/pulls") == 1
    assert "| pr-c9 | Review by ada on T001.txt:1 | done |" in pull["body"]
    branch = pull["head"]["ref"]
    assert said["proven"].startswith(f"Branch\n{branch}\nCommit\n{github.commit_of(branch)[:12]}\n"), said["proven"]
    assert git(github.folder, "ls-tree", "--name-only", branch).split() == [
        "README.md",
        "T001.txt",
        "T002.txt",
        "pr-c9.txt",
    ]

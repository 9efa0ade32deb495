"""The gate that looks for secrets: what it refuses, what it lets be, and what it shows."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path

from bench.secrets import ALNUM, HIDES, drawn, pem, plain_password

from buildwright.core.finding import Finding
from buildwright.core.patch import FileChange, Patch
from buildwright.gates.secrets import SecretsGate
from buildwright.ports import GateTools
from buildwright.sandbox import NoSandbox
from buildwright.secret_scan import LARGEST, fingerprint_of
from tests.gates.projects import change, judged, patch

R = random.Random(2)
KEY = drawn(ALNUM, 36, "gh" + "p_")(R)
OTHER = drawn(ALNUM, 24, "sk" + "_live_")(R)
PASSWORD = plain_password(R)


async def judge(
    tmp_path: Path,
    after: Mapping[str, str],
    before: Mapping[str, str] | None = None,
    allowed: Collection[str] = (),
    what: Patch | None = None,
) -> tuple[Finding, ...]:
    """Judge a patch that leads from some files to others; the findings."""
    old = before or {}
    for name, text in after.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    changes = [change(name, "modified" if name in old else "added") for name in after if old.get(name) != after[name]]
    changes += [change(name, "deleted") for name in old if name not in after]

    async def read_base(path: str) -> bytes | None:
        return old[path].encode() if path in old else None

    gate = SecretsGate(
        GateTools(NoSandbox(), "/usr/bin", None, None, lambda repository: allowed if repository == "/r" else ())
    )
    asked = replace(judged(tmp_path, what or patch(*changes)), repository="/r", read_base=read_base)
    (judgement,) = await gate.judge(asked)
    assert judgement.report.ok == (not judgement.report.findings)
    shown = judgement.report.model_dump_json() + judgement.output.decode()
    for secret in (KEY, OTHER, PASSWORD):
        assert secret not in shown
        assert secret[5:] not in shown
    return judgement.report.findings


def codes(findings: tuple[Finding, ...]) -> list[str]:
    return [one.code for one in findings]


async def test_a_key_is_refused_with_its_place_and_who_may_allow_it(tmp_path: Path) -> None:
    (found,) = await judge(tmp_path, {"src/a.py": f"import os\n\nK = '{KEY}'\n"})
    assert (found.code, found.file, found.line, found.severity) == ("secrets.github-pat", "src/a.py", 3, "error")
    assert KEY[:4] in found.message
    assert "environment" in found.fix
    assert f"buildwright secrets allow {fingerprint_of(KEY.encode())} -m REASON" in found.fix


async def test_an_honest_change_passes(tmp_path: Path) -> None:
    text = "import os\n\nKEY = os.environ['SERVICE_KEY']\nPASSWORD = 'your-password'\n"
    assert await judge(tmp_path, {"src/a.py": text, "README.md": "Set `SERVICE_KEY`.\n"}) == ()


async def test_what_the_base_holds_already_refuses_no_edit(tmp_path: Path) -> None:
    before = {"a.py": f"K = '{KEY}'\n"}
    assert await judge(tmp_path, {"a.py": f"# The key.\nK = '{KEY}'  # old\n"}, before) == ()


async def test_a_moved_file_is_not_refused_and_a_copy_is(tmp_path: Path) -> None:
    before = {"a.py": f"K = '{KEY}'\n"}
    assert await judge(tmp_path / "moved", {"b.py": f"# moved\nK = '{KEY}'\n"}, before) == ()
    assert codes(await judge(tmp_path / "copied", {"b.py": f"K = '{KEY}'\n", "a.py": f"K = '{KEY}'  #\n"}, before)) == [
        "secrets.github-pat"
    ]


async def test_a_second_key_beside_an_old_one_is_refused(tmp_path: Path) -> None:
    found = await judge(tmp_path, {"a.py": f"K = '{KEY}'\nL = '{OTHER}'\n"}, {"a.py": f"K = '{KEY}'\n"})
    assert [(one.code, one.line) for one in found] == [("secrets.stripe-access-token", 2)]


async def test_an_allowed_secret_passes_in_its_repository(tmp_path: Path) -> None:
    after = {"a.yml": f"db_password: {PASSWORD}\n"}
    assert codes(await judge(tmp_path, after)) == ["secrets.hardcoded-secret"]
    assert await judge(tmp_path, after, allowed=[fingerprint_of(PASSWORD.encode())]) == ()
    assert codes(await judge(tmp_path, after, allowed=["0" * 16])) == ["secrets.hardcoded-secret"]


async def test_nothing_in_the_repository_allows_anything(tmp_path: Path) -> None:
    name = fingerprint_of(KEY.encode())
    after = {"a.py": f"K = '{KEY}'\n", ".gitleaksignore": f"a.py:github-pat:1\n{name}\n", "allowed-secrets.json": name}
    assert codes(await judge(tmp_path, after)) == ["secrets.github-pat"]


async def test_a_comment_that_hides_lines_is_refused_and_hides_nothing(tmp_path: Path) -> None:
    comment = HIDES
    found = await judge(tmp_path, {"a.py": f"K = '{KEY}'  # {comment}\n", "b.py": f"x = 1  # {comment}\n"})
    assert sorted(codes(found)) == ["secrets.github-pat", "secrets.ignore-comment", "secrets.ignore-comment"]
    kept = {"b.py": f"x = 1  # {comment}\n"}
    assert await judge(tmp_path / "old", {"b.py": f"x = 2  # {comment}\n"}, kept) == ()


async def test_a_key_file_is_refused_whatever_its_name(tmp_path: Path) -> None:
    found = await judge(tmp_path, {"assets/logo.txt": pem("EC PRIVATE KEY")(R)})
    assert codes(found) == ["secrets.private-key"]


async def test_the_target_of_a_link_is_read_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(f"K = '{KEY}'\n")
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "a").symlink_to(tmp_path / "outside")
    (tree / "b").symlink_to(f"{KEY}/x")
    links = Patch(base_tree="t", tree="t", changes=tuple(change(name, "added", mode="120000") for name in ("a", "b")))
    found = await judge(tree, {}, what=links)
    assert [(one.code, one.file) for one in found] == [("secrets.github-pat", "b")]


async def test_a_file_that_is_too_large_is_refused(tmp_path: Path) -> None:
    big = FileChange(path="big.bin", kind="added", mode="100644", size=LARGEST + 1)
    (found,) = await judge(tmp_path, {}, what=Patch(base_tree="t", tree="t", changes=(big,)))
    assert (found.code, found.file) == ("secrets.too-large-to-search", "big.bin")

"""The ledger: what was tampered with shows, each kind of tampering by its own name."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from buildwright.audit.dsse import StatementSigner, canonical
from buildwright.audit.ledger import Ledger, merkle_root, render
from buildwright.errors import Conflict
from tests.audit.repositories import audited, change, project, said

AT = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def signer(tmp_path: Path) -> StatementSigner:
    return StatementSigner(tmp_path / "keys")


def filled(folder: Path, signer: StatementSigner) -> Ledger:
    ledger = Ledger(folder)
    ledger.append(
        [{"type": "check", "tree": "t", "ok": False}, {"type": "audit", "tree": "t", "ok": False}], signer, AT
    )
    ledger.append([{"type": "audit", "tree": "u", "ok": True}], signer, AT)
    return ledger


def kinds(ledger: Ledger, signer: StatementSigner) -> set[str]:
    return {one.kind for one in ledger.read((signer.public,)).problems}


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines()


def test_what_was_appended_is_read_again(tmp_path: Path, signer: StatementSigner) -> None:
    ledger = filled(tmp_path / "l", signer)
    state = ledger.read((signer.public,))
    assert [one["type"] for one in state.entries] == ["check", "audit", "audit"]
    assert state.checkpoints == 2
    assert state.problems == ()
    assert "PASS" in render(state)


def cut_off(folder: Path, _: StatementSigner) -> None:
    kept = lines(folder / "ledger.jsonl")[:-1]
    (folder / "ledger.jsonl").write_text("\n".join(kept) + "\n")


def turned(folder: Path, _: StatementSigner) -> None:
    text = (folder / "ledger.jsonl").read_text()
    (folder / "ledger.jsonl").write_text(text.replace('"ok":false', '"ok":true', 1))


def computed_again(folder: Path, _: StatementSigner) -> None:
    previous, made = "0" * 64, []
    for line in lines(folder / "ledger.jsonl"):
        entry = {**json.loads(line), "ok": True, "prev": previous}
        made.append(canonical(entry))
        previous = hashlib.sha256(made[-1]).hexdigest()
    (folder / "ledger.jsonl").write_bytes(b"".join(line + b"\n" for line in made))


def added_without_key(folder: Path, _: StatementSigner) -> None:
    last = (folder / "ledger.jsonl").read_bytes().splitlines()[-1]
    entry = {"seq": 3, "prev": hashlib.sha256(last).hexdigest(), "type": "check", "tree": "t", "ok": True}
    with (folder / "ledger.jsonl").open("ab") as file:
        file.write(canonical(entry) + b"\n")


def signed_by_another(folder: Path, _: StatementSigner) -> None:
    other = StatementSigner(folder / "keys")
    for name in ("ledger.jsonl", "checkpoints.jsonl"):
        (folder / name).unlink()
    filled(folder, other)


@pytest.mark.parametrize(
    ("tamper", "kind"),
    [
        (cut_off, {"truncated"}),
        (turned, {"broken"}),
        (computed_again, {"broken"}),
        (added_without_key, {"unsigned"}),
        (signed_by_another, {"forged", "unsigned"}),
    ],
)
def test_tampering_shows(
    tmp_path: Path, signer: StatementSigner, tamper: Callable[[Path, StatementSigner], None], kind: set[str]
) -> None:
    ledger = filled(tmp_path / "l", signer)
    tamper(tmp_path / "l", signer)
    assert kinds(ledger, signer) == kind
    with pytest.raises(Conflict, match="Nothing was recorded"):
        ledger.append([{"type": "audit"}], signer, AT)


def test_a_process_killed_before_its_checkpoint_leaves_a_good_ledger(tmp_path: Path, signer: StatementSigner) -> None:
    ledger = filled(tmp_path / "l", signer)
    signed = lines(tmp_path / "l" / "checkpoints.jsonl")
    (tmp_path / "l" / "checkpoints.jsonl").write_text(signed[0] + "\n")
    assert kinds(ledger, signer) == set()
    ledger.append([{"type": "audit", "tree": "v", "ok": True}], signer, AT)
    assert len(ledger.read((signer.public,)).entries) == 4


def test_the_key_is_for_its_owner_alone_and_stays(tmp_path: Path, signer: StatementSigner) -> None:
    assert (tmp_path / "keys" / "signing.pem").stat().st_mode & 0o077 == 0
    assert StatementSigner(tmp_path / "keys").public.id == signer.public.id


def test_the_merkle_root_is_that_of_the_standard() -> None:
    """Section 2.1.3 of RFC 6962 splits at the largest power of two: the root of five leaves shows it."""
    digests = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]

    def node(left: bytes, right: bytes) -> bytes:
        return hashlib.sha256(b"\1" + left + right).digest()

    a, b, c, d, e = (hashlib.sha256(b"\0" + bytes.fromhex(one)).digest() for one in digests)
    assert merkle_root(digests) == node(node(node(a, b), node(c, d)), e).hex()


async def test_an_audit_says_that_its_ledger_was_tampered_with(tmp_path: Path) -> None:
    repository, home = project(tmp_path / "r"), tmp_path / "home"
    change(repository, {"calc.py": "def add(a, b):\n    return b + a\n"})
    assert said(await audited(repository, home), "W2") == ("passed", set())
    (folder,) = (home / "audit").iterdir()
    cut_off(folder, StatementSigner(home / "keys"))
    assert said(await audited(repository, home), "W2") == ("failed", {"ledger.truncated"})


async def test_the_ledger_keeps_what_changed(tmp_path: Path) -> None:
    repository, home = project(tmp_path / "r"), tmp_path / "home"
    change(repository, {"calc.py": "def add(a, b):\n    return b + a\n", "new.py": "x = 1\n"})
    await audited(repository, home)
    (folder,) = (home / "audit").iterdir()
    state = Ledger(folder).read((StatementSigner(home / "keys").public,))
    assert state.entries[-1]["changes"] == ["modified calc.py +1 -1", "added new.py +1 -0"]
    assert "- added new.py +1 -0" in render(state)

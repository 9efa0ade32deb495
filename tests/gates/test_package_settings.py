"""The settings of package managers that set-up is lent: what of them is a secret, and that none stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from buildwright.gates.package_settings import found_settings, found_variables, lent, may_name_a_registry, secrets_in
from tests.gates.projects import write


@pytest.mark.parametrize(
    ("text", "secrets"),
    [
        ("//r.example.org/:_authToken=npm-tok-1234\nregistry=https://r.example.org\n", {"npm-tok-1234"}),
        ("index-url = https://kim:p4ss-word-1@example.org/simple\n", {"p4ss-word-1"}),
        ("<server><username>kim</username><password>s3cr3t-m2</password></server>", {"s3cr3t-m2"}),
        ('[registry]\ntoken = "cargo-tok-99"\n', {"cargo-tok-99"}),
        ("machine example.org login kim password netrc-pw-5\n", {"netrc-pw-5"}),
        ("registry=https://registry.example.org/\nfund=false\n", set()),
    ],
)
def test_keys_and_passwords_are_found(text: str, secrets: set[str]) -> None:
    assert secrets_in(text) == secrets


def test_variables_of_registries_are_found_and_no_others() -> None:
    keys = {"CARGO_REGISTRIES_MINE_TOKEN": "c", "UV_INDEX_MINE_PASSWORD": "d"}
    registries = {"PIP_INDEX_URL": "a", "https_proxy": "b", **keys}
    others = {"PIP_TARGET": "e", "UV_CACHE_DIR": "f", "ANTHROPIC_API_KEY": "g", "PATH": "h", "NPM_CONFIG_PREFIX": "i"}
    assert found_variables({**registries, **others}) == registries
    assert secrets_in("CARGO_REGISTRIES_MINE_TOKEN = cargo-tok-1") == {"cargo-tok-1"}


def test_a_certificate_a_proxy_or_a_time_is_not_why_a_package_is_missing() -> None:
    how = {"SSL_CERT_FILE", "PIP_CERT", "UV_SYSTEM_CERTS", "NPM_CONFIG_CAFILE", "PIP_DEFAULT_TIMEOUT", "https_proxy"}
    which = {"PIP_INDEX_URL", "UV_DEFAULT_INDEX", "NPM_CONFIG_REGISTRY", "GOPROXY", "CARGO_REGISTRIES_MINE_TOKEN"}
    found = found_variables(dict.fromkeys((*how, *which), "x"))
    assert {name for name in found if may_name_a_registry(name)} == which


def test_what_is_lent_is_taken_away_and_nothing_is_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "user", {".npmrc": "a\n", ".cargo/credentials.toml": "b\n", "pip.conf": "c\n"})
    mine = {"HOME": str(tmp_path / "user"), "PIP_CONFIG_FILE": str(tmp_path / "user/pip.conf")}
    found = found_settings(mine)
    assert set(found) == {".npmrc", ".cargo/credentials.toml", ".config/pip/pip.conf"}
    home = write(tmp_path / "home", {".npmrc": "its own\n"})
    with lent(found, home, {"CARGO_HOME": str(tmp_path / "cargo")}):
        assert (home / ".npmrc").read_text() == "its own\n"
        assert (home / ".config/pip/pip.conf").read_text() == "c\n"
        (tmp_path / "cargo/credentials.toml").unlink()
        (tmp_path / "cargo/credentials.toml").symlink_to(tmp_path / "user/.npmrc")
    assert (home / ".npmrc").read_text() == "its own\n"
    assert not (home / ".config/pip/pip.conf").exists()
    assert not (tmp_path / "cargo/credentials.toml").is_symlink()
    assert (tmp_path / "user/.npmrc").read_text() == "a\n"

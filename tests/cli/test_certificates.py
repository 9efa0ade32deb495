"""Behind a proxy with an authority of its own: set-up trusts what the user trusts, and sees no key; checks see neither."""

from __future__ import annotations

import subprocess
from pathlib import Path

from buildwright.gates.certificates import lend_certificates
from tests.cli.conftest import Program
from tests.git import git

REQUEST = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj"]


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder: Path) -> Path:
    """An authority's certificate, in one file with its key, and `leaf.pem`, which it has signed."""
    openssl(folder, *REQUEST, "/CN=Our Own", "-keyout", "key.pem", "-out", "ca.pem")
    openssl(
        folder, "req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=here", "-keyout", "own.pem", "-out", "asked.pem"
    )
    signed = ["-CA", "ca.pem", "-CAkey", "key.pem", "-CAcreateserial", "-days", "1", "-out", "leaf.pem"]
    openssl(folder, "x509", "-req", "-in", "asked.pem", *signed)
    both = folder / "both.pem"
    both.write_text((folder / "key.pem").read_text() + (folder / "ca.pem").read_text())
    return both


def test_set_up_trusts_whom_the_user_trusts(program: Program, tmp_path: Path, repository: Path) -> None:
    trusted = authority(tmp_path)
    (repository / "leaf.pem").write_bytes((tmp_path / "leaf.pem").read_bytes())
    verify = "openssl verify -CAfile $PIP_CERT leaf.pem && test $PIP_CERT = $SSL_CERT_FILE && ! grep PRIVATE $PIP_CERT"
    (repository / "buildwright.toml").write_text(
        f'[setup]\ncommands = ["{verify}"]\ninputs = ["leaf.pem"]\n\n'
        '[checks]\ntest = "test -z \\"$PIP_CERT$SSL_CERT_FILE\\""\n'
    )
    git(repository, "add", ".")
    git(repository, "commit", "-q", "-m", "Signed")

    checked = program("check", "--repo", repository, PIP_CERT=str(trusted), SSL_CERT_FILE=str(trusted))
    assert checked.code == 0, checked.out + checked.err

    refused = program("check", "--repo", repository, "--setup", "echo CERTIFICATE_VERIFY_FAILED; exit 1")
    assert refused.code != 0
    assert "PIP_CERT or NODE_EXTRA_CA_CERTS" in refused.out + refused.err


def test_only_certificates_are_lent(tmp_path: Path) -> None:
    (tmp_path / "key.pem").write_text("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
    mine = {
        "SSL_CERT_FILE": str(tmp_path / "key.pem"),
        "CURL_CA_BUNDLE": str(tmp_path / "none"),
        "UV_SYSTEM_CERTS": "1",
    }
    folder = tmp_path / "lent"
    folder.mkdir()
    assert lend_certificates({**mine, "PIP_CERT": "", "SSH_KEY": "x"}, folder) == {"UV_SYSTEM_CERTS": "1"}
    assert list(folder.iterdir()) == []

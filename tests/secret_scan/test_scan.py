"""The search as a whole: evasions, key files, what is shown, what is new, and how well it does on a corpus."""

from __future__ import annotations

import base64
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from bench.secrets import ALNUM, ALSO_HIDES, HIDES, URLSAFE, corpus, drawn, pem, plain_password

from buildwright.secret_scan import LARGEST, FoundSecret, SecretScanner, added, fingerprint_of, too_large
from buildwright.secret_scan.found import sarif

SCANNER = SecretScanner()
R = random.Random(4)
KEY = drawn(ALNUM, 36, "gh" + "p_")(R)
PRIVATE = pem("OPENSSH PRIVATE KEY")(R)

EVASIONS = {
    "in pieces": ("a.py", f"K = '{KEY[:9]}' + '{KEY[9:]}'\n"),
    "in neighbours": ("a.py", f"K = ('{KEY[:9]}'\n     '{KEY[9:20]}'\n     '{KEY[20:]}')\n"),
    "in pieces of a list": ("a.js", f"const k = ['{KEY[:9]}', '{KEY[9:]}'].join('');\n"),
    "in pieces that Python joins": ("a.py", f"K = ''.join(['{KEY[:9]}', '{KEY[9:]}'])\n"),
    "in PHP's pieces": ("a.php", f"$k = '{KEY[:9]}' . '{KEY[9:]}';\n"),
    "in base64": ("k.yml", f"token: {base64.b64encode(KEY.encode()).decode()}\n"),
    "in base64 twice": ("k.yml", f"x: {base64.b64encode(base64.b64encode(KEY.encode())).decode()}\n"),
    "beside a comment that hides it": ("a.py", f"K = '{KEY}'  # {HIDES} {ALSO_HIDES}\n"),
    "below a comment that hides it": ("a.py", f"# {ALSO_HIDES}\nK = '{KEY}'\n"),
    "in a file of another name": ("notes/holiday.txt", PRIVATE),
    "in a lock file": ("package-lock.json", f'"resolved": "https://r.acme.io/x.tgz",\n"x": "{KEY}"\n'),
    "in an example of the environment": (".env.example", f"GITHUB={KEY}\n"),
    "in a test": ("tests/test_a.py", f"K = '{KEY}'\n"),
    "in a comment": ("a.go", f"// {KEY}\n"),
    "on one line of JSON": ("sa.json", '{"private_key": "' + PRIVATE.replace("\n", "\\n") + '"}'),
    "among a lot": ("a.txt", "x = 1\n" * 50_000 + KEY + "\n" + "y = 2\n" * 50_000),
    "in UTF-16": ("a.txt", f"k = {KEY}\n"),
}


@pytest.mark.parametrize("how", EVASIONS)
def test_a_key_is_found(how: str) -> None:
    path, text = EVASIONS[how]
    content = text.encode("utf-16") if "UTF-16" in how else text.encode()
    found = SCANNER.scan(path, content)
    assert [one for one in found if one.kind != "ignore-comment"], how
    if "hides" in how:
        assert "ignore-comment" in {one.kind for one in found}


@pytest.mark.parametrize(
    "path",
    ["package-lock.json", "yarn.lock", "go.sum", "a.svg", "a.png", "node_modules/x/a.js", "gradlew", "x.woff"],
)
def test_no_name_of_a_file_hides_a_key(path: str) -> None:
    assert [one.kind for one in SCANNER.scan(path, f"<a>{KEY}</a>\n{PRIVATE}".encode())] == [
        "github-pat",
        "private-key",
    ]


def test_the_line_of_a_key_in_pieces_is_where_it_begins() -> None:
    text = f"import os\n\nK = ('{KEY[:9]}'\n     '{KEY[9:]}')\n"
    assert [(one.kind, one.line) for one in SCANNER.scan("a.py", text.encode())] == [("github-pat", 3)]


FILES = {
    "java-keystore": ("assets/logo.png", b"\xfe\xed\xfe\xed\0\0\0\2"),
    "keepass-database": ("team.bin", b"\x03\xd9\xa2\x9a\x67\xfb\x4b\xb5"),
    "pkcs12-keystore": ("cert", b"\x30\x82\x0a\x10\x02\x01\x03\x30\x82\x09\xd6"),
    "private-key-der": ("key", b"\x30\x82\x04\xa4\x02\x01\x00\x02\x82\x01\x01\x00"),
    "macos-keychain": ("x.db", b"kych\0\1\0\0"),
    "openpgp-secret-key": ("me.gpg", b"\x95\x05\x18\x04"),
    "master-key": ("config/master.key", bytes(R.choices(b"0123456789abcdef", k=32))),
}


@pytest.mark.parametrize("kind", FILES)
def test_a_key_file_is_told_by_its_content(kind: str) -> None:
    path, content = FILES[kind]
    (found,) = SCANNER.scan(path, content)
    assert (found.kind, found.line) == (kind, 0)


@pytest.mark.parametrize("algorithm", ["RSA", "EC", "ED25519"])
@pytest.mark.parametrize("form", ["DER", "PEM"])
def test_keys_that_openssl_makes_are_found_under_any_name(tmp_path: Path, algorithm: str, form: str) -> None:
    more = ["-pkeyopt", "ec_paramgen_curve:P-256"] if algorithm == "EC" else []
    file = tmp_path / "picture.dat"
    argv = ["openssl", "genpkey", "-algorithm", algorithm, *more, "-outform", form, "-out", str(file)]
    subprocess.run(argv, check=True, capture_output=True)
    (found,) = SCANNER.scan("picture.dat", file.read_bytes())
    assert found.kind.startswith("private-key")


def test_a_file_of_the_environment_is_read_strictly_and_its_example_is_not() -> None:
    text = b"SMTP_PASSWORD=tangerine77x\n"
    assert [one.line for one in SCANNER.scan("web/.env.production", text)] == [1]
    assert SCANNER.scan(".env.example", b"SMTP_PASSWORD=your-password\n") == []


@pytest.mark.parametrize("after", ["\n", "\0PART=b\0OPTIONS=-a -b\n", '\0"\n'])
def test_a_zero_byte_ends_a_value_and_hides_none(after: str) -> None:
    text = b"# Notes\n" * 2000 + f"API_KEY={KEY[4:]}{after}".encode()
    assert [(one.line, one.value) for one in SCANNER.scan("a.txt", text)] == [(2001, KEY[4:].encode())]


def test_nothing_of_a_value_is_shown_but_its_beginning() -> None:
    short = plain_password(random.Random(1))[:13]
    for path, text, value in (("a.py", f"K = '{KEY}'\n", KEY), ("a.yml", f"password: {short}\n", short)):
        (found,) = SCANNER.scan(path, text.encode())
        for shown in (str(found), repr(found), found.masked, str(sarif([found], "1"))):
            assert value not in shown
            assert value[5:] not in shown
            assert value[:5] not in shown
    assert KEY[:4] in SCANNER.scan("a.py", f"K = '{KEY}'\n".encode())[0].masked


def test_a_fingerprint_is_of_the_value_alone() -> None:
    (first,), (second,) = (SCANNER.scan(path, f"K = '{KEY}'\n".encode()) for path in ("a.py", "b/c.js"))
    assert first.fingerprint == second.fingerprint == fingerprint_of(KEY.encode())
    assert len(first.fingerprint) == 16


def test_only_what_is_there_more_often_than_before_is_new() -> None:
    old, moved, other = (FoundSecret("k", path, n, b"one") for path, n in (("a", 1), ("b", 7), ("b", 9)))
    new = FoundSecret("k", "b", 3, b"two")
    assert list(added([old], [moved])) == []
    assert list(added([old], [moved, other])) == [other]
    assert list(added([old], [moved, new])) == [new]
    assert list(added([], [moved])) == [moved]


def test_a_file_that_is_too_large_is_a_finding() -> None:
    (found,) = SCANNER.scan("big.bin", b"\1" * (LARGEST + 1))
    assert found == too_large("big.bin")


def test_text_without_a_candidate_does_not_load_the_rules() -> None:
    code = (
        "from buildwright.secret_scan import SecretScanner, native\n"
        "SecretScanner().scan('a.py', b'print(1)  # a_rather_long_name_of_a_function\\n')\n"
        "assert native._loaded == []\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_without_the_engine_the_search_fails_and_says_what_to_do() -> None:
    code = (
        "import sys\nsys.modules['kingfisher_sdk'] = None\n"
        "from buildwright.secret_scan import SecretScanner\n"
        "from buildwright.errors import ToolMissing\n"
        "try:\n    SecretScanner().scan('a.py', b'password = 1')\n"
        "except ToolMissing as error:\n    assert 'pip install' in error.fix\nelse:\n    sys.exit(1)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_rules_are_compiled_once_for_a_home(tmp_path: Path) -> None:
    code = (
        "import sys, os, pathlib\nos.environ.pop('KF_RULE_CACHE_DIR', None)\n"
        "from buildwright.secret_scan import SecretScanner\n"
        "SecretScanner(pathlib.Path(sys.argv[1]) / 'rules', print).scan('a.py', b'password = 1')\n"
    )
    said = [
        subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True, capture_output=True, text=True).stdout
        for _ in range(2)
    ]
    assert "Compiling" in said[0]
    assert said[1] == ""
    assert len(list((tmp_path / "rules").iterdir())) == 1


@pytest.mark.parametrize("seed", [11, 12])
def test_most_secrets_of_a_corpus_are_found_and_hardly_anything_else(seed: int) -> None:
    right = Counter[tuple[bool, bool]]()
    for sample in corpus(seed):
        right[sample.secret, bool(SCANNER.scan(sample.path, sample.text.encode()))] += 1
    assert right[True, True] / (right[True, True] + right[True, False]) >= 0.97
    assert right[False, True] <= 1


def test_a_corpus_is_the_same_for_the_same_seed_and_holds_many_kinds() -> None:
    samples = list(corpus(3))
    assert samples == list(corpus(3))
    assert samples != list(corpus(4))
    assert len({one.kind for one in samples if one.secret}) >= 80
    assert len({one.kind for one in samples if not one.secret}) >= 35


def test_the_files_of_this_search_hold_nothing_to_find() -> None:
    root = Path(__file__).parents[2]
    files = [
        *root.glob("src/buildwright/secret_scan/*"),
        *root.glob("tests/*/test_secrets.py"),
        root / "bench/secrets.py",
    ]
    files += root.glob("tests/secret_scan/*.py")
    found = [
        one
        for file in files
        if file.is_file()
        for one in SCANNER.scan(file.relative_to(root).as_posix(), file.read_bytes())
    ]
    assert found == []


def test_a_url_safe_key_that_code_looks_up_is_none() -> None:
    assert SCANNER.scan("a.py", f"token = tokens['{drawn(URLSAFE, 8)(R)}']\n".encode()) == []

#!/usr/bin/env bash
# Version: tree-sitter-language-pack 1.25.0 from PyPI, the wheel for Linux.
#
# Behaviour: the wheel has no grammar in it. A parser for Python is fetched from a release page when it is first asked
# for, and asking for one without a network raises an error.
#
# Why it surprises: packages of this name used to be one wheel with all grammars, made for machines that have no
# compiler and no network. Whoever reads code in a closed place needs the packages of the single languages instead.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check tree-sitter-language-pack==1.25.0
cat > tried.py <<'P'
import pathlib

import tree_sitter_language_pack as pack

files = [path.name for path in pathlib.Path(pack.__file__).parent.rglob("*") if path.is_file()]
programs = sorted(name for name in files if ".so" in name)
print("files of the package:", len(files), "programs among them:", programs)
assert not [name for name in programs if "python." in name or "javascript" in name]
try:
    pack.get_parser("python")
except Exception as error:
    print("without a network:", type(error).__name__, str(error)[:160])
else:
    raise SystemExit("a parser was there without a network")
P
env -i PATH="$PATH" HOME="$folder/home" HTTPS_PROXY=http://127.0.0.1:1 HTTP_PROXY=http://127.0.0.1:1 \
	ALL_PROXY=http://127.0.0.1:1 env/bin/python tried.py

#!/usr/bin/env bash
# Version: justhtml 3.16.0, beside html5lib 1.1.
#
# Behaviour: justhtml builds the same trees as browsers and collects parse errors on request (`collect_errors=True`), but
# its list is empty for documents in which the HTML standard names a parse error and html5lib reports one: an end tag
# that closes over an open element, the same attribute twice, `/` at the end of an element that is not void.
#
# Why it surprises: a parser that passes the tree construction tests and offers error codes of the standard is easily
# taken for a validator. An empty list of errors does not mean valid HTML.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check justhtml==3.16.0 html5lib==1.1
"$folder/venv/bin/python" - <<'P'
import sys

import html5lib
from justhtml import JustHTML

left_out = (
    "<!doctype html><title>a</title><div><span>text</div>",
    '<!doctype html><title>a</title><p id="one" id="two">text</p>',
    "<!doctype html><title>a</title><div/>text",
)
both = ("<!doctype html><title>a</title><p>text</b></p>",)


def errors(page: str) -> tuple[list[str], list[str]]:
    parser = html5lib.HTMLParser()
    parser.parse(page)
    return [one.code for one in JustHTML(page, collect_errors=True).errors], [one[1] for one in parser.errors]


changed = False
for page in (*left_out, *both):
    ours, theirs = errors(page)
    print(page, "justhtml:", ours, "html5lib:", theirs, sep="\n  ")
    changed |= bool(ours) is (page in left_out) or not theirs
sys.exit("the behaviour has changed" if changed else 0)
P

#!/usr/bin/env bash
# Version: tree-sitter-typescript 0.23.2, with tree-sitter 0.26.1.
#
# Behaviour: the published grammar reports a syntax error for valid TypeScript that compilers have accepted for years:
# `export type * from` (TypeScript 5.0) and variance annotations `in out T` (4.7). `satisfies` (4.9), `accessor` (4.9),
# `const` type parameters (5.0) and `using` (5.2) are parsed.
#
# Why it surprises: newer forms are known while older ones are not, so "has_error" cannot be taken for "invalid" by the
# age of the language level a project uses. A judge that refuses files by this grammar refuses valid code.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tree-sitter==0.26.1 tree-sitter-typescript==0.23.2
"$folder/venv/bin/python" - <<'P'
import sys
from importlib.metadata import version

import tree_sitter_typescript as grammar
from tree_sitter import Language, Parser

parser = Parser(Language(grammar.language_typescript()))
expected = {
    "export type * from './shapes';": True,
    "interface Box<in out T> { value: T }": True,
    "const size = { width: 1 } satisfies Shape;": False,
    "class Counter { accessor count = 0; }": False,
    "function first<const T>(values: T): T { return values; }": False,
    "using file = open();": False,
}
print("tree-sitter", version("tree-sitter"), "tree-sitter-typescript", version("tree-sitter-typescript"))
seen = {source: parser.parse(source.encode()).root_node.has_error for source in expected}
for source, has_error in seen.items():
    print("error " if has_error else "parsed", source)
sys.exit(0 if seen == expected else "the behaviour has changed")
P

"""What the outline of a file says in each language, beside what a person reads there."""

from __future__ import annotations

import pytest

from buildwright.code_map.outline import LONGEST_LINE, MOST_SYMBOLS, Outline, outline, outline_language

FILES = {
    "shop/cart.py": (
        (
            b"import os\nfrom . import money as m\nfrom shop.tax import rate, free\n\n\nclass Cart(Base):\n"
            b"    def add(self, item: str,\n            price: int = 0) -> None:\n        def inner(): ...\n\n"
            b"    @property\n    def total(self): ...\n\n\n@cached\nasync def load(path): ...\n\n\ndef test_it(): import json\n"
        ),
        [
            ("class", "Cart", 6, 0, "class Cart(Base)"),
            ("method", "add", 7, 1, "def add(self, item: str, price: int = 0) -> None"),
            ("method", "total", 12, 1, "def total(self)"),
            ("function", "load", 16, 0, "async def load(path)"),
            ("function", "test_it", 19, 0, "def test_it()"),
        ],
        [("os", ()), (".", ("money",)), ("shop.tax", ("rate", "free")), ("json", ())],
        1,
    ),
    "web/app.js": (
        (
            b"const fs = require('fs');\nimport x from './x.js';\nexports.run = function (a) { return a };\n"
            b"class A { constructor(a) {} get b() { return 1 } }\nfunction* all() {}\n"
            b"const f = (a, b) => a;\nconst n = 1;\ntest('adds', () => {});\n// require('./no')\n"
        ),
        [
            ("function", "run", 3, 0, "exports.run = function (a)"),
            ("class", "A", 4, 0, "class A"),
            ("method", "constructor", 4, 1, "constructor(a)"),
            ("method", "b", 4, 1, "get b()"),
            ("function", "all", 5, 0, "function* all()"),
            ("function", "f", 6, 0, "f = (a, b)"),
        ],
        [("fs", ()), ("./x.js", ())],
        1,
    ),
    "web/app.ts": (
        (
            b"import type { T } from './t';\nexport interface Money { pence: number }\nexport type Id = string | null;\n"
            b"export enum Kind { A }\nexport abstract class Base<T> { pay(m: Money): void {} }\n"
            b"export const LIMIT = 3;\n"
        ),
        [
            ("interface", "Money", 2, 0, "interface Money"),
            ("type", "Id", 3, 0, "type Id = string | null"),
            ("enum", "Kind", 4, 0, "enum Kind"),
            ("class", "Base", 5, 0, "abstract class Base<T>"),
            ("method", "pay", 5, 1, "pay(m: Money): void"),
            ("function", "LIMIT", 6, 0, "LIMIT = 3"),
        ],
        [("./t", ())],
        0,
    ),
    "pay/pay.go": (
        (
            b'package pay\n\nimport (\n\t"fmt"\n\t"example.org/shop/tax"\n)\n\ntype Card struct{ N int }\n\n'
            b"func (c *Card) Charge(pence int) error { return nil }\n\nfunc TestCharge(t *testing.T) {}\n"
        ),
        [
            ("type", "Card", 8, 0, "Card struct"),
            ("method", "Charge", 10, 0, "func (c *Card) Charge(pence int) error"),
            ("function", "TestCharge", 12, 0, "func TestCharge(t *testing.T)"),
        ],
        [("fmt", ()), ("example.org/shop/tax", ())],
        1,
    ),
    "src/lib.rs": (
        (
            b"use crate::tax::{rate, free::Zone};\nmod tax;\npub struct Cart { n: u8 }\n"
            b"impl Cart {\n    pub fn add(&mut self, p: u8) -> u8 { p }\n}\npub trait Pay { fn pay(&self); }\n"
            b"#[test]\nfn adds() {}\n#[tokio::test]\nasync fn waits() {}\n"
        ),
        [
            ("struct", "Cart", 3, 0, "pub struct Cart"),
            ("impl", "Cart", 4, 0, "impl Cart"),
            ("method", "add", 5, 1, "pub fn add(&mut self, p: u8) -> u8"),
            ("trait", "Pay", 7, 0, "pub trait Pay"),
            ("method", "pay", 7, 1, "fn pay(&self)"),
            ("function", "adds", 9, 0, "fn adds()"),
            ("function", "waits", 11, 0, "async fn waits()"),
        ],
        [("mod tax", ()), ("crate::tax::{rate, free::Zone}", ())],
        2,
    ),
    "a/b/Cart.java": (
        (
            b"package a.b;\nimport a.tax.Rate;\nimport static a.tax.Zone.free;\n"
            b"public class Cart extends Base {\n  public int add(int p) throws E { return p; }\n  @Test void t() {}\n}\n"
            b"record Line(int n) {}\n"
        ),
        [
            ("class", "Cart", 4, 0, "public class Cart extends Base"),
            ("method", "add", 5, 1, "public int add(int p) throws E"),
            ("method", "t", 6, 1, "@Test void t()"),
            ("record", "Line", 8, 0, "record Line(int n)"),
        ],
        [("a.tax.Rate", ()), ("a.tax.Zone.free", ())],
        1,
    ),
}


@pytest.mark.parametrize("path", FILES)
def test_symbols_imports_and_tests(path: str) -> None:
    content, symbols, imports, tests = FILES[path]
    found = outline(outline_language(path), content)
    assert [tuple(one) for one in found.symbols] == symbols
    assert list(found.imports) == imports
    assert (found.tests, found.cut) == (tests, False)


def test_a_module_of_go_is_named_by_its_manifest() -> None:
    assert outline(outline_language("go.mod"), b"// x\nmodule example.org/shop\n\ngo 1.24\n").imports == (
        ("example.org/shop", ()),
    )
    assert outline("gomod", b"go 1.24\n") == Outline()


def test_other_files_are_not_read() -> None:
    assert [outline_language(path) for path in ("README.md", "a.rb", "Makefile", "x.json")] == [""] * 4


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00\xff\xfe" * 5_000,
        b"def f(:\n  class\n" * 50,
        b"(" * 3_000,
        b"if x:\n" + b" " * 400 + b"y\n",
        b"class A:\n" + b"".join(b" " * depth + b"class B:\n" for depth in range(1, 300)),
    ],
    ids=["empty", "binary", "broken", "deep", "indented", "nested"],
)
def test_no_content_is_too_odd(content: bytes) -> None:
    for language in ("python", "javascript", "tsx", "go", "rust", "java", "gomod"):
        assert len(outline(language, content).symbols) <= MOST_SYMBOLS


def test_what_one_file_gives_is_bounded() -> None:
    many = outline("python", b"".join(b"def f%d(a): ...\n" % number for number in range(MOST_SYMBOLS + 50)))
    assert (len(many.symbols), many.cut) == (MOST_SYMBOLS, True)
    long = outline("python", b"def f(" + b", ".join(b"argument%d" % number for number in range(500)) + b"): ...\n")
    assert len(long.symbols[0].text) == LONGEST_LINE
    assert long.symbols[0].text.startswith("def f(argument0, argument1,")

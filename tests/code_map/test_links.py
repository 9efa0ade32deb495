"""Which file an import means, in each language, beside what the language says."""

from __future__ import annotations

import pytest

from buildwright.code_map.links import ImportLinks
from buildwright.code_map.outline import Outline

Import = tuple[str, tuple[str, ...]]


def links(files: str, importer: str, *imports: Import | str, **manifests: str) -> tuple[str, ...]:
    """The files that one file imports, in a tree with these files."""
    outlines = {path: Outline() for path in [*files.split(), importer]}
    outlines |= {path.replace("__", "/") + ".mod": Outline(imports=((name, ()),)) for path, name in manifests.items()}
    outlines[importer] = Outline(imports=tuple((one, ()) if isinstance(one, str) else one for one in imports))
    return ImportLinks(outlines).imports.get(importer, ())


PYTHON = "src/shop/__init__.py src/shop/money.py src/shop/tax/__init__.py src/shop/tax/eu.py src/json.py"


@pytest.mark.parametrize(
    ("importer", "imported", "found"),
    [
        ("src/shop/cart.py", ("shop.money", ()), ["src/shop/money.py"]),
        ("tests/test_cart.py", ("shop.money", ("pence",)), ["src/shop/money.py"]),
        ("tests/test_cart.py", ("shop", ("money",)), ["src/shop/money.py"]),
        ("tests/test_cart.py", ("shop", ("money", "VERSION")), ["src/shop/__init__.py", "src/shop/money.py"]),
        ("src/shop/cart.py", (".", ("money", "tax")), ["src/shop/money.py", "src/shop/tax/__init__.py"]),
        ("src/shop/tax/uk.py", ("..money", ("pence",)), ["src/shop/money.py"]),
        ("src/shop/tax/uk.py", (".eu", ()), ["src/shop/tax/eu.py"]),
        ("src/shop/cart.py", ("json", ()), []),
        ("src/shop/cart.py", ("money", ()), ["src/shop/money.py"]),
        ("src/shop/tax/uk.py", ("money", ()), []),
        ("src/shop/cart.py", ("requests", ()), []),
        ("src/shop/cart.py", (".....x", ()), []),
    ],
    ids=str,
)
def test_python(importer: str, imported: Import, found: list[str]) -> None:
    assert list(links(PYTHON, importer, imported)) == found


def test_the_nearer_of_two_modules_of_one_name_counts() -> None:
    assert links("a/lib/util.py b/lib/util.py", "b/run.py", "lib.util") == ("b/lib/util.py",)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("./money", ["web/src/money.ts"]),
        ("./money.js", ["web/src/money.ts"]),
        ("../lib", ["web/lib/index.tsx"]),
        ("@/parts/Button", ["web/src/parts/Button.vue"]),
        ("react", []),
        ("@scope/pkg", []),
        ("../../../../etc/passwd", []),
    ],
)
def test_scripts(name: str, found: list[str]) -> None:
    files = "web/src/money.ts web/lib/index.tsx web/src/parts/Button.vue"
    assert list(links(files, "web/src/app.ts", name)) == found


def test_a_go_package_is_all_its_files_without_tests() -> None:
    files = "tax/rate.go tax/zone.go tax/rate_test.go other/x.go"
    assert links(files, "cmd/main.go", "example.org/shop/tax", "fmt", go="example.org/shop") == (
        "tax/rate.go",
        "tax/zone.go",
    )


@pytest.mark.parametrize(
    ("importer", "name", "found"),
    [
        ("src/cart.rs", "crate::tax::{rate, zone::Free}", ["src/tax/mod.rs", "src/tax/zone.rs"]),
        ("src/lib.rs", "mod cart", ["src/cart.rs"]),
        ("src/tax/mod.rs", "mod zone", ["src/tax/zone.rs"]),
        ("src/tax/eu.rs", "super::zone::Free", ["src/tax/zone.rs"]),
        ("src/tax/eu.rs", "super::super::cart::Cart", ["src/cart.rs"]),
        ("src/tax/zone.rs", "std::fmt", []),
        ("bin/main.rs", "money_box::coin::Coin", ["crates/money-box/src/coin.rs"]),
        ("bin/main.rs", "money_box::Purse as P", ["crates/money-box/src/lib.rs"]),
    ],
)
def test_rust(importer: str, name: str, found: list[str]) -> None:
    files = (
        "src/lib.rs src/cart.rs src/tax/mod.rs src/tax/zone.rs crates/money-box/Cargo.toml"
        " crates/money-box/src/lib.rs crates/money-box/src/coin.rs"
    )
    assert list(links(files, importer, name)) == found


def test_a_list_of_uses_that_does_not_close_means_nothing() -> None:
    assert links("src/lib.rs", "src/a.rs", "crate::{" * 500 + "x") == ()


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("org.shop.tax.Rate", ["core/src/main/java/org/shop/tax/Rate.java"]),
        ("org.shop.tax.Rate.of", ["core/src/main/java/org/shop/tax/Rate.java"]),
        ("java.util.List", []),
    ],
)
def test_java(name: str, found: list[str]) -> None:
    files = "core/src/main/java/org/shop/tax/Rate.java"
    assert list(links(files, "core/src/test/java/org/shop/CartTest.java", name)) == found

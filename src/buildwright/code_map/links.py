"""Finds the files of a repository that an import means. Pure: by the names of the files and what they import.

An import of something outside of the repository means no file. Where a language leaves open which of several files is
meant, the one nearest to the importing file counts.
"""

from __future__ import annotations

import posixpath
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain

from buildwright.code_map.outline import Outline, outline_language

_SCRIPTS = ("", ".ts", ".tsx", ".d.ts", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs", ".vue", ".svelte", ".json")
_COMPILED = {".js": (".ts", ".tsx"), ".jsx": (".tsx",), ".mjs": (".mts",), ".cjs": (".cts",)}
"""TypeScript imports a file by the name that it will be compiled to."""
_DEEPEST = 12
"""Folders of a path by which it is looked up, from its end."""
_MOST_NAMES = 200
"""Names that one `use` of Rust may stand for."""


class ImportLinks:
    """Which file imports which. `links[path]` are the files that a file imports, sorted, without itself."""

    def __init__(self, outlines: Mapping[str, Outline]) -> None:
        """`outlines` has every file by its path, with an empty outline if it was not read."""
        self._paths = frozenset(outlines)
        self._endings = _endings(path for path in outlines if path.endswith((".py", ".pyi", ".java")))
        self._go: dict[str, list[str]] = {}
        for path in outlines:
            if path.endswith(".go") and not path.endswith("_test.go"):
                self._go.setdefault(posixpath.dirname(path), []).append(path)
        self._go_modules = sorted(
            (posixpath.dirname(path), one.imports[0][0])
            for path, one in outlines.items()
            if path.rpartition("/")[2] == "go.mod" and one.imports
        )
        self._crates = {
            posixpath.basename(folder).replace("-", "_"): folder
            for folder in sorted(
                posixpath.dirname(path) for path in outlines if path.rpartition("/")[2] == "Cargo.toml"
            )
        }
        self.imports = {path: self._of(path, one) for path, one in outlines.items() if one.imports}

    def _of(self, path: str, outline: Outline) -> tuple[str, ...]:
        language = outline_language(path)
        found: set[str] = set()
        for name, members in outline.imports:
            match language:
                case "python":
                    found.update(self._python(path, name, members))
                case "javascript" | "typescript" | "tsx":
                    found.update(self._script(path, name))
                case "go":
                    found.update(self._go_package(path, name))
                case "rust":
                    for one in _uses(name):
                        found.update(self._rust(path, one))
                case "java":
                    found.update(self._java(path, name))
        return tuple(sorted(found - {path}))

    def _python(self, path: str, name: str, members: Sequence[str]) -> Iterator[str]:
        bare = name.lstrip(".")
        dots = len(name) - len(bare)
        wanted = bare.replace(".", "/")
        if dots:
            folders = path.split("/")[:-1]
            if dots - 1 > len(folders):
                return
            base: str | None = "/".join(folders[: len(folders) - dots + 1])
        else:
            base = self._python_base(path, wanted, members)
        if base is None:
            return
        place = posixpath.join(base, wanted).rstrip("/")
        taken = [self._module(posixpath.join(place, member)) for member in members]
        yield from filter(None, taken)
        if not taken or not all(taken):
            yield from filter(None, (self._module(place),))

    def _python_base(self, path: str, wanted: str, members: Sequence[str]) -> str | None:
        """Return the folder from which a module is named, the nearest one that is not inside a package."""
        names = [wanted, *(f"{wanted}/{member}" for member in members)]
        own = posixpath.dirname(path)
        bases = {
            file[: -len(end)].rstrip("/")
            for name in names
            for end in (f"{name}.py", f"{name}/__init__.py", f"{name}.pyi")
            for file in self._endings.get(end, ())
        }
        if wanted.partition("/")[0] in sys.stdlib_module_names:
            bases &= {own}
        free = [base for base in bases if base == own or posixpath.join(base, "__init__.py") not in self._paths]
        return min(free, key=lambda base: _far(path, base), default=None)

    def _module(self, place: str) -> str:
        names = (
            f"{place}.py",
            posixpath.join(place, "__init__.py"),
            f"{place}.pyi",
            posixpath.join(place, "__init__.pyi"),
        )
        return next((name for name in names if name in self._paths), "")

    def _script(self, path: str, name: str) -> Iterator[str]:
        own = posixpath.dirname(path)
        if name.startswith("."):
            places = [posixpath.normpath(posixpath.join(own, name))]
        elif name.startswith(("@/", "~/", "#/")) or ("/" in name and not name.startswith("@")):
            # By custom of bundlers "@/" is the source folder; a bare path is from it, or from the top.
            rest = name.partition("/")[2] if name[1:2] == "/" else name
            tops = [own, *_above(own), ""]
            places = [posixpath.join(top, source, rest) for top in dict.fromkeys(tops) for source in ("src", "")]
        else:
            return
        for place in places:
            if file := self._script_file(place):
                yield file
                return

    def _script_file(self, place: str) -> str:
        stem, ending = posixpath.splitext(place)
        names = chain(
            (f"{place}{end}" for end in _SCRIPTS),
            (f"{stem}{end}" for end in _COMPILED.get(ending, ())),
            (f"{place}/index{end}" for end in _SCRIPTS[1:]),
        )
        return next((name for name in names if name in self._paths), "")

    def _go_package(self, path: str, name: str) -> Iterator[str]:
        near = [one for one in self._go_modules if not one[0] or path.startswith(f"{one[0]}/")]
        for folder, module in (*reversed(near), *self._go_modules):
            if name == module or name.startswith(f"{module}/"):
                yield from self._go.get(posixpath.join(folder, name[len(module) + 1 :]).rstrip("/"), ())
                return

    def _rust(self, path: str, name: str) -> Iterator[str]:
        own, file = posixpath.split(path)
        stem = file.removesuffix(".rs")
        inside = own if stem in {"mod", "lib", "main"} else posixpath.join(own, stem)
        if name.startswith("mod "):
            yield from self._rust_file(inside, [name[4:]])
            return
        parts = [part.strip().removeprefix("r#") for part in name.split("::") if part.strip()]
        folder = inside
        if not parts:
            return
        if parts[0] == "crate":
            folder, parts = self._crate(own), parts[1:]
        elif parts[0] == "self":
            parts = parts[1:]
        elif parts[0] == "super":
            while parts and parts[0] == "super":
                folder, parts = posixpath.dirname(folder), parts[1:]
        elif parts[0] in self._crates:
            folder = posixpath.join(self._crates[parts[0]], "src")
            parts = parts[1:]
            yield from list(self._rust_file(folder, parts)) or [
                lib for lib in (posixpath.join(folder, "lib.rs"),) if lib in self._paths
            ]
            return
        yield from self._rust_file(folder, parts)

    def _rust_file(self, folder: str, parts: list[str]) -> Iterator[str]:
        """Yield the file of the longest beginning of a path that is a module."""
        for length in range(len(parts), 0, -1):
            place = posixpath.join(folder, *parts[:length])
            for name in (f"{place}.rs", f"{place}/mod.rs"):
                if name in self._paths:
                    yield name
                    return

    def _crate(self, folder: str) -> str:
        """Return the folder of the crate's root module above a file."""
        for above in (folder, *_above(folder), ""):
            if any(posixpath.join(above, name) in self._paths for name in ("lib.rs", "main.rs")):
                return above
        return folder

    def _java(self, path: str, name: str) -> Iterator[str]:
        parts = name.split(".")
        # A static import names a member; an import of all names the package.
        for length in (len(parts), len(parts) - 1):
            found = self._endings.get(f"{'/'.join(parts[:length])}.java", ()) if length > 1 else ()
            if found:
                yield min(found, key=lambda one: _far(path, one))
                return


def _far(path: str, place: str) -> tuple[int, int, str]:
    """Return what orders places by how near they are to a file: most folders in common, then the shortest name."""
    return -len(posixpath.commonprefix([f"{place}/", path])), len(place), place


def _above(path: str) -> list[str]:
    """Return the folders above a path, the nearest first, without the top."""
    parts = path.split("/")[:-1]
    return ["/".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _endings(paths: Iterable[str]) -> dict[str, list[str]]:
    """Return the paths by each of their endings of whole names."""
    found: dict[str, list[str]] = {}
    for path in paths:
        parts = path.split("/")
        for start in range(max(0, len(parts) - _DEEPEST), len(parts)):
            found.setdefault("/".join(parts[start:]), []).append(path)
    return found


def _uses(name: str) -> list[str]:
    """Return the paths that one `use` of Rust stands for: `a::{b, c::D}` is `a::b` and `a::c::D`."""
    waiting: list[str] = [name]
    done: list[str] = []
    while waiting and len(done) < _MOST_NAMES and len(waiting) < _MOST_NAMES:
        one = waiting.pop()
        start = one.find("{")
        end = _closing(one, start)
        if start < 0 or end < 0:
            done.append(one.partition(" as ")[0].removesuffix("::*"))
            continue
        waiting += [one[:start] + part.strip() for part in _split(one[start + 1 : end]) if part.strip()]
    return done


def _closing(text: str, start: int) -> int:
    depth = 0
    for at in range(max(start, 0), len(text)):
        depth += (text[at] == "{") - (text[at] == "}")
        if not depth:
            return at
    return -1


def _split(text: str) -> Iterator[str]:
    """Yield the parts between the commas that stand outside of braces."""
    depth, begin = 0, 0
    for at, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if sign == "," and not depth:
            yield text[begin:at]
            begin = at + 1
    yield text[begin:]

"""Judges whether what a change imports is declared in a manifest. Must never ask the network.

Only new imports count. An import that nothing declares blocks; one that some declared package may well bring under
another name is only a warning.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from buildwright.audit.check import AuditInput
from buildwright.audit.imports import Import, source_language
from buildwright.audit.manifests import Declared, Ecosystem, manifest_of, read_manifest
from buildwright.core.finding import NOT_RUN, Finding
from buildwright.gates.reporting import finding
from buildwright.gates.surface import is_test

ImportKind = Literal["stdlib", "first-party", "declared", "undeclared", "unknown", "relative"]

_ECOSYSTEMS: dict[str, Ecosystem] = {
    "python": "python",
    "javascript": "node",
    "typescript": "node",
    "tsx": "node",
    "go": "go",
    "rust": "rust",
    "java": "java",
}
_NODE = frozenset(
    (
        *("assert", "async_hooks", "buffer", "child_process", "cluster", "console", "constants", "crypto"),
        *("dgram", "diagnostics_channel", "dns", "domain", "events", "fs", "http", "http2"),
        *("https", "inspector", "module", "net", "os", "path", "perf_hooks", "process"),
        *("punycode", "querystring", "readline", "repl", "stream", "string_decoder", "sys", "timers"),
        *("tls", "trace_events", "tty", "url", "util", "v8", "vm", "wasi"),
        *("worker_threads", "zlib"),
    )
)
_RUST = frozenset(("std", "core", "alloc", "proc_macro", "test", "crate", "self", "super"))
_JAVA = ("java.", "javax.", "jdk.", "sun.", "com.sun.", "org.w3c.", "org.xml.sax", "org.ietf.jgss")
_PYTHON_NAMES = {
    "attr": "attrs",
    "bs4": "beautifulsoup4",
    "cairo": "pycairo",
    "cv2": "opencv-python opencv-python-headless opencv-contrib-python",
    "crypto": "pycryptodome pycrypto",
    "cryptodome": "pycryptodomex",
    "dateutil": "python-dateutil",
    "dns": "dnspython",
    "docx": "python-docx",
    "dotenv": "python-dotenv",
    "fitz": "pymupdf",
    "git": "gitpython",
    "gi": "pygobject",
    "github": "pygithub",
    "google": "google-api-python-client google-cloud-storage google-cloud-core protobuf google-auth",
    "grpc": "grpcio",
    "jose": "python-jose",
    "jwt": "pyjwt",
    "ldap": "python-ldap",
    "levenshtein": "python-levenshtein levenshtein",
    "magic": "python-magic",
    "markdown_it": "markdown-it-py",
    "memcache": "python-memcached",
    "multipart": "python-multipart",
    "mysqldb": "mysqlclient",
    "openssl": "pyopenssl",
    "pil": "pillow",
    "pkg_resources": "setuptools",
    "pptx": "python-pptx",
    "psycopg2": "psycopg2 psycopg2-binary",
    "rest_framework": "djangorestframework",
    "ruamel": "ruamel-yaml",
    "serial": "pyserial",
    "skimage": "scikit-image",
    "sklearn": "scikit-learn",
    "slugify": "python-slugify",
    "socketio": "python-socketio",
    "engineio": "python-engineio",
    "telegram": "python-telegram-bot",
    "usb": "pyusb",
    "win32api": "pywin32",
    "yaml": "pyyaml",
    "zmq": "pyzmq",
    "_pytest": "pytest",
    "pydantic_ai": "pydantic-ai pydantic-ai-slim",
}
"""Distributions that bring a module of another name, by the module in lower case."""


class ResolvedImport(NamedTuple):
    """One import of one file and what it is."""

    file: str
    found: Import
    kind: ImportKind
    package: str
    """The package that would have to be declared."""


class Resolver:
    """Tells what an import is, from the manifests and the paths of one tree."""

    def __init__(self, paths: Iterable[str], manifests: Iterable[Declared]) -> None:
        self._paths = frozenset(paths)
        self._manifests = tuple(manifests)
        # Each module with the folder that it lies in.
        self._modules: dict[str, set[str]] = {}
        for path in self._paths:
            if path.endswith((".py", ".pyi", ".so")):
                above = ""
                for part in path.split("/"):
                    self._modules.setdefault(part.partition(".")[0], set()).add(above)
                    above = f"{above}{part}/"
        self._crates = frozenset(
            path.rpartition("/")[2].removesuffix(".rs") if not path.endswith("/mod.rs") else path.split("/")[-2]
            for path in self._paths
            if path.endswith(".rs")
        )
        self._packages = frozenset(path.rpartition("/")[0] for path in self._paths if path.endswith((".java", ".kt")))

    def resolve(self, path: str, one: Import) -> ResolvedImport:
        """Return what the import is."""
        ecosystem = _ECOSYSTEMS[source_language(path) or "python"]
        mine = [said for said in self._manifests if said.ecosystem == ecosystem and path.startswith(said.folder)]
        kind, package = getattr(self, f"_{ecosystem}")(path, one, mine)
        if kind == "undeclared" and (not mine or not all(said.is_whole for said in mine)):
            kind = "unknown"
        return ResolvedImport(path, one, kind, package)

    def _python(self, path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        top = one.name.partition(".")[0]
        if one.name.startswith("."):
            return "relative", ""
        if top in sys.stdlib_module_names:
            return "stdlib", ""
        declared = frozenset(name for said in mine for name in said.names)
        wanted = _PYTHON_NAMES.get(top.lower(), "").split() or [re.sub(r"[-_.]+", "-", top).lower()]
        if any(name in declared for name in wanted):
            return "declared", wanted[0]
        if any(top in said.own for said in mine) or self._is_near(path, top, mine):
            return "first-party", ""
        dotted = re.sub(r"[-_.]+", "-", one.name).lower()
        if any(dotted == name or dotted.startswith(f"{name}-") for name in declared):
            return "declared", dotted
        if top in self._modules:
            return "unknown", wanted[0]  # some folder has it, and nothing says that imports begin there
        if top.lower() not in _PYTHON_NAMES and any(_is_like(top.lower(), name) for name in declared):
            return "unknown", wanted[0]
        return "undeclared", wanted[0]

    def _is_near(self, path: str, module: str, mine: Sequence[Declared]) -> bool:
        """Return whether the project's own module lies where imports of this file begin: beside it, above it, in `src`."""
        folders = {"", *(said.folder for said in mine)}
        folders |= {path[: place.end()] for place in re.finditer("/", path)}
        return any(
            f"{folder}{below}" in self._modules.get(module, ()) for folder in folders for below in ("", "src/", "lib/")
        )

    def _node(self, _path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        name = one.name
        if name.startswith((".", "/")):
            return "relative", ""
        if name.startswith(("node:", "bun:", "data:")) or name.split("/")[0] in _NODE:
            return "stdlib", ""
        if name.startswith(("#", "@/", "~/", "~", "$", "virtual:", "http:", "https:")):
            return "first-party", ""
        package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
        types = "@types/" + package.removeprefix("@").replace("/", "__")
        names = frozenset(one for said in mine for one in said.names)
        if package in names or (one.type_only and types in names):
            return "declared", package
        if any(package in said.own for said in self._manifests):
            return "first-party", package
        if f"{package}/" in {path[: len(package) + 1] for path in self._paths}:
            return "unknown", package  # a folder of the project that an alias may name
        return "undeclared", package

    def _go(self, _path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        if "." not in one.name.partition("/")[0]:
            is_own = any(_below(one.name, own) for said in mine for own in said.own)
            return ("first-party" if is_own else "stdlib"), ""
        for said in mine:
            if any(_below(one.name, own) for own in said.own):
                return "first-party", ""
            if any(_below(one.name, name) for name in said.names):
                return "declared", one.name
        return "undeclared", "/".join(one.name.split("/")[:3])

    def _rust(self, _path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        if one.name in _RUST:
            return "stdlib", ""
        if any(one.name in said.names for said in mine):
            return "declared", one.name
        # An upper-case name is a type in scope, as in `use Shape::*`.
        is_own = one.name in self._crates or any(one.name in said.own for said in self._manifests)
        return ("first-party" if is_own or not one.name[0].islower() else "undeclared"), one.name

    def _java(self, _path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        if one.name.startswith(_JAVA):
            return "stdlib", ""
        folder = "/".join(one.name.split(".")[:-1])
        if any(package == folder or package.endswith(f"/{folder}") for package in self._packages):
            return "first-party", ""
        for said in mine:
            if any(one.name.startswith(f"{name}.") for name in said.names):
                return "declared", one.name
        return "unknown", ".".join(one.name.split(".")[:3])


def _below(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(f"{prefix}/")


def _is_like(module: str, distribution: str) -> bool:
    """Return whether a distribution may well bring this module: `python-foo`, `foo-sdk`, `django-foo`."""
    words = set(distribution.split("-")) - {"python", "py", "lib", "sdk", "client", "plugin"}
    spoken = set(re.split(r"[-_.]+", module))
    joined = distribution.replace("-", "")
    return bool(words & spoken) or (len(module) > 3 and (module in joined or joined in module))


async def judge_dependencies(audit: AuditInput) -> Sequence[Finding]:
    """Return the imports that the change adds and no manifest declares."""
    comparison = audit.comparison
    changed = [path for path in comparison.patch.paths if source_language(path) and path in comparison.after]
    if not changed:
        return [finding(NOT_RUN, "not run: the change touches no source file whose imports are read", severity="note")]
    manifests = [path for path in comparison.after if manifest_of(path) and "node_modules/" not in path]
    await comparison.read(comparison.after[path] for path in manifests)
    await comparison.read_changed()
    read = (read_manifest(path, comparison.text(comparison.after[path]) or "") for path in manifests)
    resolver = Resolver(comparison.after, (one for one in read if one is not None))
    found: dict[tuple[str, str], Finding] = {}
    for path in changed:
        for one in _new_imports(audit, path):
            resolved = resolver.resolve(path, one)
            said = _finding(resolved)
            if said is not None:
                found.setdefault((path, resolved.package), said)
    return list(found.values())


def _new_imports(audit: AuditInput, path: str) -> list[Import]:
    comparison = audit.comparison
    known = {one.name for one in comparison.imports(path, comparison.before.get(path))}
    return [one for one in comparison.imports(path, comparison.after.get(path)) if one.name not in known]


def _finding(one: ResolvedImport) -> Finding | None:
    if one.kind not in {"undeclared", "unknown"}:
        return None
    name, line = one.found.name, one.found.line
    if one.kind == "unknown" or one.found.optional:
        message = f"{one.file} imports {name}, and whether a manifest declares it cannot be told."
        fix = f"declare {one.package} if nothing that is declared brings it"
        return finding("dependencies.unknown", message, one.file, line, severity="warning", fix=fix)
    message = f"{one.file} imports {name}, which no manifest declares."
    kind = " among the development dependencies" if is_test(one.file) else ""
    return finding(
        "dependencies.undeclared", message, one.file, line, fix=f"declare {one.package}{kind}, or do without it"
    )

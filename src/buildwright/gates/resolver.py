"""Tells what an import is, from the manifests and the paths of one tree. Pure; must never ask the network."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple

from buildwright.gates.imports import Import, source_language
from buildwright.gates.manifests import Declared, Ecosystem
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
_PYTHON = sys.stdlib_module_names | {
    *("asynchat", "asyncore", "distutils", "imp", "smtpd"),  # until 3.11
    *("aifc", "audioop", "cgi", "cgitb", "chunk", "crypt", "imghdr", "mailcap", "msilib", "nis", "nntplib"),
    *("ossaudiodev", "pipes", "sndhdr", "spwd", "sunau", "telnetlib", "uu", "xdrlib", "lib2to3"),  # until 3.12
    *("annotationlib", "compression"),  # since 3.14
}
"""Modules of the standard library in any version of Python that is in use; ours is one of them."""
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


def python_packages(module: str) -> list[str]:
    """Return the distributions that may bring a module of Python, by the first part of its name."""
    top = module.partition(".")[0]
    return _PYTHON_NAMES.get(top.lower(), "").split() or [re.sub(r"[-_.]+", "-", top).lower()]


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

    @cached_property
    def _crates(self) -> frozenset[str]:
        return frozenset(
            path.rpartition("/")[2].removesuffix(".rs") if not path.endswith("/mod.rs") else path.split("/")[-2]
            for path in self._paths
            if path.endswith(".rs")
        )

    @cached_property
    def _packages(self) -> frozenset[str]:
        return frozenset(path.rpartition("/")[0] for path in self._paths if path.endswith((".java", ".kt")))

    def resolve(self, path: str, one: Import) -> ResolvedImport:
        """Return what the import is."""
        ecosystem = _ECOSYSTEMS[source_language(path) or "python"]
        mine = [said for said in self._manifests if said.ecosystem == ecosystem and path.startswith(said.folder)]
        kind, package = getattr(self, f"_{ecosystem}")(path, one, mine)
        lists = [said for said in mine if said.is_list]
        if kind == "undeclared" and (not lists or not all(said.is_whole for said in lists)):
            kind = "unknown"
        return ResolvedImport(path, one, kind, package)

    def _python(self, path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        top = one.name.partition(".")[0]
        if one.name.startswith("."):
            return "relative", ""
        if top in _PYTHON or (top == "setuptools" and path.endswith("setup.py")):
            return "stdlib", ""
        declared = frozenset(name for said in mine for name in said.names)
        wanted = python_packages(top)
        if any(name in declared for name in wanted):
            return "declared", wanted[0]
        if any(top in said.own for said in mine) or self._is_near(path, top, mine):
            return "first-party", ""
        if top == "pytest" and is_test(path):
            return "unknown", top  # the checks bring it themselves
        parts = one.name.split(".")
        dotted = ("-".join(parts[:length]).replace("_", "-").lower() for length in range(len(parts), 1, -1))
        if namespaced := next((name for name in dotted if name in declared), ""):
            return "declared", namespaced
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
        if name.split("/")[0] in _NODE or re.match(r"[a-z][a-z+.-]*:", name):
            return "stdlib", ""  # a scheme, as in `node:fs`: the runtime or the bundler finds it
        if name.startswith(("#", "@/", "~", "$")):
            return "first-party", ""
        package = "/".join(name.split("/")[: 2 if name.startswith("@") else 1])
        types = "@types/" + package.removeprefix("@").replace("/", "__")
        names = frozenset(one for said in mine for one in said.names)
        if package in names or (one.type_only and types in names):
            return "declared", package
        if any(package in said.own or name.split("/")[0] in said.own for said in self._manifests):
            return "first-party", package
        if self._has_part(package.split("/")[0]):
            return "unknown", package  # a folder or file of the project that an alias may name
        return "undeclared", package

    def _has_part(self, name: str) -> bool:
        """Return whether a file or folder of the tree is called so, whatever its ending."""
        return any(part.partition(".")[0] == name for path in self._paths for part in path.split("/"))

    def _go(self, _path: str, one: Import, mine: Sequence[Declared]) -> tuple[ImportKind, str]:
        if "." not in one.name.partition("/")[0]:
            is_own = any(_below(one.name, own) for said in mine for own in said.own)
            return ("first-party" if is_own else "stdlib"), ""
        if any(_below(one.name, own) for said in self._manifests for own in said.own):
            return "first-party", ""  # perhaps of another module of the workspace
        for said in mine:
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

"""Finds the set-up and the checks of a project of JavaScript or TypeScript. Pure: must never run or write anything."""

from __future__ import annotations

from buildwright.core.finding import CheckKind, Finding
from buildwright.core.limits import Check
from buildwright.gates.needs import SETTINGS
from buildwright.gates.node_scripts import (
    asks_registry_after,
    browser_driver,
    command_line,
    configured_driver,
    level_scripts,
    scripts_of,
    tests_nothing,
)
from buildwright.gates.project_folder import ProjectFolder, Toolchain, around
from buildwright.gates.reporting import finding
from buildwright.gates.setup_cache import Setup
from buildwright.gates.test_output import runner_of

SCRIPTS: dict[str, CheckKind] = {
    "typecheck": "typecheck",
    "type-check": "typecheck",
    "check-types": "typecheck",
    "lint": "lint",
    "test": "test",
    "build": "build",
}


def find_node(folder: ProjectFolder) -> Toolchain:
    """Return the set-up and the checks of a package, whichever manager it has; nothing where there is none."""
    package = folder.table("package.json")
    if not package:
        return Toolchain((), ())
    scripts = scripts_of(package)
    home = _workspace(folder)
    manager = _manager(home)
    checks: list[Check] = []
    for name, kind in SCRIPTS.items():
        line = command_line(scripts, name)
        if name in scripts and not tests_nothing(line):
            # `bun test` is Bun's own runner, whatever the script of that name says.
            run = f"{manager} test" if name == "test" and manager != "bun" else f"{manager} run {name}"
            if run == "npm test" and asks_registry_after(scripts):
                run += " --ignore-scripts"  # checks have no network
            checks.append(folder.check(f"{manager} {name}", run, kind, runner_of(line) if kind == "test" else ""))
    levels, notes = [], []
    for side, name in level_scripts(scripts):
        line = command_line(scripts, name)
        if driver := browser_driver(line):
            notes.append(_not_driven(f"`{manager} run {name}` drives", driver))
        else:
            checks.append(folder.check(f"{manager} {name}", f"{manager} run {name}", "test", runner_of(line)))
            levels.append((side, checks[-1].name))
    if (driver := configured_driver(folder.paths)) and not any(map(browser_driver, scripts.values())):
        notes.append(_not_driven(f"{folder.path('') or 'The project'} has tests that drive", driver))
    wanted = {
        key
        for one in (package, home.table("package.json"))
        for kind in ("dependencies", "devDependencies")
        for key in (one.get(kind) or {})
    }
    has_types = any(check.kind == "typecheck" for check in checks)
    if "tsconfig.json" in folder.paths and "typescript" in wanted and not has_types:
        checks.append(folder.check("tsc", "npx --no-install tsc --noEmit", "typecheck"))
    # The members of a workspace need links to each other, and have dependencies of their own.
    is_workspace = "workspaces" in package or "pnpm-workspace.yaml" in folder.paths
    setup = (_node_setup(home, manager),) if wanted or is_workspace else ()
    return Toolchain(setup, tuple(checks), tuple(notes), levels=tuple(levels))


def _not_driven(what: str, driver: str) -> Finding:
    """Say that tests that need a browser were not chosen: set-up installs packages without their downloads."""
    message = f"{what} a browser ({driver}), which checks have not got: these tests do not run."
    fix = f"install the browser, and name their command and its place in {SETTINGS}: [checks] and [env]"
    return finding("checks.browser", message, severity="warning", fix=fix)


def _workspace(folder: ProjectFolder) -> ProjectFolder:
    """Return the folder whose lock file pins a package: its own, or the workspace around it that it is a member of."""
    if any(name in folder.paths for name in _LOCKFILES):
        return folder
    part = folder.path("").rstrip("/")
    for above in (*tuple(around(part))[1:], ""):
        root = ProjectFolder(folder.project, above)
        if part and ("pnpm-workspace.yaml" in root.paths or "workspaces" in root.table("package.json")):
            return root
    return folder


_NODE_SETTINGS = (".npmrc", ".yarnrc", ".yarnrc.yml", "bunfig.toml", ".nvmrc", ".node-version", ".tool-versions")
_LOCKFILES = ("package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb")
_LOCAL = ('"workspaces"', '"file:', '"link:', '"workspace:', '"portal:', '"patch:')


def _node_setup(folder: ProjectFolder, manager: str) -> Setup:
    """Return the setup, kept for later trees only if a lock file pins it and none of it comes from the tree."""
    command, scripts = folder.command(_install(folder, manager)), _install_scripts(folder, manager)
    locks = [name for name in _LOCKFILES if name in folder.paths]
    text = folder.read("package.json")
    if not locks or "pnpm-workspace.yaml" in folder.paths or any(mark in text for mark in _LOCAL):
        return Setup((command,), scripts=scripts)
    inputs = ["package.json", *locks, *(name for name in _NODE_SETTINGS if name in folder.paths)]
    return Setup((command,), tuple(map(folder.path, inputs)), (folder.path("node_modules"),), scripts)


def _install_scripts(folder: ProjectFolder, manager: str) -> tuple[str, ...]:
    """Return what runs packages' own install scripts after the install, where npm's lock file says that some have one.

    They come from the network, so that they get none. The other managers run none unless the project names the package.
    """
    lock = next((name for name in ("npm-shrinkwrap.json", "package-lock.json") if name in folder.paths), "")
    if manager != "npm" or '"hasInstallScript": true' not in folder.read(lock):
        return ()
    return (folder.command("npm rebuild --no-audit --no-fund --foreground-scripts"),)


def _manager(folder: ProjectFolder) -> str:
    for lockfile, manager in (
        ("pnpm-lock.yaml", "pnpm"),
        ("yarn.lock", "yarn"),
        ("bun.lock", "bun"),
        ("bun.lockb", "bun"),
    ):
        if lockfile in folder.paths:
            return manager
    return "npm"


def _install(folder: ProjectFolder, manager: str) -> str:
    """Return the install command without packages' scripts: they would run here, with network, before any review."""
    if manager == "yarn":
        modern = ".yarnrc.yml" in folder.paths or "\n__metadata:" in folder.read("yarn.lock")
        return (
            "yarn install --immutable --mode=skip-build"
            if modern
            else "yarn install --frozen-lockfile --ignore-scripts"
        )
    if manager in {"pnpm", "bun"}:
        return f"{manager} install --frozen-lockfile --ignore-scripts"
    locked = "package-lock.json" in folder.paths or "npm-shrinkwrap.json" in folder.paths
    return f"npm {'ci' if locked else 'install'} --ignore-scripts --no-audit --no-fund"

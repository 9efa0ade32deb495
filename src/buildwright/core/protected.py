"""The paths that reach further than the code they lie beside: what runs elsewhere or later, or instructs other tools.

One table, for agents that write and for the gates that judge. Pure data with one look-up; must never look at a file
system. Paths are given folded (lower case, compatibility forms taken apart), as `paths` folds them.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class _Reach(NamedTuple):
    """Paths that do the same kind of thing."""

    reason: str
    """Completes "X ..." in messages."""
    names: tuple[str, ...]
    """Regular expressions of files, or of folders with all that is in them."""
    at_top: bool = False
    """Whether they only count at the top of the repository, as services read them there alone."""
    may_be_named: bool = False
    """Whether a task that names exactly this path is consent enough: projects do write such files themselves."""


_REACHES = (
    _Reach(
        "configures what runs elsewhere",
        (
            *(r"\.github/workflows", r"\.github/actions", r"\.github/codeowners", r"codeowners", r"docs/codeowners"),
            *(
                r"\.github/dependabot\.ya?ml",
                r"renovate\.json5?",
                r"\.renovaterc(?:\.json5?)?",
                r"\.github/renovate\.json5?",
            ),
            *(r"\.gitlab-ci\.ya?ml", r"\.gitlab", r"\.circleci", r"\.travis\.ya?ml", r"\.buildkite", r"\.drone\.\w+"),
            *(
                r"\.woodpecker(?:\.ya?ml)?",
                r"\.forgejo",
                r"\.gitea",
                r"\.?azure-pipelines[\w.-]*\.ya?ml",
                r"\.azuredevops",
            ),
            *(r"bitbucket-pipelines\.ya?ml", r"\.?appveyor\.ya?ml", r"jenkinsfile[\w.-]*", r"\.cirrus\.(?:ya?ml|star)"),
            *(
                r"\.semaphore",
                r"\.teamcity",
                r"\.builds?\.ya?ml",
                r"\.builds",
                r"codefresh\.ya?ml",
                r"cloudbuild\.(?:ya?ml|json)",
            ),
            *(
                r"buildspec[\w.-]*\.ya?ml",
                r"\.harness",
                r"\.tekton",
                r"wercker\.ya?ml",
                r"\.ci",
                r"\.zuul\.d",
                r"\.?zuul\.ya?ml",
            ),
        ),
        at_top=True,
    ),
    _Reach(
        "configures git, its hooks or submodules",
        (
            *(r"\.gitmodules", r"\.gitconfig", r"\.husky", r"\.?git-?hooks", r"\.pre-commit-(?:config|hooks)\.ya?ml"),
            *(r"\.?lefthook[\w-]*(?:\.\w+)?", r"\.overcommit\.ya?ml", r"\.huskyrc[\w.]*", r"\.simple-git-hooks[\w.]*"),
            *(r"\.lintstagedrc[\w.]*", r"lint-staged\.config\.\w+", r"prek\.toml"),
        ),
    ),
    _Reach(
        "may make its folder a git repository, whose settings git obeys and which can run programs",
        (r"head$",),
        may_be_named=True,
    ),
    _Reach(
        "configures agents, editors, hooks or submodules",
        (
            *(
                r"\.claude",
                r"\.codex",
                r"\.cursor",
                r"\.gemini",
                r"\.kiro",
                r"\.roo",
                r"\.cline",
                r"\.continue",
                r"\.windsurf",
            ),
            *(
                r"\.aider[\w.-]*",
                r"\.amazonq",
                r"\.augment",
                r"\.opencode",
                r"opencode\.jsonc?",
                r"\.goosehints",
                r"\.trae",
            ),
            *(
                r"\.vscode",
                r"\.idea",
                r"\.zed",
                r"\.fleet",
                r"\.devcontainer",
                r"\.devcontainer\.json",
                r"[\w.-]+\.code-workspace",
            ),
            *(
                r"\.?mcp\.json",
                r"\.cursorrules",
                r"\.cursorignore",
                r"\.windsurfrules",
                r"\.clinerules",
                r"\.roomodes",
                r"\.roorules[\w-]*",
            ),
            *(
                r"\.junie",
                r"\.qodo",
                r"\.crush\.json",
                r"crush\.json",
                r"\.nvimrc",
                r"\.exrc",
                r"\.vimrc",
                r"\.dir-locals\.el",
            ),
        ),
    ),
    _Reach(
        "tells agents what to do",
        (r"(?:agents?|claude|gemini|qwen|crush|warp|codex)(?:\.local|\.override)?\.md", r"\.rules"),
        may_be_named=True,
    ),
    _Reach(
        "tells agents what to do",
        (
            r"buildwright-lessons\.json",
            r"\.github/copilot[\w-]*(?:\.\w+)?",
            r"\.github/(?:instructions|prompts|chatmodes|agents|hooks|skills)",
        ),
        at_top=True,
        may_be_named=True,
    ),
    _Reach(
        "holds settings or keys that programs load by themselves",
        (r"\.env(?:\.(?!(?:example|sample|template|dist|tmpl|defaults)(?:/|$))[^/]*)?", r"\.flaskenv", r"\.dev\.vars"),
        may_be_named=True,
    ),
    _Reach(
        "holds keys, or what shells run by themselves",
        (
            r"\.envrc",
            r"\.netrc",
            r"_netrc",
            r"\.pypirc",
            r"\.git-credentials",
            r"\.direnv",
            r"\.ssh",
            r"\.aws",
            r"\.kube",
        ),
    ),
    _Reach(
        "chooses the tools and their versions, and may run commands on entering the folder",
        (r"\.?mise(?:\.[\w-]+)*\.toml", r"\.mise", r"\.tool-versions", r"\.rtx\.toml"),
        may_be_named=True,
    ),
    _Reach(
        "decides where packages come from, and may run programs",
        (
            *(
                r"\.npmrc",
                r"\.yarnrc(?:\.ya?ml)?",
                r"\.yarn",
                r"\.pnpmfile\.[cm]?js",
                r"\.?bunfig\.toml",
                r"\.pnp\.[cm]?js",
            ),
            *(
                r"pip\.(?:conf|ini)",
                r"uv\.toml",
                r"\.cargo/config(?:\.toml)?",
                r"\.mvn",
                r"init\.gradle(?:\.kts)?",
                r"\.gradle",
            ),
            *(
                r"gradle/wrapper",
                r"\.gemrc",
                r"\.bundle",
                r"nuget\.config",
                r"\.condarc",
                r"\.bazelrc",
                r"\.terraformrc",
            ),
        ),
        may_be_named=True,
    ),
)
_COMPILED = tuple(
    (re.compile(rf"(?:{'^' if one.at_top else '(?:^|/)'})({'|'.join(one.names)})(?:/|$)"), one) for one in _REACHES
)
_SHORT = re.compile(
    r"(?:^|/)(?:github|gitlab|gitmod|gitcon|claude|cursor|codex|gemini|vscode|husky|devcon|envrc|npmrc|netrc|windsu|"
    r"circle|jenkin|lefth|prec\w*|agents|mcp)\w{0,2}~\d"
)
"""Short names that NTFS may give to listed names (8.3)."""


_PAGE = re.compile(r"(?:^|/)(?:docs?|guides?|website|pages)/(?:[^/]*/)*[a-z]+\.md$")
"""A page of a documentation by its own spelling: docs/agents.md is about agents, docs/AGENTS.md is for them."""


def reach_of(folded: str, spelled: str, *, is_named: bool = False) -> str | None:
    """Return why a path (folded, and as it is spelled) reaches further.

    None when it does not, or when the task names it and that is consent enough.
    """
    for pattern, reach in _COMPILED:
        found = pattern.search(folded)
        if found and not (reach.may_be_named and (is_named or _PAGE.search(spelled))):
            return f"{found[1]} {reach.reason}"
    if _SHORT.search(folded):
        return "it may be the short name of a file that configures other programs"
    return None


def leads_to_reach(folded: str) -> bool:
    """Return whether a folded path is a folder above one that is listed: what replaces it replaces that as well."""
    return folded in {".github", ".cargo", "gradle"}

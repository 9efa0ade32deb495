"""The commit that a build from contracts begins with: it brings them into the repository. Must never do an effect."""

from __future__ import annotations

from buildwright.core.limits import Options
from buildwright.core.spec import Spec
from buildwright.ports import BUILD_TRAILER, FirstCommit


def first_commit(build_id: str, spec: Spec, options: Options) -> FirstCommit | None:
    """Return the commit with the contracts that a build runs from; None for a build without."""
    if spec.contracts is None:
        return None
    versions = [f"{one.contract_type} {one.version}" for one in spec.contracts.contracts]
    commits = options.commits
    lines = (f"Contracts: {spec.title}", "", *versions, "", f"{BUILD_TRAILER}: {build_id}", *commits.lines, "")
    return FirstCommit(spec.contracts.files, "\n".join(lines), commits.author, commits.signing_key)

"""Judges the symbolic links of a patch: none may point out of the tree. Must never follow one."""

from __future__ import annotations

import posixpath

from buildwright.gates.changed import checkout
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import Judged, Judgement

_LINK = "120000"


class LinksGate:
    """Refuses a link that is absolute or leaves the tree: it reads or writes what is not the project's."""

    name = "links"
    needs_files = True
    refuses = "a symbolic link that leaves the project"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        root = checkout(judged)
        findings = []
        for change in judged.patch.changes:
            if change.mode != _LINK:
                continue
            try:
                target = str((root / change.path).readlink())
            except OSError:
                continue
            arrives = posixpath.normpath(posixpath.join(posixpath.dirname(change.path), target))
            # A harmless path may leave the tree through another link, so the real place counts too.
            leaves = not (root / change.path).resolve().is_relative_to(root.resolve())
            if target.startswith("/") or arrives.split("/")[0] == ".." or leaves:
                message = f"The link {change.path} points out of the project, to {target}."
                findings.append(finding("links.outside", message, change.path, fix="link to a file of the project"))
        return [judgement(self.name, "scope", findings)]

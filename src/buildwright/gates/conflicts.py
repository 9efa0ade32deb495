"""Judges whether a patch leaves merge conflict markers. Must never judge files that the patch does not touch."""

from __future__ import annotations

from buildwright.gates.changed import changed_texts
from buildwright.gates.compared import base_text
from buildwright.gates.reporting import finding, judgement
from buildwright.ports import Judged, Judgement

_OPENS, _MIDDLE, _CLOSES = "<<<<<<< ", "=======", ">>>>>>> "


class ConflictMarkersGate:
    """Refuses all three marks in order: seven `=` alone underline headings in many texts."""

    name = "conflicts"
    needs_files = True
    refuses = "merge conflict markers"

    async def judge(self, judged: Judged) -> list[Judgement]:
        """Return one judgement; none when there is no patch. Raises GateBroken without a checkout."""
        if judged.patch is None:
            return []
        findings = []
        for change, text in changed_texts(judged):
            if line := conflict_line(text):
                before = await base_text(judged, change.path) if change.kind != "added" else None
                if (
                    before is not None
                    and text.count(f"\n{_OPENS}") <= before.count(f"\n{_OPENS}")
                    and conflict_line(before)
                ):
                    continue  # it was so before: an example in a page, or left by an earlier change
                message = f"{change.path} still holds the marks of a merge conflict."
                fix = "choose between both sides and delete the <<<<<<<, ======= and >>>>>>> lines"
                findings.append(finding("conflicts.marker", message, change.path, line, fix=fix))
        return [judgement(self.name, "syntax", findings)]


def conflict_line(text: str) -> int | None:
    """Return the line (from 1) at which the first complete conflict begins, None if there is none."""
    opened, middle = 0, False
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith(_OPENS):
            opened, middle = number, False
        elif opened and line.rstrip("\r") == _MIDDLE:
            middle = True
        elif opened and middle and line.startswith(_CLOSES):
            return opened
    return None

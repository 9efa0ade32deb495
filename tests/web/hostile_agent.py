"""An agent that says and writes hostile texts. `first` leaves them in files, also in their names; `last` fails.

python hostile_agent.py TEXTS.json NAMES.json
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main(texts: list[str], names: list[str]) -> int:
    """Do the task that the environment names."""
    for text in texts:
        print(text)
    task = os.environ["BUILDWRIGHT_TASK_ID"]
    if task == "last":
        return 3
    if task == "first":
        shown = "\n".join(texts)
        for place, name in enumerate(names):
            Path(name).write_text(texts[place] + "\n", encoding="utf-8")
        for name in ("page.html", "notes.md", "code.txt", "README.md"):
            Path(name).write_text(shown + "\n", encoding="utf-8")
    else:
        Path(f"{task}.txt").write_text(f"{task}\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(*(json.loads(Path(one).read_text(encoding="utf-8")) for one in sys.argv[1:3])))

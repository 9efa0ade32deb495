"""The command of the shell agent: does the task named in its environment, in the lane it stands in. Needs no package.

`python agent.py ORDERS.json`; a second argument is a number of seconds that it takes to think first.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path


def main() -> None:
    """Do the task, or end with 1 and say why not."""
    task, attempt = os.environ["BUILDWRIGHT_TASK_ID"], int(os.environ["BUILDWRIGHT_ATTEMPT"])
    order = json.loads(Path(sys.argv[1]).read_text("utf-8"))[task]
    prompt = Path(os.environ["BUILDWRIGHT_PROMPT_FILE"]).read_text("utf-8")
    if not prompt.startswith(f"# Task {task}: {order['title']}\n"):
        sys.exit(f"this is not the prompt of {task}: {prompt[:200]}")
    time.sleep(float(sys.argv[2]) if len(sys.argv) > 2 else 0)
    edits = order["first"] if attempt == 1 and order["first"] is not None else order["edits"]
    if not all(Path(path).read_text("utf-8").count(f"{old}\n") == 1 for path, old, _ in edits):
        edits = order["second"]
    for path, old, new in edits:
        text = Path(path).read_text("utf-8")
        if text.count(f"{old}\n") != 1:
            sys.exit(f"{path} does not have these lines once:\n{old}")
        Path(path).write_text(text.replace(f"{old}\n", f"{new}\n"), "utf-8")
        print(f"edited {path}")
    for path, content in order["files"].items():
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        Path(path).write_text(content, "utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()

"""A real Node project through the whole program, with TypeScript, ESLint and Vitest. Run by hand: it needs npm's network.

    python tests/e2e/node_project.py [--sandbox none]

Four tasks by the shell agent; the second writes code that tsc refuses and mends it in its second attempt. Ends with an
error unless the build is done in exactly that way; prints how long each setup and check took.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SOURCE = Path(__file__).parents[2] / "src"

PACKAGE = {
    "name": "sample",
    "version": "1.0.0",
    "private": True,
    "type": "module",
    "scripts": {"typecheck": "tsc --noEmit", "lint": "eslint .", "test": "vitest run"},
    "devDependencies": {
        "@eslint/js": "9.39.1",
        "eslint": "9.39.1",
        "typescript": "5.9.3",
        "typescript-eslint": "8.46.4",
        "vitest": "4.1.12",
    },
}
FILES = {
    "package.json": json.dumps(PACKAGE, indent=1),
    ".gitignore": "node_modules/\n",
    "tsconfig.json": json.dumps(
        {
            "compilerOptions": {
                "strict": True,
                "target": "ES2022",
                "module": "ESNext",
                "moduleResolution": "bundler",
                "skipLibCheck": True,
            },
            "include": ["src", "test"],
        }
    ),
    "eslint.config.js": "import js from '@eslint/js';\nimport ts from 'typescript-eslint';\n"
    "export default ts.config(js.configs.recommended, ...ts.configs.recommended);\n",
    "src/sum.ts": "export const sum = (a: number, b: number): number => a + b;\n",
    "test/sum.test.ts": "import { expect, it } from 'vitest';\nimport { sum } from '../src/sum';\n"
    "it('adds', () => expect(sum(1, 2)).toBe(3));\n",
    "agent.sh": """
set -e
write() {  # name, type of the result, operator
cat > "src/$1.ts" <<END
export const $1 = (a: number, b: number): $2 => a $3 b;
END
cat > "test/$1.test.ts" <<END
import { expect, it } from 'vitest';
import { $1 } from '../src/$1';
it('$1', () => expect($1(6, 3)).toBe(6 $3 3));
END
}
case "$BUILDWRIGHT_TASK_ID" in
difference) write difference number - ;;
product) if [ "$BUILDWRIGHT_ATTEMPT" = 1 ]; then write product string '*'; else write product number '*'; fi ;;
quotient) write quotient number / ;;
index) for name in sum difference product quotient; do echo "export { $name } from './$name';"; done > src/index.ts ;;
esac
""",
}
TASKS = [
    {"id": "difference", "title": "Subtract"},
    {"id": "product", "title": "Multiply"},
    {"id": "quotient", "title": "Divide"},
    {"id": "index", "title": "Export all", "depends_on": ["difference", "product", "quotient"]},
]


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="buildwright-node-") as folder:
        root = Path(folder)
        repository = make_repository(root / "repository")
        (root / "tasks.json").write_text(json.dumps({"title": "Arithmetic", "tasks": TASKS}))
        env = {**os.environ, "PYTHONPATH": str(SOURCE), "BUILDWRIGHT_HOME": str(root / "home")}
        command = [sys.executable, "-m", "buildwright", "build", str(root / "tasks.json"), "--repo", str(repository)]
        command += ["--agent", "shell", "--agent-command", "sh agent.sh", "--json", "--yes", *sys.argv[1:]]
        ended = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, check=False)
        lines = [json.loads(line) for line in ended.stdout.splitlines()]
        kept = sorted(path.name for path in (root / "home" / "setups").iterdir())
        report(lines)
        print(f"setups kept: {len(kept)}")
        if ended.returncode != 0 or not mended(lines) or len(kept) != 1:
            sys.exit(f"not as promised: exit code {ended.returncode}\n{ended.stdout[-3000:]}")


def make_repository(folder: Path) -> Path:
    """A git repository with the project and its lock file."""
    for name, text in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for command in (
        ["npm", "install", "--package-lock-only", "--no-audit", "--no-fund", "--silent"],
        ["git", "init", "-q", "-b", "main"],
        ["git", "add", "-A"],
        ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "The project"],
    ):
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def verdicts(lines: list[Mapping[str, Any]]) -> list[str]:
    """The JSON of the events that hold a verdict, as text."""
    return [json.dumps(line) for line in lines if '"reports"' in json.dumps(line)]


def mended(lines: list[Mapping[str, Any]]) -> bool:
    """Whether exactly one judgement said no: with what tsc found, in its place."""
    refused = [text for text in verdicts(lines) if '"ok": false' in text]
    return len(refused) == 1 and "tsc.TS2322" in refused[0] and "src/product.ts" in refused[0]


def report(lines: list[Mapping[str, Any]]) -> None:
    """What was judged, when, and how long each command took."""
    for line in lines:
        if line["type"] in {"patch.judged", "merge.judged"}:
            print(line["at"], line["type"], line["task"], "attempt", line["attempt"])
            for one in line["verdict"]["reports"]:
                seconds = one.get("evidence", {}).get("seconds", 0.0)
                print(f"    {one['gate']}: {'passed' if one['ok'] else 'refused'} {seconds:.1f} s")


if __name__ == "__main__":
    main()

"""Reads findings from output of compilers and linters, line by line. Must stay linear: long lines are cut."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any

from buildwright.core.finding import Finding, Severity
from buildwright.gates.reporting import clip, finding

LONGEST_LINE = 1_000
"""Characters of a line that are read; it bounds every pattern below."""

TRACE_LINES = 40
"""Lines of a failed test's trace that are kept."""

_COUNT = re.compile(r"(\d{1,9}) ([a-z]{1,20})")
_ANSI = re.compile(r"\x1b\[[0-9;]{0,20}[A-Za-z]")
# Formats: TypeScript `tsc` (plain and pretty), eslint, mypy, pyright, ruff (concise and full) and rustc as recorded in
# tests/data/console; Go and Maven from their documentation.
_TSC = re.compile(r"([^\s(][^(]{0,300})\((\d{1,9}),\d{1,9}\): (error|warning) (TS\d{1,6}): (.+)")
_TSC_PRETTY = re.compile(r"([^\s:][^:]{0,300}):(\d{1,9}):\d{1,9} - (error|warning) (TS\d{1,6}): (.+)")
_MYPY = re.compile(r"([^\s:][^:]{0,300}):(\d{1,9})(?::\d{1,9})?: (error|warning|note): (.+)")
_RUFF = re.compile(r"([^\s:][^:]{0,300}):(\d{1,9}):\d{1,9}: ([A-Z]{1,5}\d{1,5}|invalid-syntax):? (.+)")
_GO = re.compile(r"(?:vet: )?([^\s:][^:]{0,300}\.go):(\d{1,9})(?::\d{1,9})?: (.+)")
_ESLINT = re.compile(r"\s{1,8}(\d{1,9}):\d{1,9}\s{1,8}(error|warning)\s{1,8}(\S.*)")
_RUST_HEAD = re.compile(r"(error|warning)(?:\[(E\d{1,5})\])?: (.+)")
_RUFF_HEAD = re.compile(r"([A-Z]{1,5}\d{1,5}|invalid-syntax):? (?:\[\*\] )?(.+)")
_PLACE = re.compile(r"\s{0,12}--> ([^:]{1,300}):(\d{1,9}):\d{1,9}")
_PYRIGHT = re.compile(r"\s{1,4}([^\s:][^:]{0,300}):(\d{1,9}):\d{1,9} - (error|warning): (.+)")
_RULE = re.compile(r"\((report[A-Za-z]{1,60})\)$")
_REFORMAT = "Would reformat: "
_JAVA = re.compile(r"\[ERROR\] ([^\s:][^:\[]{0,300}\.(?:java|kt)):\[(\d{1,9}),\d{1,9}\] (.+)")
_MYPY_CODE = re.compile(r"\[([a-z][a-z-]{1,40})\]$")


def plain_lines(text: str) -> Iterator[str]:
    """Yield lines without colours, each cut to `LONGEST_LINE`."""
    for line in text.splitlines():
        yield _ANSI.sub("", line[: 2 * LONGEST_LINE])[:LONGEST_LINE]


def counts_in(words: str) -> dict[str, int]:
    """Return the numbers of a summary (`1 failed, 2 passed`) by their words."""
    return {kind: int(number) for number, kind in _COUNT.findall(words)}


def until(lines: Sequence[str], ends: tuple[str, ...], unless: str = "\n") -> list[str]:
    """Return the lines up to the next that starts with one of `ends` and not with `unless`, at least the first."""
    taken: list[str] = []
    for line in lines:
        if taken and line.startswith(ends) and not line.startswith(unless):
            break
        taken.append(line)
    return taken


def findings_in(text: str) -> list[Finding]:
    """Return the findings of any known compiler or linter, in order. Reads whole JSON reports of ruff or eslint too."""
    stripped = text.strip()
    if stripped.startswith("[") and stripped.endswith("]") and (found := _json_report(stripped)):
        return found
    scan = _OutputScan()
    for line in plain_lines(text):
        scan.take(line)
    return scan.findings


class _OutputScan:
    """State between lines: eslint names its file, rustc and ruff their message, on an earlier line."""

    def __init__(self) -> None:
        self.findings: list[Finding] = []
        self._file = ""
        self._said: tuple[Severity, str, str] | None = None

    def take(self, line: str) -> None:
        if not line or not (self._one_line(line) or self._eslint(line) or self._two_lines(line)):
            self._remember(line)

    def _one_line(self, line: str) -> bool:
        if match := _TSC.match(line) or _TSC_PRETTY.match(line):
            self._add(f"tsc.{match[4]}", match[5], match[1], match[2], match[3])
        elif match := _RUFF.match(line):
            self._add(f"ruff.{match[3]}", match[4], match[1], match[2])
        elif match := _MYPY.match(line):
            code = _MYPY_CODE.search(match[4])
            message = match[4][: code.start()].rstrip() if code else match[4]
            self._add(f"mypy.{code[1] if code else 'error'}", message, match[1], match[2], match[3])
        elif match := _PYRIGHT.match(line):
            rule = _RULE.search(match[4])
            message = match[4][: rule.start()].rstrip() if rule else match[4]
            self._add(f"pyright.{rule[1] if rule else 'error'}", message, match[1], match[2], match[3])
        elif line.startswith(_REFORMAT):
            self._add("ruff.format", "is not formatted", line.removeprefix(_REFORMAT), None)
        elif match := _GO.match(line):
            self._add("go.error", match[3], match[1], match[2])
        elif match := _JAVA.match(line):
            self._add("java.error", match[3], match[1], match[2])
        else:
            return False
        return True

    def _eslint(self, line: str) -> bool:
        match = _ESLINT.match(line)
        if match is None or not self._file:
            return False
        message, _, rule = match[3].rstrip().rpartition("  ")
        self._add(
            f"eslint.{rule.strip()}" if message else "eslint.error", message or rule, self._file, match[1], match[2]
        )
        return True

    def _two_lines(self, line: str) -> bool:
        if match := _RUST_HEAD.match(line):
            self._said = ("error" if match[1] == "error" else "warning", f"rustc.{match[2] or 'error'}", match[3])
        elif match := _RUFF_HEAD.match(line):
            self._said = ("error", f"ruff.{match[1]}", match[2])
        elif (match := _PLACE.match(line)) and self._said is not None:
            severity, code, message = self._said
            self._said = None
            self._add(code, message, match[1], match[2], severity)
        else:
            return False
        return True

    def _remember(self, line: str) -> None:
        looks_like_path = "." in line and not line[0].isspace() and " " not in line.strip() if line else False
        self._file = line.strip() if looks_like_path else "" if not line else self._file

    def _add(self, code: str, message: str, file: str, line: str | None, severity: str = "error") -> None:
        known: dict[str, Severity] = {"error": "error", "warning": "warning", "note": "note"}
        number = int(line) if line is not None else None
        self.findings.append(finding(code, message.strip(), file.strip(), number, severity=known[severity]))


def _json_report(text: str) -> list[Finding]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return []
    found: list[Finding] = []
    for entry in document if isinstance(document, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("messages"), list):
            found += _eslint_json(entry)
        elif isinstance(entry, dict) and isinstance(entry.get("location"), dict):
            code = str(entry.get("code") or "invalid-syntax")
            found.append(
                _placed(f"ruff.{code}", entry.get("message"), entry.get("filename"), entry["location"].get("row"))
            )
    return found


def _eslint_json(entry: dict[str, Any]) -> Iterator[Finding]:
    for said in entry["messages"]:
        if isinstance(said, dict):
            code = f"eslint.{said.get('ruleId') or 'error'}"
            severity: Severity = "error" if said.get("severity") == 2 else "warning"
            yield _placed(code, said.get("message"), entry.get("filePath"), said.get("line"), severity)


def _placed(code: str, message: object, file: object, line: object, severity: Severity = "error") -> Finding:
    return finding(
        code,
        str(message),
        file if isinstance(file, str) else None,
        line if isinstance(line, int) else None,
        severity=severity,
    )


def within(findings: Sequence[Finding], root: str) -> list[Finding]:
    """Return the findings with files relative to the tree; a file outside it is named in the message only."""
    prefix = root.rstrip("/") + "/"
    result = []
    for one in findings:
        file = one.file and one.file.removeprefix("file://").removeprefix(prefix).removeprefix("./")
        if file and file.startswith(("/", "../")):
            message = clip(f"{file}: {one.message}")
            result.append(one.model_copy(update={"file": None, "line": None, "message": message}))
        else:
            result.append(one.model_copy(update={"file": file, "message": one.message.replace(prefix, "")}))
    return result

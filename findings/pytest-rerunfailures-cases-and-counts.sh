#!/usr/bin/env bash
# Version: pytest-rerunfailures 16.7 with pytest 9.2.0.
#
# Behaviour: a test that fails, is run again and passes stands in the JUnit report as two test cases of one name, neither
# with a failure or any other mark, while the suite's own attribute says `tests="1"`. The exit code is 0.
#
# Why it surprises: Surefire and others have elements for this (`flakyFailure`, `rerunFailure`); here a reader cannot
# tell which of the two equal cases failed, and a count of the cases differs from the number the suite states.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv venv
venv/bin/pip install --quiet --disable-pip-version-check pytest==9.2.0 pytest-rerunfailures==16.7
printf 'import pathlib\n\n\ndef test_second_time():\n    mark = pathlib.Path("mark")\n    seen = mark.exists()\n    mark.touch()\n    assert seen\n' > test_a.py
code=0
venv/bin/python -m pytest -q --reruns 1 --junitxml=report.xml test_a.py || code=$?
venv/bin/python - "$code" <<'P'
import sys
import xml.etree.ElementTree as tree
from importlib.metadata import version

print("pytest", version("pytest"), "pytest-rerunfailures", version("pytest-rerunfailures"))
(suite,) = tree.parse("report.xml").getroot().iter("testsuite")
cases = [(case.get("name"), [part.tag for part in case]) for case in suite.iter("testcase")]
print("exit", sys.argv[1], "tests", suite.get("tests"), "failures", suite.get("failures"), "cases", cases)
expected = [("test_second_time", [])] * 2
same = (sys.argv[1], suite.get("tests"), suite.get("failures"), cases) == ("0", "1", "0", expected)
sys.exit(0 if same else "the behaviour has changed")
P

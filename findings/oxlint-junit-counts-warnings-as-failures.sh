#!/usr/bin/env bash
# Version: oxlint 1.94.0.
#
# Behaviour: a run that finds warnings alone ends with exit code 0, and the report of the same run, written with
# `--format=junit`, counts every warning as a failure (`failures="2"`, a `<failure>` in each test case).
#
# Why it surprises: exit code and JUnit report of one run disagree about whether it passed. A gate that trusts the report
# refuses what the linter lets pass; one that trusts the exit code shows red test cases for a green check. ESLint's JUnit
# formatter and most test runners keep both in step.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
npm init --yes >/dev/null
npm install --silent --no-audit --no-fund oxlint@1.94.0 >/dev/null
printf 'const unused = 1;\ndebugger;\n' > a.js
code=0
npx oxlint --format=junit a.js > report.xml || code=$?
npx oxlint --version
cat report.xml
failures=$(grep -o 'failures="[0-9]*"' report.xml | head -1)
echo "exit code $code, $failures"
[ "$code" = 0 ] && [ "$failures" = 'failures="2"' ] || { echo "the behaviour has changed"; exit 1; }

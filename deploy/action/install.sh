#!/usr/bin/env bash
# Step 1 of action.yml: this version in an environment of its own, and the box that agents and checks run in.
# Reads PROGRAM and HERE; sets the output `program`.
set -euo pipefail

if [ -z "$PROGRAM" ]; then
  echo "::group::Install Buildwright"
  make --directory "$HERE" --no-print-directory .venv/.runtime
  if ! command -v bwrap >/dev/null && command -v apt-get >/dev/null; then
    sudo apt-get install -y -qq bubblewrap >/dev/null || { sudo apt-get update -qq && sudo apt-get install -y -qq bubblewrap >/dev/null; }
  fi
  # Ubuntu allows user namespaces, which the box is made of, only to programs that it knows.
  closed=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
  if [ -e "$closed" ] && [ "$(cat "$closed")" != 0 ]; then
    sudo sysctl -q -w kernel.apparmor_restrict_unprivileged_userns=0
  fi
  echo "::endgroup::"
  # Not on the search path: the project's own python and tools must be found first.
  PROGRAM="$HERE/.venv/bin/buildwright"
fi
"$PROGRAM" version
echo "program=$PROGRAM" >>"$GITHUB_OUTPUT"

#!/usr/bin/env bash
# Step 2 of action.yml: the build. Annotations, summary and outputs of the step are written by the program itself.
set -euo pipefail

if [ -n "$SPEC" ] && [ -n "$ISSUE" ] || [ -z "$SPEC$ISSUE" ]; then
  echo "::error title=Buildwright::Give either \`spec\`, a file, or \`issue\`, a number."
  exit 2
fi
words=(build "${SPEC:-issue:$ISSUE}" --repo "$REPO" --deliver "$DELIVER" --on-failure fail --yes)
[ -z "$AGENT" ] || words+=(--agent "$AGENT")
[ -z "$MAX_COST" ] || words+=(--max-cost "$MAX_COST")
[ -z "$BRANCH" ] || words+=(--branch "$BRANCH")
while IFS= read -r word; do
  [ -z "$word" ] || words+=("$word")
done <<<"$OPTIONS"

code=0
"$PROGRAM" "${words[@]}" || code=$?
if [ -n "$EVIDENCE" ] && "$PROGRAM" status --short | grep -q .; then
  "$PROGRAM" evidence --out "$EVIDENCE" || echo "::warning title=Buildwright::The evidence could not be written."
fi
exit "$code"

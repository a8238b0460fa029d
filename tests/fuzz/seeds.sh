#!/usr/bin/env bash
# Makes the first inputs of every target from the project's own definitions, into seeds/. Nothing of it is committed.
set -euo pipefail
cd "$(dirname "$0")"
definitions=(machines/*/definition.asl.json ../cases/*/*/definition.asl.json)
rm -rf seeds
mkdir -p seeds/{definition,jsonpath,intrinsic,expression,step}

# Whole definitions.
number=0
for file in "${definitions[@]}"; do
  cp "$file" "seeds/definition/$((number++)).json"
done

# Everything in quotes that is a path or a function call; targets put their own document behind a text without one.
number=0
{ grep -ohE '"\$[^"]*"' "${definitions[@]}" | tr -d '"'; cat expressions/jsonpath.txt; } | sort -u |
while IFS= read -r path; do
  printf '%s\n' "$path" >"seeds/jsonpath/$((number++))"
done
number=0
{ { grep -ohE '"(States\.|\$)[^"]*"' "${definitions[@]}" || true; } | tr -d '"'; cat expressions/intrinsic.txt; } | sort -u |
while IFS= read -r expression; do
  printf '%s\n' "$expression" >"seeds/intrinsic/$((number++))"
done

number=0
{ { grep -ohE '\{% [^"]* %\}' "${definitions[@]}" || true; } | sed 's/^{% //; s/ %}$//'; cat expressions/jsonata.txt; } | sort -u |
while IFS= read -r expression; do
  printf '%s\n' "$expression" >"seeds/expression/$((number++))"
done

# For every machine: all goes well; a failure first; a timer and a stop; late events (see src/checks/step.rs).
for machine in $(seq 0 $((${#definitions[@]} - 1))); do
  start=$(printf '\\%03o\\000' "$machine")
  printf "$start"'\000\000\003\377\003\377' >"seeds/step/$machine-well"
  printf "$start"'\000\000\002\000\002\000\001\260\003\012' >"seeds/step/$machine-fails"
  printf "$start"'\000\000\011\000\001\260\011\001\007\020\010\000' >"seeds/step/$machine-stops"
  printf "$start"'\000\000\001\260\004\000\004\001\001\241\005\001\006\000\001\260' >"seeds/step/$machine-late"
done

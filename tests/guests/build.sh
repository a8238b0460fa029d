#!/usr/bin/env bash
# Builds every language's conformance guests, which host/sandbox/tests/sandbox/languages.rs runs:
#   bash tests/guests/build.sh OUTDIR       into OUTDIR/LANGUAGE/{echo,fail,slow}.wasm
# Compilers are installed into $STEPWELL_TOOLS (OUTDIR/tools). A language whose compiler cannot be had here is named with the
# reason, here and by the test; its folder holds the reason in the file SKIPPED. Anything else that goes wrong is an error.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=${1:?"usage: bash tests/guests/build.sh OUTDIR"}
mkdir -p "$out"
out=$(cd "$out" && pwd)
export STEPWELL_TOOLS=${STEPWELL_TOOLS:-$out/tools}
mkdir -p "$STEPWELL_TOOLS"

for language in rust python javascript go c zig; do
  mkdir -p "$out/$language"
  rm -f "$out/$language/SKIPPED"
  status=0
  bash "guest-sdk/$language/conformance/build.sh" "$out/$language" 2> >(tee "$out/$language/errors" >&2) || status=$?
  case $status in
    0) echo "guests in $language: built" ;;
    3)
      rm -f "$out/$language"/*.wasm
      grep -m 1 '^SKIPPED' "$out/$language/errors" > "$out/$language/SKIPPED" || echo "SKIPPED $language" > "$out/$language/SKIPPED"
      ;;
    *) echo "guests in $language: the build failed with status $status" >&2; exit 1 ;;
  esac
done

#!/bin/bash
# Builds the conformance guests: build.sh OUTDIR. The compiler is kept in STEPWELL_TOOLS (.tools here).
# Exit code 3 and one line on standard error: the compiler cannot be had on this machine.
set -euo pipefail

[ $# -eq 1 ] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
export STEPWELL_TOOLS=${STEPWELL_TOOLS:-$PWD/.tools}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../sdk/build-module.sh
mkdir -p "$1"
exec 3>&1
reason=$(bash "$build" tools 2>&1 >&3) || {
  status=$?
  if [ $status -eq 3 ]; then echo "SKIPPED go: $reason" >&2; else echo "$reason" >&2; fi
  exit $status
}
for guest in echo fail slow; do
  bash "$build" "$here/$guest" "$1/$guest.wasm"
done

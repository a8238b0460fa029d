#!/usr/bin/env bash
# Builds the conformance guests: build.sh OUTDIR. What lies between is kept in STEPWELL_TOOLS/rust (.tools/rust here).
# Exit code 3 and one line on standard error: the compiler cannot build for WebAssembly on this machine.
set -euo pipefail

[[ $# -eq 1 ]] || { echo "usage: build.sh OUTDIR" >&2; exit 2; }
tools=${STEPWELL_TOOLS:-$PWD/.tools}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$here/../sdk/build-module.sh
mkdir -p "$1" "$tools/rust"
CARGO_TARGET_DIR=$(cd "$tools/rust" && pwd)
export CARGO_TARGET_DIR
exec 3>&1
reason=$(bash "$build" target 2>&1 >&3) || {
    status=$?
    if [[ $status -eq 3 ]]; then echo "SKIPPED rust: $reason" >&2; else echo "$reason" >&2; fi
    exit "$status"
}
for guest in echo fail slow; do
    bash "$build" "$here/$guest" "$1/$guest.wasm"
done

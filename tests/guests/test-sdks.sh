#!/usr/bin/env bash
# Runs the native tests of the SDKs that are not Rust: bash tests/guests/test-sdks.sh OUTDIR, after build.sh OUTDIR.
# A language that build.sh skipped is skipped here, too, by name.
set -euo pipefail

cd "$(dirname "$0")/../.."
out=$(cd "${1:?"usage: bash tests/guests/test-sdks.sh OUTDIR"}" && pwd)
export STEPWELL_TOOLS=${STEPWELL_TOOLS:-$out/tools} PYTHONDONTWRITEBYTECODE=1

# Says which SDK is tested; false when its language was skipped.
has() {
  if [ -e "$out/$1/SKIPPED" ]; then cat "$out/$1/SKIPPED"; return 1; fi
  echo "== tests of the SDK in $1"
}

has python && python3 -m unittest discover -q -s guest-sdk/python/tests
has javascript && node --test guest-sdk/javascript/tests/*.test.js
has go && bash guest-sdk/go/sdk/build-module.sh guest-sdk/go/sdk test
has c && bash guest-sdk/c/sdk/build-module.sh guest-sdk/c/test test
has zig && "$STEPWELL_TOOLS"/ziglang-*/ziglang/zig test --cache-dir "$STEPWELL_TOOLS/zig-cache" guest-sdk/zig/sdk/stepwell.zig
true

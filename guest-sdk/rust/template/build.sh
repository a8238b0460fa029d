#!/usr/bin/env bash
# Builds {{name}}.wasm; `build.sh test` runs the tests instead, natively.
# The compiler's target wasm32-wasip2 is added by rustup, where it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ "${1:-}" == test ]]; then
    exec cargo test
fi
bash stepwell-sdk/build-module.sh . {{name}}.wasm
echo "built {{name}}.wasm; upload it with: stepwell module put {{name}} {{name}}.wasm"

#!/bin/bash
# Builds {{name}}.wasm; `build.sh test` runs the tests. The compiler (ziglang from PyPI) is installed into .tools here.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [ "${1:-}" = test ]; then
  exec bash stepwell-sdk/build-module.sh . test
fi
bash stepwell-sdk/build-module.sh . {{name}}.wasm
echo "built {{name}}.wasm"

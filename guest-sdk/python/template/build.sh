#!/usr/bin/env bash
# Builds {{name}}.wasm from app.py. `bash build.sh test` runs the tests instead, natively.
# What requirements.txt names is installed into this folder's .venv first, where it is missing or has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if ! cmp -s requirements.txt .venv/installed; then
    echo "installing what requirements.txt names into .venv"
    python3 -m venv .venv
    .venv/bin/pip install --quiet --disable-pip-version-check --requirement requirements.txt
    cp requirements.txt .venv/installed
fi
export VIRTUAL_ENV="$PWD/.venv" PATH="$PWD/.venv/bin:$PATH"
if [[ "${1:-}" == test ]]; then
    PYTHONPATH=stepwell-sdk exec python -m unittest
fi

bash stepwell-sdk/build-module.sh . wit "{{name}}.wasm"
echo "built {{name}}.wasm; upload it with: stepwell module put {{name}} {{name}}.wasm"

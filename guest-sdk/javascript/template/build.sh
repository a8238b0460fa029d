#!/usr/bin/env bash
# Builds {{name}}.wasm from app.js, or app.ts if there is one. `bash build.sh test` runs the tests instead, natively.
# What package.json names is installed into this folder's node_modules first, where it is missing or has changed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

if [[ ! node_modules/.package-lock.json -nt package.json ]]; then
    echo "installing what package.json names into node_modules"
    npm install --no-audit --no-fund --ignore-scripts --loglevel=error
    touch node_modules/.package-lock.json
fi
if [[ "${1:-}" == test ]]; then
    exec node --test
fi

app=app.js
[[ -e app.ts ]] && app=app.ts
PATH="$PWD/node_modules/.bin:$PATH" bash stepwell-sdk/build-module.sh "$app" wit "{{name}}.wasm"
echo "built {{name}}.wasm; upload it with: stepwell module put {{name}} {{name}}.wasm"

#!/usr/bin/env bash
# Builds one task module: bash build-module.sh APP WIT OUTPUT
#   APP     the file that exports `handler`, JavaScript or TypeScript
#   WIT     the folder of Stepwell's contract, task.wit
#   OUTPUT  the .wasm file to write
# Needs `esbuild` and `componentize-qjs` on the PATH; installs nothing and leaves nothing but OUTPUT.
set -euo pipefail

if [[ $# -ne 3 ]]; then
    echo "usage: bash build-module.sh APP WIT OUTPUT" >&2
    exit 2
fi
app=$1 wit=$2 output=$3
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
project=$(cd "$(dirname "$app")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# One file of plain JavaScript: types stripped, packages from node_modules included, the host's interfaces left to the host.
# The entry asks for `handler` by name, so that a module without one fails here.
echo 'export { handler } from "app-of-this-module";' > "$build/entry.js"
status=0
esbuild "$build/entry.js" --bundle --format=esm --platform=neutral --main-fields=module,main --target=es2023 \
    --charset=utf8 --alias:app-of-this-module="$project/$(basename "$app")" --alias:stepwell="$sdk/index.js" \
    '--external:stepwell:*' '--external:wasi:*' \
    --log-level=warning --outfile="$build/app.js" 2> "$build/log" || status=$?
# Without what esbuild's launcher adds about itself.
sed '/^node:child_process/,$d' "$build/log" >&2
[[ $status -eq 0 ]] || exit 1

cp -R "$sdk/wit" "$build/wit"
cp "$wit"/*.wit "$build/wit/"

# --sync: Stepwell's worlds have no asynchronous functions, and its host no support for them.
if ! componentize-qjs --wit "$build/wit" --world javascript-module --js "$build/app.js" --sync \
    --output "$build/module.wasm" > "$build/log" 2>&1; then
    cat "$build/log" >&2
    exit 1
fi
mv "$build/module.wasm" "$output"

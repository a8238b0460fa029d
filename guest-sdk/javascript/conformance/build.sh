#!/usr/bin/env bash
# Builds the conformance guests: bash build.sh OUTDIR, writes OUTDIR/echo.wasm, fail.wasm and slow.wasm.
# The tools that the template pins are installed once into $STEPWELL_TOOLS/javascript (default: .tools/javascript here).
# Exit code 3, and one line that says why, where they cannot be had.
set -euo pipefail

skip() {
    echo "SKIPPED javascript: $1" >&2
    exit 3
}

output=${1:?"usage: bash build.sh OUTDIR"}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sdk=$here/../sdk template=$here/../template wit=$here/../../../wit
tools=${STEPWELL_TOOLS:-$PWD/.tools}/javascript

command -v npm > /dev/null || skip "there is no npm"
pins=$(sed -nE 's/.*"(componentize-qjs|esbuild)": "(.*)".*/\1@\2/p' "$template/package.json" | tr '\n' ' ')
mkdir -p "$output" "$tools"
if [[ "$(cat "$tools/installed" 2> /dev/null)" != "$pins" ]]; then
    echo "installing ${pins}into $tools"
    # The versions are exact, and no package's own script is run.
    # shellcheck disable=SC2086
    npm install --prefix "$tools" --no-save --no-package-lock --no-audit --no-fund --ignore-scripts $pins \
        > "$tools/install.log" 2>&1 || skip "npm cannot install ${pins}(see $tools/install.log)"
    "$tools/node_modules/.bin/componentize-qjs" --help > "$tools/install.log" 2>&1 \
        && "$tools/node_modules/.bin/esbuild" --version >> "$tools/install.log" 2>&1 \
        || skip "the tools do not run on this machine (see $tools/install.log)"
    echo "$pins" > "$tools/installed"
fi

export PATH="$tools/node_modules/.bin:$PATH"
for guest in echo fail slow; do
    module=$output/$guest.wasm
    inputs=("$here/build.sh" "$here/$guest" "$sdk" "$wit" "$tools/installed")
    if [[ -e $module && -z $(find "${inputs[@]}" -type f -newer "$module") ]]; then
        continue
    fi
    echo "building $module"
    bash "$sdk/build-module.sh" "$here/$guest/app.js" "$wit" "$module"
done

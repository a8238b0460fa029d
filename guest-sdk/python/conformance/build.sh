#!/usr/bin/env bash
# Builds the conformance guests: bash build.sh OUTDIR, writes OUTDIR/echo.wasm, fail.wasm and slow.wasm.
# The tool that the template pins is installed once into $STEPWELL_TOOLS/python (default: .tools/python here).
# Exit code 3, and one line that says why, where it cannot be had.
set -euo pipefail

skip() {
    echo "SKIPPED python: $1" >&2
    exit 3
}

output=${1:?"usage: bash build.sh OUTDIR"}
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
sdk=$here/../sdk template=$here/../template wit=$here/../../../wit
tools=${STEPWELL_TOOLS:-$PWD/.tools}/python

command -v python3 > /dev/null || skip "there is no python3"
mkdir -p "$output" "$tools"
if ! cmp -s "$template/requirements.txt" "$tools/installed"; then
    echo "installing the template's requirements.txt into $tools"
    python3 -m venv "$tools/venv" > "$tools/install.log" 2>&1 \
        || skip "python3 cannot make a virtual environment (see $tools/install.log)"
    "$tools/venv/bin/pip" install --disable-pip-version-check --requirement "$template/requirements.txt" \
        > "$tools/install.log" 2>&1 || skip "pip cannot install componentize-py (see $tools/install.log)"
    "$tools/venv/bin/componentize-py" --version > "$tools/install.log" 2>&1 \
        || skip "componentize-py does not run on this machine (see $tools/install.log)"
    cp "$template/requirements.txt" "$tools/installed"
fi

export VIRTUAL_ENV=$tools/venv PATH="$tools/venv/bin:$PATH"
for guest in echo fail slow; do
    module=$output/$guest.wasm
    inputs=("$here/build.sh" "$here/$guest" "$sdk" "$wit" "$tools/installed")
    if [[ -e $module && -z $(find "${inputs[@]}" -type f -not -name '*.pyc' -newer "$module") ]]; then
        continue
    fi
    echo "building $module"
    bash "$sdk/build-module.sh" "$here/$guest" "$wit" "$module"
done

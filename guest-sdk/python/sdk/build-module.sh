#!/usr/bin/env bash
# Builds one task module: bash build-module.sh PROJECT WIT OUTPUT
#   PROJECT  the folder of app.py, whose function with @stepwell.task is the task
#   WIT      the folder of Stepwell's contract, task.wit
#   OUTPUT   the .wasm file to write
# Needs `componentize-py` on the PATH; packages are found in the virtual environment that VIRTUAL_ENV names. Installs
# nothing and leaves nothing but OUTPUT.
set -euo pipefail

if [[ $# -ne 3 ]]; then
    echo "usage: bash build-module.sh PROJECT WIT OUTPUT" >&2
    exit 2
fi
project=$1 wit=$2 output=$3
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

# From copies: Python, which runs while a module is built, leaves its __pycache__ beside every source.
mkdir "$build/project" "$build/sdk"
tar -C "$project" --exclude=./.venv --exclude=./stepwell-sdk --exclude=.git --exclude=__pycache__ --exclude='*.wasm' -cf - . \
    | tar -C "$build/project" -xf -
cp -R "$sdk/stepwell" "$sdk/stepwell_entry.py" "$build/sdk/"

# What is wrong with app.py stands in the message; where the tool was when it noticed is of no use.
export RUST_BACKTRACE=0 RUST_LIB_BACKTRACE=0
componentize-py --quiet --wit-path "$wit" --world task componentize stepwell_entry \
    --python-path "$build/project" --python-path "$build/sdk" --output "$build/module.wasm"
mv "$build/module.wasm" "$output"

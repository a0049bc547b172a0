#!/bin/sh
# Which lines of the rooms that an untrusted object meets the unit tests and the corpus reach.
#
#   tests/coverage.sh BUILD        called by `make coverage`
set -eu

source=$(cd "$(dirname "$0")/.." && pwd)
[ -f "$1/build.ninja" ] || CC=clang-19 CXX=clang++-19 cmake -S "$source" -B "$1" -G Ninja \
  -DCMAKE_BUILD_TYPE=Debug -DSCHEDCP_COVERAGE=ON
cmake --build "$1" --target schedcp-unit-tests schedcp_policies schedcp_bpf_include
build=$(cd "$1" && pwd)
tests="$build/tests/schedcp-unit-tests"
rm -f "$build"/coverage-*.profraw
LLVM_PROFILE_FILE="$build/coverage-%p.profraw" "$tests" -sf='*interp*,*sim_*,*check*,*corpus*,*obj_*,*confined*'
llvm-profdata-19 merge -o "$build/coverage.profdata" "$build"/coverage-*.profraw
for room in obj check interp sim; do
  printf '%-8s' "$room"
  llvm-cov-19 report "$tests" -instr-profile="$build/coverage.profdata" "$source/common/$room" |
    awk '/^TOTAL/ {printf "%d lines, %d not reached: %s\n", $8, $9, $10}'
done

#!/bin/sh
# Run every fuzzer for some seconds of wall time, from the corpus of policies and what earlier runs
# have found; print executions and findings. Exit 1 if there is a finding.
#
#   tests/fuzz/run.sh BUILD SECONDS        called by `make fuzz`
set -eu

build=$(cd "$1" && pwd)
seconds=$2
source=$(cd "$(dirname "$0")/../.." && pwd)
clang=$(command -v clang-19 || command -v clang)
strip=$(command -v llvm-strip-19 || command -v llvm-strip)
seeds="$build/fuzz/seeds"
mkdir -p "$seeds"
header=$(find "${XDG_CACHE_HOME:-$HOME/.cache}/schedcp" /var/cache/schedcp -name vmlinux.h -print -quit 2> /dev/null || true)
for file in "$source"/policies/*/*.bpf.c "$source"/tests/corpus/*/*.bpf.c; do
  object="$seeds/$(basename "$file" .bpf.c).o"
  [ -f "$object" ] || {
    # Some want the kernel's own header, and one does not compile, on purpose.
    "$clang" -g -O2 -target bpf -mcpu=v3 -D__TARGET_ARCH_x86 -I"$source/bpf/include" \
      ${header:+-I"$(dirname "$header")"} -c "$file" -o "$object" 2> /dev/null &&
      "$strip" -g "$object"
  } || rm -f "$object"
done
echo "fuzz: $(ls "$seeds" | wc -l) seeds"

pids=
for name in object check interp; do
  mkdir -p "$build/fuzz/$name"
  (
    cd "$build/fuzz"
    exec "$build/tests/fuzz/fuzz-$name" -max_total_time="$seconds" -timeout=60 -rss_limit_mb=3000 \
      -max_len=131072 -print_final_stats=1 -verbosity=1 -artifact_prefix="$name-" "$name" seeds
  ) > "$build/fuzz/$name.log" 2>&1 &
  pids="$pids $!"
done
trap 'kill $pids 2> /dev/null || true' INT TERM
failed=0
for pid in $pids; do wait "$pid" || failed=1; done
for name in object check interp; do
  printf '%-8s %s executions, %s\n' "$name" \
    "$(sed -n 's/^stat::number_of_executed_units: *//p' "$build/fuzz/$name.log")" \
    "$(grep -m 1 -E 'ERROR: |SUMMARY: ' "$build/fuzz/$name.log" || echo 'no finding')"
done
exit $failed

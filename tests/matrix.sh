#!/bin/sh
# Every policy of the library through every stage of verification, on the oldest kernel with
# sched_ext and the newest, on one CPU and on more.
#
#   tests/matrix.sh BUILD        called by `make test-matrix`
set -eu

build=$(cd "$1" && pwd)
PATH="$build/bin:$PATH"
export SCHEDCP_STATE_DIR="$build/matrix"
mkdir -p "$SCHEDCP_STATE_DIR"
oldest=$(schedcp-vm kernel build 6.12 --format json | sed 's/.*"release":"\([^"]*\)".*/\1/')
newest=$(schedcp-vm kernel fetch --format json | sed 's/.*"release":"\([^"]*\)".*/\1/')

failed=0
for kernel in "$oldest" "$newest"; do
  for cpus in 1 2 4 8; do
    verdicts="$SCHEDCP_STATE_DIR/$kernel-$cpus.json"
    # 1 is an answer, that none was accepted; more is that there is none.
    schedcp-verify --kernel "$kernel" --cpus "$cpus" "$build"/share/schedcp/policies/*/*.bpf.o \
      > "$verdicts" || [ $? -eq 1 ]
    for object in "$build"/share/schedcp/policies/*/*.bpf.o; do
      name=$(basename "$object" .bpf.o)
      verdict=$(sed -n "/\"policy\":{\"name\":\"$name\"/p" "$verdicts")
      case $verdict in
        *'"accepted":true'*'"severity":"warning"'*) outcome="accepted, with a warning" ;;
        *'"accepted":true'*) outcome=accepted ;;
        *) outcome=$(printf '%s' "$verdict" | sed -E 's/.*"reason":"(([^"\\]|\\.)*)".*/\1/') ;;
      esac
      printf '%-28s %s CPUs  %-14s %s\n' "$kernel" "$cpus" "$name" "${outcome:-no verdict}"
      [ "$outcome" = accepted ] || failed=$((failed + 1))
    done
  done
done
[ "$failed" = 0 ] || { echo "matrix: $failed not accepted without a warning" >&2; exit 1; }

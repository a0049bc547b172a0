#!/bin/sh
# Soak: many deployments through schedcp-deploy under load, each looked after, in one fresh guest
# after the other. What each guest saw is a line of bench/soak.jsonl, and adds to those of earlier
# runs of the same acceleration; the sums are printed. Two may run at once.
#
#   bench/soak.sh [BUILD [DEPLOYMENTS [ACCEL]]]        called by `make soak`
#
# By default emulated with the CPUs taking turns: with a thread each a kernel that patches itself
# panics now and then whatever it runs (bench/int3.sh), and deployments make it patch itself.
set -eu

build=$(cd "${1:-build}" && pwd)
wanted=${2:-100}
here=$(cd "$(dirname "$0")" && pwd)
accel=${3:-tcg-single}
per_guest=50
export PATH="$build/bin:$build/share/schedcp/workloads:$PATH"
work=$(mktemp -d)
vm=
end() {
  set +e  # it ends by our signal, which is no success
  [ -z "$vm" ] || { kill "$vm" && wait "$vm"; }
  rm -rf "$work"
}
trap end EXIT
trap 'exit 143' INT TERM
export SCHEDCP_STATE_DIR="$work/state"
mkdir -p "$SCHEDCP_STATE_DIR" "$work/verdicts"

echo "soak: verifying what is to be deployed" >&2
for policy in fifo vtime sjf ljf; do
  schedcp-verify "$build/share/schedcp/policies/$policy/$policy.bpf.c" > "$work/verdicts/$policy"
done

left=$wanted
while [ "$left" -gt 0 ]; do
  count=$((left < per_guest ? left : per_guest))
  left=$((left - count))
  # The guest says after each deployment what it has seen so far; if it panics, schedcp-vm ends with
  # 125 and the last word counts.
  code=0
  schedcp-vm --root --accel "$accel" --kernel-log "$work/kernel" --timeout 1h -- \
    sh "$here/soak_guest.sh" "$work/verdicts" "$count" > "$work/said" 2> "$work/err" &
  vm=$!
  wait $vm || code=$?
  vm=
  # Every guest's kernel tells of the policies it took in: a log without them shows nothing.
  if [ "$code" -eq 0 ] && ! grep -q sched_ext "$work/kernel"; then code=log_without_sched_ext; fi
  panics=$(grep -cE 'Kernel panic|Oops' "$work/kernel" || true)
  warnings=$(grep -cE 'WARNING: |BUG: |INFO: (task|rcu)|rcu: INFO|soft lockup|refcount_t' \
    "$work/kernel" || true)
  tail -n 1 "$work/said" > "$work/line"
  if [ "$code" != 0 ]; then
    echo "soak: a guest ended with $code:" >&2
    tail -n 20 "$work/err" "$work/kernel" >&2
    sed -i 's/$/,"guest_failed":1/' "$work/line"
    [ -s "$work/line" ] || echo '"deployments":0,"guest_failed":1' > "$work/line"
  fi
  grep -E 'WARNING|BUG|INFO: ' "$work/kernel" | head -n 5 >&2 || true
  grep '^soak: ' "$work/err" >&2 || true
  printf '{"date":"%s","accel":"%s","panics":%d,"kernel_warnings":%d,%s}\n' \
    "$(date -u +%Y-%m-%dT%H:%M:%SZ)" "$accel" "$panics" "$warnings" "$(cat "$work/line")" >> "$here/soak.jsonl"
  tail -n 1 "$here/soak.jsonl"
done

grep "\"accel\":\"$accel\"" "$here/soak.jsonl" > "$work/lines"
sum() { grep -oE "\"$1\":[0-9]+" "$work/lines" | awk -F : '{n += $2} END {print n + 0}'; }
echo "in all, over $(wc -l < "$work/lines") guests ($accel):"
for what in deployments deployed refused panics kernel_warnings leftovers unexpected guest_failed; do
  printf '  %-16s %d\n' "$what" "$(sum $what)"
done
[ "$(($(sum panics) + $(sum kernel_warnings) + $(sum leftovers) + $(sum unexpected) + $(sum guest_failed)))" -eq 0 ]

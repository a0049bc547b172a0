#!/bin/sh
# Does the emulator alone break a kernel that patches itself? For SECONDS a guest under load switches
# the scheduler's statistics on and off, which rewrites some dozen places of the running kernel; no
# sched_ext policy is ever loaded. Exit 0: the guest lived; 1: it panicked.
#
#   bench/int3.sh [BUILD [SECONDS [ACCEL]]]
#
# With ACCEL tcg most guests panic within minutes ("Oops: int3"): a CPU runs the breakpoint that
# another has already taken out. With tcg-single, as bench/soak.sh has it, and kvm they must not.
set -eu

build=$(cd "${1:-build}" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# shellcheck disable=SC2016  # the guest's
"$build/bin/schedcp-vm" --root --accel "${3:-tcg}" --kernel-log "$log" --timeout 2h -- sh -c '
  nice sh -c "while :; do :; done" &
  sh -c "while :; do sleep 0.01; done" &
  end=$(($(date +%s) + $1)) n=0
  while [ "$(date +%s)" -lt "$end" ]; do
    for switch in 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0 1 0; do
      echo $switch > /proc/sys/kernel/sched_schedstats
    done
    n=$((n + 20))
  done
  echo "lived through $n switches; policies ever loaded: $(cat /sys/kernel/sched_ext/enable_seq)"
' sh "${2:-120}" || {
  grep -m 2 -E 'Oops|RIP: 0010' "$log"
  exit 1
}

#!/bin/sh
# The last part of the demo, inside the guest: deploy what a measurement says has won, kill the guard
# that holds it, see the kernel fall back by itself, deploy again, roll back.
set -eu
measurement=$1

type_in() {
  printf '\n  guest$ %s\n' "$1"
  eval "$1"
}
state() { cat /sys/kernel/sched_ext/state; }
expect() {
  if [ "$(state)" != "$1" ]; then
    echo "demo: sched_ext is $(state), not $1" >&2
    exit 1
  fi
}
# The kernel goes back by itself when the guard is gone; it takes some milliseconds.
wait_until_disabled() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if [ "$(state)" = disabled ]; then return; fi
    sleep 0.1
  done
}

type_in 'schedcp-deploy --format text < "$measurement"'
type_in 'cat /sys/kernel/sched_ext/state /sys/kernel/sched_ext/root/ops'
expect enabled

echo
echo '  # What if the guard is killed, as harshly as can be?'
type_in 'pkill -9 -x schedcp-guard'
wait_until_disabled
type_in 'cat /sys/kernel/sched_ext/state'
expect disabled
type_in 'schedcp-deploy status --format text'

echo
echo '  # Once more, and back by hand.'
type_in 'schedcp-deploy again --format text'
expect enabled
type_in 'schedcp-rollback --format text'
type_in 'cat /sys/kernel/sched_ext/state'
expect disabled

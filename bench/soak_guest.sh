#!/bin/sh
# Inside the guest: COUNT deployments of the verdicts in DIR under load, each ended in another way,
# and each followed by a look for what it left behind. Prints after each the
# members of one JSON object: what it saw so far.
#
#   soak_guest.sh DIR COUNT
set -eu
verdicts=$1 count=$2
scx=/sys/kernel/sched_ext
quick='--watch-time 300ms --latency-ratio 1000'

# Load: one that never sleeps, batches of short jobs, processes that come and go. Nice, so that an
# emulated guest comes to deploying at all.
work=$(mktemp -d)
nice -n 10 sh -c 'while :; do :; done' & load=$!
nice -n 10 sh -c 'while :; do long-tail --jobs 2 --scale 0.2; done' > /dev/null 2>&1 & load="$load $!"
nice -n 10 sh -c 'while :; do sleep 0.02; done' & load="$load $!"
end_load() {
  # shellcheck disable=SC2086  # several
  kill $load 2> /dev/null || true
}
trap 'end_load; rm -rf "$work"' EXIT

# Each BPF program has an allocation of its own. (/proc/kallsyms tells them too; reading it takes an
# emulated guest seconds.)
programs() { awk '/bpf_prog_alloc/ { n++ } END { print n + 0 }' /proc/vmallocinfo; }
# A process may end while it is looked at.
guards() { cat /proc/[0-9]*/comm 2> /dev/null | awk '$0 == "schedcp-guard" { n++ } END { print n + 0 }'; }
# The kernel takes a policy out within some milliseconds of its guard's end; it frees it later.
settle() {
  for _ in $(seq 100); do
    if [ "$(cat $scx/state)" = disabled ] && [ "$(guards)" -eq 0 ] && [ "$(programs)" -le "$programs" ]; then
      return
    fi
    sleep 0.1
  done
}
programs=$(programs)

deployed=0 refused=0 leftovers=0 unexpected=0 i=0
report() {
  printf '"kernel":"%s","deployments":%d,"deployed":%d,"refused":%d,"leftovers":%d,"unexpected":%d\n' \
    "$(uname -r)" "$i" "$deployed" "$refused" "$leftovers" "$unexpected"
}
complain() { echo "soak: deployment $i ($policy, $ending): $*" >&2; }
while [ "$i" -lt "$count" ]; do
  policy=$(ls "$verdicts" | sed -n "$((i % $(ls "$verdicts" | wc -l) + 1))p")
  case $((i % 6)) in
    0) ending=rollback trial='--canary-time 300ms' ;;
    1) ending=guard_killed trial=--no-canary ;;
    2) ending=replaced trial=--no-canary ;;
    3) ending=rollback trial=--no-canary ;;
    4) ending=kill trial=--no-canary ;;
    5) ending=guard_ended trial=--no-canary ;;
  esac
  i=$((i + 1))
  code=0
  # shellcheck disable=SC2086  # several words
  schedcp-deploy $quick $trial < "$verdicts/$policy" > "$work/out" 2> "$work/err" || code=$?
  case $code in
    0)
      deployed=$((deployed + 1))
      if [ "$(cat $scx/root/ops 2> /dev/null)" != "$policy" ]; then
        complain "the kernel runs '$(cat $scx/root/ops 2> /dev/null)'"
        unexpected=$((unexpected + 1))
      fi
      # Counters that do not see what runs would not see what is left either.
      if [ "$(guards)" -eq 0 ] || [ "$(programs)" -le "$programs" ]; then
        complain "not counted: $(guards) guards, $(programs) programs where there were $programs"
        unexpected=$((unexpected + 1))
      fi
      ;;
    1) # an answer: it was taken out again, and must leave nothing
      refused=$((refused + 1))
      complain "refused: $(sed -E 's/.*"reason":"([^"]*)".*/\1/' "$work/out")"
      schedcp-deploy reset > /dev/null
      ending=refused
      ;;
    *)
      complain "exit $code: $(cat "$work/err")"
      unexpected=$((unexpected + 1))
      ;;
  esac
  sleep 0.2
  case $ending in
    replaced) [ "$i" -lt "$count" ] && continue ;;
    guard_killed) pkill -KILL -x schedcp-guard || unexpected=$((unexpected + 1)) ;;
    guard_ended) pkill -TERM -x schedcp-guard || unexpected=$((unexpected + 1)) ;;
    kill)
      schedcp-rollback --kill > /dev/null || unexpected=$((unexpected + 1))
      schedcp-rollback --unlock > /dev/null
      ;;
  esac
  # What was there before a replaced one is the last known good; the default is asked for by name.
  schedcp-rollback --default > /dev/null || {
    complain "rollback failed"
    unexpected=$((unexpected + 1))
  }
  settle
  if [ "$(cat $scx/state)" != disabled ] || [ "$(guards)" -ne 0 ] || [ "$(programs)" -gt "$programs" ]; then
    complain "left: state $(cat $scx/state), $(guards) guards, $(($(programs) - programs)) programs"
    leftovers=$((leftovers + 1))
  fi
  report
done

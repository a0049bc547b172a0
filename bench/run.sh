#!/bin/sh
# Measure schedcp itself: how long a VM takes to start, verification by stage, what profiling costs,
# how long a policy takes to load, attach and detach. Prints, and writes bench/results.json.
#
#   bench/run.sh [BUILD]        called by `make bench`
set -eu

build=$(cd "${1:-build}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$build/bin:$build/share/schedcp/workloads:$PATH"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export SCHEDCP_STATE_DIR="$work/state"
mkdir -p "$SCHEDCP_STATE_DIR"

# Milliseconds that a command takes.
ms_of() {
  start=$(date +%s%N)
  "$@" > "$work/out" 2> "$work/err" || {
    echo "bench: failed: $*" >&2
    cat "$work/err" >&2
    exit 1
  }
  echo "$(date +%s%N) $start" | awk '{printf "%.1f\n", ($1 - $2) / 1e6}'
}
# Median, least and most of numbers on stdin, as JSON. Of six and more, least and most enclose the
# median with 95 % confidence.
quantity() {
  sort -g | awk '{v[NR] = $1} END {
    m = NR % 2 ? v[(NR + 1) / 2] : (v[NR / 2] + v[NR / 2 + 1]) / 2
    printf "{\"n\":%d,\"median\":%.5g,\"least\":%.5g,\"most\":%.5g}", NR, m, v[1], v[NR]}'
}
say() { printf '%-34s %s\n' "$1" "$2"; }

echo "schedcp on $(uname -r), $(nproc) CPUs, load $(cut -d ' ' -f 1 /proc/loadavg)"
schedcp-vm -- true  # the snapshot is made at the first start
for _ in 1 2 3 4 5 6 7 8 9 10; do ms_of schedcp-vm -- true; done > "$work/warm"
warm=$(quantity < "$work/warm")
say "VM start to end, warm (ms)" "$warm"
for _ in 1 2 3 4 5 6 7 8 9 10; do ms_of schedcp-vm --cold -- true; done > "$work/cold"
cold=$(quantity < "$work/cold")
say "VM start to end, cold (ms)" "$cold"

# {"name":"build","outcome":"passed","wall_ns":N,... -> build MS
for _ in 1 2 3; do
  schedcp-verify "$build/share/schedcp/policies/vtime/vtime.bpf.c" > "$work/verdict" 2> "$work/err" || {
    cat "$work/verdict" "$work/err" >&2
    exit 1
  }
  sed 's/{"name":"/\n&/g' "$work/verdict" |
    sed -nE 's/^\{"name":"([a-z]+)","outcome":"passed","wall_ns":([0-9]+).*/\1 \2/p'
done > "$work/stages_ns"
awk '{print $1, $2 / 1e6}' "$work/stages_ns" > "$work/stages"
stages=
for stage in build static sim kernel stress token; do
  quantity=$(sed -n "s/^$stage //p" "$work/stages" | quantity)
  say "verify vtime, $stage (ms)" "$quantity"
  stages="$stages${stages:+,}\"$stage\":$quantity"
done

# Before any kernel: static and sim of every policy of the library, twenty times, in milliseconds;
# then the decisions that the simulator made for fifo in a second.
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
  schedcp-verify --stages static,sim "$build"/share/schedcp/policies/*/*.bpf.o
done > "$work/before"
stage_ms() { sed -nE "s/.*\"name\":\"$1\",\"outcome\":\"passed\",(\"reason\":\"[^\"]*\",)?\"wall_ns\":([0-9]+).*/\2/p" "$work/before"; }
# The least time that 95 of 100 do not exceed.
p95() { sort -g | awk '{v[NR] = $1 / 1e6} END {n = int(NR * 0.95); if (n < NR * 0.95) n++; printf "%.4g", v[n]}'; }
static_p95=$(stage_ms static | p95)
sim_p95=$(stage_ms sim | p95)
both_p95=$(stage_ms static > "$work/a" && stage_ms sim | paste "$work/a" - | awk '{print $1 + $2}' | p95)
say "static, sim, both: p95 (ms)" "$static_p95, $sim_p95, $both_p95 of $(wc -l < "$work/before") verdicts"
decisions=$(grep '"name":"fifo"' "$work/before" | sed -nE 's/.*"name":"sim",.*"wall_ns":([0-9]+).*"decisions":([0-9]+).*/\2 \1/p' |
  awk '{print $1 / $2 * 1e9}' | quantity)
say "simulated decisions a second, fifo" "$decisions"

# The same instance with and without the profiler, in turns.
for i in 1 2 3 4 5 6 7 8; do
  if [ $((i % 2)) = 0 ]; then
    plain=$(ms_of long-tail --scale 4 --seed $i)
    watched=$(ms_of schedcp-profile -- long-tail --scale 4 --seed $i)
  else
    watched=$(ms_of schedcp-profile -- long-tail --scale 4 --seed $i)
    plain=$(ms_of long-tail --scale 4 --seed $i)
  fi
  echo "$watched $plain" | awk '{printf "%.4f\n", $1 / $2}'
done > "$work/overhead"
overhead=$(quantity < "$work/overhead")
say "profiled over plain time" "$overhead"

schedcp-bench --policy vtime --max-others 99 -- long-tail --jobs 4 > "$work/measurement" || true
phase() { grep -oE "\"$1\":\{[^}]*\}" "$work/measurement" | head -n 1 | sed 's/^[^:]*://'; }
for phase in load_ms attach_ms detach_ms; do say "policy $phase, in the guest" "$(phase $phase)"; done

cat > "$here/results.json" <<JSON
{"made_by":"make bench","date":"$(date -u +%Y-%m-%dT%H:%M:%SZ)","kernel":"$(uname -r)","cpus":$(nproc),
"vm_warm_ms":$warm,
"vm_cold_ms":$cold,
"verify_stage_ms":{$stages},
"before_a_kernel_p95_ms":{"static":$static_p95,"sim":$sim_p95,"both":$both_p95},
"simulated_decisions_per_s":$decisions,
"profile_wall_ratio":$overhead,
"policy_load_ms":$(phase load_ms),
"policy_attach_ms":$(phase attach_ms),
"policy_detach_ms":$(phase detach_ms)}
JSON
echo "written to bench/results.json"

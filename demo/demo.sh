#!/bin/sh
# The whole story on this machine: a workload is profiled, policies for it are found, a bad one is
# rejected with the reason, the good ones are verified, measured against the kernel's default
# scheduler in a microVM, and the winner is deployed there, attacked, and taken back.
#
#   demo/demo.sh [BUILD]        called by `make demo`; figures go to bench/demo.json
set -eu

build=$(cd "${1:-build}" && pwd)
source=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$build/bin:$build/share/schedcp/workloads:$PATH"
# A state of its own: keys, repository and verdicts of the demo stay in the build directory.
export SCHEDCP_STATE_DIR="$build/demo"
mkdir -p "$SCHEDCP_STATE_DIR"
cd "$SCHEDCP_STATE_DIR"
began=$(date +%s)

bold= plain=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then bold=$(printf '\033[1m') plain=$(printf '\033[0m'); fi
say() { printf '\n%s%s%s\n' "$bold" "$*" "$plain"; }
type_in() {
  printf '\n%s$ %s%s\n' "$bold" "$1" "$plain"
  eval "$1"
}
# What a verdict says in a line: name, yes or no, why.
verdicts() {
  sed -E 's/.*"accepted":(true|false),"reason":"(([^"\\]|\\.)*)".*"policy":\{"name":"([^"]*)".*/  \4: \2/' "$1"
}

say "1. What can this machine do?"
type_in 'schedcp-doctor --format text | head -n 20' || true

say "2. Profile the workload: 39 short jobs and one that is half of all the work, 40 processes that compress."
# One instance; the ones measured later are others. Without the right to use BPF, do it in the VM.
type_in 'schedcp-profile -- long-tail --seed 1 > profile.json'
if ! grep -q '"hints":\[{' profile.json; then
  type_in 'schedcp-vm --root -- schedcp-profile -- long-tail --seed 1 > profile.json'
fi
sed -E 's/.*"classification":\{"label":"([^"]*)".*/  classified as: \1/' profile.json

say "3. Find policies for it."
type_in 'schedcp-search --top 4 --format text < profile.json'
# The four simplest are measured, also those that the search would not advise: more take longer.
: > candidates.json
schedcp-search --top 100 < profile.json > found.json
for policy in fifo vtime sjf ljf; do
  grep "\"policy\":{\"name\":\"$policy\"" found.json >> candidates.json ||
    type_in "schedcp-search --top 1 $policy >> candidates.json"
done

say "4. Verify. First a policy that somebody got wrong: it forgets tasks."
if type_in 'schedcp-verify --format text "$source/tests/corpus/bad/loses_task.bpf.c"'; then
  echo "demo: the bad policy was accepted" >&2
  exit 1
fi
say "   Now those that were found: compiled, analysed, loaded by a real kernel, put under stress."
type_in 'schedcp-verify < candidates.json > verdicts.json'
verdicts verdicts.json

say "5. Measure them against the default scheduler, in a microVM; sizes are drawn afresh each run."
type_in 'schedcp-bench --target vm -- long-tail < verdicts.json > named.json' || [ $? -eq 1 ]
schedcp-bench show < named.json

say "6. The same batch with all 40 jobs under one command name: nothing tells the long one apart."
type_in 'schedcp-bench --target vm -- long-tail --one-name < verdicts.json > one-name.json' || [ $? -eq 1 ]
schedcp-bench show < one-name.json

say "7. Deploy the winner: canary, then everything; kill its guard; go back. In the microVM, as root there."
deployed=0
type_in 'schedcp-vm --root -- sh "$source/demo/deploy.sh" named.json' || deployed=$?

# A measurement without its verdicts, whose tokens and paths are nobody else's business.
figures() {
  sed 's/"expires":"[^"]*"}/&\n/g' "$1" | sed 's/,"policy":{"accepted":.*$//; s/,"cwd":"[^"]*"//' | tr -d '\n'
}

seconds=$(($(date +%s) - began))
mkdir -p "$source/bench"
{
  printf '{"made_by":"make demo","seconds":%d,"deploy_exit":%d,\n"named":' "$seconds" "$deployed"
  figures named.json
  printf ',\n"one_name":'
  figures one-name.json
  printf '}\n'
} > "$source/bench/demo.json"
say "Done in $seconds s. The figures are in bench/demo.json, the documents in $SCHEDCP_STATE_DIR."
if [ "$deployed" -ne 0 ]; then exit "$deployed"; fi
grep -q '"winner"' named.json || {
  echo "demo: no policy won; was the machine busy?" >&2
  exit 1
}

#!/bin/sh
# Does the simulator order policies as the kernel does? Policies run on workloads, in the microVM
# and simulated on a machine whose costs were measured there. Prints, and writes bench/fidelity.json.
#
#   bench/fidelity.sh [BUILD [ROUNDS]]       called by `make bench-fidelity`
#
# What was measured is kept in BUILD/fidelity, workload by workload, and not measured again: remove
# it to start anew. The machine should do nothing else meanwhile.
set -eu

build=$(cd "${1:-build}" && pwd)
rounds=${2:-6}
here=$(cd "$(dirname "$0")" && pwd)
export PATH="$build/bin:$build/share/schedcp/workloads:$PATH"
work="$build/fidelity"
export SCHEDCP_STATE_DIR="$work/state"
mkdir -p "$SCHEDCP_STATE_DIR"
cd "$here/.."

schedcp-verify --until build --format json < "$here/fidelity/policies.json" > "$work/policies"
# Costs are of the guest, not of what is compared: each has a measurement of its own.
[ -s "$work/machine.json" ] || {
  echo "measuring the guest's costs" >&2
  schedcp-vm -- "$build/share/schedcp/workloads/kernel-costs" --name guest > "$work/machine.new"
  mv "$work/machine.new" "$work/machine.json"
}
set --
for workload in "$here"/fidelity/workloads/*.json; do
  name="$work/$(basename "$workload" .json)"
  [ -s "$name.measured" ] || {
    echo "measuring $(basename "$name")" >&2
    # Who wins is asked later, and of all: by the seed, the same for all in a round, nobody does.
    schedcp-bench --samples --runs "$rounds" --max-time 15m --metric '"seed":([0-9]+)' \
      --command-output /dev/null --format json -- \
      "$build/share/schedcp/workloads/play-workload" "$workload" \
      < "$work/policies" > "$name.new" || [ $? = 1 ]
    mv "$name.new" "$name.measured"
  }
  # The very instances that were measured.
  for seed in $(grep -oE '"seed\\":[0-9]+' "$name.measured" | sed 's/.*://' | sort -u); do
    schedcp-sim --tasks --seed "$seed" --workload "$workload" --machine "$work/machine.json" \
      --format json < "$work/policies"
  done > "$name.simulated"
  set -- "$@" "$name.measured" "$name.simulated"
done
"$build/bench/fidelity" "$@" > "$work/fidelity.json"
cp "$work/fidelity.json" "$here/fidelity.json"
echo "written to bench/fidelity.json"

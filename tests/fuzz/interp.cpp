// SPDX-License-Identifier: MIT
// Whatever can be read, run: the interpreter and the kernel model under it stop it or let it end,
// and never touch memory that is not the policy's.
#include "base/error.h"
#include "sim/suite.h"

using namespace schedcp;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const KernelFacts facts(sim::kDefaultKernel);
  static const MachineModel machine = [] {
    MachineModel two;
    two.name = "fuzz";
    two.cpus = 2;
    return two;
  }();
  static const auto topology = sim::topology_of(machine);
  static const auto workload = sim::prepare(sim::checking_mix(2, 260), 2);
  try {
    const PolicyObject object(std::string(reinterpret_cast<const char*>(data), size), "fuzzed");
    sim::Setup setup;
    setup.topology = &topology;
    setup.machine = &machine;
    setup.workload = workload.get();
    setup.max_instructions = 20'000;
    sim::simulate({&object, {}, {}, 0}, facts, setup);
  } catch (const Error&) {
  }
  return 0;
}

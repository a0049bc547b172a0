// SPDX-License-Identifier: MIT
#include "sim/topology.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/file.h"

namespace schedcp::sim {
namespace {

/// How many CPUs a list such as "0-3,8" of /sys names; 1 if it cannot be read.
int count_of(const std::string& file) {
  const auto text = try_read_file("/sys/devices/system/cpu/cpu0/" + file);
  return text ? parse_cpus(*text, kMaxCpus).count() : 1;
}

}  // namespace

CpuSet parse_cpus(const std::string& text, int cpus) {
  CpuSet set;
  for (const auto& part : split(text, ',')) {
    int first = -1, last = -1;
    const char* end = part.data() + part.size();
    auto read = std::from_chars(part.data(), end, first);
    last = first;
    if (read.ptr != end && *read.ptr == '-') read = std::from_chars(read.ptr + 1, end, last);
    if (read.ec != std::errc() || read.ptr != end || first < 0 || last < first || last >= cpus)
      throw usage_error(fmt::format("'{}' names no CPUs of 0-{}", printable(text, 60), cpus - 1));
    for (int cpu = first; cpu <= last; ++cpu) set.add(cpu);
  }
  return set;
}

std::string text_of(const CpuSet& cpus) {
  std::string text;
  for (int first = cpus.first(); first >= 0;) {
    int last = first;
    while (cpus.has(last + 1)) ++last;
    if (!text.empty()) text += ",";
    text += std::to_string(first) + (last > first ? "-" + std::to_string(last) : "");
    first = cpus.next(last + 1);
  }
  return text;
}

Topology topology_of(const MachineModel& machine) {
  const auto refuse = [](const std::string& why) { throw usage_error("machine: " + why); };
  const int64_t n = machine.cpus, threads = machine.threads_per_core;
  if (n < 1 || n > kMaxCpus) refuse(fmt::format("/cpus: not between 1 and {}", kMaxCpus));
  if (threads < 1 || n % threads) refuse("/threads_per_core: does not divide the CPUs");
  const int64_t llc = machine.cpus_per_llc ? machine.cpus_per_llc : n;
  const int64_t node = machine.cpus_per_node ? machine.cpus_per_node : n;
  if (llc < 1 || llc % threads) refuse("/cpus_per_llc: not a multiple of a core's threads");
  if (node < 1 || node % threads) refuse("/cpus_per_node: not a multiple of a core's threads");
  if (machine.hz < 10 || machine.hz > 10000) refuse("/hz: not between 10 and 10000");
  if (machine.sibling_speed <= 0 || machine.sibling_speed > 1)
    refuse("/sibling_speed: not between 0 and 1");
  Topology topology;
  topology.smt = threads > 1;
  topology.all = CpuSet::first(int(n));
  topology.cpus.resize(size_t(n));
  const int64_t cores = n / threads;
  for (int64_t cpu = 0; cpu < n; ++cpu) {
    auto& it = topology.cpus[size_t(cpu)];
    it.core = int(machine.siblings == "split" ? cpu % cores : cpu / threads);
    it.llc = int(it.core * threads / llc);
    it.node = int(it.core * threads / node);
    topology.llcs.resize(std::max(topology.llcs.size(), size_t(it.llc) + 1));
    topology.nodes.resize(std::max(topology.nodes.size(), size_t(it.node) + 1));
    topology.llcs[size_t(it.llc)].add(int(cpu));
    topology.nodes[size_t(it.node)].add(int(cpu));
  }
  for (auto& a : topology.cpus)
    for (int64_t cpu = 0; cpu < n; ++cpu)
      if (topology.cpus[size_t(cpu)].core == a.core) a.siblings.add(int(cpu));
  for (const auto& some : machine.speeds) {
    if (some.speed <= 0.01 || some.speed > 100) refuse("/speeds: not between 0.01 and 100");
    const CpuSet set = parse_cpus(some.cpus, int(n));
    for (int cpu = set.first(); cpu >= 0; cpu = set.next(cpu + 1))
      topology.cpus[size_t(cpu)].speed = some.speed;
  }
  return topology;
}

MachineModel host_machine() {
  MachineModel machine = new_document<MachineModel>();
  machine.name = "this";
  machine.summary = "The machine that simulates.";
  const auto online = try_read_file("/sys/devices/system/cpu/online");
  machine.cpus = online ? parse_cpus(*online, kMaxCpus).count() : 1;
  const auto divides = [&](int64_t part, int64_t whole) {
    return part > 0 && whole % part == 0 && machine.cpus % part == 0;
  };
  const int64_t threads = count_of("topology/thread_siblings_list");
  if (divides(threads, machine.cpus)) machine.threads_per_core = threads;
  if (threads > 1) {
    const auto list = try_read_file("/sys/devices/system/cpu/cpu0/topology/thread_siblings_list");
    machine.siblings = parse_cpus(*list, kMaxCpus).has(1) ? "adjacent" : "split";
  }
  const int64_t llc = count_of("cache/index3/shared_cpu_list");
  if (llc > 1 && divides(machine.threads_per_core, llc)) machine.cpus_per_llc = llc;
  if (const auto node = try_read_file("/sys/devices/system/node/node0/cpulist")) {
    const int64_t cpus = parse_cpus(*node, kMaxCpus).count();
    if (divides(machine.threads_per_core, cpus)) machine.cpus_per_node = cpus;
  }
  return machine;
}

}  // namespace schedcp::sim

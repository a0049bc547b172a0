// SPDX-License-Identifier: MIT
// What the interpreter's tests share: compiling small policies, and the little world they run in.
#pragma once

#include <doctest/doctest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/process.h"
#include "interp/machine.h"

namespace schedcp {

/// Start and end of a small policy; functions, and members of the table, come between.
inline const std::string kPolicyHead = R"(#include "schedcp.bpf.h"
char LICENSE[] SEC("license") = "Dual MIT/GPL";
)";
inline std::string policy_tail(const std::string& members) {
  return "\nSEC(\".struct_ops.link\") struct sched_ext_ops t_ops = {" + members +
         ".timeout_ms = 5000, .name = \"t\" };\n";
}

/// Runs clang in a directory of its own; what it made.
inline std::string compile_text(const std::string& text, const std::vector<std::string>& flags) {
  const TempDir dir;
  write_file_atomic(dir.path() / "t.bpf.c", text);
  Spawn spawn;
  spawn.argv = {find_program("clang-19") ? "clang-19" : "clang", "-O2"};
  spawn.argv.insert(spawn.argv.end(), flags.begin(), flags.end());
  for (const auto& last : {dir.path() / "t.bpf.c", fs::path("-o"), dir.path() / "t.o"})
    spawn.argv.push_back(last.string());
  const RunResult result = run(spawn);
  INFO(result.err);
  REQUIRE(result.exit.ok());
  return read_file(dir.path() / "t.o");
}

inline PolicyObject compile_policy(const std::string& text, const std::string& cpu = "v3") {
  return PolicyObject(compile_text(text, {"-g", "-target", "bpf", "-mcpu=" + cpu,
                                          "-I" SCHEDCP_SOURCE_DIR "/bpf/include", "-c"}),
                      "t");
}

/// Two CPUs and a clock that moves when it is told to.
class World : public Services {
 public:
  uint64_t now_ns() override { return now; }
  uint64_t boot_ns() override { return now + 1'000'000'000; }
  uint32_t cpu() override { return on_cpu; }
  uint32_t cpus() override { return 2; }
  Address current_task() override { return current; }
  uint32_t random() override { return uint32_t(generator()); }
  Address task_from_pid(int32_t pid) override { return tasks.contains(pid) ? tasks[pid] : 0; }
  TaskIdentity identify(Address) override { return {.pid = 7, .tgid = 6, .comm = "seven"}; }
  void timer_start(Address timer, uint64_t after_ns, uint64_t) override {
    timers[timer] = now + after_ns;
  }
  bool timer_cancel(Address timer) override { return timers.erase(timer) > 0; }
  void print(std::string_view text) override { printed.emplace_back(text); }
  void sent(const std::string& map, std::span<const std::byte> record) override {
    received.push_back(map + ":" +
                       std::string(reinterpret_cast<const char*>(record.data()), record.size()));
  }

  uint64_t now = 1000;
  uint32_t on_cpu = 0;
  Address current = 0;
  std::mt19937 generator{1};
  std::map<int32_t, Address> tasks;
  std::map<Address, uint64_t> timers;
  std::vector<std::string> printed, received;
};

/// A machine with its world and object.
struct Bench {
  explicit Bench(PolicyObject compiled, const std::string& release = "7.3")
      : object(std::move(compiled)), machine(object, {}, {}, KernelFacts(release), world) {}
  explicit Bench(const std::string& text, const std::string& cpu = "v3")
      : Bench(compile_policy(text, cpu)) {}
  uint64_t call(const std::string& callback, std::vector<uint64_t> arguments = {}) {
    return machine.call(machine.index(callback), arguments);
  }
  World world;
  PolicyObject object;
  Machine machine;
};

}  // namespace schedcp

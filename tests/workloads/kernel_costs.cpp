// SPDX-License-Identifier: MIT
// kernel-costs: measure what the kernel's own work takes here, each cost by itself, and print it as
// a machine document for schedcp-sim --machine FILE.
//
//   kernel-costs [--name NAME]
//
// For a quiet machine of at least two CPUs, under its default scheduler, as root. Each cost is a
// median over many times; differences of them where only sums can be seen.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/bpf.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <thread>

#include "base/error.h"
#include "channel.h"
#include "doc/simulation.h"

using namespace schedcp;
using namespace schedcp::play;

namespace {

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + long(values.size() / 2), values.end());
  return values[values.size() / 2];
}

/// The median of what `once` returns.
template <class Once>
double typical(int times, const Once& once) {
  std::vector<double> values;
  for (int i = 0; i < times; ++i) values.push_back(double(once()));
  return median(values);
}

void bind_to(int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  if (sched_setaffinity(0, sizeof(set), &set) < 0) throw system_error("cannot choose a CPU");
}

void become(int policy, int priority) {
  const sched_param parameter{.sched_priority = priority};
  if (sched_setscheduler(0, policy, &parameter) < 0)
    throw system_error("cannot change the scheduling class");
}

void rest(int64_t us) {
  const timespec time{0, us * 1000};
  nanosleep(&time, nullptr);
}

double syscall_cost() {
  constexpr int kCalls = 100;
  std::atomic<uint32_t> word{0};
  return typical(51,
                 [&] {
                   const int64_t start = now_ns();
                   for (int i = 0; i < kCalls; ++i) futex_wake_all(word);
                   return now_ns() - start;
                 }) /
         kCalls;
}

/// Two on one CPU wake each other and sleep: a wake-up, two system calls, a switch.
double hop_cost() {
  constexpr int kRounds = 50, kTimes = 41;
  Channel there{}, back{};
  std::thread other([&] {
    bind_to(0);
    for (int i = 0; i < kRounds * kTimes; ++i) there.wait(), back.post();
  });
  const double hop = typical(kTimes, [&] {
    const int64_t start = now_ns();
    for (int i = 0; i < kRounds; ++i) there.post(), back.wait();
    return now_ns() - start;
  });
  other.join();
  return hop / (2 * kRounds);
}

/// How long the waker is kept by waking one that will not take its CPU: several in a row, so that
/// neither was just idle.
double waking_cost() {
  constexpr int kTimes = 51, kSleepers = 16;
  static Channel there[kSleepers];
  std::vector<std::thread> sleepers;
  for (Channel& mine : there)
    sleepers.emplace_back([&mine] {
      bind_to(0);
      become(SCHED_IDLE, 0);
      for (int i = 0; i < kTimes; ++i) mine.wait();
    });
  const double cost = typical(kTimes, [&] {
    rest(3000);
    const int64_t start = now_ns();
    for (Channel& one : there) one.post();
    return now_ns() - start;
  });
  for (std::thread& sleeper : sleepers) sleeper.join();
  return cost / kSleepers;
}

/// From waking a task on the other CPU to its first instruction. `busy`: that CPU computes, and the
/// task goes before.
double waking_latency(bool busy) {
  constexpr int kTimes = 301;
  Channel there{}, back{};
  std::atomic<bool> over{false};
  std::vector<double> latencies;
  std::thread hog([&] {
    bind_to(1);
    while (busy && !over) {
    }
  });
  std::thread other([&] {
    bind_to(1);
    if (busy) become(SCHED_FIFO, 2);
    for (int i = 0; i < kTimes; ++i) {
      const int64_t at = there.wait(), now = now_ns();
      if (at) latencies.push_back(double(now - at));
      back.post();
    }
  });
  for (int i = 0; i < kTimes; ++i) {
    rest(1500);
    there.post();
    back.wait();
  }
  over = true;
  hog.join();
  other.join();
  return median(latencies);
}

struct Ticks {
  double ns = 0;
  int64_t hz = 0;
};

/// What a computing task misses at each tick: interruptions that follow another at just the
/// distance that the kernel says ticks have.
Ticks ticks() {
  constexpr int64_t kWindow = 1000000000, kLeast = 3000;
  timespec resolution{};
  clock_getres(CLOCK_MONOTONIC_COARSE, &resolution);
  const int64_t period = resolution.tv_nsec;
  bind_to(1);
  std::vector<int64_t> at, gap;
  at.reserve(kWindow / kLeast), gap.reserve(kWindow / kLeast);
  const int64_t start = now_ns();
  for (int64_t before = start, now; before < start + kWindow; before = now) {
    now = now_ns();
    if (now - before > kLeast) at.push_back(before), gap.push_back(now - before);
  }
  std::vector<double> lost;
  for (size_t i = 0; i < at.size(); ++i)
    if (std::any_of(at.begin(), at.begin() + long(i), [&](int64_t other) {
          return std::llabs(at[i] - other - period) < period / 100;
        }))
      lost.push_back(double(gap[i]));
  bind_to(0);
  if (lost.size() < size_t(kWindow / period / 4)) throw unable("cannot tell which are the ticks");
  return {median(lost), 1000000000 / period};
}

struct Life {
  double fork = 0, exit = 0;
};

int nothing(void*) { return int(syscall(SYS_exit, 0)); }

/// Starting a task that shares memory, and its end, on one CPU.
Life life(double switch_ns, double wake_ns, double syscall_ns) {
  static char stack[16384] __attribute__((aligned(16)));
  std::vector<double> forks, rests;
  for (int i = 0; i < 101; ++i) {
    rest(200);
    const int64_t start = now_ns();
    const pid_t pid =
        clone(nothing, stack + sizeof(stack), CLONE_VM | CLONE_FS | CLONE_FILES | SIGCHLD, nullptr);
    const int64_t middle = now_ns();
    if (pid < 0) throw system_error("cannot start a task");
    waitpid(pid, nullptr, 0);
    forks.push_back(double(middle - start));
    rests.push_back(double(now_ns() - middle));
  }
  return {median(forks), std::max(1.0, median(rests) - 2 * switch_ns - wake_ns - 2 * syscall_ns)};
}

/// Nanoseconds of one execution of `program`, by the kernel's own clock.
double execution(const std::vector<bpf_insn>& program) {
  bpf_attr load{};
  load.prog_type = BPF_PROG_TYPE_SOCKET_FILTER;
  load.insns = reinterpret_cast<uint64_t>(program.data());
  load.insn_cnt = uint32_t(program.size());
  load.license = reinterpret_cast<uint64_t>("Dual MIT/GPL");
  const int fd = int(syscall(SYS_bpf, BPF_PROG_LOAD, &load, sizeof(load)));
  if (fd < 0) throw system_error("cannot load a BPF program");
  const double ns = typical(11, [&] {
    char packet[64] = {};
    bpf_attr run{};
    run.test.prog_fd = uint32_t(fd);
    run.test.data_in = reinterpret_cast<uint64_t>(packet);
    run.test.data_size_in = sizeof(packet);
    run.test.repeat = 50;
    if (syscall(SYS_bpf, BPF_PROG_TEST_RUN, &run, sizeof(run)) < 0)
      throw system_error("cannot run a BPF program");
    return run.test.duration;
  });
  close(fd);
  return ns;
}

/// `turns` times `body`.
std::vector<bpf_insn> loop_of(int turns, const std::vector<bpf_insn>& body) {
  std::vector<bpf_insn> program{
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_6, 0, 0, turns},
      {BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0},
  };
  program.insert(program.end(), body.begin(), body.end());
  const auto back = int16_t(-int(body.size()) - 2);
  program.push_back({BPF_ALU64 | BPF_SUB | BPF_K, BPF_REG_6, 0, 0, 1});
  program.push_back({BPF_JMP | BPF_JNE | BPF_K, BPF_REG_6, 0, back, 0});
  program.push_back({BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_0, 0, 0, 0});
  program.push_back({BPF_JMP | BPF_EXIT, 0, 0, 0, 0});
  return program;
}

double turn_of(const std::vector<bpf_insn>& body) {
  constexpr int kFew = 20, kMany = 520;
  return (execution(loop_of(kMany, body)) - execution(loop_of(kFew, body))) / (kMany - kFew);
}

MachineModel measure(const std::string& name) {
  auto machine = new_document<MachineModel>();
  machine.name = name;
  machine.cpus = sysconf(_SC_NPROCESSORS_ONLN);
  if (machine.cpus < 2) throw unable("needs two CPUs");
  machine.summary = "As measured by kernel-costs.";
  KernelCosts& costs = machine.costs;
  bind_to(0);
  const Ticks tick = ticks();
  machine.hz = tick.hz;
  costs.tick_ns = tick.ns;
  costs.syscall_ns = syscall_cost();
  costs.wake_ns = std::max(1.0, waking_cost() - costs.syscall_ns);
  costs.switch_ns = std::max(1.0, hop_cost() - costs.wake_ns - 2 * costs.syscall_ns);
  const double known = costs.wake_ns + costs.syscall_ns + costs.switch_ns;
  costs.ipi_ns = std::max(1.0, waking_latency(true) - known);
  costs.idle_exit_ns = std::max(1.0, waking_latency(false) - known - costs.ipi_ns);
  const Life one = life(costs.switch_ns, costs.wake_ns, costs.syscall_ns);
  costs.fork_ns = one.fork;
  costs.exit_ns = one.exit;
  const bpf_insn add{BPF_ALU64 | BPF_ADD | BPF_X, BPF_REG_0, BPF_REG_6, 0, 0};
  const bpf_insn clock{BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_ktime_get_ns};
  costs.instruction_ns = turn_of(std::vector<bpf_insn>(18, add)) / 20;
  costs.call_ns = std::max(costs.instruction_ns, turn_of({clock}) - 2 * costs.instruction_ns);
  return machine;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 1 && (argc != 3 || strcmp(argv[1], "--name") != 0))
      throw usage_error("usage: kernel-costs [--name NAME]");
    fmt::print("{}\n", dump(to_json(measure(argc == 3 ? argv[2] : "here"))));
    return 0;
  } catch (const Error& error) {
    fmt::print(stderr, "kernel-costs: {}\n", error.what());
    return int(error.code);
  }
}

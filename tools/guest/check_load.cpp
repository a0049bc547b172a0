// SPDX-License-Identifier: MIT
// The load of the stress stage. Each worker is a process of the default class that stores, in
// memory shared with the supervisor, the moment since which it wants a CPU: the supervisor, which
// is above the policy, reads how long that has been, so a task that never runs again is seen too.
// The kernel alone would not tell: changing a waiting task's properties hides its wait from the
// watchdog.
#include <fcntl.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstring>
#include <map>

#include "base/time.h"
#include "check_policy.h"

namespace schedcp::guest {

namespace {

constexpr size_t kMaxWorkers = 256;
constexpr uint64_t kMs = 1000000;
constexpr const char* kHog = "hog";

void sleep_ns(uint64_t ns) {
  const timespec time{time_t(ns / 1000000000), long(ns % 1000000000)};
  nanosleep(&time, nullptr);
}

/// A small generator: workers must not share one, nor allocate.
uint32_t next_random(uint32_t& state) {
  state ^= state << 13, state ^= state >> 17, state ^= state << 5;
  return state;
}

void burn(uint64_t ns) {
  const uint64_t end = monotonic_ns() + ns;
  while (monotonic_ns() < end) {
  }
}

void set_class(pid_t pid, int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  sched_setscheduler(pid, policy, &parameters);
}

int online_cpus() { return int(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN))); }

void pin(pid_t pid, int cpu) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(cpu, &set);
  sched_setaffinity(pid, sizeof(set), &set);
}

}  // namespace

struct Load::Slot {
  std::atomic<uint64_t> wants_since;  ///< 0: does not want a CPU now
  std::atomic<uint64_t> not_before;   ///< waiting counts from this moment on only
  std::atomic<uint64_t> longest;      ///< longest wait the worker saw itself, ns
  std::atomic<uint64_t> rounds;
  int pid;
  int argument;
  char kind[20];

  /// It runs: whatever it waited since `wants_since` is over.
  void running() {
    const uint64_t now = monotonic_ns(), wait = waited_by(now);
    if (wait > longest.load(std::memory_order_relaxed))
      longest.store(wait, std::memory_order_relaxed);
    wants_since.store(now, std::memory_order_relaxed);
    rounds.fetch_add(1, std::memory_order_relaxed);
  }
  /// How long it has been waiting at `now`, ns.
  uint64_t waited_by(uint64_t now) const {
    const uint64_t wants = wants_since.load(std::memory_order_relaxed);
    const uint64_t since = std::max(wants, not_before.load(std::memory_order_relaxed));
    return wants && now > since ? now - since : 0;
  }
  /// It will want a CPU at `when`; until then it waits for nothing.
  void due(uint64_t when) { wants_since.store(when, std::memory_order_relaxed); }
};

struct Load::Shared {
  std::atomic<size_t> count;
  Slot slots[kMaxWorkers];
};

Load::Load(LoadKind kind, bool hotplug) : start_(make_pipe()) {
  void* memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) throw system_error("cannot share memory with the load");
  shared_ = static_cast<Shared*>(memory);
  const int cpus = online_cpus();
  if (kind == LoadKind::steady) {
    for (int i = 0; i < cpus; ++i) spawn(kHog, spin);
    for (int i = 0; i < 2; ++i) spawn("niced hog", niced, i ? 5 : -5);
    spawn("pinned hog", pinned, cpus - 1);
    for (int i = 0; i < 2; ++i) spawn("sleeper", sleeper, i);
    spawn("ping-pong", ping_pong);
    max_ms_.assign(shared_->count, 0);
    return;
  }
  for (int i = 0; i < cpus + 1; ++i) spawn(kHog, spin);
  for (int i = 0; i < cpus; ++i) spawn("pinned hog", pinned, i);
  for (int i = 0; i < 2; ++i) spawn("niced hog", niced, i ? 5 : -5);
  for (int i = 0; i < 3; ++i) spawn("changed task", victim);
  for (int i = 0; i < cpus + 2; ++i) spawn("sleeper", sleeper, i);
  for (int i = 0; i < 2; ++i) spawn("yielder", yielder);
  spawn("ping-pong", ping_pong);
  spawn("fork storm", fork_storm);
  spawn("exec storm", exec_storm);
  spawn("tormentor", tormentor);
  spawn("real-time task", real_time);
  if (hotplug) spawn("plugger", plugger);
  max_ms_.assign(shared_->count, 0);
}

Load::~Load() {
  for (int pid : pids_) kill(-pid, SIGKILL);
  // A task that a policy lost dies only once the policy is gone; wait, but not for ever.
  int tries = 0;
  for (int pid : pids_)
    for (; tries < 500 && waitpid(pid, nullptr, WNOHANG) == 0; ++tries) sleep_ns(10 * kMs);
  munmap(shared_, sizeof(Shared));
}

void Load::spawn(const char* kind, void (*work)(Load&, Slot&), int argument) {
  Slot& slot = shared_->slots[shared_->count];
  std::strncpy(slot.kind, kind, sizeof(slot.kind) - 1);
  slot.argument = argument;
  const pid_t supervisor = getpid();
  const pid_t pid = fork();
  if (pid < 0) throw system_error("cannot start the load");
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != supervisor) _exit(1);
    setpgid(0, 0);
    alarm(0);
    set_class(0, SCHED_OTHER, 0);
    char nothing;
    (void)!read(start_.first.get(), &nothing, 1);
    work(*this, slot);
    _exit(0);
  }
  setpgid(pid, pid);
  slot.pid = pid;
  pids_.push_back(pid);
  ++shared_->count;
}

void Load::start() {
  const std::string one_each(shared_->count, '\0');
  write_all(start_.second.get(), one_each, "the load's pipe");
}

void Load::measure() {
  const uint64_t now = monotonic_ns();
  for (size_t i = 0; i < max_ms_.size(); ++i) {
    Slot& slot = shared_->slots[i];
    if (paused_ && !is_hog(slot)) continue;
    const uint64_t wait =
        std::max(slot.longest.load(std::memory_order_relaxed), slot.waited_by(now));
    max_ms_[i] = std::max(max_ms_[i], double(wait) / kMs);
  }
}

void Load::reset() {
  const uint64_t now = monotonic_ns();
  for (size_t i = 0; i < max_ms_.size(); ++i) {
    shared_->slots[i].not_before = now;
    shared_->slots[i].longest = 0;
    max_ms_[i] = 0;
  }
}

bool Load::is_hog(const Slot& slot) { return std::strcmp(slot.kind, kHog) == 0; }

void Load::pause_all_but_hogs() {
  paused_ = true;
  for (size_t i = 0; i < shared_->count; ++i)
    if (!is_hog(shared_->slots[i])) kill(-shared_->slots[i].pid, SIGSTOP);
}

void Load::resume() {
  if (!paused_) return;
  reset();  // before they run and count the pause as a wait
  for (size_t i = 0; i < shared_->count; ++i)
    if (!is_hog(shared_->slots[i])) kill(-shared_->slots[i].pid, SIGCONT);
  paused_ = false;
}

void Load::pause_all() {
  for (size_t i = 0; i < shared_->count; ++i) kill(-shared_->slots[i].pid, SIGSTOP);
}

std::vector<Portion> Load::portions() const {
  std::vector<Portion> portions;
  for (size_t i = 0; i < max_ms_.size(); ++i) {
    const Slot& slot = shared_->slots[i];
    clockid_t clock;
    timespec used{};
    if (clock_getcpuclockid(slot.pid, &clock) == 0) clock_gettime(clock, &used);
    portions.push_back(
        {slot.kind, uint64_t(used.tv_sec) * 1000000000 + uint64_t(used.tv_nsec), max_ms_[i]});
  }
  return portions;
}

std::vector<Wait> Load::waits() const {
  std::map<std::string, Wait> by_kind;
  for (size_t i = 0; i < max_ms_.size(); ++i) {
    const Slot& slot = shared_->slots[i];
    Wait& wait = by_kind[slot.kind];
    wait.load = slot.kind;
    wait.max_ms = std::max(wait.max_ms, max_ms_[i]);
    wait.rounds += slot.rounds;
  }
  std::vector<Wait> waits;
  for (auto& [kind, wait] : by_kind) waits.push_back(wait);
  std::sort(waits.begin(), waits.end(),
            [](const Wait& a, const Wait& b) { return a.max_ms > b.max_ms; });
  return waits;
}

void Load::spin(Load&, Slot& slot) {
  for (;;) slot.running();
}

void Load::pinned(Load& load, Slot& slot) {
  pin(0, slot.argument);
  spin(load, slot);
}

void Load::niced(Load& load, Slot& slot) {
  setpriority(PRIO_PROCESS, 0, slot.argument);
  spin(load, slot);
}

/// Spins and sleeps, so that the tormentor changes it running, queued and asleep.
void Load::victim(Load&, Slot& slot) {
  uint32_t random = uint32_t(getpid());
  for (;;) {
    const uint64_t end = monotonic_ns() + next_random(random) % (20 * kMs);
    while (monotonic_ns() < end) slot.running();
    const uint64_t nap = next_random(random) % (5 * kMs);
    slot.due(monotonic_ns() + nap);
    sleep_ns(nap);
  }
}

void Load::sleeper(Load&, Slot& slot) {
  uint32_t random = uint32_t(getpid());
  for (;;) {
    const uint64_t nap = 100000 + next_random(random) % (uint64_t(1 + slot.argument) * 3 * kMs);
    slot.due(monotonic_ns() + nap);
    sleep_ns(nap);
    slot.running();
    burn(50000);
  }
}

void Load::yielder(Load&, Slot& slot) {
  for (;;) {
    slot.running();
    burn(100000);
    sched_yield();
  }
}

void Load::ping_pong(Load&, Slot& slot) {
  int there[2], back[2];
  if (pipe(there) || pipe(back)) _exit(1);
  char ball = 'x';
  if (fork() == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    while (read(there[0], &ball, 1) == 1 && write(back[1], &ball, 1) == 1) {
    }
    _exit(0);
  }
  for (;;) {
    slot.running();
    if (write(there[1], &ball, 1) != 1 || read(back[0], &ball, 1) != 1) _exit(1);
  }
}

/// Measured is how long a new child waits to run at all: a vfork's, which costs the parent nothing
/// that could be interrupted.
void Load::fork_storm(Load&, Slot& slot) {
  for (;;) {
    constexpr int kBurst = 8;
    slot.due(monotonic_ns());
    if (vfork() == 0) {
      slot.running(), slot.due(0);
      _exit(0);
    }
    for (int i = 0; i < kBurst; ++i) {
      if (fork() == 0) {
        burn(uint64_t(i) * 100000);
        _exit(0);
      }
    }
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    sleep_ns(5 * kMs);
  }
}

void Load::exec_storm(Load&, Slot& slot) {
  for (;;) {
    slot.due(monotonic_ns());
    if (vfork() == 0) {
      slot.running(), slot.due(0);
      execl("/proc/self/exe", "schedcp-guest", "policy-check", "--nothing", nullptr);
      _exit(1);
    }
    while (waitpid(-1, nullptr, 0) > 0) {
    }
    sleep_ns(10 * kMs);
  }
}

/// Keeps changing where, how nice and in which class the victims run, whatever they are doing.
void Load::tormentor(Load& load, Slot& slot) {
  uint32_t random = uint32_t(getpid());
  const int cpus = online_cpus();
  for (;;) {
    slot.running();
    const size_t count = load.shared_->count;
    for (size_t i = 0; i < count; ++i) {
      const Slot& other = load.shared_->slots[i];
      if (std::strcmp(other.kind, "changed task") != 0 || !other.pid) continue;
      cpu_set_t all;
      CPU_ZERO(&all);
      for (int cpu = 0; cpu < cpus; ++cpu) CPU_SET(cpu, &all);
      switch (next_random(random) % 8) {
        case 0:
        case 1:
        case 2:
          pin(other.pid, int(next_random(random) % uint32_t(cpus)));
          break;
        case 3:
          sched_setaffinity(other.pid, sizeof(all), &all);
          break;
        case 4:
          setpriority(PRIO_PROCESS, id_t(other.pid), int(next_random(random) % 16) - 8);
          break;
        case 5:
          set_class(other.pid, SCHED_BATCH, 0);
          break;
        case 6:
          set_class(other.pid, SCHED_FIFO, 1);
          sleep_ns(kMs);
          set_class(other.pid, SCHED_OTHER, 0);
          break;
        default:
          set_class(other.pid, SCHED_OTHER, 0);
          break;
      }
    }
    slot.due(monotonic_ns() + 3 * kMs);
    sleep_ns(3 * kMs);
  }
}

/// A real-time neighbour that takes a CPU away for 10 ms, five times a second.
void Load::real_time(Load&, Slot& slot) {
  set_class(0, SCHED_FIFO, 1);
  for (;;) {
    burn(10 * kMs);
    slot.due(0);
    sleep_ns(190 * kMs);
  }
}

void Load::plugger(Load&, Slot& slot) {
  const int last = online_cpus() - 1;
  const std::string path = "/sys/devices/system/cpu/cpu" + std::to_string(last) + "/online";
  for (int i = 0; last > 0; ++i) {
    slot.due(0);
    sleep_ns(700 * kMs);
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0) _exit(0);
    if (write(fd, i % 2 ? "1" : "0", 1) == 1) slot.rounds.fetch_add(1);
    ::close(fd);
  }
}

}  // namespace schedcp::guest

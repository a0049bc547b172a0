// SPDX-License-Identifier: MIT
// policy-check: the kernel and stress stages of schedcp-verify, as they run inside a guest that has
// no file of the host. Reads a plan, prints one JSON result.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "base/file.h"
#include "doc/policy.h"
#include "scx/loader.h"

namespace schedcp::guest {

/// What to check, as schedcp-verify writes it.
struct Plan {
  std::string stage;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
  int64_t timeout_ms = 3000;
  double seconds = 0;
  double steady_seconds = 0;
  int64_t max_wait_ms = 0;
  bool hotplug = false;
  static constexpr auto fields() {
    return std::tuple{
        required("stage", &Plan::stage, "Load only, or attach and strain.", "kernel|stress"),
        optional("knobs", &Plan::knobs, "Tunables to set."),
        optional("hints", &Plan::hints, "Expected task lengths."),
        optional("timeout_ms", &Plan::timeout_ms, "The watchdog's time, if below the policy's."),
        optional("seconds", &Plan::seconds, "How long to strain; 0 is twice the watchdog's time."),
        optional("steady_seconds", &Plan::steady_seconds,
                 "How long to watch, after the strain, who gets how much of a steady load."),
        optional("max_wait_ms", &Plan::max_wait_ms,
                 "Longest a runnable task may wait, beyond three times what it waits under the "
                 "default scheduler; 0 is the watchdog's time."),
        optional("hotplug", &Plan::hotplug, "Unplug and plug a CPU meanwhile.")};
  }
};

/// Kernel messages since construction.
class KernelLog {
 public:
  KernelLog();
  /// Collect what has come; call now and then, the kernel's buffer is finite.
  void read();
  const std::vector<std::string>& lines() const { return lines_; }  ///< those of interest
  /// Why the kernel took a policy out, in its own words, or "": for policies that record no exit.
  std::string ended() const;
  const std::string& complaint() const { return complaint_; }  ///< first warning or bug, or ""

 private:
  Fd fd_;
  std::vector<std::string> lines_;
  std::string complaint_;
};

/// How long a kind of load waited for a CPU while it wanted one.
struct Wait {
  std::string load;
  double max_ms = 0;
  uint64_t rounds = 0;
};

/// What one worker of a load got.
struct Portion {
  std::string load;
  uint64_t cpu_ns = 0;  ///< CPU time since start()
  double max_ms = 0;    ///< longest wait
};

enum class LoadKind {
  storm,   ///< everything that breaks schedulers
  steady,  ///< hogs of some weights beyond the CPUs, and a few light tasks; who gets what is known
};

/// Many processes that strain a scheduler. A storm has hogs beyond the CPUs, pinned ones, sleepers,
/// pairs that wake each other, storms of forks and execs, yielders, and ones that keep changing the
/// affinity, nice value and class of others. They die with this object.
class Load {
 public:
  /// Forks the workers, which wait for start(): make it while the process is still small.
  Load(LoadKind kind, bool hotplug);
  ~Load();
  Load(const Load&) = delete;
  Load& operator=(const Load&) = delete;
  void start();
  void measure();  ///< note how long each has been waiting by now; call every some 20 ms
  void reset();    ///< forget waits so far
  /// Only the plain hogs go on; the others stop, and are not measured, until resume().
  void pause_all_but_hogs();
  void resume();
  void pause_all();  ///< all stop, for good
  /// Per kind of load, longest first.
  std::vector<Wait> waits() const;
  /// Per worker, in the order of their making.
  std::vector<Portion> portions() const;

 private:
  struct Shared;
  struct Slot;
  static bool is_hog(const Slot& slot);
  void spawn(const char* kind, void (*work)(Load&, Slot&), int argument = 0);
  template <class Step>
  static void forever(Slot& slot, Step&& step);
  static void spin(Load&, Slot&);
  static void pinned(Load&, Slot&);
  static void niced(Load&, Slot&);
  static void victim(Load&, Slot&);
  static void sleeper(Load&, Slot&);
  static void yielder(Load&, Slot&);
  static void ping_pong(Load&, Slot&);
  static void fork_storm(Load&, Slot&);
  static void exec_storm(Load&, Slot&);
  static void tormentor(Load&, Slot&);
  static void real_time(Load&, Slot&);
  static void plugger(Load&, Slot&);
  Shared* shared_;
  std::pair<Fd, Fd> start_;  ///< a byte for each worker
  std::vector<int> pids_;
  std::vector<double> max_ms_;
  bool paused_ = false;
};

Json check_kernel(const Plan& plan, const std::string& object, const std::string& what,
                  KernelLog& log);
Json check_stress(const Plan& plan, const std::string& object, const std::string& what,
                  KernelLog& log);

/// What the two stages tell alike.
Json health_json(const KernelHealth& health);
Json exit_json(const ExitRecord& record);

}  // namespace schedcp::guest

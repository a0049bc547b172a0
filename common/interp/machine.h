// SPDX-License-Identifier: MIT
// Runs a policy's own bytecode, unmodified, as the kernel would: functions, maps, storage, helpers
// and those kfuncs that are not the scheduler's. Around it a model gives it time, CPUs and tasks
// (Services), kernel structures (Memory) and sched_ext's kfuncs (provide). Deterministic. Objects
// may be hostile: what they can do to the host is use memory and instructions, and both are
// limited.
//
// One call is one activation with its own stack and instruction budget, so calls of one machine may
// be under way on several fibers at once, as long as they are switched only inside natives
// and Services::boundary.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "doc/policy.h"
#include "interp/facts.h"
#include "interp/layout.h"
#include "interp/memory.h"
#include "interp/services.h"
#include "obj/object.h"

namespace schedcp {

class Machine;
class Engine;

/// A kfunc in C++. `args` are registers 1 to 5; the result goes to register 0. It may throw Fault
/// and Unmodelled without a place, call the machine again, and be switched away from.
using Native = uint64_t (*)(void* context, Machine& machine, const uint64_t* args);

class Machine {
 public:
  /// `object` and `services` must outlive this. Throws usage_error for a knob or hint that the
  /// policy does not take, Unmodelled for maps beyond all measure.
  Machine(const PolicyObject& object, const std::vector<KnobValue>& knobs,
          const std::vector<LengthHint>& hints, const KernelFacts& facts, Services& services);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;

  /// Whether the scheduler has a callback: "enqueue".
  bool has(std::string_view callback) const { return index(callback) >= 0; }
  /// Its number for call(), or -1.
  int index(std::string_view callback) const;
  /// Run a callback. Throws Fault and Unmodelled; memory is then as the policy left it.
  uint64_t call(int callback, std::span<const uint64_t> arguments);
  /// A timer that was armed with Services::timer_start has gone off.
  void fire(Address timer);

  /// Give a kfunc its meaning; `name` as in Reference, without the last ___suffix that CO-RE drops.
  /// One that the object does not use is ignored. Later calls replace earlier ones and built-ins.
  void provide(std::string_view name, Native native, void* context);
  /// What reachable code uses and nobody models, as "kfunc scx_bpf_x", "helper 203",
  /// "map type lpm_trie", "instruction 0x20"; sorted. Reaching one throws Unmodelled.
  std::vector<std::string> missing() const;
  /// Kfuncs that the object needs (it does not declare them weak) and that this kernel does not
  /// have: it would refuse to load.
  std::vector<std::string> refused() const;

  /// The model is done with a task or cgroup: what the policy stored on it goes now, its bytes as
  /// soon as the policy holds no reference to it.
  void forget(Address object);

  /// The call of a kfunc that is being made, or was last, or what the last Fault came from: which
  /// of the object's functions, and its instruction.
  std::pair<size_t, uint32_t> last_call() const;
  /// It popped from a queue map that it never pushed to, and found it empty.
  bool awaits_user_space() const;
  /// A data section such as ".bss" as it is now; empty if there is none.
  std::span<const std::byte> data(std::string_view section) const;

  /// Whether Services::boundary is to be called.
  void tell_boundaries(bool wanted);
  /// Instructions run since the machine was made.
  uint64_t instructions() const;
  /// Instructions that one call may take, 10 million unless set.
  void limit(uint64_t instructions);

  Memory& memory();
  const Layout& layout() const;
  const KernelFacts& facts() const;
  const PolicyObject& object() const;
  Services& services();

  /// A CPU mask for a model: as many bytes as the object's struct cpumask has and the CPUs take.
  Address new_cpumask();
  size_t cpumask_bytes() const;

  /// What bpf_seq-like formats make of `data` (%d %u %x %llu %s %p %c ...), at most 1024 bytes.
  /// For scx_bpf_error_bstr: format address, array of values, its size in bytes.
  std::string format(Address format, Address data, size_t bytes);

  /// The value of a map's element at index `key`, as user space would read it (arrays, per-CPU
  /// arrays of CPU `cpu`), or NULL.
  Address element(std::string_view map, uint32_t key, uint32_t cpu = 0);

 private:
  std::unique_ptr<Engine> engine_;
};

}  // namespace schedcp

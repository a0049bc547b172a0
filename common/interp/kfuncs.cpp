// SPDX-License-Identifier: MIT
// Kernel functions that are BPF's rather than the scheduler's: CPU masks, iteration, references.
#include "interp/kfuncs.h"

#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cerrno>

#include "interp/engine.h"

namespace schedcp {
namespace {

constexpr int64_t kMaxLoops = 8 << 20;

uint64_t error(int64_t number) { return uint64_t(number); }

/// The words of a mask that CPUs have bits in; bits beyond the last CPU do not count.
class Mask {
 public:
  static constexpr unsigned kWords = 128;  // 8192 CPUs, the kernel's own limit
  Mask(Engine& engine, Address from) : Mask(engine) {
    std::memcpy(words_, engine.memory.reach(from, count_ * 8, false), count_ * 8);
    trim();
  }
  /// All CPUs.
  static Mask full(Engine& engine) {
    Mask mask(engine);
    std::fill_n(mask.words_, mask.count_, UINT64_MAX);
    mask.trim();
    return mask;
  }
  static Mask empty(Engine& engine) { return Mask(engine); }

  Mask& operator&=(const Mask& other) {
    return each(other, [](auto a, auto b) { return a & b; });
  }
  Mask& operator|=(const Mask& other) {
    return each(other, [](auto a, auto b) { return a | b; });
  }
  Mask& operator^=(const Mask& other) {
    return each(other, [](auto a, auto b) { return a ^ b; });
  }
  bool operator==(const Mask& other) const {
    return std::equal(words_, words_ + count_, other.words_);
  }
  uint32_t weight() const {
    uint32_t sum = 0;
    for (unsigned i = 0; i < count_; ++i) sum += uint32_t(std::popcount(words_[i]));
    return sum;
  }
  /// The first CPU at or after `from`, or the number of CPUs.
  uint32_t next(uint32_t from) const {
    for (uint32_t cpu = from; cpu < cpus_; cpu = (cpu / 64 + 1) * 64)
      if (const uint64_t rest = words_[cpu / 64] >> cpu % 64)
        return cpu + uint32_t(std::countr_zero(rest));
    return cpus_;
  }
  void store(Engine& engine, Address to) const {
    if (engine.memory.references(to) == 0)
      throw Fault(Fault::Kind::access, "changes a CPU mask that is not its own");
    std::memcpy(engine.memory.own(to, count_ * 8), words_, count_ * 8);
  }

 private:
  explicit Mask(Engine& engine) : cpus_(engine.cpus), count_((engine.cpus + 63) / 64) {
    if (count_ > kWords) throw Unmodelled("machine", "more than 8192 CPUs");
    std::fill_n(words_, count_, 0);
  }
  void trim() {
    if (cpus_ % 64) words_[count_ - 1] &= (uint64_t{1} << cpus_ % 64) - 1;
  }
  template <class Combine>
  Mask& each(const Mask& other, Combine combine) {
    for (unsigned i = 0; i < count_; ++i) words_[i] = combine(words_[i], other.words_[i]);
    return *this;
  }
  uint32_t cpus_, count_;
  uint64_t words_[kWords];
};

// CPU masks

uint64_t cpumask_create(Engine& engine, Activation&, const uint64_t*) {
  return engine.own_object(engine.machine.new_cpumask(), 0);
}

/// Bit of a CPU in a mask of the policy's own, or NULL.
std::byte* own_byte(Engine& engine, uint64_t cpu, Address mask) {
  if (uint32_t(cpu) >= engine.cpus) return nullptr;
  if (engine.memory.references(mask) == 0)
    throw Fault(Fault::Kind::access, "changes a CPU mask that is not its own");
  return engine.memory.own(mask + uint32_t(cpu) / 8, 1);
}

uint64_t change_bit(Engine& engine, const uint64_t* args, bool set) {
  std::byte* byte = own_byte(engine, args[0], args[1]);
  if (!byte) return 0;
  const std::byte bit{uint8_t(1u << args[0] % 8)};
  const bool was = (*byte & bit) != std::byte{0};
  *byte = set ? *byte | bit : *byte & ~bit;
  return was;
}

uint64_t cpumask_set_cpu(Engine& engine, Activation&, const uint64_t* args) {
  return change_bit(engine, args, true);
}

uint64_t cpumask_clear_cpu(Engine& engine, Activation&, const uint64_t* args) {
  return change_bit(engine, args, false);
}

uint64_t cpumask_test_cpu(Engine& engine, Activation&, const uint64_t* args) {
  const uint32_t cpu = uint32_t(args[0]);
  if (cpu >= engine.cpus) return 0;
  return engine.memory.load<uint8_t>(args[1] + cpu / 8) >> cpu % 8 & 1;
}

uint64_t cpumask_first(Engine& engine, Activation&, const uint64_t* args) {
  return Mask(engine, args[0]).next(0);
}

uint64_t cpumask_first_zero(Engine& engine, Activation&, const uint64_t* args) {
  return (Mask::full(engine) ^= Mask(engine, args[0])).next(0);
}

uint64_t cpumask_first_and(Engine& engine, Activation&, const uint64_t* args) {
  return (Mask(engine, args[0]) &= Mask(engine, args[1])).next(0);
}

uint64_t cpumask_setall(Engine& engine, Activation&, const uint64_t* args) {
  Mask::full(engine).store(engine, args[0]);
  return 0;
}

uint64_t cpumask_clear(Engine& engine, Activation&, const uint64_t* args) {
  Mask::empty(engine).store(engine, args[0]);
  return 0;
}

uint64_t cpumask_and(Engine& engine, Activation&, const uint64_t* args) {
  Mask both(engine, args[1]);
  both &= Mask(engine, args[2]);
  both.store(engine, args[0]);
  return both.weight() != 0;
}

uint64_t cpumask_or(Engine& engine, Activation&, const uint64_t* args) {
  (Mask(engine, args[1]) |= Mask(engine, args[2])).store(engine, args[0]);
  return 0;
}

uint64_t cpumask_xor(Engine& engine, Activation&, const uint64_t* args) {
  (Mask(engine, args[1]) ^= Mask(engine, args[2])).store(engine, args[0]);
  return 0;
}

uint64_t cpumask_equal(Engine& engine, Activation&, const uint64_t* args) {
  return Mask(engine, args[0]) == Mask(engine, args[1]);
}

uint64_t cpumask_intersects(Engine& engine, Activation&, const uint64_t* args) {
  return (Mask(engine, args[0]) &= Mask(engine, args[1])).weight() != 0;
}

uint64_t cpumask_subset(Engine& engine, Activation&, const uint64_t* args) {
  const Mask first(engine, args[0]);
  return (Mask(engine, args[0]) &= Mask(engine, args[1])) == first;
}

uint64_t cpumask_empty(Engine& engine, Activation&, const uint64_t* args) {
  return Mask(engine, args[0]).weight() == 0;
}

uint64_t cpumask_full(Engine& engine, Activation&, const uint64_t* args) {
  return Mask(engine, args[0]).weight() == engine.cpus;
}

uint64_t cpumask_copy(Engine& engine, Activation&, const uint64_t* args) {
  Mask(engine, args[1]).store(engine, args[0]);
  return 0;
}

uint64_t cpumask_weight(Engine& engine, Activation&, const uint64_t* args) {
  return Mask(engine, args[0]).weight();
}

/// Each CPU goes through the masks it asks about in turn.
uint64_t distribute(Engine& engine, const Mask& mask) {
  if (engine.distributed.empty()) engine.distributed.resize(engine.cpus);
  uint32_t& previous = engine.distributed[engine.services.cpu() % engine.cpus];
  uint32_t cpu = mask.next(previous + 1);
  if (cpu >= engine.cpus) cpu = mask.next(0);
  if (cpu < engine.cpus) previous = cpu;
  return cpu;
}

uint64_t cpumask_any_distribute(Engine& engine, Activation&, const uint64_t* args) {
  return distribute(engine, Mask(engine, args[0]));
}

uint64_t cpumask_any_and_distribute(Engine& engine, Activation&, const uint64_t* args) {
  return distribute(engine, Mask(engine, args[0]) &= Mask(engine, args[1]));
}

// Numbers: the iterator's eight bytes are the current number and the end, as in the kernel.

uint64_t iter_num_new(Engine& engine, Activation&, const uint64_t* args) {
  const int32_t start = int32_t(args[1]), end = int32_t(args[2]);
  int64_t result = 0;
  if (start > end) result = -EINVAL;
  if (int64_t{end} - start > kMaxLoops) result = -E2BIG;
  const int32_t numbers[2] = {result ? 0 : int32_t(uint32_t(start) - 1), result ? 0 : end};
  std::memcpy(engine.memory.reach(args[0], 8, true), numbers, 8);
  return error(result);
}

uint64_t iter_num_next(Engine& engine, Activation&, const uint64_t* args) {
  std::byte* at = engine.memory.reach(args[0], 8, true);
  int32_t numbers[2];
  std::memcpy(numbers, at, 8);
  const bool more = int32_t(uint32_t(numbers[0]) + 1) < numbers[1];
  numbers[0] = more ? int32_t(uint32_t(numbers[0]) + 1) : 0;
  if (!more) numbers[1] = 0;
  std::memcpy(at, numbers, 8);
  return more ? args[0] : 0;
}

uint64_t iter_num_destroy(Engine& engine, Activation&, const uint64_t* args) {
  std::memset(engine.memory.reach(args[0], 8, true), 0, 8);
  return 0;
}

// Sections that only matter to a kernel with several CPUs at work

uint64_t nothing(Engine&, Activation&, const uint64_t*) { return 0; }

uint64_t res_spin_lock(Engine& engine, Activation&, const uint64_t* args) {
  if (engine.memory.load<uint32_t>(args[0])) return error(-EDEADLK);
  engine.memory.store<uint32_t>(args[0], 1);
  ++engine.locks;
  return 0;
}

uint64_t res_spin_unlock(Engine& engine, Activation&, const uint64_t* args) {
  if (!engine.memory.load<uint32_t>(args[0]))
    throw Fault(Fault::Kind::argument, "gives back a lock that it does not hold");
  engine.memory.store<uint32_t>(args[0], 0);
  --engine.locks;
  return 0;
}

// References

uint64_t acquire(Engine& engine, Activation&, const uint64_t* args) {
  engine.get(args[0]);
  return args[0];
}

uint64_t release(Engine& engine, Activation&, const uint64_t* args) {
  engine.put(args[0]);
  return 0;
}

uint64_t task_from_pid(Engine& engine, Activation&, const uint64_t* args) {
  const Address task = engine.services.task_from_pid(int32_t(args[0]));
  if (task) engine.get(task);
  return task;
}

uint64_t cgroup_from_id(Engine& engine, Activation&, const uint64_t* args) {
  const Address cgroup = engine.services.cgroup_from_id(args[0]);
  if (cgroup) engine.get(cgroup);
  return cgroup;
}

uint64_t same(Engine&, Activation&, const uint64_t* args) { return args[0]; }

uint64_t throw_cookie(Engine& engine, Activation&, const uint64_t* args) {
  const btf* types = engine.object.types();
  for (uint32_t id = 1; id < btf__type_cnt(types); ++id) {
    const btf_type* type = btf__type_by_id(types, id);
    const char* name = btf__str_by_offset(types, type->name_off);
    if (btf_is_decl_tag(type) && name && std::string_view(name).starts_with("exception_callback:"))
      throw Unmodelled("kfunc", "bpf_throw with an exception callback");
  }
  throw Thrown{args[0]};
}

struct Kfunc {
  std::string_view name;
  Builtin builtin;
};

constexpr Kfunc kKfuncs[] = {
    {"bpf_cpumask_create", cpumask_create},
    {"bpf_cpumask_release", release},
    {"bpf_cpumask_acquire", acquire},
    {"bpf_cpumask_first", cpumask_first},
    {"bpf_cpumask_first_zero", cpumask_first_zero},
    {"bpf_cpumask_first_and", cpumask_first_and},
    {"bpf_cpumask_set_cpu", cpumask_set_cpu},
    {"bpf_cpumask_clear_cpu", cpumask_clear_cpu},
    {"bpf_cpumask_test_cpu", cpumask_test_cpu},
    {"bpf_cpumask_test_and_set_cpu", cpumask_set_cpu},
    {"bpf_cpumask_test_and_clear_cpu", cpumask_clear_cpu},
    {"bpf_cpumask_setall", cpumask_setall},
    {"bpf_cpumask_clear", cpumask_clear},
    {"bpf_cpumask_and", cpumask_and},
    {"bpf_cpumask_or", cpumask_or},
    {"bpf_cpumask_xor", cpumask_xor},
    {"bpf_cpumask_equal", cpumask_equal},
    {"bpf_cpumask_intersects", cpumask_intersects},
    {"bpf_cpumask_subset", cpumask_subset},
    {"bpf_cpumask_empty", cpumask_empty},
    {"bpf_cpumask_full", cpumask_full},
    {"bpf_cpumask_copy", cpumask_copy},
    {"bpf_cpumask_any_distribute", cpumask_any_distribute},
    {"bpf_cpumask_any_and_distribute", cpumask_any_and_distribute},
    {"bpf_cpumask_weight", cpumask_weight},
    {"bpf_iter_num_new", iter_num_new},
    {"bpf_iter_num_next", iter_num_next},
    {"bpf_iter_num_destroy", iter_num_destroy},
    {"bpf_rcu_read_lock", nothing},
    {"bpf_rcu_read_unlock", nothing},
    {"bpf_preempt_disable", nothing},
    {"bpf_preempt_enable", nothing},
    {"bpf_local_irq_save", nothing},
    {"bpf_local_irq_restore", nothing},
    {"bpf_res_spin_lock", res_spin_lock},
    {"bpf_res_spin_unlock", res_spin_unlock},
    {"bpf_res_spin_lock_irqsave", res_spin_lock},
    {"bpf_res_spin_unlock_irqrestore", res_spin_unlock},
    {"bpf_task_acquire", acquire},
    {"bpf_task_release", release},
    {"bpf_task_from_pid", task_from_pid},
    {"bpf_cgroup_acquire", acquire},
    {"bpf_cgroup_release", release},
    {"bpf_cgroup_from_id", cgroup_from_id},
    {"bpf_rdonly_cast", same},
    {"bpf_throw", throw_cookie},
    {"bpf_obj_new_impl", object_new},
    {"bpf_obj_drop_impl", release},
    {"bpf_refcount_acquire_impl", acquire},
    {"bpf_list_push_front_impl", list_push_front},
    {"bpf_list_push_back_impl", list_push_back},
    {"bpf_list_pop_front", list_pop_front},
    {"bpf_list_pop_back", list_pop_back},
    {"bpf_list_front", list_front},
    {"bpf_list_back", list_back},
    {"bpf_rbtree_add_impl", tree_add},
    {"bpf_rbtree_remove", tree_remove},
    {"bpf_rbtree_first", list_front},
};

}  // namespace

Builtin find_kfunc_builtin(std::string_view name) {
  const auto found = std::find_if(std::begin(kKfuncs), std::end(kKfuncs),
                                  [&](const Kfunc& k) { return k.name == name; });
  return found == std::end(kKfuncs) ? nullptr : found->builtin;
}

}  // namespace schedcp

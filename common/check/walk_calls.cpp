// SPDX-License-Identifier: MIT
// Calls: what helpers and kfuncs give back, what they may write to, what they do with the task.
#include <algorithm>

#include "check/walk.h"

namespace schedcp {
namespace {

/// Newer than the headers of Debian 12.
constexpr int32_t kCgroupStorageGet = 210;
constexpr uint32_t kPerCpuArray = 6;
constexpr uint64_t kBuiltIn = uint64_t{1} << 63;

bool keeps_lookup_from_failing(const MapSpec& map, const Value& key) {
  const bool array = map.type == 2 || map.type == 6;  // ARRAY, PERCPU_ARRAY
  return array && key.kind == Value::Kind::scalar && key.hi < map.max_entries;
}

bool is_array(const MapSpec& map) { return map.type == 2 || map.type == kPerCpuArray; }

Value nullable(NullKind null, uint32_t marks = 0) {
  Value v = Value::pointer(Value::Kind::nullable);
  v.null = null, v.marks = marks;
  return v;
}

Value cpu_number(uint32_t marks) {
  Value v = Value::bytes(4);
  v.marks = marks;
  return v;
}

bool tells(const Value& v) { return v.kind == Value::Kind::task || (v.marks & Value::kIdentity); }

/// A key or value on the stack that holds the task's id, or that we know nothing of.
bool may_tell(const State& state, const Value& address) {
  if (address.kind != Value::Kind::stack) return address.kind != Value::Kind::scalar;
  bool known = false;
  for (const auto& s : state.slots) {
    if (s.frame != address.index || s.offset < address.offset) continue;
    if (tells(s.value)) return true;
    known = known || s.offset == address.offset;
  }
  return !known;
}

/// Whether every byte of the key on the stack but its padding was written: what was forgotten since
/// leaves other holes.
bool leaves_padding(const State& state, const Value& address, const MapSpec& map) {
  if (address.kind != Value::Kind::stack || map.key_padding.empty()) return false;
  const auto written = [&](int64_t at) {
    return std::any_of(state.slots.begin(), state.slots.end(), [&](const Slot& s) {
      return s.frame == address.index && s.offset <= at && at < s.offset + int64_t(s.size);
    });
  };
  bool left = false;
  size_t hole = 0;
  for (uint32_t i = 0; i < map.key_size && i < 512; ++i) {
    while (hole < map.key_padding.size() &&
           i >= map.key_padding[hole].first + map.key_padding[hole].second)
      ++hole;
    const bool padding = hole < map.key_padding.size() && i >= map.key_padding[hole].first;
    if (!padding && !written(address.offset + i)) return false;
    if (padding && !written(address.offset + i)) left = true;
  }
  return left;
}

bool starts_with_any(std::string_view name, std::initializer_list<std::string_view> starts) {
  return std::any_of(starts.begin(), starts.end(),
                     [&](std::string_view start) { return name.starts_with(start); });
}

void forget_arguments(State& state) {
  for (size_t i = 1; i <= 5; ++i)
    if (state.regs[i].kind == Value::Kind::stack)
      state.forget(state.regs[i].index, state.regs[i].offset);
}

}  // namespace

bool tells_task(const State& state) {
  for (size_t i = 1; i <= 5; ++i)
    if (tells(state.regs[i])) return true;
  return false;
}

std::vector<State> Walk::call(uint32_t insn, State state) {
  const bpf_insn& code = function.insns[insn];
  const Reference* reference = function.reference(insn);
  if (reference && reference->kind == Reference::Kind::function)
    return enter(insn, size_t(reference->value), std::move(state), false);

  // Helpers that call one of our functions back, any number of times.
  if (!reference && code.src_reg == 0) {
    const int at = code.imm == BPF_FUNC_loop || code.imm == BPF_FUNC_for_each_map_elem ||
                           code.imm == BPF_FUNC_user_ringbuf_drain
                       ? 2
                       : 0;
    if (at && state.regs[size_t(at)].kind == Value::Kind::function) {
      const size_t callee = state.regs[size_t(at)].index;
      if (code.imm == BPF_FUNC_loop && state.regs[1].constant())
        run.observers.tell(&Observer::loops, site(insn), state.regs[1].lo);
      State inside = state;
      const Value context = state.regs[3];
      if (context.kind == Value::Kind::stack) inside.forget(context.index, context.offset);
      inside.regs[1] = inside.regs[2] = inside.regs[3] = inside.regs[4] = Value();
      inside.regs[code.imm == BPF_FUNC_for_each_map_elem ? 4 : 2] = context;
      std::vector<State> after = enter(insn, callee, std::move(inside), true);
      // Not at all, once, often: if it can see to the task, trust that it does.
      const bool sees_to_it = std::any_of(after.begin(), after.end(), [&](const State& s) {
        return s.fate != Fate::open && state.fate == Fate::open;
      });
      if (sees_to_it) std::erase_if(after, [](const State& s) { return s.fate == Fate::open; });
      for (auto& s : after)
        if (context.kind == Value::Kind::stack) s.forget(context.index, context.offset);
      if (!sees_to_it) {
        if (context.kind == Value::Kind::stack) state.forget(context.index, context.offset);
        for (size_t i = 0; i <= 5; ++i) state.regs[i] = Value();
        after.push_back(std::move(state));
      }
      return after;
    }
  }

  Value result = reference && reference->kind == Reference::Kind::kfunc
                     ? kfunc(insn, state, *reference)
                     : helper(insn, state);
  if (result.kind == Value::Kind::nullable) result.id = run.machine.fresh();
  state.regs[0] = result;
  for (size_t i = 1; i <= 5; ++i) state.regs[i] = Value();
  std::vector<State> after;
  after.push_back(std::move(state));
  return after;
}

Value Walk::helper(uint32_t insn, State& state) {
  const bpf_insn& code = function.insns[insn];
  const auto& maps = run.machine.object_.maps();
  const MapSpec* map = state.regs[1].kind == Value::Kind::map && state.regs[1].index < maps.size()
                           ? &maps[state.regs[1].index]
                           : nullptr;
  const auto keep = [&](bool when) {
    if (when && state.fate == Fate::open) state.fate = Fate::kept;
  };
  const bool by_key = code.imm == BPF_FUNC_map_lookup_elem ||
                      code.imm == BPF_FUNC_map_update_elem || code.imm == BPF_FUNC_map_delete_elem;
  if (by_key && map && leaves_padding(state, state.regs[2], *map))
    run.observers.tell(&Observer::left_padding, site(insn), *map);
  switch (code.imm) {
    case BPF_FUNC_map_lookup_elem:
    case BPF_FUNC_map_lookup_percpu_elem: {
      Value key;
      const Value& address = state.regs[2];
      if (map && address.kind == Value::Kind::stack)
        if (const Value* held = state.slot(address.index, address.offset, map->key_size))
          key = *held;
      if (map && address.kind == Value::Kind::rodata)
        key = run.machine.rodata(address.offset, map->key_size);
      run.observers.tell(&Observer::looked_up, site(insn), key);
      const uint32_t marks = map && map->type == kPerCpuArray ? uint32_t{Value::kPerCpu} : 0;
      Value found = nullable(map && is_array(*map) ? NullKind::array : NullKind::missing, marks);
      if (map && keeps_lookup_from_failing(*map, key)) found.kind = Value::Kind::memory;
      return found;
    }
    case BPF_FUNC_map_update_elem:
      state.claim_function = -1;
      keep(may_tell(state, state.regs[2]) || may_tell(state, state.regs[3]));
      return Value::bytes(8);
    case BPF_FUNC_strncmp:
      if (state.regs[1].marks & Value::kComm)
        run.observers.tell(&Observer::compared_name, site(insn));
      return Value::bytes(8);
    case BPF_FUNC_map_push_elem:
      run.observers.tell(&Observer::queued, site(insn), map, false);
      keep(true);
      return Value::bytes(8);
    case BPF_FUNC_map_pop_elem:
      run.observers.tell(&Observer::queued, site(insn), map, true);
      forget_arguments(state);
      return Value();
    case BPF_FUNC_ringbuf_output:
    case BPF_FUNC_ringbuf_submit:
    case BPF_FUNC_perf_event_output:
      keep(true);
      return Value::bytes(8);
    case BPF_FUNC_tail_call:
      // Another program goes on from here; not for a scheduler, and not followed.
      keep(true);
      return Value();
    case BPF_FUNC_map_delete_elem:
      return Value::bytes(8);
    case BPF_FUNC_task_storage_get:
    case kCgroupStorageGet:
      return nullable(NullKind::missing);
    case BPF_FUNC_ringbuf_reserve:
      return nullable(NullKind::missing);
    case BPF_FUNC_kptr_xchg:
      keep(!state.regs[2].is(0));
      return nullable(NullKind::ordinary);
    case BPF_FUNC_get_smp_processor_id: {
      Value cpu = Value::bytes(4);
      cpu.marks = Value::kThisCpu;
      return cpu;
    }
    case BPF_FUNC_get_current_task_btf: {
      Value task = Value::pointer(Value::Kind::memory);
      task.marks = Value::kOther;
      return task;
    }
    case BPF_FUNC_get_prandom_u32:
      return Value::bytes(4);
    case BPF_FUNC_spin_lock:
    case BPF_FUNC_spin_unlock:
    case BPF_FUNC_ktime_get_ns:
    case BPF_FUNC_ktime_get_boot_ns:
      return Value::bytes(8);
    default:
      forget_arguments(state);
      return Value();
  }
}

/// bpf_for(): the iterator's slot on the stack holds the counter's range.
Value Walk::counts(uint32_t insn, State& state, const std::string& name) {
  const Value iterator = state.regs[1], from = state.regs[2], to = state.regs[3];
  if (name == "bpf_iter_num_destroy") {
    if (state.loops > 0) --state.loops;
    return Value::bytes(4);
  }
  if (name == "bpf_iter_num_new") {
    forget_arguments(state);
    const bool known = from.constant() && to.constant() && from.lo < to.lo && to.lo <= INT32_MAX;
    if (iterator.kind == Value::Kind::stack && known)
      state.store(iterator.index, iterator.offset, 8, Value::range(from.lo, to.lo - 1));
    if (state.loops < state.rounds.size()) {
      state.rounds[state.loops++] = known ? uint32_t(to.lo - from.lo) : 1;
      uint64_t all = 1;
      for (size_t i = 0; i < state.loops; ++i) all *= std::max(state.rounds[i], 1U);
      run.observers.tell(&Observer::loops, site(insn), all);
    }
    return Value::bytes(4);
  }
  Value counter = nullable(NullKind::ordinary);
  if (iterator.kind == Value::Kind::stack)
    if (const Value* range = state.slot(iterator.index, iterator.offset, 8);
        range && range->kind == Value::Kind::scalar)
      counter.lo = range->lo, counter.hi = range->hi, counter.marks = Value::kCounter;
  return counter;
}

Value Walk::kfunc(uint32_t insn, State& state, const Reference& reference) {
  const std::string& name = reference.name;
  if (const Kfunc* known = find_kfunc(name)) {
    run.observers.tell(&Observer::called, site(insn), *known, state);
    switch (known->effect) {
      case Effect::insert:
      case Effect::insert_vtime:
      case Effect::insert_args:
        // To a CPU's own queue: what was claimed is used.
        if (!(state.regs[2].kind == Value::Kind::scalar && state.regs[2].hi < kBuiltIn))
          state.claim_function = -1;
        else
          state.claimed_early = state.claim_function >= 0;
        if (state.fate == Fate::open) state.fate = Fate::inserted;
        break;
      case Effect::error:
        if (state.fate == Fate::open) state.fate = Fate::kept;
        break;
      case Effect::kick:
        state.claim_function = -1;
        break;
      case Effect::set_vtime:
        note_below(insn, state, state.regs[2]);
        break;
      case Effect::move_local:
      case Effect::count:
      case Effect::peek:
      case Effect::iterate:
        state.looked_at_queues = true;
        break;
      default:
        break;
    }
    if (name.find("select_cpu") != name.npos || name.find("pick_") != name.npos ||
        name == "scx_bpf_task_cpu" || name == "scx_bpf_test_and_clear_cpu_idle")
      state.looked_at_cpus = true;
    const bool reads_only = known->effect == Effect::insert_args;
    if (!reads_only) forget_arguments(state);
    if (name == "scx_bpf_dsq_peek" || name == "bpf_iter_scx_dsq_next")
      return nullable(NullKind::ordinary, Value::kQueued);
    if (name == "scx_bpf_tid_to_task" || name == "scx_bpf_cpu_curr" || name == "scx_bpf_cid_curr")
      return nullable(NullKind::ordinary, Value::kOther);
    const bool picks =
        name.starts_with("scx_bpf_pick_idle_cpu") || name.find("select_cpu_and") != name.npos;
    if (picks || name == "scx_bpf_test_and_clear_cpu_idle") {
      if (state.claim_function >= 0)
        run.observers.tell(&Observer::dropped_claim,
                           Site{&run.machine.object_.functions()[size_t(state.claim_function)],
                                state.claim_insn, run.callback});
      state.claim_function = int32_t(index), state.claim_insn = insn;
      state.claimed_early = false;
      return cpu_number(picks ? Value::kPicked : Value::kIdleBit);
    }
    if (name == "scx_bpf_now" || name.find("cpumask") != name.npos ||
        name.find("smtmask") != name.npos || name == "scx_bpf_task_cgroup" ||
        name == "scx_bpf_cpu_rq" || name == "scx_bpf_locked_rq")
      return Value();
    return Value::bytes(4);
  }
  const bool told = tells_task(state);
  if (name.starts_with("bpf_cpumask")) state.looked_at_cpus = true;
  if (name.starts_with("bpf_iter_num_")) return counts(insn, state, name);
  if (name.starts_with("bpf_list_push") || name.starts_with("bpf_rbtree_add")) {
    if (state.fate == Fate::open) state.fate = Fate::kept;
    return Value::bytes(4);
  }
  if (name == "bpf_task_acquire" && state.regs[1].kind == Value::Kind::task)
    return Value::pointer(Value::Kind::task);
  forget_arguments(state);
  if (starts_with_any(name, {"bpf_cpumask_test", "bpf_cpumask_first", "bpf_cpumask_any",
                             "bpf_cpumask_weight", "bpf_cpumask_subset", "bpf_cpumask_empty",
                             "bpf_cpumask_intersects", "bpf_cpumask_full"}))
    return Value::bytes(4);
  if (name == "bpf_cpumask_create" || name.starts_with("bpf_rbtree_") ||
      name.starts_with("bpf_list_"))
    return nullable(NullKind::ordinary);
  if (name == "bpf_task_from_pid" || name == "bpf_iter_task_next")
    return nullable(NullKind::missing, Value::kOther);
  if (name == "bpf_obj_new_impl") return nullable(NullKind::missing);
  // One we do not know that is given the task may keep it.
  if (told &&
      !starts_with_any(name, {"bpf_cpumask", "bpf_rcu", "bpf_iter", "bpf_task", "bpf_cgroup",
                              "bpf_preempt", "bpf_local_irq", "bpf_strn", "bpf_get"}) &&
      state.fate == Fate::open)
    state.fate = Fate::kept;
  return Value();
}

}  // namespace schedcp

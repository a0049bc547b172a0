// SPDX-License-Identifier: MIT
// BPF helpers: called by number. What a helper may fail with is the kernel's error; what the
// kernel's verifier would have refused is a Fault.
#include <fmt/format.h>
#include <linux/bpf.h>

#include <algorithm>
#include <cerrno>

#include "interp/engine.h"
#include "interp/format.h"

namespace schedcp {
namespace {

constexpr uint64_t kTickNs = 1'000'000'000 / kHz;
constexpr uint64_t kFirstJiffies =
    uint32_t(-300 * int32_t(kHz));  // they wrap five minutes after boot
constexpr uint64_t kMaxLoops = 8 << 20;

uint64_t error(int64_t number) { return uint64_t(number); }

const std::byte* read(Engine& engine, Address from, size_t bytes) {
  return engine.memory.reach(from, bytes, false);
}

// Maps

uint64_t map_lookup_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  return map.lookup(&activation, read(engine, args[1], map.spec().key_size), engine.services.cpu());
}

uint64_t map_lookup_percpu_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  return map.lookup(&activation, read(engine, args[1], map.spec().key_size), uint32_t(args[2]));
}

uint64_t map_update_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  activation.charge(uint64_t{map.spec().value_size} * engine.cpus / 8);
  return error(map.update(&activation, read(engine, args[1], map.spec().key_size),
                          read(engine, args[2], map.spec().value_size), args[3],
                          engine.services.cpu()));
}

uint64_t map_delete_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  return error(map.erase(&activation, read(engine, args[1], map.spec().key_size)));
}

uint64_t map_push_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  activation.charge(map.spec().value_size / 8);
  return error(map.push(read(engine, args[1], map.spec().value_size), args[2]));
}

uint64_t map_pop_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  activation.charge(map.spec().value_size / 8);
  return error(map.pop(engine.memory.reach(args[1], map.spec().value_size, true), true));
}

uint64_t map_peek_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  activation.charge(map.spec().value_size / 8);
  return error(map.pop(engine.memory.reach(args[1], map.spec().value_size, true), false));
}

uint64_t storage_get(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  if (!args[1] || args[3] > BPF_LOCAL_STORAGE_GET_F_CREATE) return 0;
  const bool create = args[3] == BPF_LOCAL_STORAGE_GET_F_CREATE;
  if (create) activation.charge(map.spec().value_size / 8);
  const std::byte* initial =
      create && args[2] ? read(engine, args[2], map.spec().value_size) : nullptr;
  return map.storage(args[1], create, initial);
}

uint64_t storage_delete(Engine& engine, Activation&, const uint64_t* args) {
  if (!args[1]) return error(-EINVAL);
  return error(engine.map_at(args[0]).remove_storage(args[1]));
}

uint64_t for_each_map_elem(Engine& engine, Activation& activation, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  const size_t function = engine.function_at(args[1]);
  if (args[3]) return error(-EINVAL);
  const uint32_t cpu = engine.services.cpu();
  Scratch key(engine.memory, std::vector<std::byte>(map.spec().key_size), "a map's key");
  uint64_t count = 0;
  Address value = 0;
  for (uint32_t cursor = 0, index = 0, from = 0; map.next(cursor, index, value, cpu);
       from = cursor) {
    activation.charge(cursor - from);
    key.fill(map.key(index));
    const uint64_t arguments[] = {args[0], key.address, value, args[2]};
    ++count;
    if (engine.run(activation, function, arguments)) break;
  }
  return count;
}

uint64_t loop(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t function = engine.function_at(args[1]);
  const uint64_t turns = uint32_t(args[0]), context = args[2];
  if (args[3]) return error(-EINVAL);
  if (turns > kMaxLoops) return error(-E2BIG);
  for (uint64_t i = 0; i < turns; ++i) {
    const uint64_t arguments[] = {i, context};
    if (engine.run(activation, function, arguments)) return i + 1;
  }
  return turns;
}

// Ring buffers

uint64_t ringbuf_output(Engine& engine, Activation& activation, const uint64_t* args) {
  const Map& map = engine.map_at(args[0]);
  if (args[2] > map.spec().max_entries) return error(-E2BIG);
  activation.charge(args[2] / 8);
  engine.services.sent(map.spec().name, std::span(read(engine, args[1], args[2]), args[2]));
  return 0;
}

uint64_t ringbuf_reserve(Engine& engine, Activation&, const uint64_t* args) {
  Map& map = engine.map_at(args[0]);
  if (args[1] > map.spec().max_entries || args[2]) return 0;
  const Address record = engine.memory.add(args[1], Memory::kReadWrite, "a ring buffer's record");
  engine.records[record] = &map;
  return record;
}

uint64_t ringbuf_finish(Engine& engine, Address record, bool send) {
  const auto found = engine.records.find(record);
  if (found == engine.records.end())
    throw Fault(Fault::Kind::argument, "gives back a record that is none");
  const size_t bytes = engine.memory.size(record);
  if (send)
    engine.services.sent(found->second->spec().name,
                         std::span<const std::byte>(engine.memory.own(record, bytes), bytes));
  engine.records.erase(found);
  engine.memory.remove(record);
  return 0;
}

uint64_t ringbuf_submit(Engine& engine, Activation&, const uint64_t* args) {
  return ringbuf_finish(engine, args[0], true);
}

uint64_t ringbuf_discard(Engine& engine, Activation&, const uint64_t* args) {
  return ringbuf_finish(engine, args[0], false);
}

uint64_t ringbuf_query(Engine& engine, Activation&, const uint64_t* args) {
  const Map& map = engine.map_at(args[0]);
  if (args[1] == BPF_RB_AVAIL_DATA) return 0;  // received at once
  if (args[1] == BPF_RB_RING_SIZE) return map.spec().max_entries;
  throw Unmodelled("helper", "bpf_ringbuf_query of positions");
}

// Memory

uint64_t probe_read(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t bytes = uint32_t(args[1]);
  activation.charge(bytes / 8);
  std::byte* to = engine.memory.reach(args[0], bytes, true);
  try {
    std::memmove(to, read(engine, args[2], bytes), bytes);
    return 0;
  } catch (const Fault&) {
    std::memset(to, 0, bytes);
    return error(-EFAULT);
  }
}

uint64_t probe_read_str(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t bytes = uint32_t(args[1]);
  activation.charge(bytes / 8);
  std::byte* to = engine.memory.reach(args[0], bytes, true);
  if (bytes == 0) return 0;
  const std::byte* whole = engine.memory.look(args[2], bytes);
  try {
    for (size_t i = 0; i < bytes; ++i) {
      to[i] = whole ? whole[i] : *read(engine, args[2] + i, 1);
      if (to[i] == std::byte{0}) return i + 1;
    }
    to[bytes - 1] = std::byte{0};
    return bytes;
  } catch (const Fault&) {
    std::memset(to, 0, bytes);
    return error(-EFAULT);
  }
}

uint64_t strncmp(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t bytes = uint32_t(args[1]);
  activation.charge(bytes / 8);
  for (size_t i = 0; i < bytes; ++i) {
    const auto a = engine.memory.load<uint8_t>(args[0] + i);
    const auto b = engine.memory.load<uint8_t>(args[2] + i);
    if (a != b) return error(a < b ? -1 : 1);
    if (!a) break;
  }
  return 0;
}

// Time, place, chance

uint64_t ktime_get_ns(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.now_ns();
}
uint64_t ktime_get_boot_ns(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.boot_ns();
}
uint64_t ktime_get_coarse_ns(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.now_ns() / kTickNs * kTickNs;
}
uint64_t jiffies64(Engine& engine, Activation&, const uint64_t*) {
  return kFirstJiffies + engine.services.now_ns() / kTickNs;
}
uint64_t get_prandom_u32(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.random();
}
uint64_t get_smp_processor_id(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.cpu();
}
uint64_t get_numa_node_id(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.node();
}
/// The one variable of the kernel's that is known, filled in when it is looked at.
uint64_t cpu_variable(Engine& engine, Address variable, uint32_t cpu) {
  if (!engine.cache_ids || variable != engine.cache_ids)
    throw Fault(Fault::Kind::argument, fmt::format("gives {:#x} as a per-CPU variable", variable));
  if (cpu >= engine.cpus) return 0;
  engine.memory.poke<uint32_t>(variable + 4 * cpu, engine.services.cache_of(cpu));
  return variable + 4 * cpu;
}
uint64_t per_cpu_ptr(Engine& engine, Activation&, const uint64_t* args) {
  return cpu_variable(engine, args[0], uint32_t(args[1]));
}
uint64_t this_cpu_ptr(Engine& engine, Activation&, const uint64_t* args) {
  return cpu_variable(engine, args[0], engine.services.cpu());
}
uint64_t get_current_task(Engine& engine, Activation&, const uint64_t*) {
  return engine.services.current_task();
}
uint64_t get_current_pid_tgid(Engine& engine, Activation&, const uint64_t*) {
  const TaskIdentity task = engine.services.identify(engine.services.current_task());
  return uint64_t{uint32_t(task.tgid)} << 32 | uint32_t(task.pid);
}
uint64_t get_current_comm(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t bytes = uint32_t(args[1]);
  activation.charge(bytes / 8);
  std::byte* to = engine.memory.reach(args[0], bytes, true);
  if (bytes == 0) return error(-EINVAL);
  const TaskIdentity task = engine.services.identify(engine.services.current_task());
  std::memset(to, 0, bytes);
  std::memcpy(to, task.comm.data(), std::min(task.comm.size(), bytes - 1));
  return 0;
}

// Text

uint64_t trace_printk(Engine& engine, Activation&, const uint64_t* args) {
  const std::string text =
      format_text(engine, engine.memory.text(args[0], uint32_t(args[1])), std::span(args + 2, 3));
  engine.services.print(text);
  return text.size();
}

uint64_t trace_vprintk(Engine& engine, Activation&, const uint64_t* args) {
  const std::string text = format_text(engine, engine.memory.text(args[0], uint32_t(args[1])),
                                       format_arguments(engine, args[2], uint32_t(args[3])));
  engine.services.print(text);
  return text.size();
}

uint64_t snprintf(Engine& engine, Activation&, const uint64_t* args) {
  const size_t bytes = uint32_t(args[1]);
  const std::string text = format_text(engine, engine.memory.text(args[2]),
                                       format_arguments(engine, args[3], uint32_t(args[4])));
  if (bytes) {
    std::byte* to = engine.memory.reach(args[0], bytes, true);
    const size_t length = std::min(text.size(), bytes - 1);
    std::memcpy(to, text.data(), length);
    to[length] = std::byte{0};
  }
  return text.size() + 1;
}

// Locks and references

uint64_t spin_lock(Engine& engine, Activation&, const uint64_t* args) {
  // Nothing that could let another CPU run happens under a lock, so one that is taken is ours.
  if (engine.memory.load<uint32_t>(args[0]))
    throw Fault(Fault::Kind::argument, "takes a lock that it holds");
  engine.memory.store<uint32_t>(args[0], 1);
  ++engine.locks;
  return 0;
}

uint64_t spin_unlock(Engine& engine, Activation&, const uint64_t* args) {
  if (!engine.memory.load<uint32_t>(args[0]))
    throw Fault(Fault::Kind::argument, "gives back a lock that it does not hold");
  engine.memory.store<uint32_t>(args[0], 0);
  --engine.locks;
  return 0;
}

uint64_t kptr_xchg(Engine& engine, Activation&, const uint64_t* args) {
  const auto old = engine.memory.load<uint64_t>(args[0]);
  engine.memory.store<uint64_t>(args[0], args[1]);
  return old;
}

// Timers

Engine::Timer* find_timer(Engine& engine, Address address) {
  const auto found = engine.timers.find(address);
  return found == engine.timers.end() ? nullptr : &found->second;
}

uint64_t timer_init(Engine& engine, Activation&, const uint64_t* args) {
  Map& map = engine.map_at(args[1]);
  engine.memory.reach(args[0], 16, true);
  if (find_timer(engine, args[0])) return error(-EBUSY);
  if (args[2] & ~uint64_t{15}) return error(-EINVAL);
  for (const uint32_t offset : map.fields().timers) {
    const auto element = map.index_of(args[0] - offset);
    if (!element) continue;
    engine.timers[args[0]] = {.map = &map, .element = *element, .value = args[0] - offset};
    return 0;
  }
  throw Fault(Fault::Kind::argument, "gives a timer that is in no value of its map");
}

uint64_t timer_set_callback(Engine& engine, Activation&, const uint64_t* args) {
  Engine::Timer* timer = find_timer(engine, args[0]);
  const size_t function = engine.function_at(args[1]);
  if (!timer) return error(-EINVAL);
  timer->callback = int64_t(function);
  return 0;
}

uint64_t timer_start(Engine& engine, Activation&, const uint64_t* args) {
  constexpr uint64_t kAbsolute = 1, kPinned = 2;
  if (args[2] & ~(kAbsolute | kPinned)) return error(-EINVAL);
  const Engine::Timer* timer = find_timer(engine, args[0]);
  if (!timer || timer->callback < 0) return error(-EINVAL);
  engine.services.timer_start(args[0], args[1], args[2]);
  return 0;
}

uint64_t timer_cancel(Engine& engine, Activation& activation, const uint64_t* args) {
  if (!find_timer(engine, args[0])) return error(-EINVAL);
  if (activation.timer == args[0]) return error(-EDEADLK);
  return engine.services.timer_cancel(args[0]);
}

struct Helper {
  uint32_t number;
  Builtin builtin;
};

constexpr Helper kHelpers[] = {
    {BPF_FUNC_map_lookup_elem, map_lookup_elem},
    {BPF_FUNC_map_update_elem, map_update_elem},
    {BPF_FUNC_map_delete_elem, map_delete_elem},
    {BPF_FUNC_probe_read, probe_read},
    {BPF_FUNC_ktime_get_ns, ktime_get_ns},
    {BPF_FUNC_trace_printk, trace_printk},
    {BPF_FUNC_get_prandom_u32, get_prandom_u32},
    {BPF_FUNC_get_smp_processor_id, get_smp_processor_id},
    {BPF_FUNC_get_current_pid_tgid, get_current_pid_tgid},
    {BPF_FUNC_get_current_comm, get_current_comm},
    {BPF_FUNC_get_current_task, get_current_task},
    {BPF_FUNC_get_numa_node_id, get_numa_node_id},
    {BPF_FUNC_probe_read_str, probe_read_str},
    {BPF_FUNC_map_push_elem, map_push_elem},
    {BPF_FUNC_map_pop_elem, map_pop_elem},
    {BPF_FUNC_map_peek_elem, map_peek_elem},
    {BPF_FUNC_spin_lock, spin_lock},
    {BPF_FUNC_spin_unlock, spin_unlock},
    {BPF_FUNC_probe_read_kernel, probe_read},
    {BPF_FUNC_probe_read_kernel_str, probe_read_str},
    {BPF_FUNC_jiffies64, jiffies64},
    {BPF_FUNC_ktime_get_boot_ns, ktime_get_boot_ns},
    {BPF_FUNC_ringbuf_output, ringbuf_output},
    {BPF_FUNC_ringbuf_reserve, ringbuf_reserve},
    {BPF_FUNC_ringbuf_submit, ringbuf_submit},
    {BPF_FUNC_ringbuf_discard, ringbuf_discard},
    {BPF_FUNC_ringbuf_query, ringbuf_query},
    {BPF_FUNC_per_cpu_ptr, per_cpu_ptr},
    {BPF_FUNC_this_cpu_ptr, this_cpu_ptr},
    {BPF_FUNC_task_storage_get, storage_get},
    {BPF_FUNC_task_storage_delete, storage_delete},
    {BPF_FUNC_get_current_task_btf, get_current_task},
    {BPF_FUNC_ktime_get_coarse_ns, ktime_get_coarse_ns},
    {BPF_FUNC_for_each_map_elem, for_each_map_elem},
    {BPF_FUNC_snprintf, snprintf},
    {BPF_FUNC_timer_init, timer_init},
    {BPF_FUNC_timer_set_callback, timer_set_callback},
    {BPF_FUNC_timer_start, timer_start},
    {BPF_FUNC_timer_cancel, timer_cancel},
    {BPF_FUNC_trace_vprintk, trace_vprintk},
    {BPF_FUNC_loop, loop},
    {BPF_FUNC_strncmp, strncmp},
    {BPF_FUNC_kptr_xchg, kptr_xchg},
    {BPF_FUNC_map_lookup_percpu_elem, map_lookup_percpu_elem},
    {210, storage_get},  // bpf_cgrp_storage_get and _delete, newer than some headers
    {211, storage_delete},
};

constexpr std::string_view kNames[] = {
#define X(name) #name
    __BPF_FUNC_MAPPER(X)
#undef X
};

}  // namespace

Builtin find_helper(uint32_t number) {
  const auto found = std::find_if(std::begin(kHelpers), std::end(kHelpers),
                                  [&](const Helper& h) { return h.number == number; });
  return found == std::end(kHelpers) ? nullptr : found->builtin;
}

std::string_view helper_name(uint32_t number) {
  return number < std::size(kNames) ? kNames[number] : std::string_view{};
}

}  // namespace schedcp

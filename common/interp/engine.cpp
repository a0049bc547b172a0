// SPDX-License-Identifier: MIT
#include "interp/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "base/text.h"
#include "interp/hash.h"
#include "obj/elf.h"
#include "obj/hints.h"

namespace schedcp {

/// A stack for as long as a call takes.
struct Engine::Lease {
  explicit Lease(Engine& engine) : engine(engine) {
    ++engine.active_;
    if (engine.idle_.empty()) {
      stack = std::make_unique<Stack>();
    } else {
      stack = std::move(engine.idle_.back());
      engine.idle_.pop_back();
    }
  }
  ~Lease() {
    engine.idle_.push_back(std::move(stack));
    if (--engine.active_ == 0) engine.sweep();
  }
  Engine& engine;
  std::unique_ptr<Stack> stack;
};

Engine::Engine(Machine& machine, const PolicyObject& object, const std::vector<KnobValue>& knobs,
               const std::vector<LengthHint>& hints, const KernelFacts& facts, Services& services)
    : machine(machine),
      object(object),
      facts(facts),
      services(services),
      layout(object),
      cpus(services.cpus()) {
  add_sections(knobs);
  add_maps();
  fill_hints(hints);
  decode(*this);
}

void Engine::add_sections(const std::vector<KnobValue>& knobs) {
  const ElfFile elf(object.bytes(), "the policy");
  for (const auto& section : elf.sections()) {
    const bool constant = section.name.starts_with(".rodata");
    if (!constant && !section.name.starts_with(".data") && !section.name.starts_with(".bss"))
      continue;
    if (sections.contains(section.name)) continue;
    std::string bytes(section.data);  // none of .bss
    if (section.name == ".rodata") {
      fill_enumerators(bytes);
      set_knobs(bytes, knobs);
    }
    const Address address = memory.add(std::max<uint64_t>(section.size, bytes.size()),
                                       constant ? Memory::kReadOnly : Memory::kReadWrite,
                                       constant ? "the constants" : "the variables");
    std::memcpy(memory.own(address, bytes.size()), bytes.data(), bytes.size());
    sections[section.name] = address;
  }
  if (!knobs.empty() && !sections.contains(".rodata")) object.knob(knobs.front().name);
}

void Engine::set_knobs(std::string& rodata, const std::vector<KnobValue>& knobs) const {
  std::set<std::string> seen;
  for (const auto& given : knobs) {
    const KnobSpec& knob = object.knob(given.name);
    PolicyObject::check_range(knob, given.value);
    if (!seen.insert(given.name).second)
      throw usage_error(fmt::format("knob '{}' is set twice", given.name));
    std::memcpy(rodata.data() + knob.offset, &given.value, knob.size);  // little endian
  }
}

void Engine::fill_enumerators(std::string& rodata) const {
  // What scx's loaders do: __SCX_ENQ_HEAD gets the value that the kernel's types have.
  const ElfFile elf(object.bytes(), "the policy");
  const uint32_t section = elf.find(".rodata");
  for (const auto& symbol : elf.symbols()) {
    if (symbol.section != section || !symbol.name.starts_with("__SCX_")) continue;
    const auto value = facts.enumerator(symbol.name.substr(2));
    if (!value || symbol.size > 8 || symbol.value > rodata.size() ||
        rodata.size() - symbol.value < symbol.size)
      continue;
    std::memcpy(rodata.data() + symbol.value, &*value, symbol.size);
  }
}

void Engine::add_maps() {
  for (const auto& spec : object.maps())
    maps.push_back(Map::modelled(spec.type) ? Map::create(*this, spec) : nullptr);
}

void Engine::fill_hints(const std::vector<LengthHint>& hints) {
  for (const auto& hint : hints) comm_key(hint.comm), hint_value(hint);
  if (hints.empty() || object.hints().empty()) return;  // a policy without takes none, silently
  const HintSpec& spec = object.hints().front();
  if (hints.size() > spec.max_entries)
    throw usage_error(fmt::format("{} hints, but '{}' takes {} at most", hints.size(),
                                  object.ops().name, spec.max_entries));
  const auto map = std::find_if(maps.begin(), maps.end(),
                                [&](const auto& m) { return m && m->spec().name == spec.map; });
  if (map == maps.end() || (*map)->spec().key_size != 16 || (*map)->spec().value_size != 4)
    throw Unmodelled("map type", fmt::format("of hint map '{}'", spec.map));
  for (const auto& hint : hints) {
    const std::string key = comm_key(hint.comm);
    const uint32_t value = hint_value(hint);
    (*map)->update(nullptr, reinterpret_cast<const std::byte*>(key.data()),
                   reinterpret_cast<const std::byte*>(&value), 0, 0);
  }
}

uint64_t Engine::call(size_t function, std::span<const uint64_t> arguments) {
  if (arguments.size() > kMaxArguments)
    throw Unmodelled("callback", fmt::format("with {} arguments", arguments.size()));
  const Lease lease(*this);
  Address& context = lease.stack->contexts[arguments.size()];
  if (!context)
    context = memory.add(arguments.size_bytes(), Memory::kReadOnly, "the callback's arguments");
  if (!arguments.empty())
    std::memcpy(memory.own(context, arguments.size_bytes()), arguments.data(),
                arguments.size_bytes());
  Activation activation{.stack = *lease.stack, .left = limit};
  try {
    return run(activation, function, std::span(&context, 1));
  } catch (const Thrown& thrown) {
    return thrown.cookie;
  }
}

void Engine::fire(Address address) {
  const auto timer = timers.find(address);
  if (timer == timers.end() || timer->second.callback < 0) return;
  Map& map = *timer->second.map;
  const auto function = size_t(timer->second.callback);
  const Address value = timer->second.value;
  const Scratch key(memory, map.key(timer->second.element), "the timer's key");
  const Lease lease(*this);
  Activation activation{.stack = *lease.stack, .left = limit, .timer = address};
  const uint64_t arguments[] = {
      Address{kMapNumber} << 32 | uint64_t(&map.spec() - object.maps().data()), key.address, value};
  try {
    run(activation, function, arguments);
  } catch (const Thrown&) {
    // A callback that throws is just over.
  }
}

size_t Engine::function_at(Address address) const {
  if (Memory::number_of(address) != kCodeNumber || uint32_t(address) >= codes.size())
    throw Fault(Fault::Kind::argument, fmt::format("gives {:#x} as a callback", address));
  return uint32_t(address);
}

Map& Engine::map_at(Address address) const {
  if (Memory::number_of(address) != kMapNumber || uint32_t(address) >= maps.size() ||
      !maps[uint32_t(address)])
    throw Fault(Fault::Kind::argument, fmt::format("gives {:#x} as a map", address));
  return *maps[uint32_t(address)];
}

void Engine::bury(Address address) {
  // Under RCU memory that was given back can be looked at until the section ends. While calls are
  // always under way, the oldest go first.
  constexpr size_t kBuried = 4096;
  buried_.push_back(address);
  if (active_ == 0) sweep();
  if (buried_.size() > kBuried) {
    memory.remove(buried_.front());
    buried_.pop_front();
  }
}

void Engine::sweep() {
  for (const Address address : buried_) memory.remove(address);
  buried_.clear();
}

void Engine::put(Address address) {
  uint32_t& references = memory.references(address);
  if (references == 0) throw Fault(Fault::Kind::argument, "gives back what it does not hold");
  if (--references > 0) return;
  if (!forgotten_.contains(address)) return;
  dying_.push_back(address);
  if (dying_.size() > 1) return;  // somebody further up is at it: chains may be long
  for (size_t i = 0; i < dying_.size(); ++i) {
    const Address next = dying_[i];
    const auto node = forgotten_.extract(next);
    if (!node.empty() && node.mapped()) clear_fields(value_fields(object, node.mapped()), next);
    bury(next);
  }
  dying_.clear();
}

Address Engine::own_object(Address address, uint32_t type) {
  memory.references(address) = 1;
  forgotten_[address] = type;
  return address;
}

void Engine::forget(Address address) {
  for (const auto& map : maps)
    if (map &&
        (map->spec().type == BPF_MAP_TYPE_TASK_STORAGE || map->spec().type == kCgroupStorage) &&
        memory.holds(address))
      map->remove_storage(address);
  if (!memory.holds(address)) return;
  if (memory.references(address) == 0)
    bury(address);
  else
    forgotten_[address] = 0;
}

void Engine::clear_fields(const ValueFields& fields, Address value) {
  for (const uint32_t offset : fields.references) {
    const Address held = memory.peek<uint64_t>(value + offset);
    memory.poke<uint64_t>(value + offset, 0);
    if (held && memory.holds(held) && memory.references(held)) put(held);
  }
  for (const uint32_t offset : fields.timers) {
    if (timers.erase(value + offset)) services.timer_cancel(value + offset);
  }
  for (const uint32_t offset : fields.chains) {
    const auto chain = chains.find(value + offset);
    if (chain == chains.end()) continue;
    const std::deque<Address> nodes = std::move(chain->second);
    chains.erase(chain);
    for (const Address node : nodes) {
      chain_of.erase(node);
      const Address owner = node & ~Address{UINT32_MAX};
      if (memory.holds(owner) && memory.references(owner)) put(owner);
    }
  }
}

}  // namespace schedcp

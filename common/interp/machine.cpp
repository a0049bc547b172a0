// SPDX-License-Identifier: MIT
#include "interp/machine.h"

#include "interp/engine.h"
#include "interp/format.h"

namespace schedcp {

Machine::Machine(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                 const std::vector<LengthHint>& hints, const KernelFacts& facts, Services& services)
    : engine_(std::make_unique<Engine>(*this, object, knobs, hints, facts, services)) {}

Machine::~Machine() = default;

int Machine::index(std::string_view callback) const {
  const auto& callbacks = engine_->object.ops().callbacks;
  const auto found = callbacks.find(std::string(callback));
  return found == callbacks.end() ? -1 : int(found->second);
}

uint64_t Machine::call(int callback, std::span<const uint64_t> arguments) {
  SCHEDCP_ASSERT(callback >= 0 && size_t(callback) < engine_->codes.size());
  return engine_->call(size_t(callback), arguments);
}

void Machine::fire(Address timer) { engine_->fire(timer); }

void Machine::provide(std::string_view name, Native native, void* context) {
  for (auto& binding : engine_->bindings) {
    if (binding.name != name) continue;
    binding.native = native;
    binding.context = context;
  }
}

std::vector<std::string> Machine::missing() const { return engine_->missing(); }

std::vector<std::string> Machine::refused() const {
  std::vector<std::string> names;
  for (const auto& [name, weak] : engine_->object.kfuncs())
    if (!weak && engine_->facts.has_kfunc(name) == Exists::no) names.push_back(name);
  return names;
}

std::pair<size_t, uint32_t> Machine::last_call() const {
  if (!engine_->calling) return {0, 0};
  return {size_t(engine_->calling - engine_->codes.data()),
          uint32_t(engine_->called_at - engine_->calling->ops.data())};
}

bool Machine::awaits_user_space() const {
  return std::any_of(engine_->maps.begin(), engine_->maps.end(),
                     [](const auto& map) { return map && map->awaited(); });
}

std::span<const std::byte> Machine::data(std::string_view section) const {
  const auto found = engine_->sections.find(section);
  if (found == engine_->sections.end()) return {};
  const size_t bytes = engine_->memory.size(found->second);
  return {engine_->memory.own(found->second, bytes), bytes};
}

void Machine::forget(Address object) { engine_->forget(object); }
uint64_t Machine::instructions() const { return engine_->instructions; }
void Machine::tell_boundaries(bool wanted) { engine_->boundaries = wanted; }
void Machine::limit(uint64_t instructions) { engine_->limit = instructions; }
Memory& Machine::memory() { return engine_->memory; }
const Layout& Machine::layout() const { return engine_->layout; }
const KernelFacts& Machine::facts() const { return engine_->facts; }
const PolicyObject& Machine::object() const { return engine_->object; }
Services& Machine::services() { return engine_->services; }

size_t Machine::cpumask_bytes() const {
  const size_t needed = (engine_->cpus + size_t{63}) / 64 * 8;
  const size_t declared = std::max(engine_->layout.size("cpumask").value_or(0),
                                   engine_->layout.size("bpf_cpumask").value_or(0));
  return std::max(needed, (declared + 7) / 8 * 8);
}

Address Machine::new_cpumask() {
  return engine_->memory.add(cpumask_bytes(), Memory::kReadOnly, "a CPU mask");
}

std::string Machine::format(Address format, Address data, size_t bytes) {
  return format_text(*engine_, engine_->memory.text(format),
                     format_arguments(*engine_, data, bytes));
}

Address Machine::element(std::string_view map, uint32_t key, uint32_t cpu) {
  for (const auto& candidate : engine_->maps)
    if (candidate && candidate->spec().name == map && candidate->spec().key_size == 4)
      return candidate->lookup(nullptr, reinterpret_cast<const std::byte*>(&key), cpu);
  return 0;
}

}  // namespace schedcp

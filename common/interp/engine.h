// SPDX-License-Identifier: MIT
// What a Machine is made of; internal to this room.
#pragma once

#include <array>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "interp/code.h"
#include "interp/machine.h"
#include "interp/maps.h"

namespace schedcp {

constexpr size_t kFrameBytes = 512;
constexpr unsigned kMaxFrames = 8;
constexpr size_t kMaxArguments = 12;  // of a callback

// Region numbers of addresses that lead to no memory: maps, functions, kernel functions. Memory
// gives none of them out before its slots have been through all generations but the last.
constexpr uint32_t kMapNumber = 0xffffff01, kCodeNumber = 0xffffff02, kKfuncNumber = 0xffffff03;

/// Stack frames and callback contexts, lent to one activation at a time.
struct Stack {
  struct Frame {
    Address address = 0;
    std::byte* data = nullptr;
  };
  std::array<Frame, kMaxFrames> frames;
  std::array<Address, kMaxArguments + 1> contexts{};  ///< by number of arguments
};

/// One call under way.
struct Activation {
  Stack& stack;
  uint64_t left;       ///< instructions it may still take
  unsigned depth = 0;  ///< frames in use
  Address timer = 0;   ///< the timer whose callback this is
  /// Work that is not instructions (copies, probes) counts against the limit too.
  void charge(uint64_t work);
};

/// A helper or kfunc of this room. `args` are registers 1 to 5.
using Builtin = uint64_t (*)(Engine& engine, Activation& activation, const uint64_t* args);

/// The helper with that number, or nullptr.
Builtin find_helper(uint32_t number);
/// "map_lookup_elem" and so on, "" if unknown.
std::string_view helper_name(uint32_t number);
Builtin find_kfunc_builtin(std::string_view name);

/// A kfunc that the object uses.
struct Binding {
  std::string name;
  bool weak = true;
  Exists exists = Exists::unknown;
  Builtin builtin = nullptr;
  Native native = nullptr;
  void* context = nullptr;
  bool bound() const { return builtin || native; }
};

/// bpf_throw: ends the call, with that result.
struct Thrown {
  uint64_t cookie;
};

class Engine {
 public:
  Engine(Machine& machine, const PolicyObject& object, const std::vector<KnobValue>& knobs,
         const std::vector<LengthHint>& hints, const KernelFacts& facts, Services& services);

  uint64_t call(size_t function, std::span<const uint64_t> arguments);
  void fire(Address timer);
  /// Run a function of the object inside an activation; arguments in registers 1 to 5.
  uint64_t run(Activation& activation, size_t function, std::span<const uint64_t> arguments);
  /// The index that an address of a function leads to; throws Fault.
  size_t function_at(Address address) const;
  Map& map_at(Address address) const;
  std::vector<std::string> missing() const;

  /// Give an object back, to be freed once no call that may still look at it is under way.
  void bury(Address address);
  /// One reference less to a task, mask, cgroup or object; the last buries it if it is forgotten or
  /// the policy's own.
  void put(Address address);
  /// The address, now an object of the policy's own with one reference; its BTF type or 0.
  Address own_object(Address address, uint32_t type);
  void get(Address address) { ++memory.references(address); }
  void forget(Address object);
  /// What is left in special fields of a map value that goes away: references, timers, nodes.
  void clear_fields(const ValueFields& fields, Address value);

  Machine& machine;
  const PolicyObject& object;
  const KernelFacts facts;
  Services& services;
  Memory memory;
  const Layout layout;
  const uint32_t cpus;
  std::vector<Code> codes;                 // of object.functions(), same index
  std::vector<std::unique_ptr<Map>> maps;  // of object.maps(), same index
  std::vector<Binding> bindings;
  std::vector<Trouble> troubles;
  std::map<std::string, Address, std::less<>> sections;
  uint64_t instructions = 0;
  const Code* calling = nullptr;  ///< of the last call of a kfunc: who,
  const Op* called_at = nullptr;  ///< and where
  uint64_t limit = 10'000'000;
  bool boundaries = false;  ///< are told
  unsigned locks = 0;       ///< held

  /// Timers that were initialised, by address.
  struct Timer {
    Map* map;
    uint32_t element;
    Address value;
    int64_t callback = -1;
  };
  std::unordered_map<Address, Timer> timers;
  /// Records of ring buffers that were reserved and not sent yet.
  std::unordered_map<Address, Map*> records;
  /// The kernel's sd_llc_id, one number for each CPU, or NULL while the policy does not use it.
  Address cache_ids = 0;
  /// Where bpf_cpumask_any_distribute is, for each CPU.
  std::vector<uint32_t> distributed;
  /// Lists and trees, by the address of their head; nodes in order.
  std::unordered_map<Address, std::deque<Address>> chains;
  std::unordered_map<Address, Address> chain_of;  // node -> head

 private:
  struct Lease;
  void add_sections(const std::vector<KnobValue>& knobs);
  void set_knobs(std::string& rodata, const std::vector<KnobValue>& knobs) const;
  void fill_enumerators(std::string& rodata) const;
  void add_maps();
  void fill_hints(const std::vector<LengthHint>& hints);
  void sweep();
  CodePoint point(const Code& code, size_t op) const;
  [[noreturn]] void stop(const Trouble& trouble) const;
  uint64_t atomic(const Op& op, uint64_t* r);
  uint64_t loop(Activation& activation, const Code* code, uint64_t (&r)[11]);

  std::vector<std::unique_ptr<Stack>> idle_;
  unsigned active_ = 0;
  std::deque<Address> buried_;
  /// What goes when its last reference does, and its type: objects of the policy's own, tasks that
  /// the model has forgotten.
  std::unordered_map<Address, uint32_t> forgotten_;
  std::vector<Address>
      dying_;  // whose last reference went and whose fields are still to be cleared
};

/// Memory of the policy's for as long as a block takes.
class Scratch {
 public:
  Scratch(Memory& memory, std::span<const std::byte> bytes, const char* what)
      : address(memory.add(bytes.size(), Memory::kReadOnly, what)), memory_(memory) {
    fill(bytes);
  }
  ~Scratch() { memory_.remove(address); }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  void fill(std::span<const std::byte> bytes) {
    if (!bytes.empty()) std::memcpy(memory_.own(address, bytes.size()), bytes.data(), bytes.size());
  }
  const Address address;

 private:
  Memory& memory_;
};

/// Decodes all functions of the object into engine.codes.
void decode(Engine& engine);

}  // namespace schedcp

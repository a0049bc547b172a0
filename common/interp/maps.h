// SPDX-License-Identifier: MIT
// BPF maps; internal to this room. Values live in Memory, so that the policy can hold addresses of
// them; keys are looked up on the host. Elements that were deleted or replaced keep their bytes for
// as long as possible, as the kernel's do under RCU.
#pragma once

#include <deque>
#include <memory>
#include <vector>

#include "interp/memory.h"
#include "obj/object.h"

namespace schedcp {

class Engine;
struct Activation;

/// Parts of a value that are not plain bytes: not copied by an update, and cleaned up when it goes.
struct ValueFields {
  struct Special {
    uint32_t offset, size;
  };
  std::vector<Special> all;
  std::vector<uint32_t> references, timers,
      chains;  ///< offsets of kptrs, bpf_timers, lists and trees
  /// Copy the plain bytes of a value.
  void copy(std::byte* to, const std::byte* from, size_t bytes) const;
};

/// Reads the fields of a type of the object.
ValueFields value_fields(const PolicyObject& object, uint32_t type_id);
/// Those of a map's value type.
ValueFields value_fields(const PolicyObject& object, const std::string& map);

class Map {
 public:
  /// Throws Unmodelled if it is beyond all measure. `engine` and `spec` must outlive it.
  static std::unique_ptr<Map> create(Engine& engine, const MapSpec& spec);
  /// Whether create() knows the type.
  static bool modelled(uint32_t type);
  Map(Engine& engine, const MapSpec& spec);
  virtual ~Map() = default;

  /// Errors are the kernel's, negative. What the kernel's verifier would not allow on this type of
  /// map throws Fault.
  virtual Address lookup(Activation* activation, const std::byte* key, uint32_t cpu);
  virtual int64_t update(Activation* activation, const std::byte* key, const std::byte* value,
                         uint64_t flags, uint32_t cpu);
  virtual int64_t erase(Activation* activation, const std::byte* key);
  virtual int64_t push(const std::byte* value, uint64_t flags);
  virtual int64_t pop(std::byte* value, bool remove);
  /// It was popped from when it was empty, and never pushed to: whoever fills it is no policy.
  virtual bool awaited() const { return false; }
  /// Storage of a task or cgroup, NULL if there is none and it is not to be made.
  virtual Address storage(Address owner, bool create, const std::byte* initial);
  virtual int64_t remove_storage(Address owner);
  /// The element at or after `cursor`, which is moved beyond it; false at the end.
  virtual bool next(uint32_t& cursor, uint32_t& index, Address& value, uint32_t cpu);
  /// Bytes of the key of element `index` (as next() and index_of() count).
  virtual std::vector<std::byte> key(uint32_t index) const;
  /// The element whose value starts there; nothing if none does.
  virtual std::optional<uint32_t> index_of(Address value) const;

  const MapSpec& spec() const { return spec_; }
  const ValueFields& fields() const { return fields_; }

 protected:
  [[noreturn]] void refuse(const char* what) const;
  Engine& engine_;
  const MapSpec& spec_;
  ValueFields fields_;
};

}  // namespace schedcp

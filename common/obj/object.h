// SPDX-License-Identifier: MIT
// A compiled policy, read without loading it: what it is called, which callbacks it has, its knobs
// and hint maps, its maps, and its instructions with what they refer to and where in the source
// they come from. Objects may be hostile: nothing is trusted, everything is checked.
#pragma once

#include <linux/bpf.h>

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"

struct btf;

namespace schedcp {

/// A tunable, as the policy declares it with KNOB.
struct KnobSpec {
  std::string name;
  std::string type;      ///< "u64", "s32", "bool", ... as written
  int64_t value = 0;     ///< default
  int64_t min = 0;       ///< smallest allowed value
  int64_t max = 0;       ///< largest allowed value
  std::string sentence;  ///< what it means
  uint32_t offset = 0;   ///< place in .rodata
  uint32_t size = 0;     ///< bytes
  bool is_signed = false;
};

/// A map that takes expected lengths from user space, declared with HINT.
struct HintSpec {
  std::string map;
  std::string key;       ///< what a key is; "comm" for command names
  std::string sentence;  ///< what it means
  uint32_t max_entries = 0;
};

struct MapSpec {
  std::string name;
  uint32_t type = 0;  ///< enum bpf_map_type
  std::string type_name;
  uint32_t key_size = 0;
  uint32_t value_size = 0;
  uint32_t max_entries = 0;
  uint32_t flags = 0;
  std::vector<std::pair<uint32_t, uint32_t>> key_padding;  ///< {offset, bytes} between members
  /// Kernel memory it can take at most, roughly, on a machine with `cpus` CPUs.
  uint64_t memory_bytes(unsigned cpus) const;
};

/// What an instruction refers to.
struct Reference {
  enum class Kind {
    kfunc,       ///< calls a kernel function, or takes its address (bpf_ksym_exists)
    map,         ///< address of a map
    data,        ///< address in a data section: `name` the variable or section, `value` the offset
    function,    ///< calls (or takes the address of) one of our functions: `value` its index
    field,       ///< CO-RE field: "task_struct.scx.dsq_vtime"
    enumerator,  ///< CO-RE enum value: "scx_dsq_id_flags.SCX_DSQ_LOCAL", `value` the local number
    core,        ///< other CO-RE question (type or enumerator exists, size of a type)
  };
  Kind kind;
  std::string name;     ///< as the kernel knows it: a kfunc's without ___suffix
  std::string section;  ///< data: which section
  uint64_t value = 0;
  bool weak = false;      ///< kfunc: may be absent in the kernel
  uint32_t relation = 0;  ///< field, enumerator, core: which question, enum bpf_core_relo_kind
};

/// Where an instruction comes from. `text` may be empty.
struct SourceLine {
  std::string file;
  uint32_t line = 0;
  uint32_t column = 0;
  std::string text;
};

/// A function of the object: a callback's program or a subprogram. Instruction indices are its own.
struct Function {
  std::string name;
  std::string section;
  bool global = false;  ///< verified on its own by the kernel
  std::vector<bpf_insn> insns;
  std::map<uint32_t, Reference> references;  ///< by instruction
  std::map<uint32_t, SourceLine> lines;      ///< by the first instruction they begin at
  /// Source line of an instruction: the last that begins at or before it.
  const SourceLine* line_of(uint32_t insn) const;
  const Reference* reference(uint32_t insn) const;
};

/// One struct_ops map: a scheduler.
struct Ops {
  std::string map;    ///< variable's name
  std::string type;   ///< "sched_ext_ops"
  std::string name;   ///< the scheduler's name
  bool link = false;  ///< in .struct_ops.link: goes away with its loader
  uint64_t flags = 0;
  uint32_t timeout_ms = 0;  ///< 0: the kernel's default, 30 s
  uint32_t dispatch_max_batch = 0;
  /// Every member the object's own sched_ext_ops has: name -> {byte offset, bytes}.
  std::map<std::string, std::pair<uint32_t, uint32_t>> members;
  std::map<std::string, size_t> callbacks;  ///< member -> index in functions()
};

class PolicyObject {
 public:
  /// Throws usage_error saying what is wrong: not an ELF file, cut off, not BPF, wrong byte order,
  /// no struct_ops, no BTF. `what` names it in messages.
  PolicyObject(std::string bytes, const std::string& what);
  static PolicyObject read(const fs::path& path);
  PolicyObject(PolicyObject&&) noexcept;
  PolicyObject& operator=(PolicyObject&&) noexcept;
  ~PolicyObject();

  const std::string& bytes() const { return bytes_; }
  const std::string& license() const { return license_; }  ///< "" if it has none
  bool gpl_compatible() const;
  const std::vector<Ops>& schedulers() const { return ops_; }  ///< at least one
  const Ops& ops() const { return ops_.front(); }
  const std::vector<Function>& functions() const { return functions_; }
  const Function* callback(const std::string& member) const;  ///< of ops(), or nullptr
  const std::vector<MapSpec>& maps() const { return maps_; }
  const std::vector<KnobSpec>& knobs() const { return knobs_; }
  const std::vector<HintSpec>& hints() const { return hints_; }
  /// Kernel functions it may call: name -> weak.
  const std::map<std::string, bool>& kfuncs() const { return kfuncs_; }
  /// Bytes of a section such as ".rodata", or nothing. All zeros for .bss.
  std::optional<std::string> section(const std::string& name) const;
  const btf* types() const { return btf_; }  ///< libbpf's view, valid while this lives

  /// The knob, or throws usage_error naming the nearest, or saying that there are none.
  const KnobSpec& knob(const std::string& name) const;
  /// Throws usage_error when `value` is out of the knob's range.
  static void check_range(const KnobSpec& knob, int64_t value);

 private:
  friend class ObjectReader;
  std::string bytes_;
  std::string license_;
  std::vector<Ops> ops_;
  std::vector<Function> functions_;
  std::vector<MapSpec> maps_;
  std::vector<KnobSpec> knobs_;
  std::vector<HintSpec> hints_;
  std::map<std::string, bool> kfuncs_;
  std::map<std::string, std::pair<uint64_t, uint64_t>> sections_;  ///< name -> offset, size
  std::map<std::string, uint64_t> zero_sections_;                  ///< name -> size
  btf* btf_ = nullptr;
};

/// Parses the text of a KNOB's declaration tag, "knob:100..20000:Sentence."; nothing if it is not
/// one or is malformed.
struct KnobTag {
  int64_t min, max;
  std::string sentence;
};
std::optional<KnobTag> parse_knob_tag(std::string_view tag);

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// The two ways in which running a policy ends early: it did wrong, or it uses what is not modelled.
#pragma once

#include <string>

#include "base/error.h"
#include "obj/object.h"

namespace schedcp {

/// The instruction that was running. `function` is empty while nobody has filled it in.
struct CodePoint {
  std::string function;
  uint32_t insn = 0;
  SourceLine source;
};

/// The policy did what no kernel would let it do, or did not come back. Natives throw it without a
/// place; the machine adds the place.
struct Fault : Error {
  enum class Kind {
    null,      ///< used NULL as an address
    wild,      ///< used an address where nothing is, or nothing is any more
    bounds,    ///< left the object that the address leads to
    access,    ///< wrote what a policy may only read
    budget,    ///< ran more instructions than a call may
    depth,     ///< nested calls deeper than 8
    absent,    ///< reached a call or constant that this kernel does not have
    code,      ///< broken code: a jump to nowhere, an unknown register, a fall off the end
    argument,  ///< gave a helper or kfunc what it does not take
  };
  Fault(Kind kind, const std::string& reason, CodePoint where = {});
  Kind kind;
  std::string reason;  ///< without the place
  CodePoint where;
};

/// The policy uses what nobody models: the answer is "unknown", never a made-up value.
struct Unmodelled : Error {
  /// `kind` is "kfunc", "helper", "map type", "field", "enumerator", "extern", "instruction", ...
  Unmodelled(const std::string& kind, const std::string& name, CodePoint where = {});
  std::string kind;
  std::string name;  ///< "task_struct.utime", "bpf_dynptr_data", ...
  CodePoint where;
};

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// Any bytes at all to the reader of objects: it throws an Error, or gives a policy all of which can
// be looked at.
#include "obj/object.h"

#include "base/error.h"

using namespace schedcp;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  try {
    const PolicyObject object(std::string(reinterpret_cast<const char*>(data), size), "fuzzed");
    size_t seen = object.license().size() + object.schedulers().size() + object.knobs().size() +
                  object.hints().size() + object.kfuncs().size();
    for (const auto& map : object.maps()) seen += map.memory_bytes(64) & 1;
    for (const auto& function : object.functions())
      for (uint32_t i = 0; i < function.insns.size(); ++i) {
        if (const SourceLine* line = function.line_of(i)) seen += line->text.size();
        if (const Reference* reference = function.reference(i)) seen += reference->name.size();
      }
    for (const auto& [member, index] : object.ops().callbacks)
      seen += object.functions().at(index).insns.size() + member.size();
    for (const char* section : {".rodata", ".data", ".bss", "license"})
      if (const auto bytes = object.section(section)) seen += bytes->size();
    [[maybe_unused]] volatile size_t kept = seen;
  } catch (const Error&) {
  }
  return 0;
}

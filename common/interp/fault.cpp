// SPDX-License-Identifier: MIT
#include "interp/fault.h"

#include <fmt/format.h>

#include "base/text.h"

namespace schedcp {
namespace {

std::string with_place(const std::string& reason, const CodePoint& where) {
  if (where.function.empty()) return reason;
  const std::string function = printable(where.function);
  if (!where.source.line)
    return fmt::format("{} in {}, instruction {}", reason, function, where.insn);
  const std::string file = where.source.file.substr(where.source.file.rfind('/') + 1);
  return fmt::format("{} in {} ({}:{})", reason, function, printable(file), where.source.line);
}

}  // namespace

Fault::Fault(Kind kind, const std::string& reason, CodePoint where)
    : Error(ExitCode::no, with_place(reason, where)),
      kind(kind),
      reason(reason),
      where(std::move(where)) {}

Unmodelled::Unmodelled(const std::string& kind, const std::string& name, CodePoint where)
    : Error(ExitCode::unable,
            with_place(fmt::format("{} '{}' is not modelled", kind, printable(name)), where)),
      kind(kind),
      name(name),
      where(std::move(where)) {}

}  // namespace schedcp

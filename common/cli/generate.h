// SPDX-License-Identifier: MIT
// The generators behind --generate. Private to this room.
#pragma once

#include "cli/declaration.h"

namespace schedcp {

/// Parts of a man page in mdoc, each after a line `.\" @PART@`: NAME, SYNOPSIS, OPTIONS, INPUT,
/// OUTPUT, EXIT, EXAMPLES; man/NAME.1.in has holes of these names.
std::string generate_mdoc(const CommandState& program);
/// The members of a manifest, for schedcp-policy(5).
std::string generate_manifest();
std::string generate_bash(const CommandState& program);
std::string generate_zsh(const CommandState& program);
std::string generate_fish(const CommandState& program);

/// One option as a completion script needs it, the frame's own included.
struct CompletedOption {
  std::vector<std::string> names;
  std::string value_name;  ///< "" for a flag
  std::string sentence;
  std::vector<std::string> choices;
  bool repeatable = false;
};
/// A command's options that are shown, then those every program has.
std::vector<CompletedOption> completed_options(const CommandState& command);

/// What a value name says about what to complete.
enum class ValueKind { choices, file, directory, policy, pid, other };
ValueKind kind_of_value(const std::string& value_name, const std::vector<std::string>& choices);

/// `text` as one word of a POSIX shell or fish.
std::string shell_quote(const std::string& text);
std::string fish_quote(const std::string& text);

/// A shell command that prints the names of known policies, a line each.
extern const char* const list_policies;

}  // namespace schedcp

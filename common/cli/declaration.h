// SPDX-License-Identifier: MIT
// What a program has declared of itself: the one source of parsing, help, --describe, man page and
// completions. Private to this room.
#pragma once

#include "cli/program.h"

namespace schedcp {

struct OptionState {
  std::vector<std::string> names;  ///< "-s", "--strict"; empty for an argument
  std::string value_name;          ///< "" for a flag
  std::string sentence;
  std::vector<std::string> choices;
  std::string default_text;
  bool required = false;
  bool hidden = false;
  bool for_models = true;
  bool told_by_work = false;  ///< that it is missing, if it is required
  Command::Target target;

  bool is_flag() const { return std::holds_alternative<bool*>(target); }
  bool is_list() const { return std::holds_alternative<std::vector<std::string>*>(target); }
  /// The long name without dashes ("strict"), or an argument's name in lower case.
  std::string key() const;
  /// JSON Schema's type of one value: boolean, integer, number, string.
  const char* type() const;
};

struct Example {
  std::string line;
  std::string sentence;
};

struct CommandState {
  std::string name;
  std::string sentence;
  std::vector<std::unique_ptr<OptionState>> options;
  std::vector<std::unique_ptr<OptionState>> arguments;
  std::unique_ptr<OptionState> trailing;
  std::vector<Example> examples;
  std::vector<std::pair<std::string, Json>> reads;
  std::vector<std::pair<std::string, Json>> writes;
  ToolHints hints;
  std::function<ExitCode()> work;
  // Of a program only:
  std::vector<std::unique_ptr<Command>> subcommands;
  std::vector<std::pair<int, std::string>> exit_meanings;
  std::optional<ExitCode> own_fault;
};

/// Lets the generators see inside a Command.
struct Describer {
  static const CommandState& state(const Command& command) { return *command.state_; }
};

/// Options that every program has; declared like the others, parsed by the frame.
const std::vector<std::pair<std::string, std::string>>& common_options();

/// "Usage: ..." and all of --help, at most 80 columns wide.
std::string help_text(const CommandState& program, const CommandState* subcommand);
/// One line of usage without "Usage: ".
std::string usage_line(const CommandState& program, const CommandState* subcommand);
/// The document that --describe prints.
Json describe(const CommandState& program);
/// Exit codes with meanings, the program's own rows included.
std::vector<std::pair<int, std::string>> exit_rows(const CommandState& program);
/// Take over the descriptor of $SCHEDCP_PROGRESS_FD, so that what we start cannot write to it.
void claim_progress_fd();
/// Man page or completion script: `what` is bash, zsh, fish or mdoc. Throws usage_error otherwise.
std::string generate(const CommandState& program, const std::string& what);

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// Man page and completions, from what the program declared: the front of the generators and what
// they share.
#include "cli/generate.h"

#include <algorithm>

namespace schedcp {

const char* const list_policies =
    "schedcp-search list --format json 2>/dev/null |"
    " awk -F'\"name\":\"' '{split($2, a, \"\\\"\"); print a[1]}'";

std::string generate(const CommandState& program, const std::string& what) {
  if (what == "mdoc") return generate_mdoc(program);
  if (what == "manifest") return generate_manifest();
  if (what == "bash") return generate_bash(program);
  if (what == "zsh") return generate_zsh(program);
  if (what == "fish") return generate_fish(program);
  throw usage_error("--generate: '" + printable(what, 40) +
                    "' is not one of bash, zsh, fish, mdoc, manifest");
}

std::vector<CompletedOption> completed_options(const CommandState& command) {
  std::vector<CompletedOption> options;
  for (const auto& option : command.options)
    if (!option->hidden)
      options.push_back({option->names, option->value_name, option->sentence, option->choices,
                         option->is_list()});
  for (const auto& [names, sentence] : common_options()) {
    const auto parts = split(names, ' ');  // "-h,--help" or "--format text|json"
    CompletedOption option{split(parts[0], ','), parts.size() > 1 ? parts[1] : "", sentence, {}};
    if (option.value_name.find('|') != std::string::npos)
      option.choices = split(option.value_name, '|');
    options.push_back(std::move(option));
  }
  return options;
}

ValueKind kind_of_value(const std::string& value_name, const std::vector<std::string>& choices) {
  const auto ends = [&](const std::string& word) {
    return value_name == word || value_name.ends_with("_" + word);
  };
  if (!choices.empty()) return ValueKind::choices;
  if (ends("FILE") || ends("OBJECT") || ends("PATH")) return ValueKind::file;
  if (ends("DIR")) return ValueKind::directory;
  if (ends("POLICY")) return ValueKind::policy;
  if (ends("PID")) return ValueKind::pid;
  return ValueKind::other;
}

std::string shell_quote(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string fish_quote(const std::string& text) {
  std::string quoted = "'";
  for (char c : text) quoted += (c == '\'' || c == '\\' ? "\\" : "") + std::string(1, c);
  return quoted + "'";
}

}  // namespace schedcp

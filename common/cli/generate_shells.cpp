// SPDX-License-Identifier: MIT
// Completion scripts for bash, zsh and fish. Each knows, for the subcommand at hand, the options
// and what their values are; what follows `--` is completed as a command of its own.
#include <algorithm>

#include "cli/generate.h"

namespace schedcp {
namespace {

/// The program and its subcommands, the program last.
std::vector<const CommandState*> commands_of(const CommandState& program) {
  std::vector<const CommandState*> commands;
  for (const auto& sub : program.subcommands) commands.push_back(&Describer::state(*sub));
  commands.push_back(&program);
  return commands;
}

std::vector<std::string> names_of_subcommands(const CommandState& program) {
  std::vector<std::string> names;
  for (const auto& sub : program.subcommands) names.push_back(Describer::state(*sub).name);
  return names;
}

bool has_trailing(const CommandState& program) {
  const auto commands = commands_of(program);
  return std::any_of(commands.begin(), commands.end(),
                     [](auto* c) { return c->trailing != nullptr; });
}

std::string identifier(std::string name) {
  std::replace(name.begin(), name.end(), '-', '_');
  return "_" + name;
}

std::string bash_action(const std::string& value_name, const std::vector<std::string>& choices) {
  const auto compgen = [](const std::string& how) {
    return "mapfile -t COMPREPLY < <(compgen " + how + " -- \"$cur\")";
  };
  switch (kind_of_value(value_name, choices)) {
    case ValueKind::choices:
      return compgen("-W " + shell_quote(join(choices, " ")));
    case ValueKind::file:
      return "compopt -o filenames; " + compgen("-f");
    case ValueKind::directory:
      return "compopt -o filenames; " + compgen("-d");
    case ValueKind::policy:
      return compgen("-W \"$(" + std::string(list_policies) + ")\"");
    case ValueKind::pid:
      return compgen("-W \"$(cd /proc && echo [1-9]*)\"");
    case ValueKind::other:
      break;
  }
  return ":";
}

std::string zsh_action(const std::string& value_name, const std::vector<std::string>& choices,
                       const std::string& function) {
  switch (kind_of_value(value_name, choices)) {
    case ValueKind::choices:
      return "(" + join(choices, " ") + ")";
    case ValueKind::file:
      return "_files";
    case ValueKind::directory:
      return "_files -/";
    case ValueKind::policy:
      return function + "_policies";
    case ValueKind::pid:
      return "_pids";
    case ValueKind::other:
      break;
  }
  return " ";
}

/// A sentence inside [] of an _arguments spec.
std::string zsh_sentence(const std::string& text) {
  std::string out;
  for (char c : text)
    out += std::string_view("[]:\\").find(c) != std::string_view::npos ? std::string("\\") + c
                                                                       : std::string(1, c);
  return out;
}

std::string zsh_arguments(const CommandState& program, const CommandState& command) {
  const std::string function = identifier(program.name);
  std::string text = "_arguments -s -S";
  const auto add = [&](const std::string& spec) { text += " \\\n        " + shell_quote(spec); };
  for (const auto& option : completed_options(command))
    for (const auto& name : option.names) {
      std::string spec = option.repeatable ? "*" : "(" + join(option.names, " ") + ")";
      spec += name;
      if (!option.value_name.empty() && name.starts_with("--")) spec += "=";
      spec += "[" + zsh_sentence(option.sentence) + "]";
      if (!option.value_name.empty())
        spec += ":" + zsh_sentence(option.value_name) + ":" +
                zsh_action(option.value_name, option.choices, function);
      add(spec);
    }
  int place = 1;
  if (&command != &program) {
    add(std::to_string(place++) + ":subcommand:(" + command.name + ")");
  } else if (!program.subcommands.empty()) {
    add("1:subcommand:(" + join(names_of_subcommands(program), " ") + ")");
    if (!command.arguments.empty() && command.arguments[0]->is_list()) place = 1;
  }
  for (const auto& argument : command.arguments)
    add((argument->is_list() ? "*" : std::to_string(place++) + ":") + ":" +
        zsh_sentence(argument->value_name) + ":" +
        zsh_action(argument->value_name, argument->choices, function));
  return text;
}

std::string fish_action(const std::string& value_name, const std::vector<std::string>& choices) {
  switch (kind_of_value(value_name, choices)) {
    case ValueKind::choices:
      return " -x -a " + fish_quote(join(choices, " "));
    case ValueKind::file:
      return " -r -F";
    case ValueKind::directory:
      return " -x -a '(__fish_complete_directories)'";
    case ValueKind::policy:
      return " -x -a " + fish_quote("(" + std::string(list_policies) + ")");
    case ValueKind::pid:
      return " -x -a '(__fish_complete_pids)'";
    case ValueKind::other:
      break;
  }
  return " -x";
}

}  // namespace

std::string generate_bash(const CommandState& program) {
  const std::string function = identifier(program.name);
  const auto names = names_of_subcommands(program);
  std::string text =
      "# bash completion for " + program.name + ", generated from its declarations.\n" + function +
      "() {\n" +
      R"(  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} sub= words= i
  COMPREPLY=()
  # bash makes a word of its own of "=".
  if [[ $cur == = ]]; then
    cur= prev=${COMP_WORDS[COMP_CWORD - 2]}
  elif [[ $prev == = ]]; then
    prev=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((i = 1; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
)";
  if (has_trailing(program))
    text += R"(      --)
        if declare -F _command_offset >/dev/null; then
          _command_offset $((i + 1))
        elif ((i + 1 == COMP_CWORD)); then
          mapfile -t COMPREPLY < <(compgen -c -- "$cur")
        else
          compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$cur")
        fi
        return
        ;;
)";
  if (!names.empty())
    text += "      " + join(names, " | ") + ") [[ $sub ]] || sub=${COMP_WORDS[i]} ;;\n";
  text += "      *) ;;\n    esac\n  done\n  case $sub in\n";
  for (const auto* command : commands_of(program)) {
    text += "    " + (command == &program ? "*" : command->name) + ")\n      case $prev in\n";
    std::vector<std::string> words;
    for (const auto& option : completed_options(*command)) {
      words.insert(words.end(), option.names.begin(), option.names.end());
      if (!option.value_name.empty())
        text += "        " + join(option.names, " | ") + ") " +
                bash_action(option.value_name, option.choices) + "; return ;;\n";
    }
    text += "        *) ;;\n      esac\n      words=" + shell_quote(join(words, " ")) + "\n";
    std::string free = ":";
    if (!command->arguments.empty())
      free = bash_action(command->arguments[0]->value_name, command->arguments[0]->choices);
    text += "      [[ $cur == -* ]] || { " + free + "; }\n";
    if (command == &program && !names.empty())
      text += "      [[ $cur == -* ]] || mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -W " +
              shell_quote(join(names, " ")) + " -- \"$cur\")\n";
    text += "      ;;\n";
  }
  return text +
         "  esac\n  [[ $cur != -* ]] || mapfile -t COMPREPLY < <(compgen -W \"$words\" -- "
         "\"$cur\")\n"
         "}\ncomplete -F " +
         function + " " + program.name + "\n";
}

std::string generate_zsh(const CommandState& program) {
  const std::string function = identifier(program.name);
  std::string text = "#compdef " + program.name + "\n# zsh completion for " + program.name +
                     ", generated from its declarations.\n" + function +
                     "_policies() {\n  local -a names=(${(f)\"$(" + list_policies +
                     ")\"})\n  compadd -- $names\n}\n" + function + "() {\n  local sub= word\n";
  if (has_trailing(program))
    text +=
        "  local -i at=${words[(i)--]}\n"
        "  if (( at < CURRENT )); then\n"
        "    shift at words\n    (( CURRENT -= at ))\n    _normal\n    return\n  fi\n";
  const auto names = names_of_subcommands(program);
  if (!names.empty())
    text += "  for word in ${words[2,CURRENT-1]}; do\n    case $word in\n      (" +
            join(names, "|") + ") sub=$word; break ;;\n    esac\n  done\n";
  text += "  case $sub in\n";
  for (const auto* command : commands_of(program))
    text += "    (" + (command == &program ? "*" : command->name) + ")\n      " +
            zsh_arguments(program, *command) + "\n      ;;\n";
  return text + "  esac\n}\n" + function + " \"$@\"\n";
}

std::string generate_fish(const CommandState& program) {
  const auto names = names_of_subcommands(program);
  const std::string start = "complete -c " + program.name;
  std::string text = "# fish completion for " + program.name +
                     ", generated from its declarations.\n" + start + " -f\n";
  for (const auto* command : commands_of(program)) {
    std::string condition;
    if (command != &program)
      condition = " -n '__fish_seen_subcommand_from " + command->name + "'";
    else if (!names.empty())
      condition = " -n 'not __fish_seen_subcommand_from " + join(names, " ") + "'";
    for (const auto& option : completed_options(*command)) {
      text += start + condition;
      for (const auto& name : option.names)
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      text += " -d " + fish_quote(option.sentence);
      if (!option.value_name.empty()) text += fish_action(option.value_name, option.choices);
      text += "\n";
    }
    for (const auto& argument : command->arguments) {
      std::string action = fish_action(argument->value_name, argument->choices);
      action =
          action.substr(action.find(" -", 1) == action.npos ? action.size() : action.find(" -", 1));
      if (!action.empty()) text += start + condition + action + "\n";
    }
    if (command == &program)
      for (const auto& sub : program.subcommands)
        text += start + condition + " -a " + Describer::state(*sub).name + " -d " +
                fish_quote(Describer::state(*sub).sentence) + "\n";
  }
  if (has_trailing(program))
    text += start + " -n 'contains -- -- (commandline -opc)' -F -a '(__fish_complete_command)'\n";
  return text;
}

}  // namespace schedcp

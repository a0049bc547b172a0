// SPDX-License-Identifier: MIT
// Help and --describe, both from what the program declared.
#include <fmt/format.h>

#include "cli/declaration.h"

namespace schedcp {
namespace {

constexpr size_t columns = 80;

/// `text` broken into lines of at most `width`, each after the first indented.
std::string wrap(const std::string& text, size_t indent, size_t width) {
  std::string out, line;
  for (const auto& word : split(text, ' ')) {
    if (!line.empty() && line.size() + 1 + word.size() > width) {
      out += line + "\n" + std::string(indent, ' ');
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + line;
}

std::string row(const std::string& left, const std::string& right) {
  constexpr size_t indent = 26;
  std::string text = "  " + left;
  text += text.size() + 2 > indent ? "\n" + std::string(indent, ' ')
                                   : std::string(indent - text.size(), ' ');
  return text + wrap(right, indent, columns - indent) + "\n";
}

std::string left_of(const OptionState& option) {
  std::string text = join(option.names, ", ");
  if (!option.is_flag()) text += (text.empty() ? "" : " ") + option.value_name;
  return text;
}

std::string right_of(const OptionState& option) {
  std::string text = option.sentence;
  if (!option.choices.empty()) text += " One of " + join(option.choices, ", ") + ".";
  if (!option.default_text.empty()) text += " Default: " + option.default_text + ".";
  if (option.is_list() && !option.names.empty()) text += " May be given more than once.";
  return text;
}

Json describe_option(const OptionState& option) {
  Json json{{"key", option.key()},        {"names", option.names},
            {"value", option.value_name}, {"type", option.type()},
            {"summary", option.sentence}, {"repeatable", option.is_list()},
            {"required", option.required}};
  if (!option.choices.empty()) json["choices"] = option.choices;
  if (!option.default_text.empty()) json["default"] = option.default_text;
  return json;
}

Json property_of(const OptionState& option) {
  Json one{{"type", option.type()}};
  if (!option.choices.empty()) one["enum"] = option.choices;
  Json schema = option.is_list() ? Json{{"type", "array"}, {"items", one}} : one;
  // The schema itself says which values there are, and whether there may be several.
  schema["description"] = option.sentence;
  if (!option.default_text.empty())
    schema["description"] = option.sentence + " Default: " + option.default_text + ".";
  return schema;
}

/// What a caller without a command line (MCP) passes: one property an option, `command` for what
/// follows `--`, `input` for the documents on stdin.
Json input_schema(const CommandState& command) {
  Json properties = Json::object(), needed = Json::array();
  for (const auto* list : {&command.options, &command.arguments})
    for (const auto& option : *list) {
      if (option->hidden || !option->for_models) continue;
      properties[option->key()] = property_of(*option);
      if (option->required) needed.push_back(option->key());
    }
  if (command.trailing) {
    properties["command"] = {{"type", "array"},
                             {"items", {{"type", "string"}}},
                             {"description", command.trailing->sentence}};
    if (command.trailing->required) needed.push_back("command");
  }
  if (!command.reads.empty()) {
    Json any = Json::array();
    for (const auto& [kind, unused] : command.reads) any.push_back("schedcp." + kind + "/1");
    properties["input"] = {
        {"type", "array"},
        {"items",
         {{"type", "object"},
          {"properties", {{"schema", {{"enum", any}}}}},
          {"required", {"schema"}}}},
        {"description", "Documents to read, as the programs before this one returned them."}};
  }
  return {{"type", "object"},
          {"properties", properties},
          {"required", needed},
          {"additionalProperties", false}};
}

Json describe_command(const CommandState& command) {
  Json json{{"name", command.name}, {"summary", command.sentence}};
  json["options"] = Json::array();
  for (const auto& option : command.options)
    if (!option->hidden) json["options"].push_back(describe_option(*option));
  json["arguments"] = Json::array();
  for (const auto& argument : command.arguments)
    json["arguments"].push_back(describe_option(*argument));
  if (command.trailing) json["command"] = describe_option(*command.trailing);
  json["reads"] = Json::object();
  for (const auto& [kind, schema] : command.reads) json["reads"]["schedcp." + kind + "/1"] = schema;
  json["writes"] = Json::object();
  for (const auto& [kind, schema] : command.writes)
    json["writes"]["schedcp." + kind + "/1"] = schema;
  json["input_schema"] = input_schema(command);
  json["examples"] = Json::array();
  for (const auto& example : command.examples)
    json["examples"].push_back({{"line", example.line}, {"summary", example.sentence}});
  json["annotations"] = {{"readOnlyHint", command.hints.read_only},
                         {"destructiveHint", command.hints.destructive},
                         {"idempotentHint", command.hints.idempotent},
                         {"openWorldHint", command.hints.open_world}};
  json["needs"] = command.hints.needs;
  json["timeout_s"] = command.hints.timeout_s;
  json["for_models"] = command.hints.for_models;
  return json;
}

}  // namespace

const std::vector<std::pair<std::string, std::string>>& common_options() {
  static const std::vector<std::pair<std::string, std::string>> options{
      {"--format text|json",
       "Output for people or for programs. Default: text on a terminal, else json."},
      {"--state-dir DIR",
       "Where state is kept, instead of $SCHEDCP_STATE_DIR or the standard place."},
      {"-h,--help", "Show this help."},
      {"-V,--version", "Show the version."},
      {"--describe", "Show all of this for programs, as JSON."}};
  return options;
}

std::string usage_line(const CommandState& program, const CommandState* subcommand) {
  const CommandState& command = subcommand ? *subcommand : program;
  std::string text = program.name + (subcommand ? " " + subcommand->name : "") + " [OPTION]...";
  for (const auto& option : command.options)
    if (option->required && !option->hidden)
      text += " " + option->names.back() + " " + option->value_name;
  for (const auto& argument : command.arguments) {
    const std::string name = argument->value_name + (argument->is_list() ? "..." : "");
    text += argument->required ? " " + name : " [" + name + "]";
  }
  if (command.trailing) text += command.trailing->required ? " -- COMMAND..." : " [-- COMMAND...]";
  return text;
}

std::string help_text(const CommandState& program, const CommandState* subcommand) {
  const CommandState& command = subcommand ? *subcommand : program;
  std::string text = "Usage: " + usage_line(program, subcommand) + "\n";
  if (!subcommand)
    for (const auto& sub : program.subcommands)
      text += "       " + usage_line(program, &Describer::state(*sub)) + "\n";
  text += "\n" + wrap(command.sentence, 0, columns) + "\n";
  if (!subcommand && !program.subcommands.empty()) {
    text += "\nSubcommands:\n";
    for (const auto& sub : program.subcommands)
      text += row(Describer::state(*sub).name, Describer::state(*sub).sentence);
  }
  if (!command.arguments.empty() || command.trailing) {
    text += "\nArguments:\n";
    for (const auto& argument : command.arguments)
      text += row(left_of(*argument), right_of(*argument));
    if (command.trailing) text += row("COMMAND", command.trailing->sentence);
  }
  text += "\nOptions:\n";
  for (const auto& option : command.options)
    if (!option->hidden) text += row(left_of(*option), right_of(*option));
  for (const auto& [names, sentence] : common_options())
    text += row(join(split(names, ','), ", "), sentence);
  if (!command.examples.empty()) {
    text += "\nExamples:\n";
    for (const auto& example : command.examples)
      text += "  $ " + example.line + "\n      " + wrap(example.sentence, 6, columns - 6) + "\n";
  }
  return text;
}

std::vector<std::pair<int, std::string>> exit_rows(const CommandState& program) {
  std::vector<std::pair<int, std::string>> rows{
      {0, "Done."},
      {1, "Done, and the answer is no."},
      {2, "Wrong options, or a bad document."},
      {3, "The system lacks or refuses something; the message names it and the cure."},
      {4, "Not permitted (token, role)."},
      {5, "Busy; try again."},
      {124, "Timed out."}};
  if (program.own_fault)
    rows = {{124, "Timed out."}, {int(*program.own_fault), "The fault is the program's own."}};
  for (const auto& [code, meaning] : program.exit_meanings) {
    std::erase_if(rows, [&](const auto& row) { return row.first == code; });
    rows.emplace_back(code, meaning);
  }
  std::sort(rows.begin(), rows.end());
  return rows;
}

Json describe(const CommandState& program) {
  Json json = describe_command(program);
  json["version"] = SCHEDCP_VERSION;
  json["usage"] = usage_line(program, nullptr);
  json["subcommands"] = Json::array();
  for (const auto& sub : program.subcommands) {
    Json one = describe_command(Describer::state(*sub));
    one["usage"] = usage_line(program, &Describer::state(*sub));
    json["subcommands"].push_back(one);
  }
  json["common_options"] = Json::array();
  for (const auto& [names, sentence] : common_options())
    json["common_options"].push_back({{"names", names}, {"summary", sentence}});
  json["exit_codes"] = Json::array();
  for (const auto& [code, meaning] : exit_rows(program))
    json["exit_codes"].push_back({{"code", code}, {"meaning", meaning}});
  return json;
}

}  // namespace schedcp

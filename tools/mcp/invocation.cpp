// SPDX-License-Identifier: MIT
// From a call's arguments to an argument vector. What a model sends can never become an option or a
// subcommand it did not name: values of options are joined to them by '=', and an argument that
// looks like either is refused.
#include <algorithm>

#include "base/text.h"
#include "catalog.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr size_t longest_value = 64 << 10;

std::vector<std::string> keys_of(const Json& object) {
  std::vector<std::string> keys;
  for (const auto& [key, unused] : object.items()) keys.push_back(key);
  return keys;
}

bool has_type(const Json& value, const std::string& type) {
  if (type == "string") return value.is_string();
  if (type == "integer") return value.is_number_integer();
  if (type == "number") return value.is_number();
  if (type == "boolean") return value.is_boolean();
  if (type == "array") return value.is_array();
  if (type == "object") return value.is_object();
  return true;
}

/// Throws unless `value` is what `schema` says; of JSON Schema what --describe uses.
void check(const std::string& place, const Json& schema, const Json& value) {
  const std::string type = schema.contains("type") && schema["type"].is_string()
                               ? schema["type"].get<std::string>()
                               : "";
  if (!has_type(value, type))
    throw usage_error(place + ": expected " + type + ", got " + printable(dump(value), 80));
  if (value.is_string() && (value.get_ref<const std::string&>().size() > longest_value ||
                            value.get_ref<const std::string&>().find('\0') != std::string::npos))
    throw usage_error(place + ": too long, or it holds a zero byte");
  const Json choices = schema.value("enum", Json());
  if (choices.is_array() && std::find(choices.begin(), choices.end(), value) == choices.end())
    throw usage_error(place + ": " + printable(dump(value), 80) + " is not one of " +
                      dump(choices));
  if (value.is_array() && schema.contains("items"))
    for (size_t i = 0; i < value.size(); ++i)
      check(place + "/" + std::to_string(i), schema["items"], value[i]);
}

std::string text_of(const Json& value) {
  return value.is_string() ? value.get<std::string>() : dump(value);
}

/// An argument without an option's name before it.
std::string positional(const McpTool& tool, const std::string& place, const Json& value) {
  const std::string text = text_of(value);
  if (text.size() > 1 && text[0] == '-')
    throw usage_error(
        place + ": '" + printable(text, 60) + "' must not start with '-'",
        "options are properties of their own; write a file as ./" + printable(text, 60));
  if (std::find(tool.subcommands.begin(), tool.subcommands.end(), text) != tool.subcommands.end())
    throw usage_error(place + ": '" + text + "' is a subcommand's name",
                      "pass it as \"subcommand\" if it is meant");
  return text;
}

const Action& chosen(const McpTool& tool, const Json& arguments) {
  const std::string name = arguments.contains("subcommand") ? text_of(arguments["subcommand"]) : "";
  std::vector<std::string> known;
  for (const auto& action : tool.actions) {
    if (action.subcommand == name) return action;
    if (!action.subcommand.empty()) known.push_back(action.subcommand);
  }
  if (name.empty()) throw usage_error("subcommand: missing; one of " + join(known, ", "));
  throw usage_error("subcommand: '" + printable(name, 60) + "' is not one of " +
                    (known.empty() ? "(none: leave it out)" : join(known, ", ")));
}

/// The entry of --describe's options or arguments for a property, or null.
const Json* declared(const Json& description, const char* list, const std::string& key) {
  const auto found = description.find(list);
  if (found == description.end() || !found->is_array()) return nullptr;
  for (const auto& one : *found)
    if (one.value("key", "") == key) return &one;
  return nullptr;
}

void add_option(std::vector<std::string>& argv, const std::string& name, const Json& value) {
  if (value.is_boolean()) {
    if (value.get<bool>()) argv.push_back(name);
  } else if (value.is_array()) {
    for (const auto& one : value) argv.push_back(name + "=" + text_of(one));
  } else {
    argv.push_back(name + "=" + text_of(value));
  }
}

bool takes_format(const McpTool& tool) {
  for (const auto& option : tool.description.value("common_options", Json::array()))
    if (option.value("names", "").starts_with("--format")) return true;
  return false;
}

}  // namespace

Invocation invocation_of(const McpTool& tool, const Json& arguments) {
  const Action& action = chosen(tool, arguments);
  const Json& properties = action.schema["properties"];
  for (const auto& [key, value] : arguments.items()) {
    if (key == "subcommand") continue;
    if (!properties.contains(key)) {
      const auto known = keys_of(properties);
      const std::string meant = nearest(key, known);
      throw usage_error("'" + printable(key, 60) + "' is not known to " + tool.name +
                            (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                        "it takes: " + (known.empty() ? "nothing" : join(known, ", ")));
    }
    check(key, properties[key], value);
  }
  for (const auto& key : action.schema.value("required", Json::array()))
    if (key.is_string() && !arguments.contains(key.get<std::string>()))
      throw usage_error(
          key.get<std::string>() + ": missing",
          properties.value(key.get<std::string>(), Json::object()).value("description", ""));

  Invocation call{{tool.program.string()}, "", &action};
  if (!action.subcommand.empty()) call.argv.push_back(action.subcommand);
  if (takes_format(tool)) call.argv.push_back("--format=json");
  std::vector<std::string> words;
  const bool has_command = action.description.contains("command");
  const bool reads = !action.description.value("reads", Json::object()).empty();
  for (const auto& [key, value] : arguments.items()) {
    if (key == "subcommand" || (key == "command" && has_command) || (key == "input" && reads))
      continue;
    if (const Json* option = declared(action.description, "options", key)) {
      add_option(call.argv, option->at("names").back().get<std::string>(), value);
    } else if (!declared(action.description, "arguments", key)) {
      add_option(call.argv, "--" + key, value);
    }
  }
  // Arguments in the order in which the program takes them, whatever the order of properties.
  for (const auto& argument : action.description.value("arguments", Json::array())) {
    const auto given = arguments.find(argument.value("key", ""));
    if (given == arguments.end()) continue;
    const std::string place = argument.value("key", "");
    if (given->is_array())
      for (const auto& one : *given) call.argv.push_back(positional(tool, place, one));
    else
      call.argv.push_back(positional(tool, place, *given));
  }
  if (has_command && arguments.contains("command")) {
    call.argv.push_back("--");
    for (const auto& word : arguments["command"]) call.argv.push_back(text_of(word));
  }
  if (reads && arguments.contains("input"))
    for (const auto& document : arguments["input"]) call.input += dump(document) + "\n";
  return call;
}

}  // namespace schedcp

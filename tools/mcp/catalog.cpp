// SPDX-License-Identifier: MIT
#include "catalog.h"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/process.h"
#include "base/text.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr auto describe_timeout = std::chrono::seconds(10);
constexpr size_t describe_limit = size_t{1} << 20;

/// What a program says of itself; throws when that is nothing.
Json ask(const fs::path& program) {
  Spawn spawn;
  spawn.argv = {program.string(), "--describe"};
  const RunResult result = run(spawn, {}, describe_timeout, describe_limit);
  if (result.timed_out) throw unable("it did not answer --describe in 10 s");
  if (!result.exit.ok())
    throw unable("--describe ended with exit code " + std::to_string(result.exit.code));
  const auto values = parse_stream(result.out, "what --describe printed");
  if (values.size() != 1 || !values[0].is_object())
    throw unable("--describe did not print one JSON object");
  return values[0];
}

Action action_of(const std::string& subcommand, const Json& description) {
  Json schema = description.value("input_schema", Json::object());
  if (!schema.is_object()) schema = Json::object();
  schema["type"] = "object";
  if (!schema.contains("properties")) schema["properties"] = Json::object();
  if (!schema.contains("additionalProperties")) schema["additionalProperties"] = false;
  return {subcommand, description, std::move(schema)};
}

bool hint(const Action& action, const char* name, bool absent) {
  return action.description.value("annotations", Json::object()).value(name, absent);
}

/// "schedcp-verify" as hosts accept it: letters, digits and underscores.
std::string tool_name(std::string program) {
  for (char& c : program)
    if (!std::isalnum(static_cast<unsigned char>(c))) c = '_';
  return program.substr(0, 40);
}

std::string summary_of(const Action& action) { return action.description.value("summary", ""); }

/// One schema for all actions: what belongs to subcommands alone says so.
Json merged_schema(const std::vector<Action>& actions) {
  if (actions.size() == 1 && actions[0].subcommand.empty()) return actions[0].schema;
  Json names = Json::array();
  std::string meanings;
  std::map<std::string, std::vector<std::string>> users;
  std::map<std::string, size_t> needed_by;
  Json properties = Json::object(), needed = Json::array();
  bool has_main = false;
  for (const auto& action : actions) {
    if (action.subcommand.empty()) {
      has_main = true;
    } else {
      names.push_back(action.subcommand);
      meanings += (meanings.empty() ? "" : " ") + action.subcommand + ": " + summary_of(action);
    }
    for (const auto& [key, property] : action.schema["properties"].items()) {
      users[key].push_back(action.subcommand);
      if (!properties.contains(key))
        properties[key] = property;
      else if (properties[key].value("type", "") != property.value("type", ""))
        properties[key].erase("type");  // means different things: the call's own action checks it
    }
    for (const auto& key : action.schema.value("required", Json::array()))
      if (key.is_string()) ++needed_by[key.get<std::string>()];
  }
  for (auto& [key, property] : properties.items()) {
    const auto& by = users[key];
    if (std::find(by.begin(), by.end(), "") == by.end())
      property["description"] = "With " + join(by, ", ") + ": " + property.value("description", "");
    if (needed_by[key] == actions.size()) needed.push_back(key);
  }
  if (has_main) meanings = "Leave it out for the main work. " + meanings;
  Json first{{"subcommand", {{"type", "string"}, {"enum", names}, {"description", meanings}}}};
  first.update(properties);
  if (!has_main) needed.push_back("subcommand");
  return {{"type", "object"},
          {"properties", std::move(first)},
          {"required", std::move(needed)},
          {"additionalProperties", false}};
}

/// What every tool returns; which documents is all that differs.
Json output_schema(const std::vector<Action>& actions) {
  Json kinds = Json::array();
  std::set<std::string> seen;
  for (const auto& action : actions) {
    const Json writes = action.description.value("writes", Json::object());
    for (const auto& [kind, unused] : writes.items())
      if (seen.insert(kind).second) kinds.push_back(kind);
  }
  Json properties{{"exit_code", {{"type", "integer"}}}};
  if (kinds.empty())
    properties["output"] = {{"type", "string"}};
  else
    properties["documents"] = {
        {"type", "array"},
        {"items", {{"type", "object"}, {"properties", {{"schema", {{"enum", kinds}}}}}}}};
  return {{"type", "object"}, {"properties", properties}, {"required", {"exit_code"}}};
}

}  // namespace

int McpTool::timeout_s() const {
  int longest = 0;
  for (const auto& action : actions)
    longest = std::max(longest, action.description.value("timeout_s", 600));
  return longest;
}

Json McpTool::listing() const {
  const Action& first = actions.front();
  std::string text = description.value("summary", name);
  const std::string needs = first.description.value("needs", "");
  if (!needs.empty()) text += " Needs " + needs + ".";
  text += " Takes at most " + std::to_string(timeout_s()) + " s.";
  const Json examples = first.description.value("examples", Json::array());
  if (!examples.empty()) text += " On a command line: " + examples[0].value("line", "");
  bool read_only = true, destructive = false, idempotent = true, open = false;
  for (const auto& action : actions) {
    read_only = read_only && hint(action, "readOnlyHint", false);
    destructive = destructive || hint(action, "destructiveHint", true);
    idempotent = idempotent && hint(action, "idempotentHint", false);
    open = open || hint(action, "openWorldHint", true);
  }
  return {{"name", name},
          {"title", description.value("name", name)},
          {"description", text},
          {"inputSchema", merged_schema(actions)},
          {"outputSchema", output_schema(actions)},
          {"annotations",
           {{"readOnlyHint", read_only},
            {"destructiveHint", destructive && !read_only},
            {"idempotentHint", idempotent},
            {"openWorldHint", open}}}};
}

std::vector<McpTool> find_tools(const std::vector<fs::path>& directories, const std::string& self,
                                bool read_only,
                                const std::function<void(const std::string&)>& complain) {
  std::map<std::string, fs::path> programs;
  for (const auto& directory : directories) {
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory, error)) {
      const std::string file = entry.path().filename().string();
      if (!file.starts_with("schedcp-") || file == self || !entry.is_regular_file(error)) continue;
      if (access(entry.path().c_str(), X_OK) == 0) programs.emplace(file, fs::absolute(entry));
    }
    if (error) complain("cannot read '" + directory.string() + "': " + error.message());
  }
  std::vector<McpTool> tools;
  for (const auto& [file, path] : programs) {
    McpTool tool{tool_name(file), path, {}, {}, {}};
    try {
      tool.description = ask(path);
      std::vector<Action> all{action_of("", tool.description)};
      for (const auto& sub : tool.description.value("subcommands", Json::array())) {
        Action action = action_of(sub.at("name").get<std::string>(), sub);
        tool.subcommands.push_back(action.subcommand);
        if (sub.value("for_models", true)) all.push_back(std::move(action));
      }
      for (auto& action : all)
        if (!read_only || hint(action, "readOnlyHint", false))
          tool.actions.push_back(std::move(action));
      // A listing that cannot be made is found out here, not by a client.
      if (!tool.actions.empty()) tool.listing();
    } catch (const Error& error) {
      complain("'" + printable(file) + "' is not offered: " + error.what());
      continue;
    } catch (const Json::exception& error) {
      complain("'" + printable(file) +
               "' is not offered: its --describe is of no use: " + error.what());
      continue;
    }
    if (!tool.actions.empty()) tools.push_back(std::move(tool));
  }
  return tools;
}

}  // namespace schedcp

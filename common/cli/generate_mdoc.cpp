// SPDX-License-Identifier: MIT
// The generated parts of a man page, in mdoc(7).
#include <algorithm>
#include <cctype>

#include "cli/generate.h"
#include "doc/document.h"
#include "doc/manifest.h"

namespace schedcp {
namespace {

/// Text as mdoc source: each sentence on a line, nothing that roff would take for its own.
std::string prose(const std::string& text) {
  std::string out;
  bool line_start = true;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (line_start && (c == '.' || c == '\'')) out += "\\&";
    line_start = false;
    if (c == '\\') {
      out += "\\e";
    } else if (c == '-' && (i == 0 || text[i - 1] == ' ' || text[i - 1] == '-' ||
                            text[i - 1] == '\'' || text[i - 1] == '(')) {
      out += "\\-";  // an option: a minus that can be copied, not a hyphen
    } else if (c == ' ' && i > 0 && i + 1 < text.size() &&
               std::string_view(".?!").find(text[i - 1]) != std::string_view::npos &&
               std::isupper(static_cast<unsigned char>(text[i + 1]))) {
      out += '\n';
      line_start = true;
    } else if (c == '\n') {
      out += c;
      line_start = true;
    } else {
      out += c;
    }
  }
  return out + "\n";
}

/// One argument of a macro, never itself taken for a macro or for punctuation.
std::string word(const std::string& text) {
  std::string out;
  for (char c : text) out += c == '\\' ? std::string("\\e") : std::string(1, c);
  const bool like_macro = text.size() <= 3 && std::any_of(text.begin(), text.end(), [](char c) {
                            return !std::isupper(static_cast<unsigned char>(c));
                          });
  const bool risky = like_macro || text.find_first_of(" \t\"") != text.npos;
  if (!risky) return out;
  std::string quoted;
  for (char c : out) quoted += c == '"' ? std::string("\\(dq") : std::string(1, c);
  return "\"\\&" + quoted + "\"";
}

/// "Fl s , Fl -strict Ar STAGE"
std::string flags(const CompletedOption& option, const char* separator) {
  std::string text;
  for (const auto& name : option.names)
    text += (text.empty() ? "" : std::string(separator)) + "Fl " + name.substr(1);
  if (!option.value_name.empty()) text += " Ar " + word(option.value_name);
  return text;
}

std::string meaning(const OptionState& option) {
  std::string text = option.sentence;
  if (!option.choices.empty()) text += " One of " + join(option.choices, ", ") + ".";
  if (!option.default_text.empty()) text += " Default: " + option.default_text + ".";
  if (option.is_list() && !option.names.empty()) text += " May be given more than once.";
  return prose(text);
}

std::string argument_words(const CommandState& command) {
  std::string text;
  for (const auto& argument : command.arguments) {
    const std::string dots = argument->is_list() ? " ..." : "";
    text += std::string(argument->required ? "." : ".Op ") + "Ar " + word(argument->value_name) +
            dots + "\n";
  }
  if (command.trailing)
    text += std::string(command.trailing->required ? "." : ".Op ") + "Fl - Ar COMMAND ...\n";
  return text;
}

std::string synopsis_of(const CommandState& program, const CommandState& command) {
  std::string text = ".Nm " + program.name + "\n";
  if (&command != &program) text += ".Cm " + command.name + "\n";
  for (const auto& option : command.options)
    if (!option->hidden)
      text += std::string(option->required ? "." : ".Op ") +
              flags({option->names, option->value_name, "", {}, false}, " | ") +
              (option->is_list() ? " ...\n" : "\n");
  return text + argument_words(command);
}

std::string list_of(const CommandState& command, bool with_common) {
  std::string text;
  for (const auto& argument : command.arguments)
    text += ".It Ar " + word(argument->value_name) + "\n" + meaning(*argument);
  if (command.trailing) text += ".It Fl - Ar COMMAND ...\n" + prose(command.trailing->sentence);
  for (const auto& option : command.options)
    if (!option->hidden)
      text += ".It " + flags({option->names, option->value_name, "", {}, false}, " , ") + "\n" +
              meaning(*option);
  if (with_common)
    for (const auto& [names, sentence] : common_options()) {
      const auto parts = split(names, ' ');
      text +=
          ".It " +
          flags({split(parts[0], ','), parts.size() > 1 ? parts[1] : "", "", {}, false}, " , ") +
          "\n" + prose(sentence);
    }
  return text.empty() ? "" : ".Bl -tag -width Ds\n" + text + ".El\n";
}

std::string type_words(const Json& schema) {
  if (schema.contains("enum")) {
    std::string text;
    for (const auto& one : schema["enum"])
      text += (text.empty() ? "" : " | ") + one.get<std::string>();
    return text;
  }
  const std::string type = schema.value("type", "any value");
  if (type != "array") return type;
  const std::string item = schema.value("items", Json::object()).value("type", "");
  return item.empty() ? "list" : "list of " + item + (item.ends_with("s") ? "" : "s");
}

/// Rows for the members of an object, those of members inside it too while `depth` lasts.
std::string members(const Json& schema, const std::string& before, int depth) {
  static const auto header = detail::keys_of_header();
  std::string text;
  const Json properties = schema.value("properties", Json::object());
  const Json needed = schema.value("required", Json::array());
  for (const auto& [key, property] : properties.items()) {
    if (std::find(header.begin(), header.end(), key) != header.end()) continue;
    const bool optional = std::find(needed.begin(), needed.end(), key) == needed.end();
    text += ".It Va " + before + key + "\n.Pq " +
            word(type_words(property) + (optional ? ", optional" : "")) + "\n" +
            prose(property.value("description", ""));
    if (depth == 0) continue;
    const bool list = property.contains("items");
    if (property.contains("additionalProperties") && property["additionalProperties"].is_object())
      text += members(property["additionalProperties"], before + key + ".NAME.", depth - 1);
    else
      text += members(list ? property["items"] : property, before + key + (list ? "[]." : "."),
                      depth - 1);
  }
  return text;
}

/// "Xr schedcp-search 1", which makes documents of `kind`; "" when nobody is known to.
std::string maker(const std::string& kind) {
  const std::string name = maker_of(kind);
  return name.empty() ? "" : ".Xr " + name + " 1";
}

std::string kind_in(const std::string& schema_name) {
  const std::string kind =
      schema_name.starts_with("schedcp.") ? schema_name.substr(8) : schema_name;
  return kind.substr(0, kind.find('/'));
}

struct Named {
  std::string kind;
  Json schema;
  std::string where;  ///< subcommands that use it, "" for the program itself
};

/// The kinds a program and its subcommands read or write, each once.
std::vector<Named> kinds_of(const CommandState& program,
                            std::vector<std::pair<std::string, Json>> CommandState::* list) {
  std::vector<Named> kinds;
  const auto add = [&](const CommandState& command) {
    for (const auto& [kind, schema] : command.*list) {
      const std::string where = &command == &program ? "" : command.name;
      const auto seen = std::find_if(kinds.begin(), kinds.end(),
                                     [&](const Named& one) { return one.kind == kind; });
      if (seen == kinds.end())
        kinds.push_back({kind, schema, where});
      else if (!seen->where.empty() && !where.empty())
        seen->where += ", " + where;
      else
        seen->where.clear();
    }
  };
  add(program);
  for (const auto& sub : program.subcommands) add(Describer::state(*sub));
  return kinds;
}

/// "schedcp.candidate/1 (with list )", ending in a macro's line.
std::string named(const Named& one) {
  std::string text = ".Li " + word("schedcp." + kind_in(one.kind) + "/1");
  if (!one.where.empty()) text += "\n(with\n.Cm " + one.where + " )";
  return text;
}

std::string input_part(const CommandState& program) {
  const auto kinds = kinds_of(program, &CommandState::reads);
  if (kinds.empty()) return "No documents are read from standard input.\n";
  std::string text = "JSON documents, one after the other.\n";
  for (const auto& one : kinds) {
    std::string by = maker(kind_in(one.kind));
    if (by == ".Xr " + program.name + " 1") by.clear();  // its own
    text += ".Pp\nMembers of\n" + named(one);
    if (!by.empty()) text += " ,\nwhich is made by\n" + by;
    text += " :\n.Bl -tag -width Ds\n" + members(one.schema, "", 0) + ".El\n";
  }
  return text + ".Pp\nMembers that every document has are told of in\n.Xr schedcp 7 .\n";
}

std::string output_part(const CommandState& program) {
  const auto kinds = kinds_of(program, &CommandState::writes);
  if (kinds.empty()) return "No documents are printed.\n";
  std::string text = "On a terminal, text for people; otherwise JSON, one document a line.\n";
  for (const auto& one : kinds)
    text += ".Pp\nMembers of\n" + named(one) + " :\n.Bl -tag -width Ds\n" +
            members(one.schema, "", 1) + ".El\n";
  return text + ".Pp\nMembers that every document has are told of in\n.Xr schedcp 7 .\n";
}

std::string examples_of(const CommandState& command) {
  std::string text;
  for (const auto& example : command.examples) {
    std::string line = "$ " + example.line;
    for (size_t at = 0; (at = line.find('\\', at)) != line.npos; at += 2) line.insert(at + 1, "e");
    text += prose(example.sentence) + ".Bd -literal -offset indent\n" + line + "\n.Ed\n";
  }
  return text;
}

std::string part(const std::string& name, const std::string& text) {
  return ".\\\" @" + name + "@\n" + text;
}

}  // namespace

std::string generate_manifest() {
  return ".Bl -tag -width Ds\n" + members(schema_of<Manifest>(), "", 2) + ".El\n";
}

std::string generate_mdoc(const CommandState& program) {
  std::string sentence = program.sentence;
  if (sentence.ends_with('.')) sentence.pop_back();
  if (!sentence.empty()) sentence[0] = char(std::tolower(static_cast<unsigned char>(sentence[0])));
  std::string synopsis = synopsis_of(program, program), options = list_of(program, true), examples;
  examples = examples_of(program);
  for (const auto& sub : program.subcommands) {
    const CommandState& state = Describer::state(*sub);
    synopsis += synopsis_of(program, state);
    options += ".Ss " + program.name + " " + state.name + "\n" + prose(state.sentence) +
               list_of(state, false);
    examples += examples_of(state);
  }
  std::string exits = ".Bl -tag -width Ds\n";
  for (const auto& [code, text] : exit_rows(program))
    exits += ".It " + std::to_string(code) + "\n" + prose(text);
  return part("NAME", ".Nm " + program.name + "\n.Nd " + prose(sentence)) +
         part("SYNOPSIS", synopsis) + part("OPTIONS", options) +
         part("INPUT", input_part(program)) + part("OUTPUT", output_part(program)) +
         part("EXIT", exits + ".El\n") + part("EXAMPLES", examples);
}

}  // namespace schedcp

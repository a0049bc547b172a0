// SPDX-License-Identifier: MIT
// Laws that hold for every program in bin/, whoever wrote it and whatever it does.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>

#include <map>
#include <set>
#include <thread>

#include "base/process.h"
#include "cli/text.h"
#include "doc/manifest.h"

using namespace schedcp;

namespace {

const fs::path build = SCHEDCP_BUILD_DIR;

struct Tool {
  std::string name;
  fs::path path;
  Json about;
  /// What its own faults are called: 125 for schedcp-vm.
  int fault(int code) const { return name == "schedcp-vm" ? 125 : code; }
};

RunResult start(const Tool& tool, const std::vector<std::string>& words,
                std::string_view input = "") {
  static const TempDir state("schedcp-laws");
  Spawn spawn;
  spawn.argv = {tool.path.string()};
  spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
  spawn.set_env = {{"SCHEDCP_STATE_DIR", state.path().string()}, {"TERM", "dumb"}};
  return run(spawn, input, std::chrono::seconds(60));
}

const std::vector<Tool>& tools() {
  static const std::vector<Tool> all = [] {
    std::vector<Tool> found;
    for (const auto& entry : fs::directory_iterator(build / "bin")) {
      Tool tool{entry.path().filename(), entry.path(), {}};
      if (!tool.name.starts_with("schedcp-") || tool.name.ends_with("-tests")) continue;
      tool.about = Json::parse(start(tool, {"--describe"}).out, nullptr, false);
      found.push_back(std::move(tool));
    }
    return found;
  }();
  REQUIRE(!all.empty());
  return all;
}

/// The program itself and its subcommands, as --describe tells of them.
std::vector<Json> commands_of(const Tool& tool) {
  std::vector<Json> all{tool.about};
  for (const auto& sub : tool.about.value("subcommands", Json::array())) all.push_back(sub);
  return all;
}

bool reads_documents(const Tool& tool) {
  return !tool.about.value("reads", Json::object()).empty();
}

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string joined(const std::string& text) {
  std::string out;
  for (const auto& word : split(text, '\n'))
    for (const auto& part : split(word, ' '))
      if (!part.empty()) out += (out.empty() ? "" : " ") + part;
  return out;
}

/// A sentence as the man page and the README have it: without a full stop, small first letter.
std::string bare(std::string sentence) {
  if (sentence.ends_with('.')) sentence.pop_back();
  if (!sentence.empty()) sentence[0] = char(std::tolower(static_cast<unsigned char>(sentence[0])));
  return sentence;
}

/// Throws Json::exception or fails unless `schema` is a JSON Schema of the kind we use.
void check_schema(const Json& schema, const std::string& place) {
  INFO(place);
  REQUIRE(schema.is_object());
  if (schema.contains("type")) {
    static const std::set<std::string> types{"object", "array",   "string",
                                             "number", "integer", "boolean"};
    CHECK(types.contains(schema["type"].get<std::string>()));
  }
  if (schema.contains("enum")) CHECK(schema["enum"].is_array());
  const Json properties = schema.value("properties", Json::object());
  for (const auto& [key, property] : properties.items()) check_schema(property, place + "/" + key);
  if (schema.contains("items")) check_schema(schema["items"], place + "/items");
  for (const auto& key : schema.value("required", Json::array()))
    CHECK(properties.contains(key.get<std::string>()));
}

}  // namespace

TEST_CASE("laws: --help is on stdout, at most 80 columns wide, with an example") {
  for (const auto& tool : tools()) {
    CAPTURE(tool.name);
    std::vector<std::vector<std::string>> ways{{"--help"}, {"-h"}};
    for (const auto& sub : tool.about["subcommands"]) ways.push_back({sub["name"], "--help"});
    for (const auto& words : ways) {
      const RunResult result = start(tool, words);
      CHECK(result.exit.code == 0);
      CHECK(result.err == "");
      CHECK(result.out.starts_with("Usage: " + tool.name));
      for (const auto& line : split(result.out, '\n')) {
        CAPTURE(line);
        // An example's line is shown as it is typed.
        if (!line.starts_with("  $ ")) CHECK(width_of(line) <= 80);
      }
    }
    CHECK(start(tool, {"--help"}).out.find("\nExamples:\n  $ ") != std::string::npos);
  }
}

TEST_CASE("laws: --version names the program") {
  for (const auto& tool : tools()) {
    const RunResult result = start(tool, {"--version"});
    CHECK(result.out == tool.name + " " + tool.about.value("version", "") + "\n");
    CHECK(result.exit.code == 0);
  }
}

TEST_CASE("laws: an unknown option is refused on stderr, with the nearest one") {
  for (const auto& tool : tools()) {
    CAPTURE(tool.name);
    const RunResult result = start(tool, {"--descrbe"});
    CHECK(result.exit.code == tool.fault(2));
    CHECK(result.out == "");
    CHECK(first_line(result.err) ==
          tool.name + ": unknown option '--descrbe'; did you mean '--describe'?");
    CHECK(start(tool, {"--format", "yaml"}).exit.code == tool.fault(2));
  }
}

TEST_CASE("laws: --describe is JSON with all that a man page or an MCP host asks for") {
  for (const auto& tool : tools()) {
    CAPTURE(tool.name);
    REQUIRE(tool.about.is_object());
    CHECK(tool.about["name"] == tool.name);
    for (const char* key : {"version", "usage", "subcommands", "common_options", "exit_codes"})
      CHECK_MESSAGE(tool.about.contains(key), key);
    CHECK(!tool.about["examples"].empty());
    for (const auto& command : commands_of(tool)) {
      CAPTURE(command["name"]);
      for (const char* key : {"summary", "options", "arguments", "reads", "writes", "input_schema",
                              "examples", "annotations", "needs", "timeout_s"})
        CHECK_MESSAGE(command.contains(key), key);
      CHECK(command["summary"].get<std::string>().ends_with('.'));
      CHECK(command["annotations"].size() == 4);
      CHECK(command["input_schema"]["type"] == "object");
      CHECK(command["input_schema"]["additionalProperties"] == false);
      check_schema(command["input_schema"], tool.name);
      std::set<std::string> keys;
      for (const char* list : {"options", "arguments"})
        for (const auto& option : command[list]) {
          CAPTURE(option);
          CHECK_MESSAGE(keys.insert(option["key"]).second, "two options of one name");
          CHECK(option["summary"].get<std::string>().ends_with('.'));
          CHECK((option["type"] == "boolean") == (option["value"] == ""));
        }
    }
  }
}

TEST_CASE("laws: no model names where something is sent, or the file of a key") {
  for (const auto& tool : tools())
    for (const auto& command : commands_of(tool)) {
      CAPTURE(command["name"]);
      for (const auto& [key, schema] : command["input_schema"]["properties"].items()) {
        CHECK_MESSAGE(
            schema["description"].get<std::string>().find("endpoint") == std::string::npos, key);
        CHECK_MESSAGE(key.find("key-file") == std::string::npos, key);
      }
    }
}

TEST_CASE("laws: a short letter means the same in all programs") {
  std::map<std::string, std::string> meaning{{"-h", "--help"}, {"-V", "--version"}};
  for (const auto& tool : tools())
    for (const auto& command : commands_of(tool))
      for (const auto& option : command["options"])
        for (const auto& name : option["names"]) {
          const auto letter = name.get<std::string>();
          if (letter.starts_with("--")) continue;
          const auto lengthy = option["names"].back().get<std::string>();
          CHECK_MESSAGE(meaning.emplace(letter, lengthy).first->second == lengthy,
                        tool.name << " " << letter);
        }
}

TEST_CASE("laws: every program has a man page, and one sentence says everywhere what it does") {
  const std::string readme = read_file(SCHEDCP_SOURCE_DIR "/README.md");
  for (const auto& tool : tools()) {
    CAPTURE(tool.name);
    const std::string sentence = tool.about["summary"];
    const fs::path page = build / "share/man/man1" / (tool.name + ".1");
    REQUIRE(fs::exists(page));
    CHECK(joined(read_file(page)).find(".Nd " + bare(sentence) + " ") != std::string::npos);
    CHECK(joined(start(tool, {"--help"}).out).find(sentence) != std::string::npos);
    const size_t row = readme.find("\n| " + tool.name + " |");
    if (row != std::string::npos)
      CHECK(first_line(readme.substr(row + 1)) == "| " + tool.name + " | " + sentence + " |");
    else
      FAIL_CHECK("the README has no row for it");
  }
}

TEST_CASE("laws: man pages have no fault that mandoc knows") {
  if (!find_program("mandoc")) return;
  for (const char* section : {"man1", "man5", "man7"})
    for (const auto& entry : fs::directory_iterator(build / "share/man" / section)) {
      Spawn spawn;
      spawn.argv = {"mandoc", "-Tlint", "-Wwarning", entry.path().string()};
      const RunResult result = run(spawn);
      CHECK_MESSAGE(result.exit.code == 0, result.out << result.err);
    }
}

TEST_CASE("laws: every program has completions that bash, zsh and fish can read") {
  const std::vector<std::pair<std::string, std::string>> shells{
      {"bash", "bash-completion/completions/NAME"},
      {"zsh", "zsh/site-functions/_NAME"},
      {"fish", "fish/vendor_completions.d/NAME.fish"}};
  for (const auto& tool : tools())
    for (const auto& [shell, pattern] : shells) {
      CAPTURE(tool.name);
      CAPTURE(shell);
      std::string file = pattern;
      file.replace(file.find("NAME"), 4, tool.name);
      REQUIRE(fs::exists(build / "share" / file));
      const std::string text = read_file(build / "share" / file);
      for (const auto& command : commands_of(tool))
        for (const auto& option : command["options"]) {
          const std::string name = option["key"];
          CHECK_MESSAGE(text.find(name) != std::string::npos, name);
        }
      if (!find_program(shell)) continue;
      Spawn spawn;
      spawn.argv = {shell, "-n", (build / "share" / file).string()};
      const RunResult result = run(spawn);
      CHECK_MESSAGE(result.exit.code == 0, result.err);
    }
}

TEST_CASE("laws: a full disk is an error") {
  for (const auto& tool : tools()) {
    CAPTURE(tool.name);
    const Fd full = open_file("/dev/full", O_WRONLY);
    for (const char* option : {"--help", "--version", "--describe"}) {
      Spawn spawn;
      spawn.argv = {tool.path.string(), option};
      spawn.stdout_fd = full.get();
      spawn.stderr_fd = -1;
      CHECK(Child{spawn}.wait(std::chrono::seconds(20))->code == tool.fault(3));
    }
  }
}

TEST_CASE("laws: what is no document on stdin is refused in a line, and quickly") {
  std::string huge = "{\"schema\":\"schedcp.profile/1\",\"notes\":[";
  const std::string part = "\"" + std::string(1000, 'x') + "\",";
  while (huge.size() < (size_t{100} << 20)) huge += part;
  huge += "\"\"]}\n";
  const std::vector<std::pair<std::string, std::string_view>> inputs{
      {"empty", ""},
      {"blank lines", "\n\n"},
      {"not JSON", "this is no JSON\n"},
      {"binary", std::string_view("\x7f"
                                  "ELF\0\1\2\3\xff\xfe",
                                  10)},
      {"cut off", "{\"schema\":\"schedcp.profile/1\",\"level\":\"sum"},
      {"no object", "[1,2,3]\n"},
      {"no schema", "{}\n"},
      {"foreign schema", "{\"schema\":\"other/1\"}\n"},
      {"unknown kind", "{\"schema\":\"schedcp.nothing/1\"}\n"},
      {"wrong kind", "{\"schema\":\"schedcp.diagnosis/1\"}\n"},
      {"later version", "{\"schema\":\"schedcp.profile/9\"}\n"},
      {"deep",
       std::string_view(
           R"([[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[)")},
      {"100 MB", huge}};
  for (const auto& tool : tools()) {
    if (!reads_documents(tool)) continue;
    for (const auto& [what, input] : inputs) {
      // The way back asks for nothing: a document only says what to go back from.
      if (tool.name == "schedcp-rollback" && input.find_first_not_of('\n') == input.npos) continue;
      CAPTURE(tool.name);
      CAPTURE(what);
      const auto begin = std::chrono::steady_clock::now();
      const RunResult result = start(tool, {}, input);
      CHECK(result.exit.code == 2);
      CHECK(result.out == "");
      CHECK(result.err.starts_with(tool.name + ": "));
      CHECK(result.err.find("\"schema\":\"schedcp.error/1\"") != std::string::npos);
      CHECK(result.exit.usage.ru_maxrss < 400 * 1024);
      CHECK(std::chrono::steady_clock::now() - begin < std::chrono::seconds(20));
    }
  }
}

TEST_CASE("laws: SIGINT and SIGTERM end a program that waits for its input") {
  for (const auto& tool : tools()) {
    if (!reads_documents(tool) && tool.name != "schedcp-mcp") continue;
    for (const int signal : {SIGINT, SIGTERM}) {
      CAPTURE(tool.name);
      CAPTURE(signal);
      auto [in, keep_open] = make_pipe();
      Spawn spawn;
      spawn.argv = {tool.path.string()};
      spawn.stdin_fd = in.get();
      spawn.stdout_fd = spawn.stderr_fd = -1;
      Child child{spawn};
      std::this_thread::sleep_for(std::chrono::milliseconds(300));
      child.send(signal);
      const auto exit = child.wait(std::chrono::seconds(10));
      REQUIRE(exit);
      CHECK(exit->signal == signal);
    }
  }
}

TEST_CASE("laws: the manual's example of a manifest has every member there is") {
  const std::string page = read_file(SCHEDCP_SOURCE_DIR "/man/schedcp-policy.5.in");
  const size_t start = page.find("{\n  \"name\""), end = page.find("\n.Ed", start);
  const std::string text = page.substr(start, end - start);
  const Manifest manifest = parse_manifest(text, "the example", feature_names());
  CHECK(manifest.name == "line");
  const Json json = Json::parse(text);
  for_each_field<Manifest>(
      [&](const auto& field) { CHECK_MESSAGE(json.contains(field.key), field.key); });
  const Json& settings = json["settings"];
  for_each_field<Setting>([&](const auto& field) {
    CHECK_MESSAGE((settings[0].contains(field.key) || settings[1].contains(field.key)), field.key);
  });
}

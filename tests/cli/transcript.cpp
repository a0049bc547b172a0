// SPDX-License-Identifier: MIT
#include "cli/transcript.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>

#include "base/process.h"
#include "base/text.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr auto step_timeout = std::chrono::seconds(100);

std::string replace_all(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text.find(from, at)) != text.npos; at += to.size())
    text.replace(at, from.size(), to);
  return text;
}

std::string expand(const std::string& text, const std::string& dir) {
  return replace_all(
      replace_all(replace_all(text, "$SOURCE", SCHEDCP_SOURCE_DIR), "$BUILD", SCHEDCP_BUILD_DIR),
      "$DIR", dir);
}

bool match_line(std::string_view pattern, std::string_view text) {
  const size_t dots = pattern.find("...");
  if (dots == pattern.npos) return pattern == text;
  if (text.substr(0, dots) != pattern.substr(0, dots)) return false;
  for (size_t at = dots; at <= text.size(); ++at)
    if (match_line(pattern.substr(dots + 3), text.substr(at))) return true;
  return false;
}

bool match_lines(const std::vector<std::string>& pattern, size_t p,
                 const std::vector<std::string>& text, size_t t) {
  if (p == pattern.size()) return t == text.size();
  if (pattern[p] == "...") {
    for (size_t at = t; at <= text.size(); ++at)
      if (match_lines(pattern, p + 1, text, at)) return true;
    return false;
  }
  return t < text.size() && match_line(pattern[p], text[t]) &&
         match_lines(pattern, p + 1, text, t + 1);
}

std::vector<std::string> lines_of(std::string text) {
  if (text.ends_with('\n')) text.pop_back();
  return text.empty() ? std::vector<std::string>{} : split(text, '\n');
}

/// Stderr without the errors' lines for programs; complains of one that says something else than
/// the line for people before it.
std::string without_error_lines(const std::string& err, std::string& wrong) {
  std::string rest, before;
  for (const auto& line : lines_of(err)) {
    if (!line.starts_with("{\"schema\":\"schedcp.error/1\"")) {
      rest += line + "\n";
      before = line;
      continue;
    }
    const Json json = Json::parse(line, nullptr, false);
    if (!json.is_object() || before != json.value("program", "") + ": " + json.value("message", ""))
      wrong +=
          "the error's line for programs does not say what the one for people says: " + line + "\n";
  }
  return rest;
}

std::string shown(const std::string& text) { return text.empty() ? "  (nothing)\n" : text; }

std::string check_json(const Step& step, const std::string& out) {
  std::string wrong;
  std::vector<Json> documents;
  try {
    documents = parse_stream(out, "stdout");
  } catch (const Error& error) {
    return std::string(error.what()) + "\n" + shown(out);
  }
  if (documents.empty()) return "no document on stdout\n";
  for (const auto& [pointer, value] : step.json) {
    const Json::json_pointer place(pointer);
    const Json& last = documents.back();
    const std::string found = last.contains(place) ? dump(last[place]) : "(missing)";
    if (!match_line(value, found))
      wrong += pointer + ": expected " + value + ", got " + found + "\n";
  }
  return wrong;
}

std::string play_step(const Step& step, const Transcript& transcript, const std::string& dir) {
  const std::string line = expand(step.command, dir);
  Spawn spawn;
  auto words = shell_words(line);
  spawn.argv = words ? *words : std::vector<std::string>{"sh", "-c", line};
  spawn.cwd = dir;
  spawn.set_env = {
      {"HOME", dir},       {"TMPDIR", dir + "/.tmp"}, {"SCHEDCP_STATE_DIR", dir + "/.state"},
      {"TRACEPARENT", ""}, {"NO_COLOR", ""},          {"TERM", "dumb"}};
  for (const auto& [key, value] : transcript.env)
    spawn.set_env.emplace_back(key, expand(value, dir));
  // run() closes the pipe at once for empty input, which is what an empty pipe is; without STDIN
  // the program reads /dev/null, which the shell opens for it.
  if (!step.input)
    spawn.argv.insert(spawn.argv.begin(), {"sh", "-c", "exec \"$0\" \"$@\" </dev/null"});
  std::string input = expand(step.input.value_or(""), dir);
  if (input.ends_with('\n')) input.pop_back();
  const RunResult result = run(spawn, input, step_timeout);
  const auto normal = [&](const std::string& text) { return replace_all(text, dir, "$DIR"); };
  std::string wrong;
  const std::string err = normal(without_error_lines(result.err, wrong));
  const std::string out = normal(result.out);
  if (result.timed_out) wrong += "it did not end in 100 s\n";
  if (result.exit.code != step.exit)
    wrong += fmt::format("exit code: expected {}, got {}\n", step.exit, result.exit.code);
  if (step.out && !matches(*step.out, out))
    wrong += "stdout: expected\n" + shown(*step.out) + "got\n" + shown(out);
  if (step.err && !matches(*step.err, err))
    wrong += "stderr: expected\n" + shown(*step.err) + "got\n" + shown(err);
  if (!step.out && words && step.exit >= 2 && step.exit <= 5 && !out.empty())
    wrong += "stdout: expected nothing, for it cannot; got\n" + out;
  if (!step.json.empty()) wrong += check_json(step, out);
  if (!wrong.empty())
    wrong =
        fmt::format("{}:{}: $ {}\n{}", transcript.file.string(), step.line, step.command, wrong);
  if (!wrong.empty() && !step.err && !err.empty()) wrong += "its stderr:\n" + err;
  return wrong;
}

}  // namespace

bool matches(const std::string& pattern, const std::string& text) {
  return match_lines(lines_of(pattern), 0, lines_of(text), 0);
}

std::optional<std::vector<std::string>> shell_words(const std::string& line) {
  std::vector<std::string> words;
  std::string word;
  bool in_word = false;
  for (size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == ' ' || c == '\t' || c == '\n') {
      if (in_word) words.push_back(std::exchange(word, ""));
      in_word = false;
    } else if (c == '\'') {
      const size_t end = line.find('\'', i + 1);
      if (end == line.npos) return {};
      word += line.substr(i + 1, end - i - 1);
      i = end;
      in_word = true;
    } else if (c == '"') {
      for (++i; i < line.size() && line[i] != '"'; ++i) {
        if (line[i] == '$' || line[i] == '`') return {};
        if (line[i] == '\\' && i + 1 < line.size()) ++i;
        word += line[i];
      }
      in_word = true;
    } else if (std::string_view("|&;<>()$`*?~#{}").find(c) != std::string_view::npos) {
      return {};
    } else {
      word += c == '\\' && i + 1 < line.size() ? line[++i] : c;
      in_word = true;
    }
  }
  if (in_word) words.push_back(word);
  // VAR=value before the program is the shell's business too.
  if (words.empty() || words[0].find('=') != std::string::npos) return {};
  return words;
}

std::vector<Transcript> read_transcripts(const fs::path& file) {
  std::vector<Transcript> transcripts;
  std::string* text = nullptr;
  std::optional<std::string> input;
  int number = 0;
  for (const auto& line : split(read_file(file), '\n')) {
    ++number;
    const auto fail = [&](const std::string& what) {
      return usage_error(fmt::format("{}:{}: {}", file.string(), number, what));
    };
    if (line.starts_with("        ") || line.starts_with("\t")) {
      if (!text) throw fail("a line that goes on with nothing");
      *text += line.substr(line[0] == '\t' ? 1 : 8) + "\n";
      continue;
    }
    if (line.empty() || line[0] == '#') continue;
    const size_t space = std::min(line.find(' '), line.size());
    const std::string word = line.substr(0, space);
    const size_t start = line.find_first_not_of(' ', space);
    const std::string rest = start == line.npos ? "" : line.substr(start);
    text = nullptr;
    if (word == "NAME") {
      if (input) throw fail("STDIN belongs before RUN");
      transcripts.push_back({rest, file, number, {}, {}, {}});
      continue;
    }
    if (transcripts.empty()) throw fail("NAME comes first");
    Transcript& now = transcripts.back();
    const auto begin = [&](std::optional<std::string>& to) {
      to = rest.empty() ? "" : rest + "\n";
      text = &*to;
    };
    if (word == "FILE") {
      text = &now.files.emplace_back(rest, "").second;
    } else if (word == "ENV") {
      const size_t equals = rest.find('=');
      if (equals == rest.npos) throw fail("ENV wants KEY=VALUE");
      now.env.emplace_back(rest.substr(0, equals), rest.substr(equals + 1));
    } else if (word == "STDIN") {
      begin(input);
    } else if (word == "RUN") {
      now.steps.push_back({number, rest, std::exchange(input, {}), {}, {}, {}, 0});
      text = &now.steps.back().command;
    } else if (now.steps.empty()) {
      throw fail("RUN comes before " + word);
    } else if (word == "STDOUT") {
      begin(now.steps.back().out);
    } else if (word == "STDERR") {
      begin(now.steps.back().err);
    } else if (word == "EXIT") {
      now.steps.back().exit = std::atoi(rest.c_str());
    } else if (word == "JSON") {
      const size_t gap = rest.find(' ');
      if (gap == rest.npos) throw fail("JSON wants a pointer and a value");
      now.steps.back().json.emplace_back(rest.substr(0, gap),
                                         rest.substr(rest.find_first_not_of(' ', gap)));
    } else {
      throw fail("'" + printable(word, 20) + "' is not a keyword");
    }
  }
  return transcripts;
}

std::string play(const Transcript& transcript) {
  const TempDir directory("schedcp-cli");
  const std::string dir = fs::canonical(directory.path()).string();
  make_directories(dir + "/.tmp");
  // Programs are looked up on our own PATH.
  static const bool once = [] {
    const std::string path = std::string(SCHEDCP_BUILD_DIR) + "/bin:" + std::getenv("PATH");
    return setenv("PATH", path.c_str(), 1) == 0;
  }();
  SCHEDCP_ASSERT(once);
  for (const auto& [name, content] : transcript.files) {
    const fs::path path = fs::path(dir) / name;
    make_directories(path.parent_path());
    write_file_atomic(path, expand(content, dir), content.starts_with("#!") ? 0755 : 0644);
  }
  std::string wrong;
  for (const auto& step : transcript.steps) {
    wrong = play_step(step, transcript, dir);
    if (!wrong.empty()) break;
  }
  return wrong;
}

}  // namespace schedcp

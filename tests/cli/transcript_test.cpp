// SPDX-License-Identifier: MIT
// Makes a test case of each transcript in tests/cli/*.test, and tests what reads them.
#include "cli/transcript.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <cstdlib>
#include <deque>
#include <map>

#include "base/error.h"

using namespace schedcp;

namespace {

std::map<std::string, Transcript>& transcripts() {
  static std::map<std::string, Transcript> all;
  return all;
}

/// The case that doctest runs now; its name finds the transcript.
void play_current() {
  const std::string name = doctest::getContextOptions()->currentTest->m_name;
  const std::string wrong = play(transcripts().at(name));
  if (!wrong.empty()) FAIL(wrong);
}

/// Before main, as doctest's own cases: it has to know all names to list them.
const int registered = [] {
  static std::deque<std::string> names;  // doctest keeps pointers to names and files
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(SCHEDCP_SOURCE_DIR "/tests/cli"))
    if (entry.path().extension() == ".test") files.push_back(entry.path());
  for (const auto& file : files) try {
      for (auto& one : read_transcripts(file)) {
        const std::string name = file.stem().string() + ": " + one.name;
        const auto [at, fresh] = transcripts().emplace(name, std::move(one));
        if (!fresh) throw usage_error(file.string() + ": a second '" + name + "'");
        names.push_back(name);
        const char* title = names.back().c_str();
        doctest::detail::regTest(doctest::detail::TestCase(play_current, at->second.file.c_str(),
                                                           unsigned(at->second.line),
                                                           doctest::detail::TestSuite()) *
                                 title);
      }
    } catch (const Error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      std::exit(1);
    }
  return 0;
}();

}  // namespace

TEST_CASE("transcripts: dots in a pattern stand for any text, alone for any lines") {
  CHECK(matches("a\nb\n", "a\nb\n"));
  CHECK(matches("a...z\n", "a to z\n"));
  CHECK(matches("...\nz\n", "a\nb\nz\n"));
  CHECK(matches("...", ""));
  CHECK_FALSE(matches("a...z\n", "a to y\n"));
  CHECK_FALSE(matches("", "a\n"));
  CHECK_FALSE(matches("a\n", "a\nb\n"));
}

TEST_CASE("transcripts: words are split as a shell does, and its own tricks left to it") {
  CHECK(shell_words(R"(a 'b c' "d \"e" f\ g)") ==
        std::vector<std::string>{"a", "b c", "d \"e", "f g"});
  CHECK(shell_words("a ''") == std::vector<std::string>{"a", ""});
  CHECK_FALSE(shell_words("a | b"));
  CHECK_FALSE(shell_words("a \"$HOME\""));
  CHECK_FALSE(shell_words("X=1 a"));
}

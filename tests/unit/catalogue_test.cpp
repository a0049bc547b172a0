// SPDX-License-Identifier: MIT
#include "check/catalogue.h"

#include <doctest/doctest.h>

#include <regex>
#include <set>
#include <string>

#include "base/file.h"

using namespace schedcp;

TEST_CASE("every entry of the catalogue is placed, in order, and says what to do") {
  const std::set<std::string_view> stages{"static", "sim", "kernel", "stress", "none"};
  const std::set<std::string_view> severities{"error", "warning", "note"};
  const std::set<std::string_view> confidences{"certain", "likely", "hint"};
  int number = 0;
  for (const auto& rule : rules()) {
    CAPTURE(rule.id);
    char id[16];
    snprintf(id, sizeof id, "SCX%03d", number++);
    CHECK(std::string_view(rule.id) == id);
    CHECK(stages.contains(rule.stage));
    const bool is_static = std::string_view(rule.stage) == "static";
    CHECK(severities.contains(rule.severity) == is_static);
    CHECK(confidences.contains(rule.confidence) == is_static);
    CHECK(*rule.title);
    CHECK(*rule.why);
    CHECK(*rule.mend);
  }
  CHECK(number > 70);
}

TEST_CASE("a rule is found by its id in either case, and nothing else is") {
  REQUIRE(find_rule("SCX004"));
  CHECK(find_rule("scx004") == find_rule("SCX004"));
  CHECK_FALSE(find_rule("SCX4"));
  CHECK_FALSE(find_rule("SCX999"));
  CHECK_FALSE(find_rule(""));
}

namespace {

/// The ids that a room's sources name.
std::set<std::string> named_in(const std::string& room) {
  const std::regex id("\"(SCX[0-9]{3})\"");
  std::set<std::string> found;
  for (const auto& entry : fs::directory_iterator(SCHEDCP_SOURCE_DIR "/common/" + room)) {
    if (entry.path().extension() != ".cpp" || entry.path().filename() == "catalogue.cpp") continue;
    const std::string text = read_file(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), id), end; at != end; ++at)
      found.insert((*at)[1]);
  }
  return found;
}

}  // namespace

TEST_CASE("what the code can find is in the catalogue as found by the static stage") {
  const auto found = named_in("check");
  for (const auto& name : found) {
    CAPTURE(name);
    const Rule* rule = find_rule(name);
    REQUIRE(rule);
    CHECK(std::string_view(rule->stage) == "static");
  }
  CHECK(found.size() > 40);
}

TEST_CASE("what the catalogue leaves to the simulator, and no more than that, it can find") {
  const auto found = named_in("sim");
  for (const auto& name : found) {
    CAPTURE(name);
    const Rule* rule = find_rule(name);
    REQUIRE(rule);
    const std::string_view stage = rule->stage;
    CHECK((stage == "static" || stage == "sim"));
  }
  for (const auto& rule : rules()) {
    CAPTURE(rule.id);
    if (std::string_view(rule.stage) == "sim") CHECK(found.contains(rule.id));
  }
}

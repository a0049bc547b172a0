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

TEST_CASE("what the code can find is in the catalogue as found by the static stage") {
  const std::regex id("\"(SCX[0-9]{3})\"");
  size_t found = 0;
  for (const auto& entry : fs::directory_iterator(SCHEDCP_SOURCE_DIR "/common/check")) {
    if (entry.path().extension() != ".cpp" || entry.path().filename() == "catalogue.cpp") continue;
    const std::string text = read_file(entry.path());
    for (std::sregex_iterator at(text.begin(), text.end(), id), end; at != end; ++at, ++found) {
      const std::string name = (*at)[1];
      CAPTURE(name);
      const Rule* rule = find_rule(name);
      REQUIRE(rule);
      CHECK(std::string_view(rule->stage) == "static");
    }
  }
  CHECK(found > 50);
}

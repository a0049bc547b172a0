// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>

#include "base/error.h"
#include "obj/choices.h"
#include "tools/bench/contenders.h"

using namespace schedcp;

namespace {

Candidate of(const std::string& policy, std::vector<KnobValue> knobs) {
  Candidate candidate;
  candidate.policy.name = policy;
  candidate.knobs = std::move(knobs);
  return candidate;
}

std::vector<std::string> names_of(const std::vector<Candidate>& candidates) {
  const auto contenders = contenders_from({candidates.begin(), candidates.end()}, false);
  std::vector<std::string> names;
  for (const auto& one : contenders.list) names.push_back(one.name);
  return names;
}

}  // namespace

TEST_CASE("configurations of a policy take part by their canonical names") {
  CHECK(names_of({of("compose", {}), of("compose", {{"ordering", 4}}),
                  of("compose", {{"topology", 2}, {"ordering", 0}}), of("vtime", {})}) ==
        std::vector<std::string>{"compose", "compose-longest-all-kernel-fixed-none",
                                 "compose-fifo-cpu-kernel-fixed-none", "vtime"});
}

TEST_CASE("who would have another's name gets a number") {
  // A slice is no choice among named parts.
  CHECK(names_of({of("compose", {{"ordering", 4}}),
                  of("compose", {{"ordering", 4}, {"slice_us", 9000}}),
                  of("compose", {{"slice_us", 9000}}), of("compose", {})}) ==
        std::vector<std::string>{"compose-longest-all-kernel-fixed-none",
                                 "compose-longest-all-kernel-fixed-none-2", "compose",
                                 "compose-2"});
}

TEST_CASE("a choice that there is not is refused") {
  CHECK_THROWS_AS(names_of({of("compose", {{"ordering", 6}})}), Error);
}

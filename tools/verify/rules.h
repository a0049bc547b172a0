// SPDX-License-Identifier: MIT
// The catalogue of what can be wrong with a scheduler, as documents and for people.
#pragma once

#include <string>
#include <vector>

#include "doc/document.h"

namespace schedcp {

struct RuleInfo {
  static constexpr const char* kind = "rule";
  Header header;
  std::string id;
  std::string family;
  std::string stage;
  std::optional<std::string> severity;
  std::optional<std::string> confidence;
  std::string title;
  std::string why;
  std::string mend;
  static constexpr auto fields() {
    return std::tuple{
        required("id", &RuleInfo::id, "The rule's id, as findings name it."),
        required("family", &RuleInfo::family, "What it is about.",
                 "tasks|queues|placement|slices|wakeups|order|accounting|context|overhead|object"),
        required("stage", &RuleInfo::stage,
                 "The first stage that can find it; none where none does.",
                 "static|sim|kernel|stress|none"),
        optional("severity", &RuleInfo::severity, "How bad it is when the static stage says it.",
                 "error|warning|note"),
        optional("confidence", &RuleInfo::confidence, "How sure the static stage is.",
                 "certain|likely|hint"),
        required("title", &RuleInfo::title, "What is wrong, in a line."),
        required("why", &RuleInfo::why, "What it leads to."),
        required("mend", &RuleInfo::mend, "What to do instead.")};
  }
};

/// The rule of that id; all of them for "". Throws usage_error for an id that there is none of.
std::vector<RuleInfo> describe_rules(const std::string& id);

/// A table of many, or one in full.
std::string view(const std::vector<RuleInfo>& rules, bool colour);

}  // namespace schedcp

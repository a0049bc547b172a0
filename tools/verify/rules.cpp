// SPDX-License-Identifier: MIT
#include "rules.h"

#include <fmt/format.h>

#include "base/error.h"
#include "base/text.h"
#include "check/catalogue.h"
#include "cli/text.h"

namespace schedcp {
namespace {

RuleInfo info_of(const Rule& rule) {
  auto info = new_document<RuleInfo>({});
  info.id = rule.id;
  info.family = rule.family;
  info.stage = rule.stage;
  if (*rule.severity) info.severity = rule.severity;
  if (*rule.confidence) info.confidence = rule.confidence;
  info.title = rule.title;
  info.why = rule.why;
  info.mend = rule.mend;
  return info;
}

}  // namespace

std::vector<RuleInfo> describe_rules(const std::string& id) {
  std::vector<RuleInfo> found;
  if (id.empty()) {
    for (const auto& rule : rules()) found.push_back(info_of(rule));
    return found;
  }
  const Rule* rule = find_rule(id);
  if (!rule)
    throw usage_error("there is no rule '" + printable(id, 40) + "'", "schedcp-verify rules");
  found.push_back(info_of(*rule));
  return found;
}

std::string view(const std::vector<RuleInfo>& rules, bool colour) {
  if (rules.size() == 1) {
    const RuleInfo& rule = rules.front();
    const std::string says =
        rule.severity ? fmt::format("{}, {}", *rule.severity, rule.confidence.value_or("")) : "";
    return fmt::format("{}  {}\n  family  {}\n  stage   {}{}\n\n{}\n\nmend: {}\n",
                       paint(rule.id, Colour::bold, colour), rule.title, rule.family, rule.stage,
                       says.empty() ? "" : " (" + says + ")", rule.why, rule.mend);
  }
  Table table({"rule", "family", "stage", "says", "what is wrong"}, colour);
  for (const auto& rule : rules)
    table.row({rule.id, rule.family, rule.stage, rule.severity.value_or(""), rule.title});
  return table.str();
}

}  // namespace schedcp

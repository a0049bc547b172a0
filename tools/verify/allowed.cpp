// SPDX-License-Identifier: MIT
#include "allowed.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/text.h"
#include "check/catalogue.h"
#include "verify.h"

namespace schedcp {
namespace {

constexpr std::string_view kMark = "schedcp: allow ";

std::string trimmed(std::string_view text) {
  const size_t start = text.find_first_not_of(" \t");
  if (start == text.npos) return "";
  return std::string(text.substr(start, text.find_last_not_of(" \t") - start + 1));
}

/// The reason that a line gives for letting `rule` pass, or "".
std::string reason_in(std::string_view line, const std::string& rule) {
  const std::string mark = std::string(kMark) + rule + ":";
  const size_t at = line.find(mark);
  if (at == line.npos) return "";
  std::string_view rest = line.substr(at + mark.size());
  rest = rest.substr(0, rest.find("*/"));
  return trimmed(rest);
}

/// In the text of the policy: at each place of the finding, or anywhere if it has none.
std::string reason_in_source(const Finding& finding, const std::vector<std::string>& lines) {
  std::string reason;
  if (!finding.line) {
    for (const auto& line : lines)
      if (reason = reason_in(line, finding.rule); !reason.empty()) break;
    return reason;
  }
  std::vector<int64_t> places = finding.also;
  places.push_back(*finding.line);
  for (const int64_t place : places) {
    reason.clear();
    for (const int64_t number : {place, place - 1})
      if (reason.empty() && number >= 1 && number <= int64_t(lines.size()))
        reason = reason_in(lines[size_t(number - 1)], finding.rule);
    if (reason.empty()) break;
  }
  return reason;
}

}  // namespace

Allowance parse_allowance(const std::string& text) {
  const size_t at = text.find('=');
  const std::string rule = text.substr(0, at);
  if (!find_rule(rule))
    throw usage_error("--allow: there is no rule '" + printable(rule, 40) + "'",
                      "'schedcp-verify rules' lists them");
  const std::string reason = at == text.npos ? "" : trimmed(text.substr(at + 1));
  if (reason.empty())
    throw usage_error("--allow: " + rule + " needs a reason", "--allow '" + rule + "=WHY'");
  return {rule, reason};
}

void allow_findings(Stage& stage, const PolicySource& source,
                    const std::vector<Allowance>& by_caller, bool stopped) {
  std::vector<std::string> lines;
  if (!source.compiled) lines = split(read_file(source.path, kMaxSource), '\n');
  std::set<std::string> rules;
  for (auto& finding : stage.findings) {
    const Rule* rule = find_rule(finding.rule);
    const bool error = finding.severity == "error", refused = error && rule && rule->refused;
    for (const auto& one : by_caller) {
      if (one.rule != finding.rule) continue;
      if (!refused)
        finding.allowed = one.reason;
      else
        finding.message += "; it cannot be allowed, since the kernel refuses it";
    }
    if (!finding.allowed && !error) {
      const bool own =
          !finding.file || fs::path(*finding.file).filename() == source.path.filename();
      std::string reason;
      if (const auto beside = source.allow.find(finding.rule); beside != source.allow.end())
        reason = beside->second;
      if (reason.empty() && finding.also.empty())
        reason = reason_in(finding.source.value_or(""), finding.rule);
      if (reason.empty() && own) reason = reason_in_source(finding, lines);
      if (!reason.empty()) finding.allowed = printable(reason, 200);
    }
    if (finding.allowed) rules.insert(finding.rule);
  }
  if (rules.empty()) return;
  stage.evidence["limits"]["allowed"] = rules;
  if (stage.outcome != "failed") return;
  if (const std::string reason = sentence_of(stage.findings); !reason.empty()) {
    stage.reason = reason;
    return;
  }
  stage.outcome = stopped ? "unknown" : "passed";
  stage.reason.reset();
  if (stopped)
    stage.reason = "it stopped at what is allowed: " + join({rules.begin(), rules.end()}, ", ");
}

}  // namespace schedcp

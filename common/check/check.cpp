// SPDX-License-Identifier: MIT
#include "check/check.h"

#include <algorithm>
#include <tuple>

#include "base/text.h"
#include "check/catalogue.h"
#include "check/rules.h"

namespace schedcp {
namespace {

int rank(const std::string& severity) {
  return severity == "error" ? 0 : severity == "warning" ? 1 : 2;
}

constexpr size_t kMaxFindings = 100;

}  // namespace

bool CheckResult::rejects() const {
  return std::any_of(findings.begin(), findings.end(),
                     [](const Finding& f) { return f.severity == "error"; });
}

Finding& Findings::add(const char* rule, const char* severity, const std::string& message,
                       const std::string& mend) {
  // A hostile object must not make us say without end; what is cut is the same over and over.
  if (found_.size() >= 10 * kMaxFindings) found_.pop_back();
  Finding& finding = found_.emplace_back();
  finding.rule = rule;
  finding.severity = severity;
  finding.message = message;
  finding.mend = mend.empty() ? find_rule(rule)->mend : mend;
  return finding;
}

Finding& Findings::add_at(const Function& function, uint32_t insn, const char* rule,
                          const char* severity, const std::string& message,
                          const std::string& mend) {
  Finding& finding = add(rule, severity, message, mend);
  locate(finding, object_, function, insn);
  return finding;
}

std::vector<Finding> Findings::take() {
  const auto key = [](const Finding& f) {
    return std::tuple(rank(f.severity), f.rule, f.file.value_or(""), f.line.value_or(0), f.message);
  };
  std::stable_sort(found_.begin(), found_.end(),
                   [&](const Finding& a, const Finding& b) { return key(a) < key(b); });
  found_.erase(std::unique(found_.begin(), found_.end(),
                           [&](const Finding& a, const Finding& b) { return key(a) == key(b); }),
               found_.end());
  // What is wrong in the same way at several lines is said once.
  const auto what = [](const Finding& f) {
    return std::tie(f.severity, f.rule, f.file, f.message);
  };
  std::vector<Finding> told;
  for (auto& finding : found_) {
    const auto same = std::find_if(told.begin(), told.end(), [&](const Finding& other) {
      return finding.line && other.line && what(other) == what(finding);
    });
    if (same != told.end())
      same->also.push_back(*finding.line);
    else if (told.size() < kMaxFindings)
      told.push_back(std::move(finding));
  }
  return told;
}

void locate(Finding& finding, const PolicyObject& object, const Function& function, uint32_t insn) {
  for (const auto& [member, index] : object.ops().callbacks)
    if (&object.functions()[index] == &function) finding.callback = member;
  const SourceLine* line = function.line_of(insn);
  if (function.lines.empty() || !line) return;
  // Wrappers of schedcp.bpf.h are inlined: the line that used one says more than the wrapper's.
  const auto own = [](const SourceLine& one) { return !one.file.ends_with(".h"); };
  auto it = function.lines.upper_bound(insn);
  while (it != function.lines.begin() && !own(std::prev(it)->second)) --it;
  if (it == function.lines.begin())
    it = std::find_if(it, function.lines.end(), [&](const auto& one) { return own(one.second); });
  else
    --it;
  if (it != function.lines.end()) line = &it->second;
  finding.file = printable(line->file);
  finding.line = line->line;
  if (line->column) finding.column = line->column;
  std::string text = line->text;
  std::replace(text.begin(), text.end(), '\t', ' ');  // one column each, as the compiler counts
  finding.source = printable(text);
}

CheckResult check_policy(const PolicyObject& object, const std::vector<KnobValue>& knobs,
                         const CheckLimits& limits) {
  CheckResult result;
  for (const auto& function : object.functions()) result.instructions += function.insns.size();
  Findings findings(object);
  check_declarations(object, limits, findings, result);
  check_calls(object, findings);
  check_paths(object, knobs, limits, findings, result);
  result.findings = findings.take();
  return result;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// The kernel's verifier tells its whole walk through a program; the reason stands near the end,
// after the last source line it looked at ("; x = *p @ fifo.bpf.c:42") and before its figures.
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>

#include "base/text.h"
#include "scx/loader.h"

namespace schedcp {

namespace {

bool is_figure(std::string_view line) {
  for (const char* head :
       {"processed ", "verification time", "stack depth", "max_states", "mark_precise"})
    if (line.starts_with(head)) return true;
  return line.empty();
}

/// "12: (85) call ...", "from 3 to 7: R0=...", "R0=scalar()", "Validating f() func#1..."
bool is_walk(std::string_view line) {
  const size_t digits = std::min(line.find_first_not_of("0123456789"), line.size());
  if (digits > 0 && line.substr(digits).starts_with(":")) return true;
  if (line.starts_with("from ") || line.starts_with("Validating ") || line.starts_with("arg#"))
    return true;
  if (line.starts_with("func#") || line.starts_with("; ") || line.starts_with("frame")) return true;
  return line.size() > 2 && line[0] == 'R' && std::isdigit(uint8_t(line[1])) &&
         (line[2] == '=' || line[3] == '=' || line.find("_w=") != line.npos);
}

}  // namespace

std::string VerifierReason::text() const {
  if (source.empty()) return message;
  if (file.empty()) return fmt::format("{} ({})", message, source);
  return fmt::format("{} ({}:{}: {})", message, file, line, source);
}

namespace {

/// Newer kernels add a report for people after the log; its advice is worth keeping, the rest says
/// the same again. Cuts the report off `lines`.
std::string take_report(std::vector<std::string>& lines) {
  const auto starts = [](const char* head) {
    return [head](const std::string& line) { return line.starts_with(head); };
  };
  const auto report = std::find_if(lines.begin(), lines.end(), starts("Verification failed:"));
  std::string advice;
  const auto suggestion = std::find_if(report, lines.end(), starts("Suggestion:"));
  for (auto line = suggestion; line != lines.end() && ++line != lines.end() && !line->empty();)
    advice += (advice.empty() ? "" : " ") +
              line->substr(std::min(line->find_first_not_of(' '), line->size()));
  // Where the log itself gives no reason, the report's title must do.
  if (report != lines.end()) lines.erase(report + 1, lines.end());
  return printable(advice, 400);
}

}  // namespace

VerifierReason condense_verifier_log(const std::string& log) {
  auto lines = split(log, '\n');
  VerifierReason reason;
  reason.suggestion = take_report(lines);
  std::string title;
  if (!lines.empty() && lines.back().starts_with("Verification failed:")) {
    title = printable(lines.back());
    lines.pop_back();
  }
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    if (reason.message.empty()) {
      if (!is_figure(*line) && !is_walk(*line))
        reason.message = printable(*line);
      else if (is_walk(*line) && !title.empty())
        reason.message = title;
      else
        continue;
      if (reason.message != title) continue;
    }
    if (!line->starts_with("; ")) continue;
    const size_t at = line->rfind(" @ ");
    reason.source = printable(line->substr(2, at == line->npos ? at : at - 2));
    if (at == line->npos) break;
    const std::string place = line->substr(line->find_last_of("/ ") + 1);
    const size_t colon = place.rfind(':');
    reason.file = printable(place.substr(0, colon));
    if (colon != place.npos) reason.line = std::strtol(place.c_str() + colon + 1, nullptr, 10);
    break;
  }
  if (reason.message.empty()) reason.message = title;
  return reason;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// A verdict as text.
#include <fmt/format.h>

#include "base/text.h"
#include "base/time.h"
#include "cli/text.h"
#include "verify.h"

namespace schedcp {
namespace {

std::string bytes_text(int64_t bytes) { return fmt::format("{:.1f} MB", double(bytes) / 1e6); }

std::string finding_text(const Finding& finding, bool colour) {
  const Colour tint = finding.severity == "error"     ? Colour::red
                      : finding.severity == "warning" ? Colour::yellow
                                                      : Colour::dim;
  std::string place;
  if (finding.file) place = fs::path(*finding.file).filename().string();
  if (finding.line) place += ":" + std::to_string(*finding.line);
  for (const int64_t line : finding.also) place += ", " + std::to_string(line);
  std::string text = fmt::format("  {} {}{}{}{}\n", paint(finding.severity, tint, colour),
                                 finding.rule, place.empty() ? "" : " " + place,
                                 finding.callback ? " in " + *finding.callback : "",
                                 ": " + printable(finding.message, 400));
  const std::string source = printable(finding.source.value_or(""));
  if (const size_t start = source.find_first_not_of(' '); start != source.npos) {
    text += "      " + paint(source.substr(start), Colour::dim, colour) + "\n";
    const size_t at = size_t(finding.column.value_or(0));
    if (at > start && at <= source.size())
      text += "      " + std::string(at - 1 - start, ' ') + paint("^", tint, colour) + "\n";
  }
  if (finding.allowed)
    text += "      allowed: " + printable(*finding.allowed, 200) + "\n";
  else if (finding.mend)
    text += "      mend: " + printable(*finding.mend, 400) + "\n";
  if (!finding.events.empty()) text += "      what led to it:\n";
  for (const auto& event : finding.events) text += "        " + printable(event, 200) + "\n";
  if (finding.replay) text += "      see it: " + printable(*finding.replay, 1000) + "\n";
  return text;
}

}  // namespace

std::string view(const Verdict& verdict, bool colour) {
  std::string text = paint(printable(verdict.candidate.policy.name, 60), Colour::bold, colour);
  if (verdict.object) text += "  " + verdict.object->sha256.substr(0, 12);
  text += "\n";
  Table table({"  stage", "outcome", "time", "CPU", "memory", ""}, colour);
  for (const auto& stage : verdict.stages)
    table.row({"  " + stage.name, stage.outcome,
               stage.wall_ns ? human_duration(double(stage.wall_ns)) : "",
               stage.cpu_ns ? human_duration(double(*stage.cpu_ns)) : "",
               stage.memory_bytes ? bytes_text(*stage.memory_bytes) : "",
               stage.outcome == "skipped" || stage.outcome == "unknown"
                   ? printable(stage.reason.value_or(""))
                   : ""});
  text += table.str();
  for (const auto& stage : verdict.stages)
    for (const auto& finding : stage.findings) text += finding_text(finding, colour);
  // Without a token it may not be deployed: stages were left out, as asked.
  text += !verdict.accepted ? paint("REJECTED", Colour::red, colour)
          : verdict.token   ? paint("ACCEPTED", Colour::green, colour)
                            : paint("PASSED, not accepted", Colour::yellow, colour);
  text += "  " + printable(verdict.reason, 400) + "\n";
  if (verdict.expires) text += "  token valid until " + *verdict.expires + "\n";
  return text;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include "base/time.h"
#include "cli/text.h"
#include "roles.h"

namespace schedcp {
namespace {

std::string cost_of(const Quantity& ratio) {
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", ratio.median, ratio.low, ratio.high);
}

std::string measured(const Measurement& measurement, bool colour) {
  Table table({"policy", "runs", "over the default's", "", "verdict"}, colour);
  double most = 1;
  for (const auto& arm : measurement.arms)
    if (arm.ratio) most = std::max(most, arm.ratio->median);
  for (const auto& arm : measurement.arms) {
    const bool baseline = arm.verdict == "baseline";
    table.row({arm.name, std::to_string(arm.runs),
               baseline    ? "1"
               : arm.ratio ? cost_of(*arm.ratio)
                           : "-",
               bar(baseline    ? 1
                   : arm.ratio ? arm.ratio->median
                               : 0,
                   most, 24),
               arm.verdict == "no_difference" ? "no difference" : arm.verdict});
  }
  return table.str();
}

}  // namespace

std::string view(const std::vector<Candidate>& plan, bool colour) {
  Table table({"policy", "score", "because"}, colour);
  for (const auto& candidate : plan)
    table.row({called(candidate), fmt::format("{:.2f}", candidate.score),
               candidate.why.empty() ? "" : printable(candidate.why[0], 100)});
  return table.str();
}

std::string view(const Report& report, bool colour) {
  const auto title = [&](const std::string& text) {
    return "\n" + paint(text, Colour::bold, colour) + "\n";
  };
  std::string out;
  if (report.profile) {
    out += title("Seen");
    for (const auto& reason : report.profile->classification.reasons)
      out += "  " + printable(reason) + "\n";
  }
  if (!report.plan.empty()) out += title("Planned") + view(report.plan, colour);
  if (!report.steps.empty()) {
    out += title("Done");
    for (size_t i = 0; i < report.steps.size(); ++i)
      out += fmt::format("  {}. {}\n", i + 1, report.steps[i]);
  }
  if (!report.measurements.empty())
    out += title("Measured last") + measured(report.measurements.back(), colour);
  if (!report.learned.empty()) {
    out += title("Learned");
    for (const auto& one : report.learned) out += "  " + printable(one) + "\n";
  }
  if (report.deployment)
    out += title("Deployed") + "  " + printable(report.deployment->reason) + "\n" +
           (report.deployment->undo ? "  undo: " + *report.deployment->undo + "\n" : "");
  out += title("Found") + "  " +
         paint(report.conclusion, report.winner ? Colour::green : Colour::yellow, colour) + "\n";
  if (report.wall_ns > 0)
    out += paint("  in " + human_duration(double(report.wall_ns)) + "\n", Colour::dim, colour);
  return out.starts_with("\n") ? out.substr(1) : out;
}

}  // namespace schedcp

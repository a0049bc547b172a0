// SPDX-License-Identifier: MIT
#include <fmt/format.h>

#include <algorithm>

#include "bench.h"
#include "cli/text.h"

namespace schedcp {
namespace {

std::string interval(const std::optional<Quantity>& q, int digits) {
  return q ? fmt::format("{:.{}f}  [{:.{}f}, {:.{}f}]", q->median, digits, q->low, digits, q->high,
                         digits)
           : "";
}

std::string shown(const std::optional<Quantity>& q, int digits) {
  return q ? fmt::format("{:.{}f}", q->median, digits) : "";
}

Colour colour_of(const std::string& verdict) {
  if (verdict == "better") return Colour::green;
  if (verdict == "worse" || verdict == "failed") return Colour::red;
  return Colour::none;
}

std::string words(std::string verdict) {
  std::replace(verdict.begin(), verdict.end(), '_', ' ');
  return verdict;
}

}  // namespace

std::string view(const Measurement& m, bool colour) {
  const bool by_over = m.metric == "over", by_wall = m.metric == "wall";
  const auto decides = [&](const Arm& arm) {
    return by_over ? arm.over : by_wall ? arm.wall_ms : arm.metric;
  };
  double full = 0;
  for (const auto& arm : m.arms)
    if (const auto q = decides(arm)) full = std::max(full, q->median);

  std::string text =
      fmt::format("{}\n{} on kernel {}, {} CPUs{}\n\n", join(m.command, " "),
                  m.target == "vm" ? "measured in a VM" : "measured on this host", m.kernel, m.cpus,
                  m.acceleration ? " (" + *m.acceleration + ")" : "");
  Table table(
      {"scheduler",
       by_over   ? "over  [95 %]"
       : by_wall ? "ms  [95 %]"
                 : "metric  [95 %]",
       "", "wall ms", "ratio  [95 %]", "faster", "from bound", "mean end ms", "runs", "verdict"},
      colour);
  for (const auto& arm : m.arms) {
    const auto q = decides(arm);
    table.row(
        {arm.name, interval(q, by_over ? 3 : 1), q ? bar(q->median, full, 20) : "",
         shown(arm.wall_ms, 0), interval(arm.ratio, 3),
         arm.speedup ? fmt::format("{:.2f}x", arm.speedup->median) : "",
         arm.over ? fmt::format("+{:.0f} %", (arm.over->median - 1) * 100) : "",
         shown(arm.mean_completion_ms, 0),
         arm.dropped ? fmt::format("{} (-{})", arm.runs, arm.dropped) : std::to_string(arm.runs),
         paint(words(arm.verdict), colour_of(arm.verdict), colour)});
  }
  if (!m.arms.empty()) text += table.str() + "\n";
  if (by_over)
    text += "over = makespan / max(L, W/m): L the longest task's, W all CPU time, m the CPUs.\n";
  for (const auto& arm : m.arms) {
    for (const auto& reason : arm.drop_reasons)
      text += fmt::format("{}: dropped: {}\n", arm.name, reason);
    for (const auto& note : arm.notes) text += fmt::format("{}: {}\n", arm.name, note);
  }
  for (const auto& note : m.notes) text += "note: " + note + "\n";
  return text + paint(m.conclusion, Colour::bold, colour) + "\n";
}

}  // namespace schedcp

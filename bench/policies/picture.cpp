// SPDX-License-Identifier: MIT
// The picture: a bar for each workload, as long as the best policy's cost; a whisker for its
// interval, a tick for the bound, a line where EEVDF is. Plain SVG 1.1, readable on light and dark.
#include <fmt/format.h>

#include <algorithm>

#include "report.h"

namespace schedcp::policies {
namespace {

constexpr double kLeft = 150, kTop = 50, kRow = 28, kBar = 16, kUnit = 420, kRight = 190;
/// A bar that is longer is cut off here.
constexpr double kMost = 1.25;

double x_of(double cost) { return kLeft + kUnit * std::clamp(cost, 0.0, kMost); }

std::string text_at(double x, double y, const char* anchor, const std::string& text) {
  return fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"{}\">{}</text>\n", x, y, anchor,
                     text);
}

std::string line(const char* kind, double x1, double y1, double x2, double y2) {
  return fmt::format(
      "<line class=\"{}\" x1=\"{:.1f}\" y1=\"{:.1f}\" x2=\"{:.1f}\" y2=\"{:.1f}\"/>\n", kind, x1,
      y1, x2, y2);
}

std::string bar(const Row& row, double y) {
  const Result& best = *row.best();
  const double middle = y + kBar / 2;
  std::string svg =
      text_at(kLeft - 8, middle + 4, "end", row.workload.id + (row.workload.tuned_on ? "" : "°"));
  if (best.failed) return svg;
  svg += fmt::format(
      "<rect class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\"/>\n",
      best.cost.high < 1  ? "better"
      : best.cost.low > 1 ? "worse"
                          : "alike",
      kLeft, y, x_of(best.cost.median) - kLeft, kBar);
  svg += line("whisker", x_of(best.cost.low), middle, x_of(best.cost.high), middle);
  for (double end : {best.cost.low, best.cost.high})
    svg += line("whisker", x_of(end), middle - 4, x_of(end), middle + 4);
  if (row.bound) svg += line("bound", x_of(*row.bound), y - 3, x_of(*row.bound), y + kBar + 3);
  return svg + text_at(kLeft + kUnit * kMost + 10, middle + 4, "start",
                       fmt::format("{} {:.2f}", best.policy, best.cost.median));
}

}  // namespace

std::string picture(const std::vector<Row>& rows) {
  const double width = kLeft + kUnit * kMost + kRight, bottom = kTop + kRow * double(rows.size());
  std::string svg = fmt::format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0f} {:.0f}\" width=\"{:.0f}\" "
      "font-family=\"sans-serif\" font-size=\"13\">\n"
      "<title>The best policy for each workload, as a cost: EEVDF's is 1</title>\n"
      "<style>\ntext{{fill:#777}} .better{{fill:#2a9d5c}} .alike{{fill:#999}} "
      ".worse{{fill:#c8553d}}\n.whisker{{stroke:#555;stroke-width:1.5}} "
      ".bound{{stroke:#e0a800;stroke-width:3}} .even{{stroke:#777;stroke-dasharray:4 "
      "3}}\n</style>\n",
      width, bottom + 40, width);
  svg += text_at(kLeft, 20, "start", "best policy's cost, EEVDF's being 1: shorter is better");
  svg += text_at(x_of(1), kTop - 10, "middle", "EEVDF");
  svg += line("even", x_of(1), kTop - 4, x_of(1), bottom);
  for (size_t i = 0; i < rows.size(); ++i)
    svg += bar(rows[i], kTop + kRow * double(i) + (kRow - kBar) / 2);
  svg += line("bound", kLeft, bottom + 16, kLeft, bottom + 32);
  svg += text_at(kLeft + 8, bottom + 28, "start",
                 "the least that any scheduler could reach; ° held out while tuning");
  return svg + "</svg>\n";
}

}  // namespace schedcp::policies

// SPDX-License-Identifier: MIT
#include "sim/trace.h"

#include <fmt/format.h>

#include "doc/document.h"

namespace schedcp::sim {

void Trace::ran(int cpu, const Task& task, Time until) {
  const auto since = since_.find(cpu);
  if (since == since_.end() || until <= since->second) return;
  spans_.push_back({cpu, task.pid, since->second, until, task.comm});
  since_.erase(since);
}

void Trace::mark(Time at, int cpu, const std::string& what) {
  spans_.push_back({cpu, -1, at, at, what});
}

std::string Trace::json(const std::vector<const Trace*>& traces, int cpus) {
  std::string text = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  const auto quoted = [](const std::string& s) { return dump(Json(s)); };
  for (size_t group = 0; group < traces.size(); ++group) {
    const size_t process = group + 1;
    text += fmt::format(
        "{{\"ph\":\"M\",\"name\":\"process_name\",\"pid\":{},\"args\":{{\"name\":{}}}}},\n",
        process, quoted(traces[group]->name_));
    for (int cpu = 0; cpu < cpus; ++cpu)
      text += fmt::format(
          "{{\"ph\":\"M\",\"name\":\"thread_name\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":\"CPU "
          "{}\"}}}},\n",
          process, cpu, cpu);
    for (const Span& span : traces[group]->spans_)
      if (span.pid < 0)
        text += fmt::format(
            "{{\"ph\":\"i\",\"s\":\"p\",\"name\":{},\"pid\":{},\"tid\":{},\"ts\":{:.3f}}},\n",
            quoted(span.name), process, span.cpu, double(span.at) / 1000);
      else
        text += fmt::format(
            "{{\"ph\":\"X\",\"name\":{},\"pid\":{},\"tid\":{},\"ts\":{:.3f},\"dur\":{:.3f},"
            "\"args\":{{\"pid\":{}}}}},\n",
            quoted(span.name + "[" + std::to_string(span.pid) + "]"), process, span.cpu,
            double(span.at) / 1000, double(span.end - span.at) / 1000, span.pid);
  }
  // JSON has no comma after the last: the end is an event of its own.
  return text +
         "{\"ph\":\"M\",\"name\":\"process_sort_index\",\"pid\":1,\"args\":{\"sort_index\":0}}]}\n";
}

}  // namespace schedcp::sim

// SPDX-License-Identifier: MIT
// What ran where and when, as a file that Perfetto and chrome://tracing open (Trace Event Format).
#pragma once

#include <map>
#include <string>
#include <vector>

#include "sim/task.h"

namespace schedcp::sim {

class Trace {
 public:
  /// `name` is the group's in the viewer: the scheduler's.
  explicit Trace(std::string name) : name_(std::move(name)) {}
  void starts(int cpu, Time at) { since_[cpu] = at; }
  void ran(int cpu, const Task& task, Time until);
  /// A moment worth a mark: the policy's end.
  void mark(Time at, int cpu, const std::string& what);
  /// Several traces as one file.
  static std::string json(const std::vector<const Trace*>& traces, int cpus);

 private:
  struct Span {
    int cpu, pid;
    Time at, end;
    std::string name;
  };
  std::string name_;
  std::map<int, Time> since_;
  std::vector<Span> spans_;
};

}  // namespace schedcp::sim

// SPDX-License-Identifier: MIT
// report (of the agent) and diagnosis (of the doctor).
#pragma once

#include "doc/deployment.h"
#include "doc/measurement.h"
#include "doc/profile.h"

namespace schedcp {

struct Report {
  static constexpr const char* kind = "report";
  Header header;
  std::string role;
  std::string conclusion;
  std::optional<std::string> winner;
  std::optional<Profile> profile;
  std::vector<Candidate> plan;
  std::vector<Verdict> verdicts;
  std::vector<Measurement> measurements;
  std::vector<std::string> learned;
  std::vector<std::string> steps;
  std::optional<Deployment> deployment;
  std::optional<bool> remembered;
  int64_t wall_ns = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("role", &Report::role, "Which part of the loop made it.",
                 "loop|observe|plan|execute|learn"),
        required("conclusion", &Report::conclusion, "The answer in a sentence."),
        optional("winner", &Report::winner, "The policy that is better than the default, if any."),
        optional("profile", &Report::profile, "What was observed."),
        optional("plan", &Report::plan, "What was tried, best guess first."),
        optional("verdicts", &Report::verdicts, "What verification said."),
        optional("measurements", &Report::measurements, "What was measured, the last one decides."),
        optional("learned", &Report::learned, "What was remembered for next time."),
        optional("steps", &Report::steps, "What was done, in order, and what came of it."),
        optional("deployment", &Report::deployment, "What schedcp-deploy did, where asked for."),
        optional("remembered", &Report::remembered,
                 "Whether earlier measurements of this workload were used."),
        optional("wall_ns", &Report::wall_ns, "Time it all took.")};
  }
};

struct Check {
  std::string name;
  std::string status;
  std::string found;
  std::optional<std::string> why;
  std::optional<std::string> cure;
  static constexpr auto fields() {
    return std::tuple{required("name", &Check::name, "What was looked at."),
                      required("status", &Check::status, "How it is.", "ok|degraded|missing"),
                      required("found", &Check::found, "What was found."),
                      optional("why", &Check::why, "What it is needed for."),
                      optional("cure", &Check::cure, "The command that mends it.")};
  }
};

struct Diagnosis {
  static constexpr const char* kind = "diagnosis";
  Header header;
  bool ready = false;
  std::string summary;
  std::vector<Check> checks;
  static constexpr auto fields() {
    return std::tuple{required("ready", &Diagnosis::ready, "Whether the main job can run here."),
                      required("summary", &Diagnosis::summary, "The answer in a sentence."),
                      required("checks", &Diagnosis::checks, "Each thing looked at.")};
  }
};

SCHEDCP_COMPILED_ONCE(Report);
SCHEDCP_COMPILED_ONCE(Diagnosis);

}  // namespace schedcp

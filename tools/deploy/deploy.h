// SPDX-License-Identifier: MIT
// Asking the guard. What may be loaded is decided there, not here: this chooses a verdict, says
// what is wanted, and turns the answer into a document.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "cli/program.h"
#include "doc/deployment.h"
#include "doc/measurement.h"
#include "guard/records.h"

namespace schedcp {

struct DeployOptions {
  std::vector<std::string> canary_pids;
  std::optional<std::string> canary_cgroup;
  Duration canary_time = std::chrono::seconds(2);
  bool no_canary = false;
  std::optional<int64_t> timeout_ms;
  bool dry_run = false;
  Duration watch_time = std::chrono::seconds(2);
  double latency_ratio = 5;
  std::optional<Duration> wait_limit;
};

/// The verdict to deploy, if any, and what was passed over with the reason.
struct Choice {
  std::optional<Verdict> verdict;
  Header from;
  std::vector<std::string> skipped;
};
using DeployInput = std::variant<Verdict, Measurement>;
/// The first accepted verdict, or a measurement's winner.
Choice choose(const std::vector<DeployInput>& documents);

/// What the guard is asked for. Throws usage_error for options that contradict each other.
GuardRequest make_request(const Verdict& verdict, const DeployOptions& options);

/// Deploy the chosen verdict. A policy that fails is an answer (outcome failed or refused); a token
/// that does not fit, another scheduler or a missing right are thrown with the guard's own code.
Deployment deploy(const Choice& choice, const DeployOptions& options);

/// Deploy once more what was deployed last.
Deployment deploy_again(const DeployOptions& options);

/// What the kernel says, with what is known of the guard that holds it.
Deployment deployment_status();

/// Close the breakers of `policy` ("" for all). Throws denied where the files are somebody else's.
Deployment reset_breakers(const std::string& policy);

/// For people.
std::string deployment_text(const Deployment& deployment, bool colour);

}  // namespace schedcp

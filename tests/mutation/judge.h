// SPDX-License-Identifier: MIT
// What the stages say of a mutant, and whether it misbehaves.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "doc/fields.h"
#include "mutants.h"

namespace schedcp::mutation {

/// Of results in guests: a result of another version is made anew.
inline constexpr int kVersion = 1;

/// What is known before any kernel is booted.
struct Early {
  std::string static_stage, sim;   ///< passed, failed or unknown
  std::vector<std::string> rules;  ///< of the errors
  std::vector<std::string> warnings;
  bool killed() const { return static_stage == "failed" || sim == "failed"; }
};
/// `promises`: of the policy's manifest.
Early judge_early(const Mutant& mutant, const std::vector<sim::Promised>& promises);

/// A program's way through a guest, as it is kept: one line of JSON. `kernel` and `stress` as the
/// stages of schedcp-verify; `endured` what policy-check said of the long run.
struct GuestResult {
  int64_t version = kVersion;
  std::string key;
  std::string name;  ///< for people
  int64_t run = 0;   ///< of an unmutated policy: which
  int64_t jobs = 0;  ///< guests at once
  std::string kernel, stress;
  std::optional<std::string> reason;
  Json endured;
  static constexpr auto fields() {
    return std::tuple{
        required("version", &GuestResult::version, "Of the judgement."),
        required("key", &GuestResult::key, "Digest of the program."),
        required("name", &GuestResult::name, "Policy and change."),
        optional("run", &GuestResult::run, "Which run of an unmutated policy."),
        optional("jobs", &GuestResult::jobs, "Guests at once."),
        required("kernel", &GuestResult::kernel, "Loading.", "passed|failed"),
        optional("stress", &GuestResult::stress, "The stress stage.", "passed|failed|skipped"),
        optional("reason", &GuestResult::reason, "Why it failed."),
        optional("endured", &GuestResult::endured, "The long run.")};
  }
};

/// Why a mutant that ran in a guest misbehaves (OPERATORS.md), judged by the long runs of its
/// unmutated policy; "" if it does not.
std::string misbehaviour(const GuestResult& result, const std::vector<GuestResult>& originals);

/// The longest wait in ms of any task in these long runs, 0 if there is none.
double longest_wait_ms(const std::vector<GuestResult>& results);

}  // namespace schedcp::mutation

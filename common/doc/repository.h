// SPDX-License-Identifier: MIT
// policy and experience: what the repository knows of a policy, and what it remembers of running
// one.
#pragma once

#include "doc/policy.h"

namespace schedcp {

/// A tunable of a policy, as its object declares it.
struct KnobInfo {
  std::string name;
  std::string type;
  int64_t value = 0;
  int64_t min = 0;
  int64_t max = 0;
  std::string sentence;
  static constexpr auto fields() {
    return std::tuple{required("name", &KnobInfo::name, "Its name."),
                      required("type", &KnobInfo::type, "Its C type."),
                      required("default", &KnobInfo::value, "Its value when nobody sets it."),
                      required("min", &KnobInfo::min, "The smallest value."),
                      required("max", &KnobInfo::max, "The largest value."),
                      required("sentence", &KnobInfo::sentence, "What it means.")};
  }
};

struct PolicyEntry {
  static constexpr const char* kind = "policy";
  Header header;
  std::string name;
  std::string version;
  std::string origin;
  std::string summary;
  std::optional<std::string> path;
  std::optional<std::string> description;
  std::optional<std::string> algorithm;
  std::optional<std::string> source;
  std::vector<std::string> suits;
  std::vector<std::string> unsuited;
  std::vector<std::string> tags;
  std::vector<std::string> goals;
  std::vector<std::string> limitations;
  std::optional<std::string> minimum_kernel;
  std::vector<KnobInfo> knobs;
  std::vector<std::string> hints;
  std::optional<std::string> object_sha256;
  int64_t versions = 1;
  int64_t measured = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &PolicyEntry::name, "Its name."),
        required("version", &PolicyEntry::version, "Its version."),
        required("origin", &PolicyEntry::origin, "Where it comes from.", "builtin|added"),
        required("summary", &PolicyEntry::summary, "What it does, in a sentence."),
        optional("path", &PolicyEntry::path, "Its source, for one that was added."),
        optional("description", &PolicyEntry::description, "What it does, at length."),
        optional("algorithm", &PolicyEntry::algorithm, "The algorithm."),
        optional("source", &PolicyEntry::source, "Where in the literature that is."),
        optional("suits", &PolicyEntry::suits, "What it is good for."),
        optional("unsuited", &PolicyEntry::unsuited, "What it is bad for."),
        optional("tags", &PolicyEntry::tags, "Words to find it by."),
        optional("goals", &PolicyEntry::goals, "What it can improve."),
        optional("limitations", &PolicyEntry::limitations, "What it does not do."),
        optional("minimum_kernel", &PolicyEntry::minimum_kernel, "The oldest kernel it runs on."),
        optional("knobs", &PolicyEntry::knobs, "Its tunables."),
        optional("hints", &PolicyEntry::hints, "The hint maps it takes expected lengths in."),
        optional("object_sha256", &PolicyEntry::object_sha256, "SHA-256 of its compiled object."),
        optional("versions", &PolicyEntry::versions, "Versions of it that were seen."),
        optional("measured", &PolicyEntry::measured, "Measurements of it that are remembered.")};
  }
};

/// One policy, measured once on one workload; or refused.
struct Experience {
  static constexpr const char* kind = "experience";
  Header header;
  std::string workload;
  std::string policy;
  std::vector<KnobValue> knobs;
  std::string verdict;
  std::optional<Quantity> ratio;
  int64_t runs = 0;
  std::optional<std::string> goal;
  std::optional<std::string> metric;
  std::optional<std::string> label;
  std::optional<std::string> target;
  std::optional<std::string> kernel;
  std::optional<int64_t> cpus;
  std::optional<std::string> reason;
  std::string measured;
  static constexpr auto fields() {
    return std::tuple{
        required("workload", &Experience::workload,
                 "Fingerprint of the workload: its command and where that runs."),
        required("policy", &Experience::policy, "The policy."),
        optional("knobs", &Experience::knobs, "How it was set."),
        required("verdict", &Experience::verdict, "Against the default scheduler.",
                 "better|worse|no_difference|failed|rejected"),
        optional("ratio", &Experience::ratio,
                 "Its cost over the default's: below 1 is better, whatever was measured."),
        optional("runs", &Experience::runs, "Runs that counted."),
        optional("goal", &Experience::goal, "What was wanted."),
        optional("metric", &Experience::metric, "What decided."),
        optional("label", &Experience::label, "The kind of workload."),
        optional("target", &Experience::target, "Where it ran: vm or host."),
        optional("kernel", &Experience::kernel, "The kernel it ran on."),
        optional("cpus", &Experience::cpus, "How many CPUs it ran on."),
        optional("reason", &Experience::reason, "Why it was rejected or failed."),
        required("measured", &Experience::measured, "When, RFC 3339.")};
  }
};

SCHEDCP_COMPILED_ONCE(PolicyEntry);
SCHEDCP_COMPILED_ONCE(Experience);

}  // namespace schedcp

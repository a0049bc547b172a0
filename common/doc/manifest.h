// SPDX-License-Identifier: MIT
// NAME.json beside NAME.bpf.c: what only a person knows about a policy.
#pragma once

#include "doc/fields.h"

namespace schedcp {

/// Values of a feature (doc/profile.h names them) that a policy is meant for; ends included.
struct Range {
  std::optional<double> min;
  std::optional<double> max;
  static constexpr auto fields() {
    return std::tuple{optional("min", &Range::min, "The smallest value."),
                      optional("max", &Range::max, "The largest value.")};
  }
};

/// A knob's value taken from a feature, so that it fits the workload's own lengths.
struct Scale {
  std::string feature;
  double times = 1;
  static constexpr auto fields() {
    return std::tuple{required("feature", &Scale::feature, "The feature."),
                      required("times", &Scale::times,
                               "The knob's value for each unit of it, cut to the knob's range.")};
  }
};

/// Knob values for workloads of a kind.
struct Setting {
  std::vector<std::string> labels;
  std::vector<std::string> goals;
  std::map<std::string, Range> when;
  std::map<std::string, int64_t> knobs;
  std::map<std::string, Scale> scaled;
  std::string why;
  static constexpr auto fields() {
    return std::tuple{optional("labels", &Setting::labels, "For workloads so classified."),
                      optional("goals", &Setting::goals, "When this is wanted."),
                      optional("when", &Setting::when, "For features in these ranges."),
                      optional("knobs", &Setting::knobs, "Values to set."),
                      optional("scaled", &Setting::scaled, "Values to take from a feature."),
                      required("why", &Setting::why, "The reason, in a line.")};
  }
};

/// What a policy is to be good for, put so that the simulator can tell whether it is.
struct Promise {
  std::string workload;
  std::string metric;
  double at_most = 1;
  static constexpr auto fields() {
    return std::tuple{
        required("workload", &Promise::workload, "A workload that schedcp-sim knows by name."),
        required("metric", &Promise::metric,
                 "What gets less: time to the last task's end, mean time to a task's end, or the "
                 "99th percentile from wake-up to running.",
                 "makespan|mean_completion|wakeup_p99"),
        required("at_most", &Promise::at_most,
                 "Over the default scheduler's, both simulated on 2 CPUs with default knobs.")};
  }
};

struct Manifest {
  std::string name;
  std::string version;
  std::string summary;
  std::optional<std::string> description;
  std::optional<std::string> algorithm;
  std::optional<std::string> source;
  std::vector<std::string> suits;
  std::vector<std::string> unsuited;
  std::vector<std::string> tags;
  std::map<std::string, Range> signature;
  std::vector<std::string> labels;
  std::vector<std::string> goals;
  std::vector<Setting> settings;
  std::optional<std::string> minimum_kernel;
  Range cpus;
  std::vector<std::string> limitations;
  std::map<std::string, std::string> allow;
  std::vector<Promise> promises;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &Manifest::name, "The policy's name: its folder and its files have it."),
        required("version", &Manifest::version, "Its version."),
        required("summary", &Manifest::summary, "What it does, in a sentence."),
        optional("description", &Manifest::description, "What it does, at length."),
        optional("algorithm", &Manifest::algorithm, "The algorithm."),
        optional("source", &Manifest::source, "Where in the literature that is."),
        optional("suits", &Manifest::suits, "What it is good for."),
        optional("unsuited", &Manifest::unsuited, "What it is bad for."),
        optional("tags", &Manifest::tags, "Words to find it by."),
        optional("signature", &Manifest::signature, "Features of the workloads it is for."),
        optional("labels", &Manifest::labels, "Classifications of the workloads it is for."),
        optional("goals", &Manifest::goals, "What it can improve."),
        optional("settings", &Manifest::settings, "Knob values for workloads of a kind."),
        optional("minimum_kernel", &Manifest::minimum_kernel, "The oldest kernel it runs on."),
        optional("cpus", &Manifest::cpus, "On how many CPUs it makes sense."),
        optional("limitations", &Manifest::limitations, "What it does not do."),
        optional("allow", &Manifest::allow,
                 "Rules whose findings are let pass, if no errors, each with the reason."),
        optional("promises", &Manifest::promises,
                 "What it does better than the default scheduler; schedcp-verify holds it to "
                 "that.")};
  }
};

/// Names of all features, as doc/profile.h has them.
std::vector<std::string> feature_names();

/// Reads a manifest; throws usage_error naming `what` and the place in it. Feature names of
/// signature and settings must be among `features`.
Manifest parse_manifest(const std::string& text, const std::string& what,
                        const std::vector<std::string>& features);

}  // namespace schedcp

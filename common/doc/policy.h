// SPDX-License-Identifier: MIT
// candidate and verdict: a policy on its way to the kernel.
#pragma once

#include "doc/document.h"

namespace schedcp {

struct KnobValue {
  std::string name;
  int64_t value = 0;
  static constexpr auto fields() {
    return std::tuple{required("name", &KnobValue::name, "The knob, as its policy declares it."),
                      required("value", &KnobValue::value, "Its value.")};
  }
  bool operator==(const KnobValue&) const = default;
};

/// How long tasks of a command name run: a ratio to the median task, never an absolute time.
struct LengthHint {
  std::string comm;
  double ratio = 1;
  static constexpr auto fields() {
    return std::tuple{required("comm", &LengthHint::comm,
                               "Command name, at most 15 bytes, as the kernel has it."),
                      required("ratio", &LengthHint::ratio,
                               "CPU time of such a task over that of the median task.")};
  }
  bool operator==(const LengthHint&) const = default;
};

struct PolicyRef {
  std::string name;
  std::optional<std::string> version;
  std::optional<std::string> path;
  std::optional<std::string> summary;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &PolicyRef::name, "The policy's name."),
        optional("version", &PolicyRef::version, "Its version in the repository."),
        optional("path", &PolicyRef::path, "Its .bpf.c or .bpf.o; without it the repository's."),
        optional("summary", &PolicyRef::summary, "What it does, in a sentence.")};
  }
};

/// A policy that may suit a workload, with everything that would be set.
struct Candidate {
  static constexpr const char* kind = "candidate";
  Header header;
  PolicyRef policy;
  double score = 0;
  std::vector<std::string> why;
  std::vector<KnobValue> knobs;
  std::vector<LengthHint> hints;
  std::optional<int64_t> timeout_ms;
  static constexpr auto fields() {
    return std::tuple{
        required("policy", &Candidate::policy, "Which policy."),
        optional("score", &Candidate::score, "How well it should suit, 0 to 1."),
        optional("why", &Candidate::why, "Reasons for the score, strongest first."),
        optional("knobs", &Candidate::knobs, "Tunables to set; the others keep their defaults."),
        optional("hints", &Candidate::hints, "Expected task lengths."),
        optional("timeout_ms", &Candidate::timeout_ms,
                 "The kernel's watchdog: a task not run for so long ejects the policy.")};
  }
};

/// Something a stage found.
struct Finding {
  std::string rule;
  std::string severity;
  std::string message;
  std::optional<std::string> callback;
  std::optional<std::string> file;
  std::optional<int64_t> line;
  std::optional<int64_t> column;
  std::optional<std::string> source;
  std::vector<int64_t> also;
  std::optional<std::string> mend;
  std::optional<std::string> allowed;
  std::vector<std::string> events;
  std::optional<std::string> replay;
  static constexpr auto fields() {
    return std::tuple{
        required("rule", &Finding::rule, "The rule's id, as SCX001, or the stage's name."),
        required("severity", &Finding::severity, "How bad it is.", "error|warning|note"),
        required("message", &Finding::message, "What is wrong, in a line."),
        optional("callback", &Finding::callback, "The policy's callback it is in."),
        optional("file", &Finding::file, "The source file."),
        optional("line", &Finding::line, "The line in it."),
        optional("column", &Finding::column, "The place in that line, from 1."),
        optional("source", &Finding::source, "That line."),
        optional("also", &Finding::also, "Other lines of the file where it is the same."),
        optional("mend", &Finding::mend, "How to mend it."),
        optional("allowed", &Finding::allowed, "Why it is let pass, if it is."),
        optional("events", &Finding::events,
                 "What led to it in the smallest run that shows it, the latest last."),
        optional("replay", &Finding::replay, "The command that makes that run again.")};
  }
};

struct Stage {
  std::string name;
  std::string outcome;
  std::optional<std::string> reason;
  int64_t wall_ns = 0;
  std::optional<int64_t> cpu_ns;
  std::optional<int64_t> memory_bytes;
  std::vector<Finding> findings;
  Json evidence;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &Stage::name, "Which stage.",
                 "build|static|sim|kernel|stress|regress|token"),
        required("outcome", &Stage::outcome, "How it ended.", "passed|failed|skipped|unknown"),
        optional("reason", &Stage::reason, "Why it failed, was skipped, or cannot tell."),
        optional("wall_ns", &Stage::wall_ns, "Time it took."),
        optional("cpu_ns", &Stage::cpu_ns, "CPU time it took."),
        optional("memory_bytes", &Stage::memory_bytes, "Most memory it took."),
        optional("findings", &Stage::findings, "What it found."),
        optional("evidence", &Stage::evidence,
                 "What it saw: health, waits, statistics, log lines.")};
  }
};

struct ObjectRef {
  std::string path;
  std::string sha256;
  int64_t bytes = 0;
  static constexpr auto fields() {
    return std::tuple{required("path", &ObjectRef::path, "The compiled policy."),
                      required("sha256", &ObjectRef::sha256, "SHA-256 of its bytes, hexadecimal."),
                      optional("bytes", &ObjectRef::bytes, "Its size.")};
  }
};

/// Accepted or rejected, with reasons; an accepted one carries the token that lets it be deployed.
struct Verdict {
  static constexpr const char* kind = "verdict";
  Header header;
  bool accepted = false;
  std::string reason;
  Candidate candidate;
  std::vector<Stage> stages;
  std::optional<ObjectRef> object;
  std::vector<std::string> kernels;
  std::optional<std::string> token;
  std::optional<std::string> expires;
  static constexpr auto fields() {
    return std::tuple{
        required("accepted", &Verdict::accepted, "Whether the policy may be deployed."),
        required("reason", &Verdict::reason, "Why, in a line."),
        required("candidate", &Verdict::candidate, "What was verified."),
        required("stages", &Verdict::stages, "Each stage that was run, in order."),
        optional("object", &Verdict::object, "The compiled policy."),
        optional("kernels", &Verdict::kernels, "Kernel releases it was loaded and run on."),
        optional("token", &Verdict::token, "JWT (EdDSA) that schedcp-guard asks for."),
        optional("expires", &Verdict::expires, "When the token expires, RFC 3339.")};
  }
};

SCHEDCP_COMPILED_ONCE(Candidate);
SCHEDCP_COMPILED_ONCE(Verdict);

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// policy, experience and repository: what the repository knows of a policy, what it remembers of
// running one, and all of it as one document for another machine. standing, backup and integrity
// are what its verbs answer.
#pragma once

#include "doc/profile.h"

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
  std::string status = "offered";
  std::string summary;
  std::optional<std::string> status_reason;
  std::optional<std::string> digest;
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
  int64_t antipatterns = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("name", &PolicyEntry::name, "Its name."),
        required("version", &PolicyEntry::version, "Its version."),
        required("origin", &PolicyEntry::origin, "Where it comes from.", "builtin|added"),
        optional("status", &PolicyEntry::status, "Whether searches offer it.",
                 "offered|promoted|retired|rejected"),
        required("summary", &PolicyEntry::summary, "What it does, in a sentence."),
        optional("status_reason", &PolicyEntry::status_reason,
                 "Why it was promoted, retired or rejected."),
        optional("digest", &PolicyEntry::digest,
                 "SHA-256 of its manifest, source, object and headers: names this version."),
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
        optional("measured", &PolicyEntry::measured, "Measurements of it that are remembered."),
        optional("antipatterns", &PolicyEntry::antipatterns,
                 "How many of them, and of the verdicts on it, tell that it failed.")};
  }
};

/// One policy, measured once on one workload; or refused.
struct Experience {
  static constexpr const char* kind = "experience";
  Header header;
  std::string workload;
  std::string policy;
  std::optional<std::string> version;
  std::optional<std::string> summary;
  std::optional<std::string> object_sha256;
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
                 "Fingerprint of the workload: its command and where that runs; empty when there "
                 "was none."),
        required("policy", &Experience::policy, "The policy."),
        optional("version", &Experience::version, "Its version."),
        optional("summary", &Experience::summary, "What it does, in a sentence."),
        optional("object_sha256", &Experience::object_sha256, "SHA-256 of its object."),
        optional("knobs", &Experience::knobs, "How it was set."),
        required("verdict", &Experience::verdict,
                 "Against the default scheduler, or the verdict of schedcp-verify.",
                 "better|worse|no_difference|failed|rejected|accepted"),
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

/// Whether an experience warns: its policy was refused, broke, or made things worse.
inline bool is_antipattern(const Experience& experience) {
  return experience.verdict == "rejected" || experience.verdict == "failed" ||
         experience.verdict == "worse";
}

/// Whether it tells something of its workload only. A rejection does if the stage regress, which
/// measures one, gave it; what the other stages find, they find whatever a policy is for.
inline bool is_of_workload(const Experience& experience) {
  if (experience.verdict == "rejected")
    return experience.reason.value_or("").starts_with("regress:");
  return experience.verdict != "accepted";
}

/// A policy was promoted, retired, or put back among the others.
struct Standing {
  static constexpr const char* kind = "standing";
  Header header;
  std::string policy;
  std::string status;
  std::string reason;
  static constexpr auto fields() {
    return std::tuple{required("policy", &Standing::policy, "The policy."),
                      required("status", &Standing::status, "Whether searches offer it.",
                               "offered|promoted|retired"),
                      required("reason", &Standing::reason, "Why.")};
  }
};

/// A version of an added policy, as another machine takes it.
struct PolicyVersion {
  std::string since;
  std::string manifest;
  std::optional<std::string> source;
  std::optional<std::string> object;
  std::map<std::string, std::string> headers;
  static constexpr auto fields() {
    return std::tuple{
        required("since", &PolicyVersion::since,
                 "ULID of the moment it became the current one; the latest of a name is current."),
        required("manifest", &PolicyVersion::manifest, "Its manifest, as written."),
        optional("source", &PolicyVersion::source, "SHA-256 of its source."),
        optional("object", &PolicyVersion::object, "SHA-256 of its object."),
        optional("headers", &PolicyVersion::headers,
                 "SHA-256 of each file that its source includes, by name.")};
  }
};

/// A workload with the features by which it is likened to others.
struct KnownWorkload {
  std::string fingerprint;
  std::vector<std::string> command;
  std::string label;
  Features features;
  std::string seen;
  static constexpr auto fields() {
    return std::tuple{
        required("fingerprint", &KnownWorkload::fingerprint, "Its name."),
        required("command", &KnownWorkload::command, "Its command."),
        required("label", &KnownWorkload::label, "What kind it was classified as, or empty."),
        required("features", &KnownWorkload::features, "Numbers to liken it by."),
        required("seen", &KnownWorkload::seen,
                 "When it was last profiled, RFC 3339; empty if it never was.")};
  }
};

/// An experience and the document it was learned from.
struct KnownExperience {
  std::string document;
  Json experience;
  static constexpr auto fields() {
    return std::tuple{
        required("document", &KnownExperience::document, "The measurement or verdict."),
        required("experience", &KnownExperience::experience, "A schedcp.experience/1 document.")};
  }
};

/// Who stands where since when: a Standing without what the repository does not keep.
struct KnownStanding {
  std::string policy;
  std::string status;
  std::string reason;
  std::string since;
  static constexpr auto fields() {
    return std::tuple{
        required("policy", &KnownStanding::policy, "The policy."),
        required("status", &KnownStanding::status, "Its standing.", "offered|promoted|retired"),
        required("reason", &KnownStanding::reason, "Why."),
        required("since", &KnownStanding::since, "ULID of the moment; the latest counts.")};
  }
};

/// All that another machine can use, as `export` writes and `import` merges it. Policies that come
/// with schedcp are not among it, nor vectors, which are made anew.
struct Repository {
  static constexpr const char* kind = "repository";
  Header header;
  std::vector<PolicyVersion> policies;
  std::map<std::string, std::string> blobs;
  std::vector<KnownWorkload> workloads;
  std::vector<KnownExperience> experiences;
  std::vector<KnownStanding> standings;
  static constexpr auto fields() {
    return std::tuple{
        optional("policies", &Repository::policies, "Versions of added policies."),
        optional("blobs", &Repository::blobs, "Base64url of sources and objects, by SHA-256."),
        optional("workloads", &Repository::workloads, "Workloads that were seen."),
        optional("experiences", &Repository::experiences, "What was measured or refused."),
        optional("standings", &Repository::standings, "What was promoted or retired, and why.")};
  }
};

/// What a verb that moves the repository as a whole did, and whether what it left is whole.
struct Integrity {
  static constexpr const char* kind = "integrity";
  Header header;
  std::string done;
  bool sound = false;
  std::vector<std::string> faults;
  int64_t policies = 0;
  int64_t versions = 0;
  int64_t blobs = 0;
  int64_t workloads = 0;
  int64_t experiences = 0;
  int64_t added = 0;
  static constexpr auto fields() {
    return std::tuple{
        required("done", &Integrity::done, "What was done.", "check|export|import|backup|restore"),
        required("sound", &Integrity::sound, "Whether the database is whole and agrees in itself."),
        optional("faults", &Integrity::faults, "What is wrong with it."),
        required("policies", &Integrity::policies, "Policies that can be found."),
        required("versions", &Integrity::versions, "Versions of policies."),
        required("blobs", &Integrity::blobs, "Sources and objects."),
        required("workloads", &Integrity::workloads, "Workloads that were seen."),
        required("experiences", &Integrity::experiences, "What was measured or refused."),
        optional("added", &Integrity::added, "Rows that an import brought.")};
  }
};

SCHEDCP_COMPILED_ONCE(PolicyEntry);
SCHEDCP_COMPILED_ONCE(Experience);
SCHEDCP_COMPILED_ONCE(Standing);
SCHEDCP_COMPILED_ONCE(Repository);
SCHEDCP_COMPILED_ONCE(Integrity);

}  // namespace schedcp

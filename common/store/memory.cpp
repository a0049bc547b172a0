// SPDX-License-Identifier: MIT
// Workloads and what was measured on them.
#include <fmt/format.h>

#include <cmath>

#include "store/store.h"

namespace schedcp {

std::string fingerprint_of(const Context& context) {
  if (context.command.empty()) return "";
  // FNV-1a: a short name, not a proof.
  uint64_t hash = 0xcbf29ce484222325;
  const auto add = [&](std::string_view text) {
    for (const unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
    hash = (hash ^ 0xff) * 0x100000001b3;
  };
  for (const auto& word : context.command) add(word);
  add(context.cwd.value_or(""));
  return fmt::format("{:016x}", hash);
}

std::optional<double> feature(const Features& features, const std::string& name) {
  std::optional<double> value;
  for_each_field<Features>([&](const auto& field) {
    if (name == field.key) value = features.*field.member;
  });
  return value;
}

double likeness(const Features& one, const Features& other) {
  // Shape, not size: absolute lengths differ between machines, and a host from an emulated guest.
  static constexpr const char* compared[] = {
      "parallelism",    "tasks",        "tail_ratio",  "longest_share", "named_tail_share",
      "wakeup_rate_hz", "fork_rate_hz", "sleep_share", "kernel_share",  "cpu_demand"};
  double sum = 0;
  int known = 0;
  for (const char* name : compared) {
    const auto a = feature(one, name), b = feature(other, name);
    if (!a || !b) continue;
    // Each factor of two apart halves the likeness; below 0.05 all is the same (a share of nothing,
    // a rate of nearly none).
    const double octaves = std::abs(std::log2(std::max(*a, 0.05)) - std::log2(std::max(*b, 0.05)));
    sum += std::exp2(-octaves);
    ++known;
  }
  return known < 3 ? 0 : sum / known;
}

void Store::remember(const Workload& workload) {
  if (workload.fingerprint.empty()) return;
  Transaction transaction(db_);
  Statement(db_,
            "INSERT INTO workloads (fingerprint, command, label, features) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (fingerprint) DO UPDATE SET label = excluded.label, "
            "features = excluded.features, seen = excluded.seen",
            workload.fingerprint, dump(Json(workload.command)), workload.label,
            dump(to_json_value(workload.features)))
      .run();
  transaction.commit();
}

std::optional<Workload> Store::workload(const std::string& fingerprint) {
  Statement statement(db_, "SELECT command, label, features FROM workloads WHERE fingerprint = ?",
                      fingerprint);
  if (!statement.step()) return std::nullopt;
  Workload workload{fingerprint, Json::parse(statement.text(0)), statement.text(1), {}};
  parse_value(Json::parse(statement.text(2)), workload.features, "");
  return workload;
}

bool Store::remember(const Experience& experience, const std::string& document) {
  Transaction transaction(db_);
  // The workload may not have been profiled: then nothing is known of it but its command.
  Statement(db_,
            "INSERT INTO workloads (fingerprint, command, label, features) "
            "VALUES (?, ?, '', '{}') ON CONFLICT DO NOTHING",
            experience.workload, dump(Json(experience.header.context.command)))
      .run();
  Statement(db_,
            "INSERT INTO experiences (fingerprint, document, policy, knobs, verdict, experience, "
            "measured) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            experience.workload, document, experience.policy, dump(to_json_value(experience.knobs)),
            experience.verdict, dump(to_json(experience)), experience.measured)
      .run();
  const bool added = db_.changes() > 0;
  transaction.commit();
  return added;
}

std::vector<Experience> Store::history(const std::string& fingerprint, const std::string& policy,
                                       int64_t limit) {
  Statement statement(db_,
                      "SELECT experience FROM experiences WHERE (?1 = '' OR fingerprint = ?1) AND "
                      "(?2 = '' OR policy = ?2) ORDER BY id DESC LIMIT ?3",
                      fingerprint, policy, limit);
  std::vector<Experience> experiences;
  while (statement.step())
    experiences.push_back(from_json<Experience>(Json::parse(statement.text(0))));
  return experiences;
}

}  // namespace schedcp

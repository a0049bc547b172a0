// SPDX-License-Identifier: MIT
// Workloads and what was measured on them.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/id.h"
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

double likeness(const Features& one, const Features& other) {
  // Shape, not size: absolute lengths differ between machines, and a host from an emulated guest.
  static constexpr const char* compared[] = {
      "parallelism",    "tasks",        "tail_ratio",  "longest_share", "named_tail_share",
      "wakeup_rate_hz", "fork_rate_hz", "sleep_share", "kernel_share",  "cpu_demand"};
  // Their places among all features, looked up once: there may be many workloads to compare with.
  static const auto places = [] {
    std::vector<size_t> at;
    const auto names = feature_names();
    for (const char* name : compared)
      at.push_back(size_t(std::find(names.begin(), names.end(), name) - names.begin()));
    return at;
  }();
  const auto ones = feature_values(one), others = feature_values(other);
  double sum = 0;
  int known = 0;
  for (const size_t at : places) {
    const double a = double(ones[at]), b = double(others[at]);
    if (std::isnan(a) || std::isnan(b)) continue;
    // Each factor of two apart halves the likeness; below 0.05 all is the same (a share of nothing,
    // a rate of nearly none).
    const double octaves = std::abs(std::log2(std::max(a, 0.05)) - std::log2(std::max(b, 0.05)));
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

namespace {

Workload workload_of(const Statement& statement) {
  Workload workload{statement.text(0), Json::parse(statement.view(1)), statement.text(2), {}};
  parse_value(Json::parse(statement.view(3)), workload.features, "");
  return workload;
}

Experience experience_of(const Statement& statement, int column) {
  return from_json<Experience>(Json::parse(statement.view(column)));
}

/// The knobs are not looked at yet.
bool by_first_stages(const Experience& experience) {
  const std::string reason = experience.reason.value_or("");
  return reason.starts_with("build:") || reason.starts_with("static:");
}

/// Whether the verdict `e` was overruled after it was given: a rejected policy was put back among
/// the others, or judged again as it was and accepted; an accepted one was rejected. Ids of
/// documents sort by time.
constexpr const char* overruled =
    "(EXISTS (SELECT 1 FROM standings s WHERE s.policy = e.policy AND s.status = 'offered' AND "
    "s.since > coalesce(e.experience ->> '$.id', '')) OR "
    "(coalesce(e.experience ->> '$.reason', '') NOT LIKE 'regress:%' AND "
    "EXISTS (SELECT 1 FROM experiences o WHERE o.policy = e.policy AND o.knobs = e.knobs AND "
    "o.verdict IN ('accepted', 'rejected') AND o.verdict <> e.verdict AND "
    "o.experience ->> '$.object_sha256' = e.experience ->> '$.object_sha256' AND "
    "coalesce(o.experience ->> '$.reason', '') NOT LIKE 'regress:%' AND "
    "o.experience ->> '$.id' > coalesce(e.experience ->> '$.id', ''))))";

}  // namespace

std::optional<Workload> Store::workload(const std::string& fingerprint) {
  Statement statement(
      db_, "SELECT fingerprint, command, label, features FROM workloads WHERE fingerprint = ?",
      fingerprint);
  if (!statement.step()) return std::nullopt;
  return workload_of(statement);
}

std::vector<Workload> Store::workloads() {
  std::vector<Workload> all;
  Statement statement(
      db_, "SELECT fingerprint, command, label, features FROM workloads WHERE features <> '{}'");
  while (statement.step()) all.push_back(workload_of(statement));
  return all;
}

int64_t Store::keep_experience(const Experience& experience, const std::string& document,
                               const char* on_conflict) {
  // The workload may not have been profiled: then nothing is known of it but its command.
  const auto& command = experience.header.context.command;
  Statement(db_,
            "INSERT INTO workloads (fingerprint, command, label, features, seen) "
            "VALUES (?, ?, '', '{}', '') ON CONFLICT DO NOTHING",
            experience.workload,
            dump(Json(experience.workload.empty() ? std::vector<std::string>() : command)))
      .run();
  Statement(db_,
            "INSERT INTO experiences (fingerprint, document, policy, knobs, verdict, experience, "
            "measured, goal, ratio, low, high, runs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, "
            "coalesce(?6 ->> '$.goal', ''), ?6 ->> '$.ratio.median', ?6 ->> '$.ratio.low', "
            "?6 ->> '$.ratio.high', coalesce(?6 ->> '$.runs', 0)) ON CONFLICT DO " +
                std::string(on_conflict),
            experience.workload, document, experience.policy, dump(to_json_value(experience.knobs)),
            experience.verdict, dump(to_json(experience)), experience.measured)
      .run();
  return db_.changes();
}

bool Store::remember(const Experience& experience, const std::string& document) {
  Transaction transaction(db_);
  if (experience.verdict == "rejected" || experience.verdict == "accepted") {
    // Verifying the same bytes again tells nothing new, unless that it can be found by a summary.
    Statement same(db_,
                   "SELECT 1 FROM experiences e WHERE verdict = ?8 AND policy = ?1 AND "
                   "knobs = ?2 AND coalesce(experience ->> '$.object_sha256', '') = ?3 AND "
                   "coalesce(experience ->> '$.reason', '') = ?4 AND (?5 OR fingerprint = ?6) AND "
                   "(?7 OR experience ->> '$.summary' IS NOT NULL) AND NOT " +
                       std::string(overruled),
                   experience.policy, dump(to_json_value(experience.knobs)),
                   experience.object_sha256.value_or(""), experience.reason.value_or(""),
                   int64_t(!is_of_workload(experience)), experience.workload,
                   int64_t(!experience.summary), experience.verdict);
    if (same.step()) return false;
  }
  const bool added = keep_experience(experience, document, "NOTHING") > 0;
  transaction.commit();
  return added;
}

std::vector<Experience> Store::history(const std::string& fingerprint, const std::string& policy,
                                       int64_t limit, bool antipatterns) {
  // Conditions that are not asked for are left out: each way in has its index.
  std::string sql = "SELECT experience FROM experiences WHERE ?1 = ?1 AND ?2 = ?2";
  if (!fingerprint.empty()) sql += " AND fingerprint = ?1";
  if (!policy.empty()) sql += " AND policy = ?2";
  if (antipatterns) sql += " AND verdict IN ('rejected', 'failed', 'worse')";
  Statement statement(db_, sql + " ORDER BY measured DESC, id DESC LIMIT ?3", fingerprint, policy,
                      limit);
  std::vector<Experience> experiences;
  while (statement.step()) experiences.push_back(experience_of(statement, 0));
  return experiences;
}

std::vector<Evidence> Store::evidence(const std::string& fingerprint, const std::string& goal) {
  // What most rows are looked at for stands in the index.
  Statement statement(
      db_,
      "SELECT id, policy, verdict, ratio, low, high, runs FROM experiences e WHERE fingerprint = "
      "?1 AND goal = ?2 AND (verdict NOT IN ('rejected', 'accepted', 'failed') OR ((verdict = "
      "'failed' OR "
      "e.experience ->> '$.reason' LIKE 'regress:%') AND EXISTS (SELECT 1 FROM policies p WHERE "
      "p.current AND p.name = e.policy AND coalesce(e.experience ->> '$.object_sha256', "
      "p.object, '') = coalesce(p.object, ''))))",
      fingerprint, goal);
  std::vector<Evidence> all;
  while (statement.step()) {
    Evidence& one = all.emplace_back();
    one.id = statement.integer(0);
    one.policy = statement.text(1);
    one.verdict = statement.text(2);
    one.runs = statement.integer(6);
    if (!statement.null(3))
      one.ratio = Quantity{one.runs, statement.real(3), statement.real(4), statement.real(5)};
  }
  return all;
}

std::vector<Rejection> Store::rejections(const std::string& policy) {
  std::string sql =
      "SELECT e.id, e.policy, p.id IS NOT NULL AND coalesce(e.experience ->> '$.object_sha256', "
      "'') = coalesce(p.object, ''), e.experience FROM experiences e LEFT JOIN policies p ON "
      "p.current AND p.name = e.policy WHERE e.verdict = 'rejected' AND ?1 = ?1 AND NOT ";
  sql += overruled;
  if (!policy.empty()) sql += " AND e.policy = ?1";
  Statement statement(db_, sql + " ORDER BY e.measured DESC, e.id DESC", policy);
  std::vector<Rejection> all;
  while (statement.step()) {
    Rejection& one = all.emplace_back();
    one.id = statement.integer(0);
    one.policy = statement.text(1);
    one.current = statement.integer(2) != 0;
    one.experience = experience_of(statement, 3);
    one.for_workload = is_of_workload(one.experience);
    one.for_knobs = !by_first_stages(one.experience);
  }
  return all;
}

std::optional<Experience> Store::rejection(const std::string& policy) {
  for (auto& one : rejections(policy))
    if (one.current && !one.for_workload && (!one.for_knobs || one.experience.knobs.empty()))
      return std::move(one.experience);
  return std::nullopt;
}

Experience Store::experience(int64_t id) {
  Statement statement(db_, "SELECT experience FROM experiences WHERE id = ?", id);
  SCHEDCP_ASSERT(statement.step());
  return experience_of(statement, 0);
}

int64_t Store::measured(const std::string& policy, bool antipatterns) {
  Statement statement(db_,
                      "SELECT count(*) FROM experiences WHERE policy = ?1 AND "
                      "iif(?2, verdict IN ('rejected', 'failed', 'worse'), verdict NOT IN "
                      "('rejected', 'accepted'))",
                      policy, int64_t(antipatterns));
  statement.step();
  return statement.integer(0);
}

void Store::stand(const std::string& policy, const std::string& status, const std::string& reason) {
  Statement(db_, "INSERT INTO standings VALUES (?, ?, ?, ?)", policy, new_id(), status, reason)
      .run();
}

std::map<std::string, StandingRow> Store::standings() {
  std::map<std::string, StandingRow> all;
  Statement statement(db_,
                      "SELECT policy, status, reason FROM standings ORDER BY since, status, "
                      "reason");
  while (statement.step()) all[statement.text(0)] = {statement.text(1), statement.text(2)};
  std::erase_if(all, [](const auto& one) { return one.second.status == "offered"; });
  return all;
}

StandingRow Store::standing(const std::string& policy) {
  Statement statement(db_,
                      "SELECT status, reason FROM standings WHERE policy = ? "
                      "ORDER BY since DESC, status DESC, reason DESC LIMIT 1",
                      policy);
  return statement.step() ? StandingRow{statement.text(0), statement.text(1)} : StandingRow{};
}

}  // namespace schedcp

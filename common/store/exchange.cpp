// SPDX-License-Identifier: MIT
// Two repositories become one. Everything is a set that only grows, its members named by their
// content or by the document they come from; where two machines say different things of the same
// member, the greater by a fixed order stays. So merging twice changes nothing, and merging in any
// order gives the same. What arrives was written elsewhere: hashes are computed anew, names must be
// names, and nothing of it is run.
#include <algorithm>

#include "auth/digest.h"
#include "store/store.h"

namespace schedcp {
namespace {

constexpr const char* ulid_start = "0";

/// Whether `name` may stand beside a source as a file.
bool is_header_name(const std::string& name) {
  return name.size() > 2 && name.ends_with(".h") && is_policy_name(name.substr(0, name.size() - 2));
}

/// The bytes of a blob, which must have the hash it is called by.
std::string blob_of(const Repository& repository, const std::optional<std::string>& hash) {
  if (!hash) return "";
  const auto found = repository.blobs.find(*hash);
  if (found == repository.blobs.end())
    throw usage_error("/blobs: no '" + printable(*hash, 64) + "', which a policy needs");
  auto bytes = from_base64url(found->second);
  if (!bytes || sha256_hex(*bytes) != *hash)
    throw usage_error("/blobs/" + printable(*hash, 64) + ": these are other bytes",
                      "the file was damaged or cut; export it again");
  return std::move(*bytes);
}

PolicyRow row_of(const Repository& repository, size_t at) {
  const PolicyVersion& from = repository.policies[at];
  const std::string place = "/policies/" + std::to_string(at);
  PolicyRow row;
  row.origin = "added";
  row.manifest_json = from.manifest;
  row.manifest = parse_manifest(from.manifest, place + "/manifest", feature_names());
  if (!is_policy_name(row.manifest.name))
    throw usage_error(place + "/manifest: '" + printable(row.manifest.name, 60) +
                      "' cannot be a policy's name");
  if (!from.since.starts_with(ulid_start)) throw usage_error(place + "/since: no ULID");
  row.source = blob_of(repository, from.source);
  row.object = blob_of(repository, from.object);
  for (const auto& [name, hash] : from.headers) {
    if (!is_header_name(name))
      throw usage_error(place + "/headers: '" + printable(name, 60) + "' is no header's name");
    row.headers[name] = blob_of(repository, hash);
  }
  row.digest = digest_of(row);
  return row;
}

}  // namespace

Repository Store::contents() {
  auto all = new_document<Repository>();
  Statement policies(db_,
                     "SELECT id, since, manifest, source, object FROM policies "
                     "WHERE origin = 'added' ORDER BY name, digest");
  const auto keep = [&](const std::string& hash) {
    Statement blob(db_, "SELECT bytes FROM blobs WHERE hash = ?", hash);
    if (blob.step()) all.blobs[hash] = base64url(blob.view(0));
  };
  while (policies.step()) {
    auto& one = all.policies.emplace_back();
    one.since = policies.text(1);
    one.manifest = policies.text(2);
    if (!policies.null(3)) keep(one.source.emplace(policies.text(3)));
    if (!policies.null(4)) keep(one.object.emplace(policies.text(4)));
    Statement headers(db_, "SELECT name, blob FROM policy_headers WHERE policy = ?",
                      policies.integer(0));
    while (headers.step()) keep(one.headers[headers.text(0)] = headers.text(1));
  }
  Statement workloads(db_,
                      "SELECT fingerprint, command, label, features, seen FROM workloads "
                      "WHERE fingerprint <> '' ORDER BY fingerprint");
  while (workloads.step()) {
    auto& one = all.workloads.emplace_back();
    one.fingerprint = workloads.text(0);
    one.command = Json::parse(workloads.view(1));
    one.label = workloads.text(2);
    parse_value(Json::parse(workloads.view(3)), one.features, "");
    one.seen = workloads.text(4);
  }
  Statement experiences(
      db_, "SELECT document, experience FROM experiences ORDER BY document, policy, knobs");
  while (experiences.step())
    all.experiences.push_back({experiences.text(0), Json::parse(experiences.view(1))});
  Statement standings(
      db_, "SELECT policy, status, reason, since FROM standings ORDER BY policy, since, status");
  while (standings.step())
    all.standings.push_back(
        {standings.text(0), standings.text(1), standings.text(2), standings.text(3)});
  return all;
}

int64_t Store::merge(const Repository& repository) {
  std::vector<PolicyRow> rows;
  for (size_t i = 0; i < repository.policies.size(); ++i) rows.push_back(row_of(repository, i));
  std::vector<Experience> experiences;
  for (const auto& one : repository.experiences) {
    experiences.push_back(from_json<Experience>(one.experience));
    const Experience& parsed = experiences.back();
    const std::string expected =
        parsed.workload.empty() ? "" : fingerprint_of(parsed.header.context);
    if (parsed.workload != expected)
      throw usage_error("/experiences/" + std::to_string(experiences.size() - 1) +
                        "/experience/workload: its command and directory have another fingerprint");
  }

  Transaction transaction(db_);
  int64_t added = 0;
  std::set<std::string> touched;
  for (size_t i = 0; i < rows.size(); ++i) {
    const PolicyRow& row = rows[i];
    const auto hash = [&](const std::string& bytes) {
      return bytes.empty() ? std::nullopt : std::optional(keep_blob(bytes));
    };
    Statement insert(db_,
                     "INSERT INTO policies (name, version, digest, origin, source, object, "
                     "manifest, since, current) VALUES (?, ?, ?, 'added', ?, ?, ?, ?, 0) "
                     "ON CONFLICT (name, digest) DO UPDATE SET since = excluded.since "
                     "WHERE excluded.since > since RETURNING id",
                     row.manifest.name, row.manifest.version, row.digest, hash(row.source),
                     hash(row.object), row.manifest_json, repository.policies[i].since);
    if (!insert.step()) continue;
    const int64_t id = insert.integer(0);
    insert.run();
    ++added;
    touched.insert(row.manifest.name);
    for (const auto& [name, bytes] : row.headers)
      Statement(db_, "INSERT INTO policy_headers VALUES (?, ?, ?) ON CONFLICT DO NOTHING", id, name,
                keep_blob(bytes))
          .run();
  }
  for (const auto& name : touched) {
    const auto now = policy(name);
    if (now && now->origin == "builtin") continue;
    Statement latest(db_,
                     "SELECT id FROM policies WHERE name = ? AND origin = 'added' "
                     "ORDER BY since DESC, digest DESC LIMIT 1",
                     name);
    latest.step();
    const int64_t id = latest.integer(0);
    if (now && now->id == id) continue;
    delist(name);
    Statement(db_, "UPDATE policies SET current = 1 WHERE id = ?", id).run();
    index_words(id, policy(id).manifest);
  }

  for (const auto& one : repository.workloads) {
    Statement(db_,
              "INSERT INTO workloads (fingerprint, command, label, features, seen) "
              "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET label = excluded.label, "
              "features = excluded.features, seen = excluded.seen WHERE "
              "(excluded.seen, excluded.label, excluded.features) > (seen, label, features)",
              one.fingerprint, dump(Json(one.command)), one.label,
              dump(to_json_value(one.features)), one.seen)
        .run();
    added += db_.changes();
  }
  for (size_t i = 0; i < experiences.size(); ++i)
    added += keep_experience(
        experiences[i], repository.experiences[i].document,
        "UPDATE SET verdict = excluded.verdict, measured = excluded.measured, "
        "experience = excluded.experience, goal = excluded.goal, ratio = excluded.ratio, "
        "low = excluded.low, high = excluded.high, runs = excluded.runs WHERE excluded.experience "
        "> experience");
  for (const auto& one : repository.standings) {
    Statement(db_, "INSERT INTO standings VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", one.policy,
              one.since, one.status, one.reason)
        .run();
    added += db_.changes();
  }
  transaction.commit();
  return added;
}

}  // namespace schedcp

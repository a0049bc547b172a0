// SPDX-License-Identifier: MIT
#include "repository.h"

#include "auth/digest.h"
#include "base/paths.h"
#include "confine/confined.h"

namespace schedcp {
namespace {

PolicyRow builtin(const fs::path& dir, const std::string& name) {
  PolicyRow row;
  row.origin = "builtin";
  row.manifest_json = read_file(dir / (name + ".json"));
  row.manifest = parse_manifest(row.manifest_json, "'" + (dir / (name + ".json")).string() + "'",
                                feature_names());
  if (row.manifest.name != name)
    throw usage_error("'" + (dir / (name + ".json")).string() + "': /name: expected '" + name +
                      "'");
  if (fs::exists(dir / (name + ".bpf.c"))) row.source = read_file(dir / (name + ".bpf.c"));
  if (fs::exists(dir / (name + ".bpf.o"))) row.object = read_file(dir / (name + ".bpf.o"));
  if (!row.object.empty()) row.object_hash = sha256_hex(row.object);
  row.digest = digest_of(row);
  return row;
}

}  // namespace

void refresh_builtins(Store& store, const fs::path& dir) {
  std::set<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(dir, error)) {
    const std::string name = entry.path().filename();
    if (fs::exists(entry.path() / (name + ".json"))) names.insert(name);
  }
  for (const auto& name : names) {
    try {
      store.put(builtin(dir / name, name));
    } catch (const Error& fault) {
      // A fault of the installation, not of what the user typed.
      throw fault.code == ExitCode::usage ? unable(fault.what(), "install schedcp anew") : fault;
    }
  }
  if (names.empty())
    throw unable("no policies in '" + dir.string() + "'", "install schedcp whole, or run make");
  store.retire_builtins_except(names);
}

Store open_repository(Store::Access access) {
  const fs::path dir = share_dir() / "policies";
  Store store = Store::open(state_dir(), access);
  if (!store.writable() && store.names().size() > 0) return store;
  try {
    refresh_builtins(store, dir);
    return store;
  } catch (const Error& error) {
    // A disk that filled up since: searching needs no room on it.
    if (access == Store::Access::write || !store.writable() || !fs::exists(dir)) throw;
    Store stand_in =
        Store::in_memory(std::string(error.what()) + "; going on without what was remembered");
    refresh_builtins(stand_in, dir);
    return stand_in;
  }
}

std::optional<PolicyObject> object_of(const PolicyRow& row) {
  if (row.object.empty()) return std::nullopt;
  const std::string what = "'" + row.manifest.name + "'";
  // Ours were read when they were built; others' come from anywhere.
  return row.origin == "builtin" ? PolicyObject(row.object, what)
                                 : open_untrusted(row.object, what);
}

std::optional<std::string> path_of(const PolicyRow& row) {
  return row.origin == "added" ? std::optional(stored_file(row).string()) : std::nullopt;
}

PolicyEntry entry_of(Store& store, const PolicyRow& row) {
  const Manifest& manifest = row.manifest;
  auto entry = new_document<PolicyEntry>();
  entry.name = manifest.name;
  entry.version = manifest.version;
  entry.origin = row.origin;
  entry.summary = manifest.summary;
  entry.path = path_of(row);
  entry.description = manifest.description;
  entry.algorithm = manifest.algorithm;
  entry.source = manifest.source;
  entry.suits = manifest.suits;
  entry.unsuited = manifest.unsuited;
  entry.tags = manifest.tags;
  entry.goals = manifest.goals;
  entry.limitations = manifest.limitations;
  entry.minimum_kernel = manifest.minimum_kernel;
  if (const auto object = object_of(row)) {
    for (const auto& knob : object->knobs())
      entry.knobs.push_back({knob.name, knob.type, knob.value, knob.min, knob.max, knob.sentence});
    for (const auto& hint : object->hints()) entry.hints.push_back(hint.map);
    entry.object_sha256 = row.object_hash;
  }
  entry.versions = store.versions(manifest.name);
  entry.measured = store.measured(manifest.name, false);
  entry.antipatterns = store.measured(manifest.name, true);
  entry.digest = row.digest;
  const StandingRow standing = store.standing(manifest.name);
  entry.status = standing.status;
  if (!standing.reason.empty()) entry.status_reason = standing.reason;
  const auto rejection = store.rejection(manifest.name);
  // Only the current version is judged so; of an older one its history tells.
  if (rejection && standing.status != "retired" && store.id_of(manifest.name) == row.id) {
    entry.status = "rejected";
    entry.status_reason = rejection->reason;
  }
  return entry;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "store/library.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"

namespace schedcp {
namespace {

constexpr size_t manifest_limit_bytes = 1 << 20;

fs::path library() { return share_dir() / "policies"; }

std::vector<std::string> installed_policies() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(library(), error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_source(const fs::path& path) { return path.string().ends_with(".bpf.c"); }

/// The installed policy's file; nothing for a name that none has.
std::optional<fs::path> installed(const std::string& name, bool source) {
  if (!is_policy_name(name)) return std::nullopt;
  const std::string base = library() / name / name;
  if (source && fs::is_regular_file(base + ".bpf.c")) return base + ".bpf.c";
  for (const char* ending : {".bpf.o", ".bpf.c"})
    if (fs::is_regular_file(base + ending)) return base + ending;
  return std::nullopt;
}

Error unknown(const std::string& name, const std::vector<std::string>& known) {
  std::error_code error;
  if (fs::is_regular_file(name, error))
    return usage_error("'" + printable(name, 60) + "' is neither a .bpf.c nor a .bpf.o",
                       "documents are read from standard input: < " + printable(name, 60));
  const std::string meant = nearest(name, known);
  return usage_error(
      "unknown policy '" + printable(name, 60) + "'" +
          (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
      "'schedcp-search list' shows those there are; a file's name ends in .bpf.c or .bpf.o");
}

std::string compiled(const fs::path& source) {
  const RunResult result = run({.argv = {(bin_dir() / "schedcp-verify").string(), "--until",
                                         "build", "--format", "json", source.string()}},
                               {}, std::chrono::minutes(2));
  const auto documents = parse_stream(result.out, "schedcp-verify");
  if (documents.empty())
    throw unable("cannot compile '" + source.string() + "': schedcp-verify failed",
                 "run: schedcp-verify --until build " + source.string());
  const auto verdict = from_json<Verdict>(documents[0]);
  if (!verdict.object)
    throw usage_error("cannot compile '" + source.string() + "': " + verdict.reason);
  return read_file(verdict.object->path);
}

void expect_file(const fs::path& path) {
  if (!fs::exists(path)) throw usage_error("there is no file '" + printable(path.string()) + "'");
}

void describe(PolicyRef& policy, const fs::path& file) {
  if (const auto beside = manifest_beside(file)) {
    policy.version = beside->manifest.version;
    policy.summary = beside->manifest.summary;
  }
}

}  // namespace

PolicyRef policy_named(const std::string& word) {
  const bool object = word.ends_with(".o");
  if (word.find('/') == word.npos && !object && !is_source(word)) return policy_called(word);
  expect_file(word);
  if (!object && !is_source(word) && fs::is_regular_file(word)) throw unknown(word, {});
  PolicyRef policy;
  policy.path = fs::absolute(word).lexically_normal().string();
  const std::string file = fs::path(word).filename();
  policy.name = file.substr(0, file.find('.'));
  describe(policy, *policy.path);
  return policy;
}

PolicyRef policy_called(const std::string& name) {
  PolicyRef policy;
  policy.name = name;
  if (const auto file = installed(name, true)) {
    describe(policy, *file);
    return policy;
  }
  const size_t at = name.find('@');
  auto known = installed_policies();
  if (is_policy_name(name.substr(0, at))) {
    if (auto store = Store::look(state_dir())) {
      const auto names = store->names();
      known.insert(known.end(), names.begin(), names.end());
      if (at != name.npos || std::binary_search(names.begin(), names.end(), name)) {
        const PolicyRow row = find_policy(*store, name);
        return {row.manifest.name, row.manifest.version, stored_file(row), row.manifest.summary};
      }
    }
  }
  throw unknown(name, known);
}

fs::path policy_file(const PolicyRef& policy, bool source) {
  if (policy.path) return *policy.path;
  if (const auto file = installed(policy.name, source)) return *file;
  return policy_called(policy.name).path.value();
}

std::string policy_object(const PolicyRef& policy) {
  if (policy.path) expect_file(*policy.path);
  const fs::path path = policy_file(policy, false);
  return is_source(path) ? compiled(path) : read_file(path);
}

std::optional<ManifestFile> manifest_beside(const fs::path& policy) {
  const std::string name = policy.filename().string();
  const fs::path file = policy.parent_path() / (name.substr(0, name.find('.')) + ".json");
  std::error_code error;
  if (!fs::is_regular_file(file, error)) return std::nullopt;
  const std::string text = read_file(file, manifest_limit_bytes);
  if (!text.starts_with('{') || text.starts_with("{\"schema\":")) return std::nullopt;
  const std::string shown = "'" + printable(file.string()) + "'";
  return ManifestFile{parse_manifest(text, shown, feature_names()), shown};
}

PolicyRow find_policy(Store& store, const std::string& word) {
  const size_t at = word.find('@');
  const std::string name = word.substr(0, at);
  auto row = at == word.npos ? store.policy(name) : store.version(name, word.substr(at + 1));
  if (row) return std::move(*row);
  if (at != word.npos && store.policy(name))
    throw usage_error("no version '" + printable(word.substr(at + 1), 70) + "' of '" + name + "'");
  const std::string meant = nearest(name, store.names());
  throw usage_error("no policy '" + printable(name, 60) + "'" +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                    "schedcp-search list shows all");
}

fs::path stored_file(const PolicyRow& row) {
  const std::string& name = row.manifest.name;
  const fs::path dir = state_dir() / "policies" / row.digest.substr(0, 16);
  const fs::path manifest = dir / (name + ".json");
  fs::path path = dir / (name + (row.source.empty() ? ".bpf.o" : ".bpf.c"));
  if (!fs::exists(path) || !fs::exists(manifest)) {
    make_directories(dir, 0755);
    write_file_atomic(manifest, row.manifest_json);
    for (const auto& [header, bytes] : row.headers) write_file_atomic(dir / header, bytes);
    write_file_atomic(path, row.source.empty() ? row.object : row.source);
  }
  return path;
}

}  // namespace schedcp

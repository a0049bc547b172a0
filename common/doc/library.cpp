// SPDX-License-Identifier: MIT
#include "doc/library.h"

#include <algorithm>
#include <chrono>

#include "base/error.h"
#include "base/paths.h"
#include "base/process.h"
#include "base/text.h"

namespace schedcp {
namespace {

fs::path library() { return share_dir() / "policies"; }

std::vector<std::string> known_policies() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(library(), error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

bool is_word(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name[0] != '.' &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
             std::string::npos;
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

}  // namespace

PolicyRef policy_named(const std::string& word) {
  PolicyRef policy;
  policy.name = word;
  if (word.find('/') == word.npos && !word.ends_with(".bpf.o") && !word.ends_with(".bpf.c"))
    return policy;
  expect_file(word);
  policy.path = fs::absolute(word).lexically_normal().string();
  const std::string file = fs::path(word).filename();
  policy.name = file.substr(0, file.find('.'));
  return policy;
}

fs::path library_policy(const std::string& name, bool source) {
  if (is_word(name)) {
    const std::string base = library() / name / name;
    if (source && fs::is_regular_file(base + ".bpf.c")) return base + ".bpf.c";
    for (const char* ending : {".bpf.o", ".bpf.c"})
      if (fs::is_regular_file(base + ending)) return base + ending;
  }
  const std::string meant = nearest(name, known_policies());
  throw usage_error("unknown policy '" + printable(name, 60) + "'" +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                    "'schedcp-search list' shows those there are; /policy/path takes a file");
}

std::string policy_object(const PolicyRef& policy) {
  if (policy.path) expect_file(*policy.path);
  const fs::path path = policy.path ? fs::path(*policy.path) : library_policy(policy.name, false);
  return path.string().ends_with(".bpf.c") ? compiled(path) : read_file(path);
}

}  // namespace schedcp

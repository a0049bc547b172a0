// SPDX-License-Identifier: MIT
#include "source.h"

#include <algorithm>

#include "base/error.h"
#include "base/paths.h"
#include "base/text.h"
#include "obj/object.h"

namespace schedcp {
namespace {

bool is_source(const fs::path& path) { return path.string().ends_with(".bpf.c"); }
bool is_object(const fs::path& path) { return path.extension() == ".o"; }

/// "fifo" of "dir/fifo.bpf.c".
std::string stem_of(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.substr(0, name.find('.'));
}

std::vector<std::string> known_policies() {
  std::vector<std::string> names;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(share_dir() / "policies", error))
    names.push_back(entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

/// A name is a word, never a path: it comes from a document.
bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= 64 && name[0] != '.' &&
         name.find_first_not_of(
             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-") ==
             std::string::npos;
}

fs::path shipped(const std::string& name) {
  if (is_name(name)) {
    const fs::path base = share_dir() / "policies" / name / name;
    for (const char* ending : {".bpf.c", ".bpf.o"})
      if (fs::is_regular_file(base.string() + ending)) return base.string() + ending;
  }
  const std::string meant = nearest(name, known_policies());
  throw usage_error("/policy/name: unknown policy '" + printable(name, 60) + "'" +
                        (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                    "'schedcp-search list' shows those there are; /policy/path takes a file");
}

}  // namespace

PolicySource locate(Candidate candidate) {
  if (candidate.policy.name.empty()) throw usage_error("/policy/name: is empty");
  PolicySource source;
  const std::string given = candidate.policy.path.value_or("");
  source.path = given.empty() ? shipped(candidate.policy.name) : fs::path(given);
  if (!is_source(source.path) && !is_object(source.path))
    throw usage_error("'" + printable(source.path.string()) + "' is neither a .bpf.c nor a .bpf.o");
  std::error_code error;
  if (fs::exists(source.path, error) && !fs::is_regular_file(source.path, error))
    throw unable("cannot read '" + printable(source.path.string()) + "': not a file");
  const size_t limit = is_object(source.path) ? kMaxObject : kMaxSource;
  if (const auto size = fs::file_size(source.path, error); !error && size > limit)
    throw usage_error("cannot read '" + source.path.string() + "': larger than " +
                      std::to_string(limit >> 20) + " MiB");
  if (is_object(source.path)) {
    source.compiled = true;
    source.object = read_file(source.path, kMaxObject);
    PolicyObject(source.object, source.path.string());
  } else {
    read_file(source.path, kMaxSource);
  }
  source.candidate = std::move(candidate);
  return source;
}

PolicySource source_of_file(const std::string& path) {
  auto candidate = new_document<Candidate>();
  candidate.policy.name = stem_of(path);
  candidate.policy.path = fs::absolute(path).lexically_normal().string();
  if (candidate.policy.name.empty())
    throw usage_error("'" + printable(path) + "' is neither a .bpf.c nor a .bpf.o");
  return locate(std::move(candidate));
}

}  // namespace schedcp

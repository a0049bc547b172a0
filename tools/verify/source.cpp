// SPDX-License-Identifier: MIT
#include "source.h"

#include "base/error.h"
#include "base/text.h"
#include "confined.h"
#include "doc/library.h"

namespace schedcp {
namespace {

bool is_source(const fs::path& path) { return path.string().ends_with(".bpf.c"); }
bool is_object(const fs::path& path) { return path.extension() == ".o"; }

/// "fifo" of "dir/fifo.bpf.c".
std::string stem_of(const fs::path& path) {
  const std::string name = path.filename().string();
  return name.substr(0, name.find('.'));
}

/// Its place in the document is named, too: the name comes from one.
fs::path shipped(const std::string& name) {
  try {
    return library_policy(name, true);
  } catch (const Error& error) {
    throw usage_error("/policy/name: " + std::string(error.what()), error.hint);
  }
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
    open_untrusted(source.object, source.path.string());
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

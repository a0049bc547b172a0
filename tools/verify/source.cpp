// SPDX-License-Identifier: MIT
#include "source.h"

#include "base/error.h"
#include "base/text.h"
#include "check/catalogue.h"
#include "confine/confined.h"
#include "store/library.h"

namespace schedcp {
namespace {

bool is_source(const fs::path& path) { return path.string().ends_with(".bpf.c"); }
bool is_object(const fs::path& path) { return path.extension() == ".o"; }

/// What NAME.json beside the policy says to us: which rules it allows, and what it promises.
void read_manifest_beside(PolicySource& source) {
  const auto beside = manifest_beside(source.path);
  if (!beside) return;
  const auto& [manifest, what] = *beside;
  for (const auto& [rule, reason] : manifest.allow) {
    if (!find_rule(rule))
      throw usage_error(what + ": /allow/" + printable(rule, 40) + ": there is no such rule",
                        "'schedcp-verify rules' lists them");
    if (reason.empty()) throw usage_error(what + ": /allow/" + rule + ": needs a reason");
  }
  source.allow = manifest.allow;
  try {
    source.promises = sim::load_promises(manifest.promises);
  } catch (const Error& error) {
    throw usage_error(what + ": /promises: " + error.what(), error.hint);
  }
}

/// `place`: of the policy's name, in the document that it comes from.
PolicySource find(Candidate candidate, const std::string& place) {
  PolicySource source;
  try {
    if (!candidate.policy.path) candidate.policy = policy_called(candidate.policy.name);
    source.path = policy_file(candidate.policy, true);
  } catch (const Error& error) {
    throw Error(error.code, place + error.what(), error.hint);
  }
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
  read_manifest_beside(source);
  source.candidate = std::move(candidate);
  return source;
}

}  // namespace

PolicySource locate(Candidate candidate) {
  if (candidate.policy.name.empty()) throw usage_error("/policy/name: is empty");
  return find(std::move(candidate), "/policy/name: ");
}

PolicySource source_of_word(const std::string& word) {
  auto candidate = new_document<Candidate>();
  candidate.policy = policy_named(word);
  return find(std::move(candidate), "");
}

}  // namespace schedcp

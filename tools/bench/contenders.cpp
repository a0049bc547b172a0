// SPDX-License-Identifier: MIT
#include "contenders.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <set>

#include "auth/digest.h"
#include "base/file.h"
#include "base/paths.h"
#include "base/process.h"

namespace schedcp {
namespace {

/// Compile a policy's source the way it is compiled to be deployed: by schedcp-verify's first
/// stage.
std::string build(const fs::path& source) {
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

std::string object_of(const PolicyRef& policy) {
  fs::path path = policy.path.value_or("");
  if (path.empty()) {
    const fs::path folder = share_dir() / "policies" / policy.name;
    path = folder / (policy.name + ".bpf.o");
    if (!fs::exists(path)) path = folder / (policy.name + ".bpf.c");
  }
  if (!fs::exists(path)) {
    std::vector<std::string> known;
    std::error_code none;
    for (const auto& entry : fs::directory_iterator(share_dir() / "policies", none))
      known.push_back(entry.path().filename());
    const std::string meant = nearest(policy.name, known);
    throw usage_error(fmt::format("unknown policy '{}'{}", printable(policy.name, 60),
                                  meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                      "'schedcp-search list' shows those there are");
  }
  return path.string().ends_with(".bpf.c") ? build(path) : read_file(path);
}

void add(Contenders& contenders, Contender contender) {
  const std::string name = contender.candidate.policy.name;
  contender.name = name;
  for (int n = 2; std::any_of(contenders.list.begin(), contenders.list.end(),
                              [&](const Contender& c) { return c.name == contender.name; });
       ++n)
    contender.name = fmt::format("{}-{}", name, n);
  contenders.list.push_back(std::move(contender));
}

void add_verdict(Contenders& contenders, const Verdict& verdict, bool verified_only) {
  const std::string& name = verdict.candidate.policy.name;
  if (!verdict.accepted) {
    contenders.skipped.push_back(name + " was rejected: " + verdict.reason);
    return;
  }
  if (verified_only && !verdict.token) {
    contenders.skipped.push_back(name + " has no token");
    return;
  }
  if (!verdict.object)
    throw usage_error("the verdict on '" + name + "' names no object", "run schedcp-verify again");
  std::string bytes = read_file(verdict.object->path);
  if (sha256_hex(bytes) != verdict.object->sha256)
    throw usage_error("'" + verdict.object->path + "' is not what was verified",
                      "run schedcp-verify again");
  add(contenders, {"", std::move(bytes), verdict.candidate, verdict});
}

}  // namespace

Contenders contenders_named(const std::vector<std::string>& names) {
  Contenders contenders;
  for (const auto& name : names) {
    Candidate candidate;
    candidate.policy.name = name;
    if (name.find('/') != name.npos || name.ends_with(".bpf.o") || name.ends_with(".bpf.c")) {
      if (!fs::exists(name)) throw usage_error("there is no file '" + printable(name) + "'");
      candidate.policy.path = fs::absolute(name).string();
      const std::string file = fs::path(name).filename();
      candidate.policy.name = file.substr(0, file.find('.'));
    }
    std::string bytes = object_of(candidate.policy);
    add(contenders, {"", std::move(bytes), std::move(candidate), {}});
  }
  return contenders;
}

Contenders contenders_from(std::vector<std::variant<Candidate, Verdict>> documents,
                           bool verified_only) {
  Contenders contenders;
  contenders.documents = std::move(documents);
  for (const auto& document : contenders.documents) {
    std::visit([&](const auto& d) { contenders.from.push_back(&d.header); }, document);
    if (const auto* verdict = std::get_if<Verdict>(&document)) {
      add_verdict(contenders, *verdict, verified_only);
    } else if (const auto& candidate = std::get<Candidate>(document); verified_only) {
      contenders.skipped.push_back(candidate.policy.name + " is not verified");
    } else {
      add(contenders, {"", object_of(candidate.policy), candidate, {}});
    }
  }
  return contenders;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "contenders.h"

#include <fmt/format.h>

#include <algorithm>

#include "auth/digest.h"
#include "base/file.h"
#include "obj/choices.h"
#include "store/library.h"

namespace schedcp {
namespace {

void add(Contenders& contenders, Contender contender) {
  const PolicyObject object(contender.bytes, contender.candidate.policy.name);
  const std::string name = called(contender.candidate, object);
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
    candidate.policy = policy_named(name);
    std::string bytes = policy_object(candidate.policy);
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
      add(contenders, {"", policy_object(candidate.policy), candidate, {}});
    }
  }
  return contenders;
}

}  // namespace schedcp

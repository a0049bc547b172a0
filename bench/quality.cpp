// SPDX-License-Identifier: MIT
#include "quality.h"

#include <algorithm>
#include <cmath>

#include "auth/digest.h"

namespace schedcp {
namespace {

Json read_list(const fs::path& file) {
  const Json json = Json::parse(read_file(file), nullptr, false);
  if (!json.is_array()) throw usage_error("'" + file.string() + "' is no JSON list");
  return json;
}

std::vector<std::string> accepted(const Json& one, const fs::path& file) {
  if (!one.is_object() || !one.contains("accept") || one["accept"].empty())
    throw usage_error("'" + file.string() + "': an entry accepts nothing");
  return one["accept"].get<std::vector<std::string>>();
}

bool held_out(const std::string& asked) { return sha256_hex(asked)[0] >= '8'; }

}  // namespace

std::vector<Judged> read_queries(const fs::path& file) {
  std::vector<Judged> all;
  for (const auto& one : read_list(file)) {
    Judged& judged = all.emplace_back();
    judged.accept = accepted(one, file);
    judged.query.words = {one.at("query").get<std::string>()};
    judged.held_out = held_out(judged.query.words[0]);
  }
  return all;
}

std::vector<Judged> read_profiles(const fs::path& file) {
  auto empty = new_document<Profile>();
  empty.level = "summary";
  empty.target = "command";
  empty.classification.label = "unknown";
  std::vector<Judged> all;
  for (const auto& one : read_list(file)) {
    Judged& judged = all.emplace_back();
    judged.accept = accepted(one, file);
    judged.held_out = held_out(one.value("about", dump(one.at("profile"))));
    Json profile = to_json(empty);
    profile.merge_patch(one.at("profile"));
    judged.query.profile = from_json<Profile>(profile);
    judged.query.goal = one.value("goal", judged.query.profile->header.context.goal.value_or(""));
  }
  return all;
}

Quality quality_of(const std::vector<std::string>& answers,
                   const std::vector<std::string>& accept) {
  const auto good = [&](size_t at) {
    return at < answers.size() &&
           std::find(accept.begin(), accept.end(), answers[at]) != accept.end();
  };
  size_t among_3 = 0;
  for (size_t at = 0; at < 3; ++at) among_3 += good(at);
  double gain = 0, most = 0;
  for (size_t at = 0; at < 5; ++at) {
    const double discount = 1 / std::log2(double(at) + 2);
    gain += good(at) ? discount : 0;
    most += at < accept.size() ? discount : 0;
  }
  return {1, among_3 > 0 ? 1.0 : 0.0, double(among_3) / double(std::min<size_t>(3, accept.size())),
          gain / most};
}

Quality quality_of(Search& search, const std::vector<Judged>& judged, const Parts& parts,
                   std::vector<std::string>* missed) {
  Quality sum;
  for (const auto& one : judged) {
    Query query = one.query;
    query.parts = parts;
    std::vector<std::string> answers;
    for (const auto& candidate : search.find(query, 5, 0)) answers.push_back(candidate.policy.name);
    const Quality of = quality_of(answers, one.accept);
    ++sum.n;
    sum.hit_at_3 += of.hit_at_3;
    sum.recall_at_3 += of.recall_at_3;
    sum.ndcg_at_5 += of.ndcg_at_5;
    if (missed && of.recall_at_3 < 1)
      missed->push_back((query.profile ? "profile " + query.profile->classification.label
                                       : "'" + join(query.words, " ") + "'") +
                        ": " + join(answers, ", ") + "; good were " + join(one.accept, ", "));
  }
  const double n = double(std::max<size_t>(sum.n, 1));
  return {sum.n, sum.hit_at_3 / n, sum.recall_at_3 / n, sum.ndcg_at_5 / n};
}

}  // namespace schedcp

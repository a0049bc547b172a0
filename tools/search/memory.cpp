// SPDX-License-Identifier: MIT
// What was measured, as a part of the score, and what was refused, which is left out.
//
// A measurement says what a policy costs against the default scheduler, as a ratio with a 95 %
// interval. On a logarithmic scale that is a value with a standard deviation, `noise`, of a quarter
// of the interval's width. Before anything is measured, policies that fit alike are taken to be
// about a tenth apart (`spread`: less is hardly worth a change, much more is rare). So a
// measurement counts by spread^2 / (spread^2 + noise^2) against the promise, as with a normal
// prior: an interval from 0.98 to 1.02 by 92 %, from 0.8 to 1.25 by 44 %, from 0.33 to 1.83 by 5 %.
// Precisions (1 / noise^2) of several add up. What was measured on another workload has the spread
// for a noise in the measure that the two differ; no measurement is surer than the 3 % that
// machines drift from day to day.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/text.h"
#include "score.h"

namespace schedcp {
namespace {

constexpr double spread = 0.1;          // of policies that fit alike, as a logarithm of the cost
constexpr double least_noise = 0.03;    // of any measurement, the same
constexpr int64_t enough = 6;           // pairs; of fewer no 95 % interval of the median exists
constexpr double failure = 2;           // as many sure measurements as one that broke counts for
constexpr double least_likeness = 0.6;  // below it a workload teaches nothing about another
constexpr size_t reason_limit = 400;

bool broke(const Evidence& evidence) {
  return evidence.verdict == "rejected" || evidence.verdict == "failed";
}

/// 1 / noise^2 of a measurement on a workload so like the asked one.
double precision_of(const Evidence& evidence, double like) {
  double noise = least_noise * least_noise;
  if (evidence.ratio && !broke(evidence)) {
    constexpr double deviations = 2 * 1.96;  // that a 95 % interval is wide
    const Quantity& ratio = *evidence.ratio;
    const double width = ratio.low > 0 ? std::log(ratio.high / ratio.low) / deviations : spread;
    noise = std::max(noise, width * width);
    if (evidence.runs < enough)
      noise = std::max(noise, spread * spread) * double(enough) /
              double(std::max<int64_t>(evidence.runs, 1));
  }
  const double unlike = spread * spread * (1 / (like * like * like) - 1);
  return (broke(evidence) ? failure : 1) / (noise + unlike);
}

/// How much of the score memory of such precision is.
double share_of(double precision) {
  return precision * spread * spread / (1 + precision * spread * spread);
}

/// "version 0.1.0", or what else can be said of which one it was.
std::string version_of(const Experience& experience, const Manifest& now) {
  return experience.version && *experience.version != now.version
             ? "version " + printable(*experience.version, 40)
             : "another version";
}

std::string refusal_sentence(const Experience& experience) {
  return fmt::format("not offered: '{}' was {}: {}", printable(experience.policy, 63),
                     experience.verdict, reason_of(experience));
}

}  // namespace

std::string reason_of(const Experience& experience) {
  return excerpt(experience.reason.value_or("no reason kept"), reason_limit);
}

double worth(const Evidence& evidence) {
  if (broke(evidence)) return 0;
  if (evidence.verdict == "no_difference" || !evidence.ratio) return 0.5;
  return 1 / (1 + std::pow(evidence.ratio->median, 10));
}

std::string memory_sentence(const Experience& experience, double like) {
  const std::string where =
      like == 1 ? "here" : fmt::format("on a workload {:.0f} % like this one", 100 * like);
  if (experience.verdict == "rejected" || experience.verdict == "failed")
    return fmt::format("{} {}: {}", experience.verdict, where, reason_of(experience));
  std::string text =
      fmt::format("measured {}: {}", where,
                  experience.verdict == "no_difference" ? "no difference" : experience.verdict);
  if (experience.ratio)
    text += fmt::format(", {:.3f} of the default's cost ({:.3f} to {:.3f}, {} runs)",
                        experience.ratio->median, experience.ratio->low, experience.ratio->high,
                        experience.runs);
  return text;
}

void Search::Memory::learn(const Evidence& evidence, double like) {
  const double more = precision_of(evidence, like);
  worth = (precision * worth + more * schedcp::worth(evidence)) / (precision + more);
  precision += more;
  share = share_of(precision);
  tried += share_of(more);
}

/// What was learned on this workload and its likes.
void Search::recall(const Query& query, Asked& asked) const {
  if (!query.profile) return;
  const std::string here = fingerprint_of(query.profile->header.context);
  const auto learn = [&](const std::string& fingerprint, double like) {
    for (const auto& evidence : store_.evidence(fingerprint, query.goal)) {
      const auto place = named_.find(evidence.policy);
      // What was refused on this very workload is not offered; that is not a matter of score.
      if (place == named_.end() || (fingerprint == here && evidence.verdict == "rejected"))
        continue;
      asked.memory[place->second].learn(evidence, like);
      asked.tried += share_of(precision_of(evidence, like));
      asked.evidence.push_back({place->second, precision_of(evidence, like), like, evidence.id});
    }
  };
  if (!here.empty()) learn(here, 1);
  for (const auto& workload : workloads_)
    if (workload.fingerprint != here)
      if (const double like = likeness(query.profile->features, workload.features);
          like >= least_likeness)
        learn(workload.fingerprint, like);
}

/// Why a policy is not offered as it is and would be set here, or nothing.
std::optional<Experience> Search::refusal(const PolicyRow& row, const Query& query) const {
  for (auto& one : store_.rejections(row.manifest.name)) {
    if (!one.current) continue;
    if (one.for_workload &&
        (!query.profile ||
         one.experience.workload != fingerprint_of(query.profile->header.context) ||
         one.experience.goal.value_or("") != query.goal))
      continue;
    if (one.for_knobs) {
      std::vector<std::string> why;
      const auto object = object_of(row);
      const auto knobs = knobs_for(row.manifest, object ? &*object : nullptr, query, why);
      if (to_json_value(knobs) != to_json_value(one.experience.knobs)) continue;
    }
    return std::move(one.experience);
  }
  return std::nullopt;
}

/// What became of the version before, when of this one nothing is known yet; or nothing.
std::optional<std::string> Search::remark_on_earlier(const PolicyRow& row) const {
  constexpr int64_t looked_at = 50;
  const auto rejections = store_.rejections(row.manifest.name);
  const auto earlier = std::find_if(rejections.begin(), rejections.end(),
                                    [](const Rejection& one) { return !one.current; });
  if (earlier == rejections.end()) return std::nullopt;
  for (const auto& one : store_.history("", row.manifest.name, looked_at))
    if (one.verdict != "rejected" && one.object_sha256.value_or("") == row.object_hash)
      return std::nullopt;
  return fmt::format("{} was rejected: {}; this one was not judged yet",
                     version_of(earlier->experience, row.manifest), reason_of(earlier->experience));
}

std::vector<std::string> Search::warnings(const Query& query,
                                          const std::vector<Experience>& refused) {
  constexpr int64_t looked_at = 200;
  constexpr size_t most = 3;
  const std::string here =
      query.profile ? fingerprint_of(query.profile->header.context) : std::string();
  const std::string text = join(query.words, " ");
  std::set<std::string> told;
  std::vector<std::string> sentences;
  const auto tell = [&](const Experience& one) {
    if (sentences.size() < most && told.insert(one.policy).second)
      sentences.push_back(refusal_sentence(one));
  };
  for (const auto& one : refused) tell(one);
  for (const auto& word : split(text, ' '))
    if (const auto id = store_.id_of(word))
      if (const auto refusal = this->refusal(store_.policy(*id), query)) tell(*refusal);

  // Those that never came into the repository: the newest that is known of each, and its summary,
  // which not every verdict knows.
  std::vector<Experience> tried;
  for (auto& one : store_.history("", "", looked_at, true)) {
    if (store_.id_of(one.policy)) continue;
    const auto same = std::find_if(tried.begin(), tried.end(), [&](const Experience& other) {
      return other.policy == one.policy;
    });
    if (same == tried.end())
      tried.push_back(std::move(one));
    else if (!same->summary)
      same->summary = one.summary;
  }
  // A name alone has no meaning to compare.
  std::vector<std::string> texts{text};
  for (const auto& one : tried)
    if (one.summary) texts.push_back(one.policy + ". " + *one.summary);
  std::vector<Embedder::Vector> vectors;
  if (texts.size() > 1 && !text.empty()) vectors = embedder_.embed(texts);
  size_t at = 0;
  for (const auto& one : tried) {
    bool concerns = !here.empty() && one.workload == here;
    if (one.summary && !vectors.empty())
      concerns =
          cosine(vectors[0].data(), vectors[++at].data(), vectors[0].size()) >= embedder_.floor() ||
          concerns;
    const auto words = split(text, ' ');
    if (concerns || std::find(words.begin(), words.end(), one.policy) != words.end()) tell(one);
  }
  return sentences;
}

}  // namespace schedcp

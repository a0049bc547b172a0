// SPDX-License-Identifier: MIT
// How good the search is, by queries and profiles whose good answers a person has named.
#pragma once

#include "tools/search/score.h"

namespace schedcp {

/// What is asked, and the policies that are good answers.
struct Judged {
  Query query;
  std::vector<std::string> accept;
  /// About half are, by a hash of what is asked: whoever improves the search looks at the others'
  /// answers only, so that these tell what it is worth for queries nobody thought of.
  bool held_out = false;
};

/// [{"query": "...", "accept": ["policy", ...]}, ...]
std::vector<Judged> read_queries(const fs::path& file);
/// [{"about": "...", "profile": {...}, "goal": "...", "accept": [...]}, ...]; what a profile leaves
/// out, it does not know.
std::vector<Judged> read_profiles(const fs::path& file);

struct Quality {
  size_t n = 0;
  double hit_at_3 = 0;     ///< share of those with a good answer among the first three
  double recall_at_3 = 0;  ///< good answers among the first three, of as many as could be there
  double ndcg_at_5 = 0;    ///< good answers early, as discounted cumulative gain of the best order
};

/// Of one list of answers, best first.
Quality quality_of(const std::vector<std::string>& answers, const std::vector<std::string>& accept);
/// The mean over all; what was not answered well is appended to `missed` if that is not null.
Quality quality_of(Search& search, const std::vector<Judged>& judged, const Parts& parts,
                   std::vector<std::string>* missed = nullptr);

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// How well a policy should suit what is asked.
#pragma once

#include "embedder.h"
#include "repository.h"
#include "store/vector_index.h"
#include "vocabulary.h"

namespace schedcp {

/// Policies that do not pass are not offered.
struct Filters {
  std::string kernel = {};  ///< they run on this release; "" for any
  int64_t cpus = 0;         ///< they make sense on so many CPUs; 0 for any
  std::vector<std::string> tags = {};
  std::string status = {};  ///< they stand so; "": all but the retired
};

/// Parts of the score that can be left out, to see what each brings.
struct Parts {
  bool meaning = true;
  bool words = true;
  bool fit = true;
  bool memory = true;
};

/// What is looked for. Of profile, words and goal any may be missing, but not all.
struct Query {
  std::optional<Profile> profile;
  std::vector<std::string> words;
  std::string goal;  ///< makespan, latency, throughput, mean_completion or ""
  Filters filters = {};
  Parts parts = {};
};

/// A part of a score: `value` 0 to 1, counted `weight` times, and why.
struct Reason {
  double value = 0;
  double weight = 0;
  std::string text;
};

/// How far `value` is inside `bounds`: 1 inside, halved for each factor of two outside.
double membership(double value, const Traits::Bounds& bounds);

/// How well a policy's manifest fits profile and goal, 0 to 1: the weighted geometric mean of its
/// parts (geometric, because one thing that is wrong spoils the rest, though no single one alone).
class Fit {
 public:
  explicit Fit(const Query& query);
  /// Writes the parts to `reasons` if that is not null. Half when there is nothing to compare.
  double of(const Traits& traits, std::vector<Reason>* reasons = nullptr) const;

 private:
  /// A label or a goal that is asked, and the bits of what is the same and what is like it.
  struct Kind {
    std::string word;
    uint32_t same = 0, like = 0;
    double weight = 0;  ///< 0: none is asked
  };
  Kind label_, goal_;
  std::array<float, feature_count> values_;  ///< NaN: not known
  float cpus_ = Traits::none;
  double sure_ = 0;
  bool profiled_ = false;
};

/// What a measurement says, 0 to 1: half for no difference, all for four fifths of the cost.
double worth(const Evidence& evidence);

/// Knob values that the manifest's settings ask for on this workload, checked against the object
/// (null: there is none); `why` gets a sentence for each.
std::vector<KnobValue> knobs_for(const Manifest& manifest, const PolicyObject* object,
                                 const Query& query, std::vector<std::string>& why);

/// What a profile says, in words, for those who compare meanings.
std::string described(const Profile& profile);

/// Searches one repository with one model of vectors.
class Search {
 public:
  /// Policies that the model has not seen yet are given to it now, and listed.
  Search(Store& store, Embedder& embedder, const Vocabulary& vocabulary);

  /// Candidates, best first, those that score below `floor` left out.
  std::vector<Candidate> find(const Query& query, size_t top, double floor = 0.2);
  /// What was tried, is no candidate and should not be tried again: policies that were refused or
  /// failed on this workload or under such a description, in a sentence each.
  std::vector<std::string> warnings(const Query& query);

  /// From so many policies on the nearest are looked up in an index instead of compared with each.
  static constexpr size_t exact_limit = 50'000;

 private:
  /// What was learned of one policy on this workload and its likes.
  struct Memory {
    double weight = 0;  ///< how much there is: 1 for six pairs on this very workload
    double worth = 0;   ///< weighted sum of worth()
  };
  /// What a memory is made of.
  struct Item {
    size_t at = 0;  ///< the policy's place
    double weight = 0, like = 0;
    int64_t id = 0;  ///< of the experience
  };
  /// All that is known of a query before policies are looked at one by one; vectors by place.
  struct Asked {
    std::vector<WordHits> hits;
    std::vector<double> words;  ///< 0 to 1: how much of the words a policy has
    std::vector<Memory> memory;
    std::vector<Item> evidence;
    double all_memory = 0;
    std::vector<Embedder::Vector> vectors;
  };
  /// A policy's score and what it is made of; parts that were not asked are -1.
  struct Scored {
    size_t at = 0;
    double score = 0, meaning = -1, words = -1, fit = -1, memory = -1, untried = 0;
  };
  void list_missing();
  void open_index();
  void look_up(const std::vector<std::string>& words, Asked& asked) const;
  void recall(const Query& query, Asked& asked) const;
  std::vector<size_t> shortlist(const Asked& asked) const;
  std::vector<double> nearness(Embedder::Vector asked, const std::vector<size_t>& places,
                               double floor) const;
  bool passes(size_t at, const Filters& filters, const std::set<int64_t>& tagged) const;
  Candidate candidate_of(const Scored& scored, const Query& query, const Fit& fit,
                         const Asked& asked) const;

  Store& store_;
  Embedder& embedder_;
  const Vocabulary& vocabulary_;
  Catalogue catalogue_;
  std::unordered_map<int64_t, size_t> places_;     ///< in the catalogue, by policy id
  std::unordered_map<std::string, size_t> named_;  ///< the same by name
  std::vector<Workload> workloads_;                ///< that this one can be likened to
  std::map<size_t, std::pair<std::string, std::string>>
      standings_;  ///< status and reason, by place
  std::optional<VectorIndex> index_;
};

}  // namespace schedcp

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
  std::string status = {};  ///< they stand so; "": all but the retired and the rejected
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
  std::string goal;  ///< makespan, latency, throughput, mean_completion, fairness or ""
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

/// What a measurement says, 0 to 1: half for no difference or the default's cost, 0.9 for four
/// fifths of it, 0.1 for five fourths.
double worth(const Evidence& evidence);

/// Why it was rejected or failed, in a line.
std::string reason_of(const Experience& experience);

/// "measured here: better, 0.700 of the default's cost (0.680 to 0.720, 6 runs)".
std::string memory_sentence(const Experience& experience, double like);

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

  /// What scores less is hardly what was asked for.
  static constexpr double least_score = 0.2;
  /// Candidates, best first, those that score below `floor` left out, and those that were refused:
  /// why is appended to `refused` for those that would have been among them.
  std::vector<Candidate> find(const Query& query, size_t top, double floor = least_score,
                              std::vector<Experience>* refused = nullptr);
  /// What is no candidate and should not be tried again, in a sentence each: what find() refused,
  /// what is asked by name and refused, and policies that never came into the repository and were
  /// refused or failed on this workload or under such a description.
  std::vector<std::string> warnings(const Query& query, const std::vector<Experience>& refused);

  /// From so many policies on the nearest are looked up in an index instead of compared with each.
  static constexpr size_t exact_limit = 50'000;

 private:
  /// What was learned of one policy on this workload and its likes.
  struct Memory {
    void learn(const Evidence& evidence, double like);
    double precision = 0;  ///< how sure it is, memory.cpp
    double worth = 0;      ///< mean of worth(), the surer the more
    double share = 0;      ///< 0 to 1: how much of the score it is
    double tried = 0;      ///< how many sure measurements it comes to
  };
  /// What a memory is made of.
  struct Item {
    size_t at = 0;  ///< the policy's place
    double precision = 0, like = 0;
    int64_t id = 0;  ///< of the experience
  };
  /// All that is known of a query before policies are looked at one by one; vectors by place.
  struct Asked {
    std::vector<WordHits> hits;
    std::vector<double> words;  ///< 0 to 1: how much of the words a policy has
    std::vector<Memory> memory;
    std::vector<Item> evidence;
    double tried = 0;  ///< how many sure measurements there are of all policies
    std::vector<Embedder::Vector> vectors;
  };
  /// A policy's score and what it is made of; parts that were not asked are -1.
  struct Scored {
    size_t at = 0;
    double score = 0, meaning = -1, words = -1, fit = -1, memory = -1;
    double promise = 0;              ///< without memory
    double tired = 0, promoted = 0;  ///< how far trying it often lowers it, promotion lifts it
  };
  void list_missing();
  void open_index();
  void look_up(const std::vector<std::string>& words, Asked& asked) const;
  void recall(const Query& query, Asked& asked) const;
  std::vector<size_t> shortlist(const Asked& asked) const;
  std::vector<double> nearness(Embedder::Vector asked, const std::vector<size_t>& places,
                               double floor) const;
  bool passes(size_t at, const Filters& filters, const std::set<int64_t>& tagged) const;
  void lift(std::vector<Scored>& scored, const Asked& asked) const;
  std::vector<Candidate> offer(std::vector<Scored> scored, const Query& query, const Asked& asked,
                               size_t top, std::vector<Experience>* refused) const;
  std::optional<Experience> refusal(const PolicyRow& row, const Query& query) const;
  std::optional<std::string> remark_on_earlier(const PolicyRow& row) const;
  Candidate candidate_of(const Scored& scored, const PolicyRow& row, const Query& query,
                         const Fit& fit, const Asked& asked) const;

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

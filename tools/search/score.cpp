// SPDX-License-Identifier: MIT
// Four parts make a score. Meaning: the angle between what is asked and what the policy says of
// itself (asked are the words, and the profile put into words). Words: FTS5's ranking. Fit: how
// well the workload's features, its classification and the goal lie in what the policy is for.
// These make what it promises. And memory: what was measured on this workload or a like one pulls
// the promise towards what it showed, the surer the further (memory.cpp).
//
// Then an upper confidence bound in the manner of UCB1 (Auer, Cesa-Bianchi, Fischer, Finite-time
// analysis of the multiarmed bandit problem, 2002): with N sure measurements on this workload and
// its likes, N above `much`, a policy that has n of them is due s (1 + c / (1 + n)) for its score
// s, where c = curiosity sqrt(ln(N / much)), so that a promising one that was tried little is
// tried, too. All are divided by 1 + c, so that none is cut at 1 and the order stays to be seen: an
// untried policy keeps its score, one that was tried often gives way by up to c / (1 + c).
//
// Last, promotion: somebody who knew more said to prefer a policy. One that promises at least
// `fitting` of the best and was not measured worse than the default comes to stand above all that
// were not measured better, by a tenth of what is missing to 1.
// `why` tells of each part.
#include "score.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "auth/digest.h"
#include "base/paths.h"

namespace schedcp {
namespace {

constexpr double meaning_share = 0.7;          // of what words are asked for; the rest is FTS5's
constexpr double words_share = 0.3;            // beside a profile
constexpr double words_share_at_goal = 0.5;    // beside nothing but a goal, or as one
constexpr double described_share = 0.25;       // of a profile put into words, beside its features
constexpr float kin_share = 0.5F;              // of what is like the best, beside what was asked
constexpr double full_meaning = 0.5;           // a best cosine below it is not taken for a match
constexpr double curiosity = 0.08;             // how far the confidence bound reaches
constexpr double much = 3;                     // sure measurements; with fewer all is tried little
constexpr double fitting = 0.75;               // of the best promise: what promotion can lift
constexpr double promotion = 0.1;              // of what is missing to 1
constexpr double shown = 0.05;                 // memory moved a score by more: it is no chance
constexpr size_t index_neighbours = 400;       // when not all can be looked at
constexpr int64_t kernel_timeout_ms = 30'000;  // the kernel's own default and maximum

/// What is asked in words: also a goal that is none of those that policies name.
std::vector<std::string> words_asked(const Query& query) {
  std::vector<std::string> words = query.words;
  if (!query.goal.empty() && !goal_bit(query.goal)) words.push_back(query.goal);
  return words;
}

/// Words worth looking for as they are written: not those that only hold a sentence together,
/// unless one is a policy's name.
std::vector<std::string> telling(const std::vector<std::string>& asked,
                                 const Vocabulary& vocabulary, Store& store) {
  std::vector<std::string> words;
  for (const auto& phrase : asked)
    for (auto& word : split(phrase, ' ')) {
      const auto parts = words_of(word);
      if (parts.empty()) continue;
      if (parts.size() == 1 && vocabulary.is_stop_word(parts[0]) && !store.id_of(word)) continue;
      if (std::find(words.begin(), words.end(), word) == words.end()) words.push_back(word);
    }
  return words;
}

/// "ahead" of "ahead,".
std::string bare(const std::string& word) {
  constexpr const char* marks = ".,;:!?()[]\"'";
  const size_t from = word.find_first_not_of(marks);
  return from == word.npos ? word : word.substr(from, word.find_last_not_of(marks) + 1 - from);
}

/// What a policy says of itself: what it is for, how it works, and what it is not for.
std::array<std::string, 3> texts_for(const Manifest& manifest) {
  std::string text = manifest.name + ". " + manifest.summary + " " + join(manifest.suits, ". ") +
                     ". " + join(manifest.tags, ", ") + ". ";
  for (const auto& goal : manifest.goals)
    text += goal == "mean_completion" ? "mean completion. " : goal + ". ";
  return {text,
          manifest.algorithm.value_or("") + " " + manifest.source.value_or("") + " " +
              manifest.description.value_or(""),
          join(manifest.unsuited, ". ")};
}

bool blank(const std::string& text) { return text.find_first_not_of(" .") == std::string::npos; }

/// How much each of them counts.
constexpr float text_shares[] = {1, 0.4F, -0.3F};

}  // namespace

Search::Search(Store& store, Embedder& embedder, const Vocabulary& vocabulary)
    : store_(store), embedder_(embedder), vocabulary_(vocabulary) {
  catalogue_ = store_.catalogue(embedder_.model());
  list_missing();
  for (size_t i = 0; i < catalogue_.policies.size(); ++i) places_[catalogue_.policies[i]] = i;
  for (const auto& [name, id] : store_.ids())
    if (const auto place = places_.find(id); place != places_.end())
      named_.emplace(name, place->second);
  workloads_ = store_.workloads();
  for (const auto& [name, standing] : store_.standings())
    if (const auto place = named_.find(name); place != named_.end())
      standings_[place->second] = {standing.status, standing.reason};
  if (catalogue_.policies.size() >= exact_limit) open_index();
}

void Search::list_missing() {
  const auto missing = store_.unlisted(embedder_.model());
  if (missing.empty()) return;
  std::vector<Traits> traits;
  std::vector<std::array<std::string, 3>> texts;
  // Nothing needs no vector, and endpoints refuse to make one of it.
  std::vector<std::string> asked;
  for (const int64_t id : missing) {
    const Manifest manifest = store_.policy(id).manifest;
    traits.push_back(traits_of(manifest));
    for (const auto& text : texts.emplace_back(texts_for(manifest)))
      if (!blank(text)) asked.push_back(text);
  }
  const auto vectors = embedder_.embed(asked);
  size_t next = 0;
  const auto write = [&] {
    for (size_t i = 0; i < missing.size(); ++i) {
      Embedder::Vector vector(vectors[next].size());
      for (size_t part = 0; part < texts[i].size(); ++part) {
        if (blank(texts[i][part])) continue;
        const auto& of = vectors[next++];
        for (size_t at = 0; at < std::min(vector.size(), of.size()); ++at)
          vector[at] += text_shares[part] * of[at];
      }
      normalize(vector);
      if (store_.writable()) {
        store_.list(embedder_.model(), missing[i], traits[i], vector);
      } else {
        catalogue_.dimension = vector.size();
        catalogue_.policies.push_back(missing[i]);
        catalogue_.traits.push_back(traits[i]);
        catalogue_.vectors.insert(catalogue_.vectors.end(), vector.begin(), vector.end());
      }
    }
  };
  if (!store_.writable()) return write();
  store_.together([&] {
    // Of an older vocabulary nothing is needed again.
    if (&embedder_ == &vocabulary_) store_.forget_models("builtin-", embedder_.model());
    write();
  });
  catalogue_ = store_.catalogue(embedder_.model());
}

/// The index beside the database, with what came and went since it was saved.
void Search::open_index() {
  const fs::path file =
      state_dir() / ("nearest-" + sha256_hex(embedder_.model()).substr(0, 16) + ".hnsw");
  index_.emplace(VectorIndex::load(file, catalogue_.dimension));
  std::vector<int64_t> come;
  std::vector<float> vectors;
  for (size_t i = 0; i < catalogue_.policies.size(); ++i) {
    if (index_->ids().contains(catalogue_.policies[i])) continue;
    come.push_back(catalogue_.policies[i]);
    vectors.insert(vectors.end(), catalogue_.vector(i),
                   catalogue_.vector(i) + catalogue_.dimension);
  }
  index_->add(come, vectors.data());
  std::vector<int64_t> gone;
  for (const int64_t id : index_->ids())
    if (!places_.contains(id)) gone.push_back(id);
  for (const int64_t id : gone) index_->remove(id);
  if ((!come.empty() || !gone.empty()) && store_.writable()) index_->save(file);
}

bool Search::passes(size_t at, const Filters& filters, const std::set<int64_t>& tagged) const {
  const Traits& traits = catalogue_.traits[at];
  const int64_t id = catalogue_.policies[at];
  if (!filters.kernel.empty() && traits.kernel > kernel_number(filters.kernel)) return false;
  if (filters.cpus > 0 && membership(double(filters.cpus), traits.cpus) < 1) return false;
  if (!filters.tags.empty() && !tagged.contains(id)) return false;
  const auto standing = standings_.find(at);
  const std::string status = standing == standings_.end() ? "offered" : standing->second.first;
  const bool by_people = !filters.status.empty() && filters.status != "rejected";
  return by_people ? status == filters.status : status != "retired";
}

/// How much of `words` each policy has: words that few have count more.
void Search::look_up(const std::vector<std::string>& words, Asked& asked) const {
  asked.words.resize(catalogue_.policies.size());
  asked.hits = store_.match(words);
  double all = 0;
  for (const auto& word : asked.hits) all += word.weight;
  for (const auto& word : asked.hits)
    for (const auto& [id, value] : word.policies)
      if (const auto place = places_.find(id); place != places_.end())
        asked.words[place->second] += word.weight / all * (0.5 + 0.5 * value);
}

std::vector<size_t> Search::shortlist(const Asked& asked) const {
  std::vector<size_t> all(catalogue_.policies.size());
  std::iota(all.begin(), all.end(), size_t{0});
  if (!index_) return all;
  std::set<size_t> some;
  for (const auto& vector : asked.vectors)
    for (const auto& one : index_->nearest(vector.data(), index_neighbours))
      some.insert(places_.at(one.id));
  for (size_t at = 0; at < asked.words.size(); ++at)
    if (asked.words[at] > 0) some.insert(at);
  for (const auto& item : asked.evidence) some.insert(item.at);
  return some.empty() ? all : std::vector<size_t>(some.begin(), some.end());
}

/// How near policies are to what is asked, as shares of the best; 0 for all where even that is
/// below `floor`. What is like the best counts as well, since who asks seldom names all that is
/// meant (Rocchio, Relevance feedback in information retrieval, 1971, with the best taken for
/// relevant).
std::vector<double> Search::nearness(Embedder::Vector asked, const std::vector<size_t>& places,
                                     double floor) const {
  std::vector<double> near(places.size());
  const auto compare = [&] {
    for (size_t i = 0; i < places.size(); ++i)
      near[i] = cosine(asked.data(), catalogue_.vector(places[i]), catalogue_.dimension);
    return std::max_element(near.begin(), near.end());
  };
  auto best = compare();
  if (best == near.end() || *best < floor) return std::vector<double>(places.size());
  const double reach = std::min(1.0, *best / full_meaning);
  const float* first = catalogue_.vector(places[size_t(best - near.begin())]);
  for (size_t i = 0; i < asked.size(); ++i) asked[i] += kin_share * first[i];
  normalize(asked);
  const double most = *compare();
  for (double& one : near) one = most > 0 ? reach * std::max(0.0, one / most) : 0;
  return near;
}

std::vector<Candidate> Search::find(const Query& query, size_t top, double floor,
                                    std::vector<Experience>* refused) {
  const Parts& parts = query.parts;
  const auto words = words_asked(query);
  const bool asked_words = !words.empty();
  Asked asked;
  asked.words.resize(catalogue_.policies.size());
  if (parts.words && asked_words) look_up(telling(words, vocabulary_, store_), asked);
  std::set<int64_t> tagged;
  for (size_t i = 0; i < query.filters.tags.size(); ++i) {
    const auto these = store_.tagged(query.filters.tags[i]);
    if (i == 0) tagged = these;
    std::erase_if(tagged, [&](int64_t id) { return !these.contains(id); });
  }
  asked.memory.resize(catalogue_.policies.size());
  if (parts.memory) recall(query, asked);

  const std::string profile_text =
      query.profile ? described(*query.profile) + (query.goal.empty() ? "" : ", " + query.goal)
                    : "";
  if (parts.meaning && !catalogue_.policies.empty()) {
    std::vector<std::string> texts;
    if (asked_words) texts.push_back(join(words, " "));
    if (!profile_text.empty()) texts.push_back(profile_text);
    asked.vectors = embedder_.embed(texts);
    for (const auto& vector : asked.vectors)
      if (vector.size() != catalogue_.dimension)
        throw unable("the embeddings model answers with vectors of another length than before",
                     "its name stands for another model now; give that another name");
  }
  const size_t profile_at = asked_words ? 1 : 0;

  std::vector<size_t> places = shortlist(asked);
  std::erase_if(places, [&](size_t at) { return !passes(at, query.filters, tagged); });
  if (query.filters.status == "rejected") {
    std::set<size_t> rejected;
    for (const auto& one : store_.rejections())
      if (const auto place = named_.find(one.policy); place != named_.end())
        rejected.insert(place->second);
    std::erase_if(places, [&](size_t at) { return !rejected.contains(at); });
  }
  std::vector<std::vector<double>> near;
  for (size_t i = 0; i < asked.vectors.size(); ++i)
    near.push_back(nearness(asked.vectors[i], places, i == profile_at ? 0 : embedder_.floor()));

  std::vector<Scored> scored;
  const bool promised = query.profile || goal_bit(query.goal);
  const Fit fit(query);
  const double share_of_words =
      query.words.empty() || !query.profile ? words_share_at_goal : words_share;
  for (size_t i = 0; i < places.size(); ++i) {
    Scored one{.at = places[i]};
    double said = 0;
    if (asked_words) {
      if (parts.words) one.words = asked.words[one.at];
      if (parts.meaning) one.meaning = near[0][i];
      said = one.words < 0     ? std::max(one.meaning, 0.0)
             : one.meaning < 0 ? one.words
                               : meaning_share * one.meaning + (1 - meaning_share) * one.words;
    }
    if (!promised) {
      if (said <= 0) continue;
      one.score = said;
    } else {
      one.score = one.fit = parts.fit ? fit.of(catalogue_.traits[one.at]) : 0.5;
      if (profile_at < near.size()) {
        one.score += described_share * (near[profile_at][i] - one.score);
        if (!asked_words) one.meaning = near[profile_at][i];
      }
      if (asked_words) one.score += share_of_words * (said - one.score);
    }
    one.promise = one.score;
    if (const Memory& memory = asked.memory[one.at]; memory.share > 0) {
      one.memory = memory.worth;
      one.score += memory.share * (memory.worth - one.score);
    }
    scored.push_back(one);
  }
  lift(scored, asked);
  std::erase_if(scored, [&](const Scored& one) { return one.score < floor; });
  return offer(std::move(scored), query, asked, top, refused);
}

/// What was tried often gives way a bit; what was promoted is lifted.
void Search::lift(std::vector<Scored>& scored, const Asked& asked) const {
  const double bound = curiosity * std::sqrt(std::log(std::max(1.0, asked.tried / much)));
  double promise = 0, unproven = 0;
  const auto promoted = [&](const Scored& one) {
    const auto standing = standings_.find(one.at);
    return standing != standings_.end() && standing->second.first == "promoted";
  };
  const auto moved = [&](const Scored& one) {
    return asked.memory[one.at].share * (asked.memory[one.at].worth - 0.5);
  };
  for (auto& one : scored) {
    const double tried = asked.memory[one.at].tried;
    one.tired = one.score * bound / (1 + bound) * tried / (1 + tried);
    one.score -= one.tired;
    promise = std::max(promise, one.promise);
    if (!promoted(one) && moved(one) < shown) unproven = std::max(unproven, one.score);
  }
  for (auto& one : scored) {
    if (!promoted(one) || one.promise < fitting * promise || moved(one) <= -shown) continue;
    const double top = std::max(unproven, one.score);
    one.promoted = top + promotion * (1 - top) * one.score - one.score;
    one.score += one.promoted;
  }
  // Less is no difference.
  for (auto& one : scored) one.score = std::round(one.score * 1000) / 1000;
}

/// The best as candidates; of those between them that are not offered, why.
std::vector<Candidate> Search::offer(std::vector<Scored> scored, const Query& query,
                                     const Asked& asked, size_t top,
                                     std::vector<Experience>* refused) const {
  // Of two that are perfect, the one that was promoted.
  std::sort(scored.begin(), scored.end(), [](const Scored& a, const Scored& b) {
    return std::tuple(-a.score, -a.promoted, a.at) < std::tuple(-b.score, -b.promoted, b.at);
  });
  const Fit fit(query);
  const auto& status = query.filters.status;
  const bool all = status == "retired" || status == "rejected";
  std::vector<Candidate> candidates;
  for (const auto& one : scored) {
    if (candidates.size() == top) break;
    const PolicyRow row = store_.policy(catalogue_.policies[one.at]);
    const auto refusal = this->refusal(row, query);
    if (refusal && !all) {
      if (refused) refused->push_back(*refusal);
      continue;
    }
    if (!refusal && status == "rejected") continue;
    candidates.push_back(candidate_of(one, row, query, fit, asked));
    auto& why = candidates.back().why;
    if (refusal) why.insert(why.begin(), "rejected: " + reason_of(*refusal));
  }
  return candidates;
}

Candidate Search::candidate_of(const Scored& scored, const PolicyRow& row, const Query& query,
                               const Fit& fit, const Asked& asked) const {
  const int64_t id = row.id;
  const Manifest& manifest = row.manifest;
  Candidate candidate =
      query.profile ? new_document<Candidate>({&query.profile->header}) : new_document<Candidate>();
  if (!query.goal.empty()) candidate.header.context.goal = query.goal;
  candidate.policy = {manifest.name, manifest.version, path_of(row), manifest.summary};
  candidate.score = scored.score;

  // What was measured first, then what speaks for it, then what against, the weightiest first.
  auto& why = candidate.why;
  std::vector<Item> evidence;
  for (const auto& item : asked.evidence)
    if (item.at == scored.at) evidence.push_back(item);
  std::stable_sort(evidence.begin(), evidence.end(), [](const Item& a, const Item& b) {
    return std::pair(a.precision, a.id) > std::pair(b.precision, b.id);
  });
  for (size_t i = 0; i < evidence.size() && i < 3; ++i)
    why.push_back(memory_sentence(store_.experience(evidence[i].id), evidence[i].like));
  if (const auto earlier = remark_on_earlier(row)) why.push_back(*earlier);
  std::vector<Reason> reasons;
  if (scored.fit >= 0 && query.parts.fit) fit.of(catalogue_.traits[scored.at], &reasons);
  std::vector<std::string> had;
  for (const auto& word : asked.hits) {
    const auto at =
        std::lower_bound(word.policies.begin(), word.policies.end(), std::pair(id, 0.0));
    const std::string shown = bare(word.word);
    if (at != word.policies.end() && at->first == id &&
        std::find(had.begin(), had.end(), shown) == had.end())
      had.push_back(shown);
  }
  if (!had.empty()) reasons.push_back({1, 3, fmt::format("matches {}", join(had, ", "))});
  const auto words = words_asked(query);
  if (scored.meaning > 0 && !words.empty()) {
    const auto meant = vocabulary_.concepts(join(words, " "));
    const auto own = vocabulary_.concepts(texts_for(manifest)[0]);
    std::vector<std::string> shared;
    for (const auto& one : meant)
      if (std::find(own.begin(), own.end(), one) != own.end()) shared.push_back(one);
    reasons.push_back({1, 2.5,
                       shared.empty() ? std::string("means something near to what was asked")
                                      : fmt::format("is about {}", join(shared, ", "))});
  }
  std::erase_if(reasons, [](const Reason& reason) { return reason.text.empty(); });
  std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) {
    return std::pair(a.value == 1, a.weight * std::abs(a.value - 0.5)) >
           std::pair(b.value == 1, b.weight * std::abs(b.value - 0.5));
  });
  for (const auto& reason : reasons) why.push_back((reason.value < 1 ? "but " : "") + reason.text);
  if (const auto standing = standings_.find(scored.at); standing != standings_.end())
    why.push_back(standing->second.first + ": " + excerpt(standing->second.second, 400));

  std::vector<std::string> shares;
  const auto share = [&](const char* name, double value) {
    if (value >= 0) shares.push_back(fmt::format("{} {:.2f}", name, value));
  };
  share("meaning", scored.meaning);
  share("words", scored.words);
  share("fit", scored.fit);
  if (scored.memory >= 0)
    shares.push_back(fmt::format("memory {:.2f} (counts {:.0f} %)", scored.memory,
                                 100 * asked.memory[scored.at].share));
  if (scored.tired >= 0.01) shares.push_back(fmt::format("tried often -{:.2f}", scored.tired));
  if (scored.promoted > 0) shares.push_back(fmt::format("promoted +{:.2f}", scored.promoted));
  why.push_back(fmt::format("score {:.2f} from {}", scored.score, join(shares, ", ")));

  const auto object = object_of(row);
  candidate.knobs = knobs_for(manifest, object ? &*object : nullptr, query, why);
  if (object) {
    if (query.profile && !object->hints().empty() && !query.profile->hints.empty()) {
      for (const auto& hint : query.profile->hints)
        if (candidate.hints.size() < object->hints().front().max_entries && hint.ratio > 0 &&
            !hint.comm.empty() && hint.comm.size() <= 15)
          candidate.hints.push_back(hint);
      why.push_back(fmt::format("expected lengths of {} command names come from the profile",
                                candidate.hints.size()));
    }
    candidate.timeout_ms =
        object->ops().timeout_ms ? int64_t(object->ops().timeout_ms) : kernel_timeout_ms;
  }
  return candidate;
}

}  // namespace schedcp

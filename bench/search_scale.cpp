// SPDX-License-Identifier: MIT
// How the search holds out when there are many policies: 10,000 in a real repository, with what was
// measured of them; and a million vectors in the index against looking at each. All of it is made
// up the same way each time, of the vocabulary's own terms.
//
//   search-scale policies [N]     searches of a repository of N (10,000) policies
//   search-scale vectors [N]      the index over N (1,000,000) vectors
#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <random>

#include "base/time.h"
#include "tools/search/score.h"

using namespace schedcp;

namespace {

std::vector<std::string> terms_of(const fs::path& vocabulary) {
  std::vector<std::string> terms;
  const Json json = Json::parse(read_file(vocabulary));
  for (const auto& one : json["concepts"])
    for (const auto& term : one["terms"]) terms.push_back(term);
  return terms;
}

std::string some(const std::vector<std::string>& terms, size_t count, std::mt19937& random) {
  std::string text;
  for (size_t i = 0; i < count; ++i)
    text += terms[random() % terms.size()] + (i + 1 < count ? ", " : "");
  return text;
}

/// The value that a share of `values` is below.
double percentile(std::vector<double> values, double share) {
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, size_t(share * double(values.size())))];
}

double milliseconds_since(uint64_t start) { return double(monotonic_ns() - start) / 1e6; }

/// How long something takes, by the clock and in CPU time: others may use the machine, too.
class Times {
 public:
  template <class Work>
  void measure(const Work& work) {
    const uint64_t start = monotonic_ns();
    const double cpu = cpu_ms();
    work();
    cpu_ms_.push_back(cpu_ms() - cpu);
    wall_ms_.push_back(milliseconds_since(start));
  }
  Json json() const {
    return {{"n", wall_ms_.size()},
            {"p50_ms", percentile(wall_ms_, 0.5)},
            {"p99_ms", percentile(wall_ms_, 0.99)},
            {"cpu_p50_ms", percentile(cpu_ms_, 0.5)},
            {"cpu_p99_ms", percentile(cpu_ms_, 0.99)}};
  }

 private:
  static double cpu_ms() {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return double(now.tv_sec) * 1e3 + double(now.tv_nsec) / 1e6;
  }
  std::vector<double> wall_ms_, cpu_ms_;
};

PolicyRow made_up(size_t number, const std::vector<std::string>& terms, std::mt19937& random) {
  static const char* const labels[] = {"batch",   "long_tail_batch", "fork_storm",
                                       "latency", "interactive",     "mixed"};
  static const char* const goals[] = {"makespan", "latency", "throughput", "mean_completion"};
  PolicyRow row;
  row.origin = "builtin";
  Manifest& manifest = row.manifest;
  manifest.name = fmt::format("policy-{:05}", number);
  manifest.version = "1";
  manifest.summary = "For " + some(terms, 4, random) + ".";
  manifest.description = some(terms, 12, random) + ".";
  for (int i = 0; i < 3; ++i) manifest.suits.push_back(some(terms, 3, random));
  manifest.unsuited = {some(terms, 3, random)};
  for (int i = 0; i < 4; ++i) manifest.tags.push_back(terms[random() % terms.size()]);
  manifest.labels = {labels[random() % std::size(labels)]};
  manifest.goals = {goals[random() % std::size(goals)]};
  manifest.signature["tail_ratio"] = {double(random() % 20), std::nullopt};
  manifest.signature["sleep_share"] = {std::nullopt, double(random() % 100) / 100};
  manifest.signature["cpu_demand"] = {double(random() % 4), std::nullopt};
  row.manifest_json = dump(to_json_value(manifest));
  row.digest = digest_of(row);
  return row;
}

Profile profile_of(size_t number, std::mt19937& random) {
  static const char* const labels[] = {"batch", "long_tail_batch", "latency", "mixed"};
  auto profile = new_document<Profile>();
  profile.header.context.command = {"./work", std::to_string(number)};
  profile.header.context.goal = "makespan";
  profile.classification = {labels[random() % std::size(labels)], 0.8, {}};
  Features& features = profile.features;
  features.tail_ratio = double(random() % 40) + 1;
  features.longest_share = double(random() % 100) / 100;
  features.sleep_share = double(random() % 100) / 100;
  features.cpu_demand = double(random() % 60) / 10;
  features.wakeup_rate_hz = double(random() % 4000);
  features.tasks = double(random() % 200);
  return profile;
}

Json policies(size_t count, Vocabulary& vocabulary, const std::vector<std::string>& terms) {
  constexpr size_t workloads = 50, experiences = 20'000, searches = 1000;
  std::mt19937 random(11);
  TempDir dir;
  setenv("SCHEDCP_STATE_DIR", dir.path().c_str(), 1);
  Json report{{"policies", count}, {"workloads", workloads}, {"experiences", experiences}};
  std::vector<Profile> profiles;
  for (size_t i = 0; i < workloads; ++i) profiles.push_back(profile_of(i, random));
  {
    // One transaction each, as they come: but nobody waits for the disk here.
    Store store = Store::open(dir.path(), Store::Access::write);
    for (size_t i = 0; i < count; ++i) store.put(made_up(i, terms, random));
    for (const auto& profile : profiles)
      store.remember({fingerprint_of(profile.header.context), profile.header.context.command,
                      profile.classification.label, profile.features});
    for (size_t i = 0; i < experiences; ++i) {
      const Profile& of = profiles[random() % workloads];
      auto one = new_document<Experience>({&of.header});
      one.workload = fingerprint_of(of.header.context);
      one.policy = fmt::format("policy-{:05}", random() % count);
      one.goal = "makespan";
      const double ratio = 0.6 + double(random() % 100) / 100;
      one.verdict = ratio < 0.95 ? "better" : ratio > 1.05 ? "worse" : "no_difference";
      one.ratio = Quantity{6, ratio, ratio - 0.05, ratio + 0.05};
      one.runs = 6;
      one.measured = one.header.created;
      store.remember(one, one.header.id);
    }
  }
  Store store = Store::open(dir.path(), Store::Access::write);
  uint64_t start = monotonic_ns();
  {
    Search first(store, vocabulary, vocabulary);
  }
  report["listing_all_ms"] = milliseconds_since(start);
  Times opening, words, profiled;
  for (int i = 0; i < 20; ++i)
    opening.measure([&] { Search search(store, vocabulary, vocabulary); });
  Search search(store, vocabulary, vocabulary);
  for (size_t i = 0; i < searches; ++i) {
    const std::string text = some(terms, 1 + random() % 5, random);
    words.measure([&] { search.find({{}, {text}, ""}, 3); });
    const Profile& profile = profiles[random() % workloads];
    profiled.measure([&] { search.find({profile, {}, "makespan"}, 3); });
  }
  report["opening"] = opening.json();
  report["words"] = words.json();
  report["profiles"] = profiled.json();
  return report;
}

Json vectors(size_t count, Vocabulary& vocabulary, const std::vector<std::string>& terms) {
  constexpr size_t searches = 200, wanted = 10, dimension = Vocabulary::dimension;
  std::mt19937 random(13);
  std::vector<float> all;
  all.reserve(count * dimension);
  VectorIndex index(dimension);
  uint64_t start = monotonic_ns();
  for (size_t from = 0; from < count; from += 50'000) {
    std::vector<int64_t> ids;
    for (size_t i = from; i < std::min(count, from + 50'000); ++i) {
      const auto vector = vocabulary.embed({some(terms, 6 + random() % 12, random)})[0];
      all.insert(all.end(), vector.begin(), vector.end());
      ids.push_back(int64_t(i));
    }
    index.add(ids, &all[from * dimension]);
    fmt::print(stderr, "{} vectors after {:.0f} s\n", ids.back() + 1,
               milliseconds_since(start) / 1e3);
  }
  Json report{{"vectors", count},
              {"dimension", dimension},
              {"building_s", milliseconds_since(start) / 1e3}};
  std::vector<Embedder::Vector> asked;
  std::vector<std::set<int64_t>> nearest;
  Times exact;
  for (size_t i = 0; i < searches; ++i) {
    asked.push_back(vocabulary.embed({some(terms, 2 + random() % 8, random)})[0]);
    std::vector<std::pair<double, int64_t>> found;
    exact.measure([&] {
      for (size_t at = 0; at < count; ++at)
        found.emplace_back(-cosine(asked[i].data(), &all[at * dimension], dimension), at);
      std::partial_sort(found.begin(), found.begin() + wanted, found.end());
    });
    auto& of = nearest.emplace_back();
    for (size_t at = 0; at < wanted; ++at) of.insert(found[at].second);
  }
  report["exact"] = exact.json();
  for (const size_t effort : {100, 200, 400, 800}) {
    Times times;
    size_t same = 0;
    for (size_t i = 0; i < searches; ++i) {
      std::vector<VectorIndex::Neighbour> found;
      times.measure([&] { found = index.nearest(asked[i].data(), wanted, effort); });
      for (const auto& one : found) same += nearest[i].contains(one.id);
    }
    Json of = times.json();
    of["effort"] = effort;
    of["recall_at_10"] = double(same) / double(searches * wanted);
    report["index"].push_back(of);
  }
  const TempDir dir;
  start = monotonic_ns();
  index.save(dir.path() / "index");
  report["saving_s"] = milliseconds_since(start) / 1e3;
  start = monotonic_ns();
  const VectorIndex loaded = VectorIndex::load(dir.path() / "index", dimension);
  report["loading_s"] = milliseconds_since(start) / 1e3;
  SCHEDCP_ASSERT(loaded.ids().size() == count);
  return report;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc > 1 ? argv[1] : "";
  const fs::path file = fs::path(SCHEDCP_SOURCE_DIR) / "tools/search/vocabulary.json";
  const size_t asked = argc > 2 ? size_t(std::atoll(argv[2])) : 0;
  try {
    Vocabulary vocabulary(file);
    const auto terms = terms_of(file);
    if (what == "policies")
      fmt::print("{}\n", dump(policies(asked ? asked : 10'000, vocabulary, terms)));
    else if (what == "vectors")
      fmt::print("{}\n", dump(vectors(asked ? asked : 1'000'000, vocabulary, terms)));
    else
      throw usage_error("say 'policies' or 'vectors'");
  } catch (const Error& error) {
    fmt::print(stderr, "search-scale: {}\n", error.what());
    return int(error.code);
  }
}

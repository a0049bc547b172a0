// SPDX-License-Identifier: MIT
// Asks the search what tests/data/search asks, prints how many answers are good, and how many still
// are when a part of the score is left out. Of those that are held out it never says which failed:
// the search must not be fitted to them.
//
//   search-quality POLICIES QUERIES PROFILES
#include <fmt/format.h>

#include <cstdio>

#include "quality.h"

using namespace schedcp;

namespace {

struct Variant {
  const char* name;
  Parts parts;
};

const Variant variants[] = {{"all", {}},
                            {"without meaning", {.meaning = false}},
                            {"without words", {.words = false}},
                            {"without fit", {.fit = false}},
                            {"without memory", {.memory = false}},
                            {"meaning only", {.words = false, .fit = false, .memory = false}},
                            {"words only", {.meaning = false, .fit = false, .memory = false}},
                            {"fit only", {.meaning = false, .words = false, .memory = false}}};

void report(const std::string& what, Search& search, const std::vector<Judged>& judged) {
  std::vector<Judged> halves[2];
  for (const auto& one : judged) halves[one.held_out].push_back(one);
  fmt::print("{}: {} to tune by, {} held out\n", what, halves[0].size(), halves[1].size());
  for (const char* title : {"", "hit@3", "recall@3", "nDCG@5"}) fmt::print("{:<24}", title);
  fmt::print("\n");
  std::vector<std::string> missed;
  for (const auto& variant : variants) {
    const bool whole = &variant == variants;
    const Quality all = quality_of(search, judged, variant.parts),
                  tuned = quality_of(search, halves[0], variant.parts, whole ? &missed : nullptr),
                  held = quality_of(search, halves[1], variant.parts);
    fmt::print("{:<24}", variant.name);
    for (double Quality::* of : {&Quality::hit_at_3, &Quality::recall_at_3, &Quality::ndcg_at_5})
      fmt::print("{:<24}", fmt::format("{:.3f} ({:.3f}, {:.3f})", all.*of, tuned.*of, held.*of));
    fmt::print("\n");
  }
  for (const auto& one : missed) fmt::print("  missed {}\n", one);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: search-quality POLICIES QUERIES PROFILES\n");
    return 2;
  }
  try {
    Vocabulary vocabulary(fs::path(SCHEDCP_SOURCE_DIR) / "tools/search/vocabulary.json");
    Store store = Store::in_memory();
    refresh_builtins(store, argv[1]);
    Search search(store, vocabulary, vocabulary);
    fmt::print("All; in brackets those to tune by, and those held out.\n");
    report("queries", search, read_queries(argv[2]));
    report("profiles", search, read_profiles(argv[3]));
  } catch (const Error& error) {
    fmt::print(stderr, "search-quality: {}\n", error.what());
    return int(error.code);
  }
}

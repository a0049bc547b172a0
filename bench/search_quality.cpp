// SPDX-License-Identifier: MIT
// Asks the search what tests/data/search asks, prints how many answers are good, and how many still
// are when a part of the score is left out.
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

void report(const char* what, Search& search, const std::vector<Judged>& judged) {
  fmt::print("{} {}\n{:<18}{:>8}{:>10}{:>8}\n", judged.size(), what, "", "hit@3", "recall@3",
             "nDCG@5");
  std::vector<std::string> missed;
  for (const auto& variant : variants) {
    const Quality of =
        quality_of(search, judged, variant.parts, &variant == variants ? &missed : nullptr);
    fmt::print("{:<18}{:>8.3f}{:>10.3f}{:>8.3f}\n", variant.name, of.hit_at_3, of.recall_at_3,
               of.ndcg_at_5);
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
    report("queries", search, read_queries(argv[2]));
    report("profiles", search, read_profiles(argv[3]));
  } catch (const Error& error) {
    fmt::print(stderr, "search-quality: {}\n", error.what());
    return int(error.code);
  }
}

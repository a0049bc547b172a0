// SPDX-License-Identifier: MIT
// Finding policies: words, and what is listed of each under a model of vectors.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "auth/digest.h"
#include "store/store.h"

namespace schedcp {
namespace {

/// Where so many have a word it says little, and bm25 takes its time to tell how little.
constexpr size_t most_ranked = 400;

/// As an FTS5 string, so that nothing in a word is syntax; a prefix, so that "fair" finds
/// "fairness" beyond what stemming joins. Short words begin too much: "c state" is no "cache".
std::string phrase(const std::string& word) {
  constexpr size_t shortest_prefix = 4;
  std::string quoted = "\"";
  for (const char c : word) quoted += c == '"' ? "\"\"" : std::string(1, c);
  const auto last = std::find_if(word.rbegin(), word.rend(),
                                 [](unsigned char c) { return c < 128 && !isalnum(c); });
  return quoted + (last - word.rbegin() >= long(shortest_prefix) ? "\"*" : "\"");
}

/// Only letters and digits are indexed; a word without any is a syntax error to FTS5.
bool has_letters(const std::string& word) {
  return std::any_of(word.begin(), word.end(),
                     [](unsigned char c) { return c > 127 || isalnum(c); });
}

std::string bytes_of(const std::vector<float>& vector) {
  return {reinterpret_cast<const char*>(vector.data()), vector.size() * sizeof(float)};
}

}  // namespace

/// How telling the word is in each policy, by bm25.
void Store::rank(WordHits& hits, const std::string& sought) {
  // bm25() is negative, the better the more; weights: name, summary, tags, suits, ...
  Statement statement(db_,
                      "SELECT rowid, bm25(policy_words, 10, 4, 6, 4, 2, 2) FROM policy_words "
                      "WHERE policy_words MATCH ? ORDER BY rowid",
                      sought);
  // Read anew: others may have written meanwhile.
  hits.policies.clear();
  double best = 0;
  while (statement.step()) {
    hits.policies.emplace_back(statement.integer(0), std::max(0.0, -statement.real(1)));
    best = std::max(best, hits.policies.back().second);
  }
  for (auto& [id, value] : hits.policies) value = best > 0 ? value / best : 1;
}

std::vector<WordHits> Store::match(const std::vector<std::string>& words) {
  Statement count(db_, "SELECT count(*) FROM policies WHERE current");
  count.step();
  const auto all = double(count.integer(0));
  std::vector<WordHits> matches;
  for (const auto& word : words) {
    if (!has_letters(word)) continue;
    WordHits hits{word, {}, 0};
    const std::string sought = phrase(word);
    Statement which(db_, "SELECT rowid FROM policy_words WHERE policy_words MATCH ? ORDER BY rowid",
                    sought);
    while (which.step()) hits.policies.emplace_back(which.integer(0), 0.5);
    if (hits.policies.empty()) continue;
    hits.weight = std::log1p(all / double(hits.policies.size()));
    if (hits.policies.size() <= most_ranked) rank(hits, sought);
    matches.push_back(std::move(hits));
  }
  return matches;
}

std::set<int64_t> Store::tagged(const std::string& tag) {
  std::set<int64_t> ids;
  if (!has_letters(tag)) return ids;
  // The words of the tag are looked up, then compared with the tags as they are written.
  Statement statement(db_,
                      "SELECT p.id FROM policy_words w JOIN policies p ON p.id = w.rowid "
                      "WHERE policy_words MATCH ?1 AND ?2 IN "
                      "(SELECT value FROM json_each(p.manifest, '$.tags'))",
                      "tags : " + phrase(tag), tag);
  while (statement.step()) ids.insert(statement.integer(0));
  return ids;
}

Catalogue Store::catalogue(const std::string& model) {
  Catalogue all;
  Statement statement(db_, "SELECT policy, traits, vector FROM catalogue WHERE model = ?", model);
  while (statement.step()) {
    const std::string_view traits = statement.view(1), vector = statement.view(2);
    if (traits.size() != sizeof(Traits) || (all.dimension && vector.size() != all.dimension))
      throw unable("the repository lists a policy in a form of before",
                   "schedcp-search check tells more");
    all.dimension = vector.size();
    all.policies.push_back(statement.integer(0));
    std::memcpy(&all.traits.emplace_back(), traits.data(), sizeof(Traits));
    unpack(vector, all.vectors);
  }
  return all;
}

std::vector<int64_t> Store::unlisted(const std::string& model) {
  // What is listed is current: equal numbers are equal sets, and quicker to compare.
  Statement count(db_,
                  "SELECT (SELECT count(*) FROM policies WHERE current) - "
                  "(SELECT count(*) FROM catalogue WHERE model = ?)",
                  model);
  count.step();
  if (count.integer(0) == 0) return {};
  std::vector<int64_t> ids;
  Statement statement(db_,
                      "SELECT id FROM policies p WHERE current AND NOT EXISTS (SELECT 1 FROM "
                      "catalogue WHERE model = ? AND policy = p.id) ORDER BY id",
                      model);
  while (statement.step()) ids.push_back(statement.integer(0));
  return ids;
}

void Store::list(const std::string& model, int64_t policy, const Traits& traits,
                 const std::vector<float>& vector) {
  Statement(db_,
            "INSERT OR REPLACE INTO catalogue SELECT ?1, id, ?3, ?4 FROM policies "
            "WHERE current AND id = ?2",
            model, policy, std::string_view(reinterpret_cast<const char*>(&traits), sizeof traits),
            packed(vector))
      .run();
}

void Store::together(const std::function<void()>& work) {
  Transaction transaction(db_);
  work();
  transaction.commit();
}

void Store::forget_models(const std::string& prefix, const std::string& model) {
  Statement(db_, "DELETE FROM catalogue WHERE substr(model, 1, length(?1)) = ?1 AND model <> ?2",
            prefix, model)
      .run();
}

std::optional<std::vector<float>> Store::embedding(const std::string& model,
                                                   const std::string& text) {
  Statement statement(db_, "SELECT vector FROM embeddings WHERE model = ? AND text = ?", model,
                      sha256_hex(text));
  if (!statement.step()) return std::nullopt;
  const std::string_view bytes = statement.view(0);
  std::vector<float> vector(bytes.size() / sizeof(float));
  std::memcpy(vector.data(), bytes.data(), vector.size() * sizeof(float));
  return vector;
}

void Store::keep_embeddings(const std::string& model, const std::vector<std::string>& texts,
                            const std::vector<std::vector<float>>& vectors) {
  Transaction transaction(db_);
  for (size_t i = 0; i < texts.size(); ++i)
    Statement(db_, "INSERT OR REPLACE INTO embeddings VALUES (?, ?, ?)", model,
              sha256_hex(texts[i]), bytes_of(vectors[i]))
        .run();
  transaction.commit();
}

}  // namespace schedcp

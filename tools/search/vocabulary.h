// SPDX-License-Identifier: MIT
// The built-in embedder: offline, deterministic, nothing to download. It knows what words of the
// field mean the same (vocabulary.json) and takes misspelt ones for what they are nearest to.
#pragma once

#include <map>
#include <set>
#include <unordered_map>

#include "base/paths.h"
#include "embedder.h"

namespace schedcp {

class Vocabulary : public Embedder {
 public:
  /// Reads vocabulary.json; throws unable when it is not sound.
  explicit Vocabulary(const fs::path& file);
  Vocabulary(const Vocabulary&) = delete;

  /// The one that came with schedcp.
  static fs::path installed() { return share_dir() / "search/vocabulary.json"; }

  const std::string& model() const override { return model_; }
  std::vector<Vector> embed(const std::vector<std::string>& texts) override;
  double floor() const override { return 0.25; }
  std::vector<std::string> concepts(const std::string& text) const override;

  /// Whether a word only holds a sentence together ("the", "which").
  bool is_stop_word(const std::string& word) const { return stop_.contains(word); }

  static constexpr size_t dimension = 256;
  static constexpr size_t most_concepts = 192;  ///< the rest is for letters of unknown words

 private:
  struct Concept {
    std::string name;
    double weight = 1;
    std::map<size_t, double> near;
  };
  /// What a text names: how often and how surely; below zero what it says not to be about.
  struct Reading {
    std::map<size_t, double> concepts;
    std::map<std::string, double> unknown;
  };
  /// A word of a text as terms have it.
  struct Token {
    std::string stem;
    double weight = 1;  ///< less when it was misspelt or is said in passing
  };
  using Phrases = std::set<std::string>;  ///< stems joined with a space

  Reading read(const std::string& text) const;
  void read_clause(const std::vector<std::string>& words, Reading& reading) const;
  std::vector<Token> tokens_of(const std::vector<std::string>& words) const;
  void weigh(std::vector<Token>& tokens) const;
  std::string stems_of(const std::string& phrase) const;
  const std::string& meant_by(const std::string& stem) const;

  std::string model_;
  std::vector<Concept> concepts_;
  std::unordered_map<std::string, std::vector<size_t>> terms_;  ///< by stems joined with a space
  std::unordered_map<std::string, size_t> longest_;  ///< words of the longest term, by its first
  std::set<std::string> stop_, skipped_;             ///< words
  std::set<std::string> common_, aside_, known_;     ///< stems; known are all of the file
  Phrases dismissing_, dismissed_;
  /// What misspelt words were taken for, as texts repeat them.
  mutable std::unordered_map<std::string, std::string> misspelt_;
};

/// Words of a text: lower case, letters and digits, the rest separates.
std::vector<std::string> words_of(const std::string& text);
/// The same by clause: what stands between full stops, commas and the like.
std::vector<std::vector<std::string>> clauses_of(const std::string& text);
/// A word without its ending: "scheduling", "schedules" and "scheduled" are the same, and so are
/// "centralised" and "centralized".
std::string stem(std::string word);
/// How many letters must be changed, added, left out or swapped with their neighbour, at most
/// `limit` + 1.
size_t edits(const std::string& one, const std::string& other, size_t limit);

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// A text is read for terms of the vocabulary, the longest first: "tail latency" is one thing, not
// two. Each concept has an axis of its own; naming it moves the vector along that axis, and less
// along those of the concepts near it, so that "snappy" and "wake-up latency" point in like
// directions though they share no word. A misspelt term counts as the term it was meant to be. What
// is no word of the field at all (a product's name) is spread over the remaining axes by its
// letters, three at a time, lightly: it can tell likes apart but never outweighs a meaning.
#include "vocabulary.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "auth/digest.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr double misspelt_weight = 0.8;
constexpr double letters_weight = 0.35;
constexpr size_t shortest_misspelt = 6;  // shorter words have too many neighbours

struct VocabularyConcept {
  std::string id;
  double weight = 1;
  std::vector<std::string> terms;
  std::map<std::string, double> near;
  static constexpr auto fields() {
    return std::tuple{required("id", &VocabularyConcept::id, "Its name."),
                      optional("weight", &VocabularyConcept::weight, "How much it tells."),
                      required("terms", &VocabularyConcept::terms, "Words for it."),
                      required("near", &VocabularyConcept::near, "How close others are to it.")};
  }
};

struct VocabularyFile {
  int64_t version = 0;
  std::string stop, common;
  std::vector<VocabularyConcept> concepts;
  static constexpr auto fields() {
    return std::tuple{
        required("version", &VocabularyFile::version, "Counts up with every change."),
        required("stop", &VocabularyFile::stop, "Words that only hold sentences together."),
        required("common", &VocabularyFile::common, "Words that every text of the field has."),
        required("concepts", &VocabularyFile::concepts, "What can be meant.")};
  }
};

/// FNV-1a: the same on every machine, unlike std::hash.
uint32_t hash_of(std::string_view text) {
  uint32_t hash = 0x811c9dc5;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x01000193;
  return hash;
}

std::string joined_stems(const std::vector<std::string>& stems, size_t from, size_t count) {
  std::string joined;
  for (size_t i = from; i < from + count; ++i) joined += (i > from ? " " : "") + stems[i];
  return joined;
}

bool ends(const std::string& word, std::string_view end, size_t at_least) {
  return word.size() >= end.size() + at_least && word.ends_with(end);
}

}  // namespace

double cosine(const float* one, const float* other, size_t dimension) {
  float sum = 0;
  for (size_t i = 0; i < dimension; ++i) sum += one[i] * other[i];
  return double(sum);
}

void normalize(Embedder::Vector& vector) {
  const double length = std::sqrt(cosine(vector.data(), vector.data(), vector.size()));
  if (length > 0)
    for (float& value : vector) value = float(value / length);
}

std::vector<std::string> words_of(const std::string& text) {
  std::vector<std::string> words;
  std::string word;
  for (const unsigned char c : text) {
    if (std::isalnum(c) || c > 127) {
      word += char(std::tolower(c));
    } else if (c == '\'') {
      // "don't" and "isn't" are one word.
    } else if (!word.empty()) {
      words.push_back(std::move(word));
      word.clear();
    }
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

std::string stem(std::string word) {
  const auto cut = [&](size_t letters) { word.resize(word.size() - letters); };
  if (ends(word, "ies", 2)) {
    cut(3);
    word += 'y';
  } else if (ends(word, "sses", 1) || ends(word, "ches", 1) || ends(word, "shes", 1) ||
             ends(word, "xes", 1)) {
    cut(2);
  } else if (ends(word, "s", 3) && !word.ends_with("ss") && !word.ends_with("us") &&
             !word.ends_with("is")) {
    cut(1);
  }
  const size_t before = word.size();
  if (ends(word, "ing", 3))
    cut(3);
  else if (ends(word, "ed", 3))
    cut(2);
  else if (ends(word, "ly", 4))
    cut(2);
  if (word.size() < before && word.size() > 3 && word.back() == word[word.size() - 2] &&
      std::string_view("lsz").find(word.back()) == std::string_view::npos)
    cut(1);
  if (ends(word, "e", 3)) cut(1);
  return word;
}

size_t edits(const std::string& one, const std::string& other, size_t limit) {
  if (one.size() > other.size() + limit || other.size() > one.size() + limit) return limit + 1;
  std::vector<size_t> before, row(other.size() + 1), next(other.size() + 1);
  for (size_t j = 0; j <= other.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= one.size(); ++i) {
    next[0] = i;
    for (size_t j = 1; j <= other.size(); ++j) {
      next[j] = std::min({row[j] + 1, next[j - 1] + 1, row[j - 1] + (one[i - 1] != other[j - 1])});
      if (i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1])
        next[j] = std::min(next[j], before[j - 2] + 1);
    }
    before = row;
    row = next;
  }
  return std::min(row.back(), limit + 1);
}

Vocabulary::Vocabulary(const fs::path& file) {
  const std::string text = read_file(file);
  VocabularyFile content;
  try {
    parse_value(Json::parse(text), content, "");
  } catch (const std::exception& error) {
    throw unable("'" + file.string() + "' is not sound: " + error.what(), "install schedcp anew");
  }
  model_ = "builtin-" + std::to_string(content.version) + "-" + sha256_hex(text).substr(0, 8);
  for (auto& word : split(content.stop, ' ')) stop_.insert(word);
  for (auto& word : split(content.common, ' ')) common_.insert(stem(word));
  std::map<std::string, size_t> by_id;
  for (size_t i = 0; i < content.concepts.size(); ++i) by_id[content.concepts[i].id] = i;
  if (by_id.size() != content.concepts.size() || by_id.size() > most_concepts)
    throw unable("'" + file.string() + "' names a concept twice or has more than " +
                 std::to_string(most_concepts));
  for (const auto& from : content.concepts) {
    Concept& to = concepts_.emplace_back();
    to.name = from.id;
    std::replace(to.name.begin(), to.name.end(), '_', ' ');
    to.weight = from.weight;
    for (const auto& [id, near] : from.near) {
      if (!by_id.contains(id))
        throw unable("'" + file.string() + "': '" + from.id + "' is near to an unknown '" + id +
                     "'");
      to.near[by_id[id]] = near;
    }
    for (const auto& term : from.terms) {
      std::vector<std::string> stems;
      for (auto& word : words_of(term)) stems.push_back(stem(word));
      longest_term_ = std::max(longest_term_, stems.size());
      auto& meant = terms_[joined_stems(stems, 0, stems.size())];
      if (meant.empty() || meant.back() != concepts_.size() - 1)
        meant.push_back(concepts_.size() - 1);
    }
  }
}

const std::vector<size_t>* Vocabulary::nearest_term(const std::string& word) const {
  if (word.size() < shortest_misspelt) return nullptr;
  const auto [known, fresh] = misspelt_.try_emplace(word, nullptr);
  if (!fresh) return known->second;
  const size_t limit = word.size() < 8 ? 1 : 2;
  const std::vector<size_t>* best = nullptr;
  size_t fewest = limit + 1;
  // Those with the same first letter stand together.
  for (auto at = terms_.lower_bound(word.substr(0, 1)); at != terms_.end(); ++at) {
    if (at->first[0] != word[0]) break;
    if (at->first.size() < shortest_misspelt - 1) continue;
    const size_t changed = edits(word, at->first, limit);
    if (changed < fewest) {
      fewest = changed;
      best = &at->second;
    }
  }
  return known->second = best;
}

Vocabulary::Reading Vocabulary::read(const std::string& text) const {
  const auto words = words_of(text);
  std::vector<std::string> stems;
  for (const auto& word : words) stems.push_back(stem(word));
  Reading reading;
  const auto name = [&](const std::vector<size_t>& meant, double weight) {
    for (const size_t one : meant) reading.concepts[one] += weight / double(meant.size());
  };
  for (size_t at = 0; at < words.size();) {
    size_t taken = 0;
    for (size_t count = std::min(longest_term_, words.size() - at); count > 0 && !taken; --count) {
      const auto term = terms_.find(joined_stems(stems, at, count));
      if (term == terms_.end()) continue;
      name(term->second, 1);
      taken = count;
    }
    if (!taken && !stop_.contains(words[at]) && !common_.contains(stems[at])) {
      if (const auto* meant = nearest_term(stems[at]))
        name(*meant, misspelt_weight);
      else if (words[at].size() > 2)
        reading.unknown[stems[at]] += 1;
    }
    at += std::max<size_t>(taken, 1);
  }
  return reading;
}

std::vector<Embedder::Vector> Vocabulary::embed(const std::vector<std::string>& texts) {
  std::vector<Vector> vectors;
  for (const auto& text : texts) {
    const Reading reading = read(text);
    Vector& vector = vectors.emplace_back(dimension);
    for (const auto& [concept_at, times] : reading.concepts) {
      const Concept& meant = concepts_[concept_at];
      // Said twice is not twice as much.
      const double amount = meant.weight * std::sqrt(times);
      vector[concept_at] += float(amount);
      for (const auto& [other, near] : meant.near) vector[other] += float(amount * near);
    }
    Vector letters(dimension);
    for (const auto& [word, times] : reading.unknown) {
      const std::string framed = "^" + word + "$";
      const double amount = std::sqrt(times / double(framed.size() - 2));
      for (size_t i = 0; i + 3 <= framed.size(); ++i) {
        const uint32_t hash = hash_of(std::string_view(framed).substr(i, 3));
        letters[most_concepts + hash % (dimension - most_concepts)] +=
            float(hash & 0x10000 ? amount : -amount);
      }
    }
    normalize(letters);
    const bool meaning = !reading.concepts.empty();
    normalize(vector);
    for (size_t i = most_concepts; i < dimension; ++i)
      vector[i] = letters[i] * float(meaning ? letters_weight : 1);
    normalize(vector);
  }
  return vectors;
}

std::vector<std::string> Vocabulary::concepts(const std::string& text) const {
  std::vector<std::string> names;
  for (const auto& [at, times] : read(text).concepts) names.push_back(concepts_[at].name);
  return names;
}

}  // namespace schedcp

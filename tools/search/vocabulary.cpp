// SPDX-License-Identifier: MIT
// A text is read clause by clause for terms of the vocabulary, the longest first: "tail latency" is
// one thing, not two. Each concept has an axis of its own; naming it moves the vector along that
// axis, and less along those of the concepts near it, so that "snappy" and "wake-up latency" point
// in like directions though they share no word. What is said in passing ("while it compiles")
// counts half, what is said not to matter ("I do not care how long it takes") against. A misspelt
// word counts as the word it was meant to be. What is no word of the field at all (a product's
// name) is spread over the remaining axes by its letters, three at a time, lightly: it can tell
// likes apart but never outweighs a meaning.
#include "vocabulary.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numeric>

#include "auth/digest.h"
#include "doc/document.h"

namespace schedcp {
namespace {

constexpr double misspelt_weight = 0.8;
constexpr double aside_weight = 0.5;
constexpr double dismissed_weight = -0.5;
constexpr unsigned long many = 24;  // "96 cores" are many cores, "8 cores" are not
constexpr double letters_weight = 0.35;
constexpr size_t shortest_misspelt = 7;  // shorter words have too many neighbours

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
  std::string stop, common, skip, aside;
  std::vector<std::string> dismissing, dismissed;
  std::vector<VocabularyConcept> concepts;
  static constexpr auto fields() {
    return std::tuple{
        required("version", &VocabularyFile::version, "Counts up with every change."),
        required("stop", &VocabularyFile::stop, "Words that only hold sentences together."),
        required("common", &VocabularyFile::common, "Words that every text of the field has."),
        optional("skip", &VocabularyFile::skip, "Words that may stand within a term."),
        optional("aside", &VocabularyFile::aside, "What follows them is said in passing."),
        optional("dismissing", &VocabularyFile::dismissing, "What follows them does not matter."),
        optional("dismissed", &VocabularyFile::dismissed, "What precedes them does not matter."),
        required("concepts", &VocabularyFile::concepts, "What can be meant.")};
  }
};

/// FNV-1a: the same on every machine, unlike std::hash.
uint32_t hash_of(std::string_view text) {
  uint32_t hash = 0x811c9dc5;
  for (const unsigned char c : text) hash = (hash ^ c) * 0x01000193;
  return hash;
}

bool is_number(const std::string& word) {
  return !word.empty() &&
         std::all_of(word.begin(), word.end(), [](unsigned char c) { return std::isdigit(c); });
}

template <class Tokens>
std::string joined(const Tokens& tokens, size_t from, size_t count) {
  std::string text;
  for (size_t i = from; i < from + count; ++i) text += (i > from ? " " : "") + tokens[i].stem;
  return text;
}

bool ends(const std::string& word, std::string_view end, size_t at_least) {
  return word.size() >= end.size() + at_least && word.ends_with(end);
}

}  // namespace

double cosine(const float* one, const float* other, size_t dimension) {
  // Sums that need not wait for each other, as many as fit into registers.
  constexpr size_t lanes = 16;
  std::array<float, lanes> sums{};
  size_t from = 0;
  for (; from + lanes <= dimension; from += lanes)
    for (size_t i = 0; i < lanes; ++i) sums[i] += one[from + i] * other[from + i];
  for (; from < dimension; ++from) sums[0] += one[from] * other[from];
  return double(std::accumulate(sums.begin(), sums.end(), 0.0F));
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

std::vector<std::vector<std::string>> clauses_of(const std::string& text) {
  std::vector<std::vector<std::string>> clauses;
  size_t from = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    // In "p99.9" and "16,6" no clause ends.
    const bool last = at + 1 >= text.size();
    const bool end = last || text[at] == '(' || text[at] == ')' ||
                     (std::string_view(".,;:!?").find(text[at]) != std::string_view::npos &&
                      std::isspace(static_cast<unsigned char>(text[at + 1])));
    if (!end) continue;
    clauses.push_back(words_of(text.substr(from, at + 1 - from)));
    from = at + 1;
  }
  return clauses;
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
  if (ends(word, "isation", 3)) word[word.size() - 6] = 'z';
  if (ends(word, "ing", 3))
    cut(3);
  else if (ends(word, "ed", 3))
    cut(2);
  else if (ends(word, "ly", 4))
    cut(2);
  if (word.size() < before && word.size() > 3 && word.back() == word[word.size() - 2] &&
      std::string_view("lsz").find(word.back()) == std::string_view::npos)
    cut(1);
  const bool bare = word.size() == before;
  if (ends(word, "e", 3))
    cut(1);
  else if (bare)
    return word;
  if (ends(word, "is", 4)) word.back() = 'z';
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
  for (auto& word : split(content.skip, ' ')) skipped_.insert(word);
  const auto stems = [](const std::string& words) {
    std::set<std::string> all;
    for (auto& word : split(words, ' ')) all.insert(stem(word));
    return all;
  };
  for (auto& word : split(content.stop, ' ')) stop_.insert(word);
  aside_ = stems(content.aside);
  common_ = stems(content.stop + " " + content.common);
  known_ = common_;
  known_.insert(aside_.begin(), aside_.end());
  const auto know = [&](const std::string& joined) {
    const auto words = split(joined, ' ');
    known_.insert(words.begin(), words.end());
    return joined;
  };
  for (auto& phrase : content.dismissing) dismissing_.insert(know(stems_of(phrase)));
  for (auto& phrase : content.dismissed) dismissed_.insert(know(stems_of(phrase)));
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
      const std::string joined = know(stems_of(term));
      const auto words = split(joined, ' ');
      size_t& longest = longest_[words.at(0)];
      longest = std::max(longest, words.size());
      auto& meant = terms_[joined];
      if (meant.empty() || meant.back() != concepts_.size() - 1)
        meant.push_back(concepts_.size() - 1);
    }
  }
}

/// A phrase as terms have it.
std::string Vocabulary::stems_of(const std::string& phrase) const {
  std::vector<std::string> stems;
  for (auto& word : words_of(phrase))
    if (!skipped_.contains(word)) stems.push_back(stem(word));
  return join(stems, " ");
}

/// The stem itself if it is known or like none that is.
const std::string& Vocabulary::meant_by(const std::string& stem) const {
  if (stem.size() < shortest_misspelt || known_.contains(stem)) return stem;
  const auto [meant, fresh] = misspelt_.try_emplace(stem, stem);
  if (!fresh) return meant->second;
  size_t fewest = (stem.size() < 8 ? 1 : 2) + 1;
  // Those with the same first letter stand together.
  for (auto at = known_.lower_bound(stem.substr(0, 1)); at != known_.end(); ++at) {
    if ((*at)[0] != stem[0]) break;
    if (at->size() < shortest_misspelt - 1) continue;
    const size_t changed = edits(stem, *at, fewest - 1);
    if (changed >= fewest) continue;
    fewest = changed;
    meant->second = *at;
  }
  return meant->second;
}

std::vector<Vocabulary::Token> Vocabulary::tokens_of(const std::vector<std::string>& words) const {
  std::vector<Token> tokens;
  for (const auto& word : words) {
    if (skipped_.contains(word)) continue;
    // "200hz" is a number of something that is known.
    const size_t digits = std::min(word.find_first_not_of("0123456789"), word.size());
    const std::string number = word.substr(0, digits), unit = stem(word.substr(digits));
    if (digits > 0 && (unit.empty() || known_.contains(unit))) {
      const bool are_many = number.size() > 9 || std::stoul(number) >= many;
      tokens.push_back({are_many ? "many" : number});
      if (!unit.empty()) tokens.push_back({unit});
      continue;
    }
    const std::string own = stem(word), &meant = meant_by(own);
    tokens.push_back({meant, meant == own ? 1 : misspelt_weight});
  }
  return tokens;
}

/// Finds what is said in passing or dismissed.
void Vocabulary::weigh(std::vector<Token>& tokens) const {
  constexpr size_t longest_phrase = 4;
  double weight = 1;
  for (size_t at = 0; at < tokens.size(); ++at) {
    if (aside_.contains(tokens[at].stem)) weight = std::min(weight, aside_weight);
    tokens[at].weight *= weight;
    for (size_t count = 1; count <= std::min(longest_phrase, tokens.size() - at); ++count) {
      const std::string phrase = joined(tokens, at, count);
      if (dismissing_.contains(phrase)) weight = dismissed_weight;
      if (dismissed_.contains(phrase))
        for (size_t before = 0; before < at; ++before) tokens[before].weight = dismissed_weight;
    }
  }
}

void Vocabulary::read_clause(const std::vector<std::string>& words, Reading& reading) const {
  auto tokens = tokens_of(words);
  weigh(tokens);
  for (size_t at = 0; at < tokens.size();) {
    size_t taken = 0;
    const auto longest = longest_.find(tokens[at].stem);
    size_t count = longest == longest_.end() ? 0 : std::min(longest->second, tokens.size() - at);
    for (; count > 0 && !taken; --count) {
      const auto term = terms_.find(joined(tokens, at, count));
      if (term == terms_.end()) continue;
      const double weight = tokens[at + count - 1].weight;
      for (const size_t one : term->second)
        reading.concepts[one] += weight / double(term->second.size());
      taken = count;
    }
    const std::string& stem = tokens[at].stem;
    if (!taken && stem.size() > 2 && tokens[at].weight > 0 && !is_number(stem) &&
        !common_.contains(stem))
      reading.unknown[stem] += 1;
    at += std::max<size_t>(taken, 1);
  }
}

Vocabulary::Reading Vocabulary::read(const std::string& text) const {
  Reading reading;
  for (const auto& clause : clauses_of(text)) read_clause(clause, reading);
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
      const double amount = meant.weight * std::copysign(std::sqrt(std::abs(times)), times);
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
  for (const auto& [at, times] : read(text).concepts)
    if (times > 0) names.push_back(concepts_[at].name);
  return names;
}

}  // namespace schedcp

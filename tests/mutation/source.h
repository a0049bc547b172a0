// SPDX-License-Identifier: MIT
// A policy's source as tokens: enough of C to find statements, calls and conditions, and no more.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace schedcp::mutation {

/// A change of one source file at one place.
struct Mutation {
  std::string op;    ///< of OPERATORS.md
  std::string file;  ///< name without directories
  int line = 0;
  std::string was, now;       ///< for people
  size_t at = 0, length = 0;  ///< what is replaced
  std::string with;           ///< by this
  std::string apply(const std::string& text) const;
};

struct Token {
  std::string_view text;
  size_t at;
  int line;
};

/// Tokens without comments and preprocessor lines. They point into `text`.
std::vector<Token> tokenize(std::string_view text);

/// A function's body: the tokens between its outer braces.
struct Body {
  std::string name;
  size_t begin, end;
};

class Source {
 public:
  explicit Source(std::string text);
  Source(const Source&) = delete;
  const std::string& text() const { return text_; }
  size_t size() const { return tokens_.size(); }
  /// Token i, or "" beyond either end.
  std::string_view operator[](size_t i) const {
    return i < tokens_.size() ? tokens_[i].text : std::string_view();
  }
  /// The bracket that belongs to the one at token i; size() if there is none.
  size_t match(size_t i) const { return match_[i]; }
  const std::vector<Body>& bodies() const { return bodies_; }
  /// Whether a statement begins at token i.
  bool begins_statement(size_t i) const { return begins_[i]; }
  /// The `;` that ends the statement which begins at token i.
  size_t end_of_statement(size_t i) const;
  /// The arguments of the call whose `(` is token i, each as [first, past last) tokens.
  std::vector<std::pair<size_t, size_t>> arguments(size_t i) const;
  /// Replace the tokens [first, past) by `now`.
  Mutation replace(const char* op, size_t first, size_t past, std::string now) const;
  /// Names of queues: macros for a number that some call about queues is given.
  const std::vector<std::string>& queues() const { return queues_; }
  /// Variables outside functions.
  bool is_global(std::string_view name) const;

 private:
  void find_bodies();
  void find_queues();
  std::string text_;
  std::vector<Token> tokens_;
  std::vector<size_t> match_;
  std::vector<bool> begins_;
  std::vector<Body> bodies_;
  std::vector<std::string> queues_, globals_;
};

bool is_name(std::string_view token);
bool is_number(std::string_view token);

}  // namespace schedcp::mutation

// SPDX-License-Identifier: MIT
#include "source.h"

#include <algorithm>
#include <cctype>

#include "base/text.h"

namespace schedcp::mutation {
namespace {

bool is_word_char(char c) { return std::isalnum(static_cast<unsigned char>(c)) || c == '_'; }

/// Operators of more than one character, longest first.
constexpr std::string_view kOperators[] = {"<<=", ">>=", "...", "->", "++", "--", "<<", ">>",
                                           "<=",  ">=",  "==",  "!=", "&&", "||", "+=", "-=",
                                           "*=",  "/=",  "%=",  "&=", "|=", "^=", "?:"};

size_t token_length(std::string_view text) {
  if (is_word_char(text[0])) {
    size_t n = 1;
    while (n < text.size() && is_word_char(text[n])) ++n;
    return n;
  }
  if (text[0] == '"' || text[0] == '\'') {
    size_t n = 1;
    while (n < text.size() && text[n] != text[0]) n += text[n] == '\\' ? 2 : 1;
    return std::min(n + 1, text.size());
  }
  for (const auto op : kOperators)
    if (text.starts_with(op)) return op.size();
  return 1;
}

}  // namespace

bool is_name(std::string_view token) {
  return !token.empty() && is_word_char(token[0]) && !std::isdigit(token[0]);
}

bool is_number(std::string_view token) { return !token.empty() && std::isdigit(token[0]); }

std::string Mutation::apply(const std::string& text) const {
  return text.substr(0, at) + with + text.substr(at + length);
}

std::vector<Token> tokenize(std::string_view text) {
  std::vector<Token> tokens;
  int line = 1;
  bool line_start = true;
  for (size_t i = 0; i < text.size();) {
    const auto skip_to = [&](size_t end) {
      end = std::min(end, text.size());
      line += int(std::count(text.begin() + long(i), text.begin() + long(end), '\n'));
      i = end;
    };
    if (text[i] == '\n') line_start = true;
    if (std::isspace(static_cast<unsigned char>(text[i]))) {
      skip_to(i + 1);
    } else if (text.substr(i, 2) == "/*") {
      const size_t end = text.find("*/", i + 2);
      skip_to(end == text.npos ? end : end + 2);
    } else if (text.substr(i, 2) == "//") {
      skip_to(text.find('\n', i));
    } else if (text[i] == '#' && line_start) {
      size_t end = text.find('\n', i);
      while (end != text.npos && text[end - 1] == '\\') end = text.find('\n', end + 1);
      skip_to(end);
    } else {
      line_start = false;
      const size_t length = token_length(text.substr(i));
      tokens.push_back({text.substr(i, length), i, line});
      skip_to(i + length);
    }
  }
  return tokens;
}

Source::Source(std::string text) : text_(std::move(text)), tokens_(tokenize(text_)) {
  match_.assign(size(), size());
  std::vector<size_t> open;
  for (size_t i = 0; i < size(); ++i) {
    const auto token = (*this)[i];
    if (token == "(" || token == "{" || token == "[") open.push_back(i);
    if ((token == ")" || token == "}" || token == "]") && !open.empty()) {
      match_[i] = open.back();
      match_[open.back()] = i;
      open.pop_back();
    }
  }
  find_bodies();
  find_queues();
}

void Source::find_bodies() {
  begins_.assign(size(), false);
  for (size_t i = 0; i < size(); ++i) {
    if ((*this)[i] == "static" && is_name((*this)[i + 2]) &&
        ((*this)[i + 3] == ";" || (*this)[i + 3] == "="))
      globals_.emplace_back((*this)[i + 2]);
    if ((*this)[i] != "{" || match_[i] == size()) continue;
    if (i && (*this)[i - 1] == ")") {
      const size_t open = match_[i - 1];
      // The name of what BPF_STRUCT_OPS(name, ...) defines is its first argument.
      const bool macro = (*this)[open - 1].starts_with("BPF_STRUCT_OPS");
      bodies_.push_back({std::string((*this)[macro ? open + 1 : open - 1]), i + 1, match_[i]});
    }
    i = match_[i];
  }
  for (const auto& body : bodies_) {
    bool begins = true;
    for (size_t i = body.begin; i < body.end; ++i) {
      const auto token = (*this)[i];
      begins_[i] = begins && token != "{" && token != "}";
      begins = token == ";" || token == "{" || token == "}" || token == "else";
      if (token == "if" || token == "for" || token == "while" || token.starts_with("bpf_for")) {
        i = match_[i + 1];  // its head is no statement
        begins = true;
      } else if (token == "(" || token == "[") {
        i = match_[i];
      }
    }
  }
}

void Source::find_queues() {
  for (const auto& line : split(text_, '\n')) {
    if (!line.starts_with("#define ")) continue;
    const auto words = split(line, ' ');
    if (words.size() < 3 || !is_name(words[1]) || !is_number(words[2])) continue;
    for (size_t i = 0; i + 1 < size(); ++i) {
      const auto name = (*this)[i];
      if ((name.find("insert") == name.npos && name.find("move") == name.npos &&
           name.find("create_dsq") == name.npos) ||
          (*this)[i + 1] != "(")
        continue;
      const auto given = arguments(i + 1);
      if (std::any_of(given.begin(), given.end(), [&](const auto& argument) {
            return argument.second == argument.first + 1 && (*this)[argument.first] == words[1];
          })) {
        queues_.push_back(words[1]);
        break;
      }
    }
  }
}

size_t Source::end_of_statement(size_t i) const {
  for (; i < size(); ++i) {
    if ((*this)[i] == ";") return i;
    if ((*this)[i] == "(" || (*this)[i] == "{" || (*this)[i] == "[") i = match_[i];
  }
  return size();
}

std::vector<std::pair<size_t, size_t>> Source::arguments(size_t i) const {
  std::vector<std::pair<size_t, size_t>> found;
  const size_t end = match_[i];
  if (end == size() || end == i + 1) return found;
  size_t from = i + 1;
  for (size_t j = from; j < end; ++j) {
    if ((*this)[j] == "(" || (*this)[j] == "{" || (*this)[j] == "[") j = match_[j];
    if ((*this)[j] == ",") found.emplace_back(from, j), from = j + 1;
  }
  found.emplace_back(from, end);
  return found;
}

Mutation Source::replace(const char* op, size_t first, size_t past, std::string now) const {
  Mutation mutation;
  mutation.op = op;
  mutation.line = tokens_[first].line;
  mutation.at = tokens_[first].at;
  mutation.length = tokens_[past - 1].at + tokens_[past - 1].text.size() - mutation.at;
  mutation.was = printable(text_.substr(mutation.at, mutation.length), 120);
  mutation.now = printable(now, 120);
  mutation.with = std::move(now);
  return mutation;
}

bool Source::is_global(std::string_view name) const {
  return std::find(globals_.begin(), globals_.end(), name) != globals_.end();
}

}  // namespace schedcp::mutation

// SPDX-License-Identifier: MIT
#include "operators.h"

#include <algorithm>
#include <initializer_list>

namespace schedcp::mutation {
namespace {

bool any_of(std::string_view token, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), token) != words.end();
}

bool has(std::string_view token, std::string_view part) { return token.find(part) != token.npos; }

bool is_type(std::string_view token) {
  return any_of(token, {"u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "bool", "int", "long",
                        "char", "unsigned", "void", "struct", "const", "static", "volatile"});
}

/// Counts, records and tells the compiler: no part of what a policy does.
bool is_apart(std::string_view name) {
  return any_of(name, {"STAT_INC", "record_exit", "barrier_var", "comm_of", "__builtin_memset"});
}

/// A value ends before an operator that takes two.
bool ends_value(std::string_view token) {
  return is_name(token) || is_number(token) || token == ")" || token == "]";
}

class Mutator {
 public:
  explicit Mutator(const Source& source) : s_(source) {}

  void body(const Body& body) {
    for (size_t i = body.begin; i < body.end; ++i) {
      if (is_apart(s_[i]) && s_[i + 1] == "(") {
        i = s_.match(i + 1);
        continue;
      }
      if (s_.begins_statement(i)) statement(i);
      if (is_name(s_[i]) && s_[i + 1] == "(") call(i);
      if (s_[i] == "if") condition(i);
      token(i);
    }
  }

  /// The ops table: "{ .enqueue = (void *)fifo_enqueue, ... }". The function goes with its entry: a
  /// program of struct_ops that nobody refers to cannot be loaded.
  void table() {
    for (size_t i = 0; i + 8 < s_.size(); ++i)
      if (s_[i] == "." && is_name(s_[i + 1]) && s_[i + 2] == "=" && s_[i + 3] == "(" &&
          s_[i + 4] == "void" && s_[i + 8] == ",")
        for (const auto& body : s_.bodies())
          if (body.name == s_[i + 7]) drop_callback(i, body);
  }

  std::vector<Mutation> take() { return std::move(found_); }

 private:
  void add(const char* op, size_t first, size_t past, std::string now) {
    found_.push_back(s_.replace(op, first, past, std::move(now)));
  }

  void drop_callback(size_t entry, const Body& body) {
    const size_t type = s_.match(body.begin - 2) - 2;  // "void BPF_STRUCT_OPS(" ... ") {"
    const Mutation function = s_.replace("", type, body.end + 1, "");
    const Mutation line = s_.replace("", entry, entry + 9, "");
    Mutation both = s_.replace("drop-callback", type, entry + 9, "");
    both.was = line.was;
    const size_t between = function.at + function.length;
    both.with = s_.text().substr(between, line.at - between);
    found_.push_back(std::move(both));
  }

  void statement(size_t i) {
    const size_t end = s_.end_of_statement(i);
    if (end == s_.size()) return;
    if (any_of(s_[i], {"return", "break", "continue"})) {
      if (end == i + 1) add("drop-jump", i, end, "");
      return;
    }
    if (is_name(s_[i]) && s_[i + 1] == "(" && s_.match(i + 1) + 1 == end) {
      const auto name = s_[i];
      if (has(name, "move")) return;  // drop-drain does it
      add(has(name, "insert")                         ? "drop-insert"
          : has(name, "kick") || has(name, "preempt") ? "drop-kick"
                                                      : "drop-call",
          i, end, "");
      return;
    }
    const bool control = any_of(s_[i], {"if", "else", "for", "while", "do", "switch", "case"});
    if (!control && !is_type(s_[i])) update(i, end);
  }

  void update(size_t i, size_t end) {
    for (size_t j = i; j < end; ++j) {
      if (s_[j] == "(" || s_[j] == "[") j = s_.match(j);
      const bool adds = any_of(s_[j], {"+=", "-=", "*=", "/=", "|=", "&=", "++", "--"});
      if (!adds && s_[j] != "=") continue;
      const bool plain = j == i + 1;  // one name on the left
      if (adds || !plain || s_.is_global(s_[i])) add("drop-update", i, end, "");
      return;
    }
  }

  void condition(size_t i) {
    const size_t open = i + 1, close = s_.match(open);
    if (s_[open] != "(" || close == s_.size()) return;
    const Mutation all = s_.replace("negate", open + 1, close, "");
    add("negate", open + 1, close, "!(" + s_.text().substr(all.at, all.length) + ")");
    if (close == open + 2 && is_name(s_[open + 1])) add("drop-test", open + 1, close, "1");
    if (close == open + 3 && s_[open + 1] == "!" && is_name(s_[open + 2]))
      add("drop-test", open + 1, close, "0");
  }

  void call(size_t i) {
    const auto name = s_[i];
    const auto given = s_.arguments(i + 1);
    const size_t past = s_.match(i + 1) + 1;
    const auto argument = [&](const char* op, size_t number, const char* now) {
      if (number >= given.size()) return;
      const auto [first, last] = given[number];
      if (last != first + 1 || s_[first] != now) add(op, first, last, now);
    };
    const auto slice = [&](size_t number) {
      argument("zero-slice", number, "0");
      argument("endless-slice", number, "SCX_SLICE_INF");
    };
    if (any_of(name, {"scx_insert", "scx_bpf_dsq_insert"})) {
      slice(2);
      argument("drop-flags", 3, "0");
    } else if (any_of(name, {"scx_insert_vtime", "scx_bpf_dsq_insert_vtime"})) {
      slice(2);
      argument("zero-vtime", 3, "0");
      argument("drop-flags", 4, "0");
    } else if (any_of(name, {"scx_set_slice", "scx_move_set_slice"})) {
      slice(1);
    } else if (name == "scx_set_vtime") {
      argument("zero-vtime", 1, "0");
    } else if (name == "scx_bpf_kick_cpu") {
      argument("drop-flags", 1, "0");
    } else if (any_of(name, {"scx_move_to_local", "scx_bpf_dsq_move_to_local", "scx_move"})) {
      add("drop-drain", i, past, "0");
    } else if (name == "scx_bpf_create_dsq") {
      add("drop-create", i, past, "0");
    } else if (name == "before" && given.size() == 2) {
      const auto text = [&](const auto& range) {
        const Mutation one = s_.replace("", range.first, range.second, "");
        return s_.text().substr(one.at, one.length);
      };
      add("swap-order", given[0].first, given[1].second, text(given[1]) + ", " + text(given[0]));
    }
  }

  void token(size_t i) {
    const auto token = s_[i];
    const bool binary = i && ends_value(s_[i - 1]) && !is_type(s_[i - 1]) &&
                        s_[i - 1] != "return" && s_[i - 2] != "struct";
    if (token == "&&" || token == "||") add("swap-logic", i, i + 1, token == "&&" ? "||" : "&&");
    if (binary && any_of(token, {"+", "-", "*", "/"}))
      add("swap-arithmetic", i, i + 1,
          token == "+"   ? "-"
          : token == "-" ? "+"
          : token == "*" ? "/"
                         : "*");
    if (is_number(token)) {
      const bool zero = token == "0";
      add("constant", i, i + 1,
          zero || turn_++ % 2 == 0 ? "(" + std::string(token) + " + 1)" : std::string("0"));
    }
    if (any_of(token, {"NSEC_PER_USEC", "NSEC_PER_MSEC"})) add("drop-unit", i, i + 1, "1");
    if (token == "SCX_KICK_IDLE") add("swap-kick", i, i + 1, "SCX_KICK_PREEMPT");
    if (token == "SCX_KICK_PREEMPT") add("swap-kick", i, i + 1, "SCX_KICK_IDLE");
    if (token == "SCX_DSQ_LOCAL") add("swap-queue", i, i + 1, "SCX_DSQ_GLOBAL");
    if (token == "SCX_DSQ_GLOBAL") add("swap-queue", i, i + 1, "SCX_DSQ_LOCAL");
    const auto& queues = s_.queues();
    if (const auto it = std::find(queues.begin(), queues.end(), token); it != queues.end())
      add("swap-queue", i, i + 1,
          queues.size() == 1 ? "(" + *it + " + 1)"
                             : queues[size_t(it - queues.begin() + 1) % queues.size()]);
    if (token == "weight" && any_of(s_[i - 1], {".", "->"}) && s_[i + 1] != "=") {
      size_t first = i;
      while (any_of(s_[first - 1], {".", "->"})) first -= 2;
      add("forget-weight", first, i + 1, "100");
    }
  }

  const Source& s_;
  std::vector<Mutation> found_;
  int turn_ = 0;
};

}  // namespace

std::vector<Mutation> mutations_of(const Source& source,
                                   const std::vector<std::string>& functions) {
  Mutator mutator(source);
  for (const auto& body : source.bodies())
    if (functions.empty() ||
        std::find(functions.begin(), functions.end(), body.name) != functions.end())
      mutator.body(body);
  if (functions.empty()) mutator.table();
  return mutator.take();
}

}  // namespace schedcp::mutation

// SPDX-License-Identifier: MIT
// What reachable code uses and nobody models. Branches on what is known at load time (does this
// kernel have a kfunc, a type, a field) are followed only where they lead, as the kernel's verifier
// does: without that every policy that supports several kernels would use all of them at once.
#include <fmt/format.h>

#include <array>
#include <optional>
#include <set>

#include "interp/engine.h"

namespace schedcp {
namespace {

/// Registers whose value is known on every path that was seen so far.
using Known = std::array<std::optional<uint64_t>, 11>;

/// Which way a jump on a known value goes; nothing if the value is not known.
std::optional<bool> jumps(const Op& op, const Known& known) {
  const auto& left = known[op.dst];
  if (!left) return std::nullopt;
  switch (op.step) {
    case Step::jeq_64k:
      return *left == uint64_t(op.imm);
    case Step::jne_64k:
      return *left != uint64_t(op.imm);
    case Step::jeq_32k:
      return uint32_t(*left) == uint32_t(op.imm);
    case Step::jne_32k:
      return uint32_t(*left) != uint32_t(op.imm);
    default:
      return std::nullopt;
  }
}

bool is_jump(Step step) { return step >= Step::jeq_64k && step <= Step::jset_32x; }

bool is_store(Step step) { return step >= Step::st8_x && step <= Step::st64_frame_k; }

class Search {
 public:
  explicit Search(const Engine& engine) : engine_(engine) {}

  void follow(size_t function) {
    if (!seen_.insert(function).second) return;
    const Code& code = engine_.codes[function];
    std::vector<std::optional<Known>> states(code.ops.size());
    std::vector<size_t> work;
    const auto reach = [&](size_t at, const Known& known) {
      if (at >= code.ops.size()) return;
      bool changed = !states[at];
      if (changed) {
        states[at] = known;
      } else {
        for (size_t r = 0; r < known.size(); ++r)
          if ((*states[at])[r] && (*states[at])[r] != known[r]) {
            (*states[at])[r].reset();
            changed = true;
          }
      }
      if (changed) work.push_back(at);
    };
    reach(0, {});
    while (!work.empty()) {
      const size_t at = work.back();
      work.pop_back();
      Known known = *states[at];
      const Op& op = code.ops[at];
      look(op);
      if (op.step == Step::exit || op.step == Step::trouble) continue;
      const size_t target = at + 1 + size_t(int64_t{op.off});
      if (is_jump(op.step)) {
        const auto way = jumps(op, known);
        if (way != false) reach(target, known);
        if (way != true) reach(at + 1, known);
        continue;
      }
      if (op.step == Step::ja) {
        reach(target, known);
        continue;
      }
      if (op.step == Step::may_goto) reach(target, known);
      apply(op, known);
      reach(at + (op.step == Step::imm64 || op.step == Step::kfunc_address ? 2 : 1), known);
    }
  }

  std::set<std::string> found;

 private:
  /// What the op does to what is known.
  void apply(const Op& op, Known& known) const {
    switch (op.step) {
      case Step::imm64:
      case Step::mov_64k:
        known[op.dst] = uint64_t(op.imm);
        break;
      case Step::mov_32k:
        known[op.dst] = uint32_t(op.imm);
        break;
      case Step::mov_64x:
        known[op.dst] = known[op.src];
        break;
      case Step::kfunc_address:
        known[op.dst].reset();
        if (const Exists exists = engine_.bindings[size_t(op.imm)].exists;
            exists != Exists::unknown)
          known[op.dst] = exists == Exists::no ? 0 : 1;
        break;
      case Step::call_function:
      case Step::call_helper:
      case Step::call_kfunc:
        for (size_t r = 0; r <= 5; ++r) known[r].reset();
        break;
      case Step::atomic32:
      case Step::atomic64:
        known[0].reset();
        known[op.src].reset();
        break;
      default:
        if (!is_store(op.step)) known[op.dst].reset();
    }
  }

  void look(const Op& op) {
    if (op.step == Step::call_function) follow(size_t(op.imm));
    if (op.step == Step::imm64 && Memory::number_of(uint64_t(op.imm)) == kCodeNumber &&
        uint32_t(op.imm) < engine_.codes.size())
      follow(uint32_t(op.imm));
    if (op.step == Step::call_kfunc && !engine_.bindings[size_t(op.imm)].bound())
      found.insert(fmt::format("kfunc {}", engine_.bindings[size_t(op.imm)].name));
    if (op.step == Step::kfunc_address) {
      const Binding& binding = engine_.bindings[size_t(op.imm)];
      if (binding.exists == Exists::unknown && !binding.bound())
        found.insert(fmt::format("kfunc {}", binding.name));
    }
    if (op.step == Step::trouble) {
      const Trouble& trouble = engine_.troubles[size_t(op.imm)];
      if (trouble.unmodelled) found.insert(fmt::format("{} {}", trouble.kind, trouble.text));
    }
  }

  const Engine& engine_;
  std::set<size_t> seen_;
};

}  // namespace

std::vector<std::string> Engine::missing() const {
  Search search(*this);
  for (const auto& [member, function] : object.ops().callbacks) search.follow(function);
  return {search.found.begin(), search.found.end()};
}

}  // namespace schedcp

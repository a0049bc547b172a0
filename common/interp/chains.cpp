// SPDX-License-Identifier: MIT
// Objects that a policy allocates, and the lists and trees it keeps them in. Order is kept on the
// host: the kernel's nodes are opaque to a policy, so what is in them does not show.
#include <bpf/btf.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>

#include "interp/kfuncs.h"

namespace schedcp {
namespace {

constexpr int64_t kMaxObject = 64 << 10;

/// The object that a node is part of starts its region.
Address object_of(Address node) { return node & ~Address{UINT32_MAX}; }

/// Whether the node can go into a chain; one that is in a chain already is given back, as the
/// kernel does.
bool can_join(Engine& engine, Address head, Address node) {
  engine.memory.reach(head, 16, true);
  engine.memory.reach(node, 24, true);
  if (!engine.chain_of.contains(node)) return true;
  engine.put(object_of(node));
  return false;
}

uint64_t push(Engine& engine, const uint64_t* args, bool front) {
  if (!can_join(engine, args[0], args[1])) return uint64_t(int64_t{-EINVAL});
  auto& chain = engine.chains[args[0]];
  front ? chain.push_front(args[1]) : chain.push_back(args[1]);
  engine.chain_of[args[1]] = args[0];
  return 0;
}

Address end_of(Engine& engine, Address head, bool front) {
  engine.memory.reach(head, 16, true);
  const auto chain = engine.chains.find(head);
  if (chain == engine.chains.end() || chain->second.empty()) return 0;
  return front ? chain->second.front() : chain->second.back();
}

uint64_t pop(Engine& engine, const uint64_t* args, bool front) {
  const Address node = end_of(engine, args[0], front);
  if (!node) return 0;
  auto& chain = engine.chains[args[0]];
  front ? chain.pop_front() : chain.pop_back();
  engine.chain_of.erase(node);
  return node;
}

}  // namespace

uint64_t object_new(Engine& engine, Activation&, const uint64_t* args) {
  const int64_t size = btf__resolve_size(engine.object.types(), uint32_t(args[0]));
  if (size <= 0 || size > kMaxObject)
    throw Fault(Fault::Kind::argument, fmt::format("allocates type {}, which it cannot", args[0]));
  return engine.own_object(
      engine.memory.add(size_t(size), Memory::kReadWrite, "an allocated object"),
      uint32_t(args[0]));
}

uint64_t list_push_front(Engine& engine, Activation&, const uint64_t* args) {
  return push(engine, args, true);
}
uint64_t list_push_back(Engine& engine, Activation&, const uint64_t* args) {
  return push(engine, args, false);
}
uint64_t list_pop_front(Engine& engine, Activation&, const uint64_t* args) {
  return pop(engine, args, true);
}
uint64_t list_pop_back(Engine& engine, Activation&, const uint64_t* args) {
  return pop(engine, args, false);
}
uint64_t list_front(Engine& engine, Activation&, const uint64_t* args) {
  return end_of(engine, args[0], true);
}
uint64_t list_back(Engine& engine, Activation&, const uint64_t* args) {
  return end_of(engine, args[0], false);
}

uint64_t tree_add(Engine& engine, Activation& activation, const uint64_t* args) {
  const size_t less = engine.function_at(args[2]);
  if (!can_join(engine, args[0], args[1])) return uint64_t(int64_t{-EINVAL});
  // Behind all that it is not less than, as an insertion from the root ends up.
  size_t from = 0, to = engine.chains[args[0]].size();
  while (from < to) {
    const size_t middle = (from + to) / 2;
    const uint64_t arguments[] = {args[1], engine.chains[args[0]][middle]};
    if (engine.run(activation, less, arguments) & 1)
      to = middle;
    else
      from = middle + 1;
  }
  auto& chain = engine.chains[args[0]];
  activation.charge((chain.size() - from) / 8);
  chain.insert(chain.begin() + ptrdiff_t(std::min(from, chain.size())), args[1]);
  engine.chain_of[args[1]] = args[0];
  return 0;
}

uint64_t tree_remove(Engine& engine, Activation& activation, const uint64_t* args) {
  const auto owner = engine.chain_of.find(args[1]);
  if (owner == engine.chain_of.end() || owner->second != args[0]) return 0;
  auto& chain = engine.chains[args[0]];
  activation.charge(chain.size() / 8);
  chain.erase(std::find(chain.begin(), chain.end(), args[1]));
  engine.chain_of.erase(owner);
  return args[1];
}

}  // namespace schedcp

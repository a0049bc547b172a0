// SPDX-License-Identifier: MIT
#include "sim/dsq.h"

#include <algorithm>

namespace schedcp::sim {

void Dsq::push(Task& task, bool at_head) {
  ExtEntity& ext = task.ext;
  ext.dsq = this;
  ext.ordered = false;
  ext.seq = ++seq;
  ++nr;
  ext.before = at_head ? nullptr : tail;
  ext.after = at_head ? head : nullptr;
  (ext.before ? ext.before->ext.after : head) = &task;
  (ext.after ? ext.after->ext.before : tail) = &task;
}

void Dsq::insert(Task& task, uint64_t vtime) {
  ExtEntity& ext = task.ext;
  ext.dsq = this;
  ext.ordered = true;
  ext.key = vtime;
  ext.seq = ++seq;
  ++nr;
  const auto place = tree.insert(&task).first;
  ext.before = place == tree.begin() ? nullptr : *std::prev(place);
  ext.after = std::next(place) == tree.end() ? nullptr : *std::next(place);
  (ext.before ? ext.before->ext.after : head) = &task;
  (ext.after ? ext.after->ext.before : tail) = &task;
}

void Dsq::unlink(Task& task) {
  ExtEntity& ext = task.ext;
  for (DsqIterator* it : iterators) {
    // Whoever stood on it, or was to go on there, goes on with its neighbour.
    Task* neighbour = it->reverse ? ext.before : ext.after;
    if (it->left && it->next_to == &task) it->next_to = neighbour;
    if (!it->left && it->at == &task) it->left = true, it->next_to = neighbour;
  }
  if (ext.ordered) tree.erase(&task);
  (ext.before ? ext.before->ext.after : head) = ext.after;
  (ext.after ? ext.after->ext.before : tail) = ext.before;
  ext.before = ext.after = nullptr;
  ext.dsq = nullptr;
  --nr;
}

DsqIterator::DsqIterator(Dsq& queue, bool backwards)
    : dsq(&queue), reverse(backwards), seq(queue.seq) {
  dsq->iterators.push_back(this);
}

DsqIterator::~DsqIterator() { std::erase(dsq->iterators, this); }

Task* DsqIterator::next() {
  Task* task;
  if (!started)
    task = reverse ? dsq->tail : dsq->head;
  else if (left)
    task = next_to;
  else if (at)
    task = reverse ? at->ext.before : at->ext.after;
  else
    return nullptr;
  started = true;
  left = false;
  while (task && task->ext.seq > seq) task = reverse ? task->ext.before : task->ext.after;
  return at = task;
}

}  // namespace schedcp::sim

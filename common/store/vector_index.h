// SPDX-License-Identifier: MIT
// The nearest of very many vectors: a graph of hnswlib's (Malkov and Yashunin, Efficient and robust
// approximate nearest neighbor search using hierarchical navigable small world graphs, 2016). Where
// looking at each vector takes less than a millisecond or two nobody needs it.
#pragma once

#include <memory>
#include <set>
#include <vector>

#include "base/file.h"

namespace schedcp {

/// Vectors of length 1 by id. Finds most of the nearest, not always all.
class VectorIndex {
 public:
  struct Neighbour {
    int64_t id = 0;
    double cosine = 0;
  };
  explicit VectorIndex(size_t dimension);
  /// What save() wrote, or an empty one when there is no such file or it is of another dimension.
  static VectorIndex load(const fs::path& file, size_t dimension);
  VectorIndex(VectorIndex&&) noexcept;
  ~VectorIndex();

  /// Adds vectors, which stand one after the other, with as many threads as there are CPUs.
  void add(const std::vector<int64_t>& ids, const float* vectors);
  /// It is found no more; its place in the graph stays.
  void remove(int64_t id);
  const std::set<int64_t>& ids() const { return ids_; }
  /// At most `count`, nearest first. `effort`: how many candidates are followed; more find more.
  std::vector<Neighbour> nearest(const float* vector, size_t count, size_t effort = 0) const;
  /// Replaces `file` as a whole.
  void save(const fs::path& file) const;

 private:
  struct Graph;
  std::unique_ptr<Graph> graph_;
  std::set<int64_t> ids_;
  size_t dimension_;
};

}  // namespace schedcp

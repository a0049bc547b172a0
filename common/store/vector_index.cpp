// SPDX-License-Identifier: MIT
#include "store/vector_index.h"

#include <fcntl.h>
#include <unistd.h>

// A header of others: what it warns of is not ours to mend.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wall"
#pragma GCC diagnostic ignored "-Wextra"
#include <hnswlib/hnswlib.h>
#pragma GCC diagnostic pop

#include <atomic>
#include <thread>

#include "base/error.h"

namespace schedcp {
namespace {

// More finds more and takes longer to build; `make bench-scale` tells how much these find.
constexpr size_t links = 12;
constexpr size_t effort_of_building = 60;
constexpr size_t effort_of_searching = 200;
constexpr size_t first_room = 1024;
constexpr size_t vectors_a_thread = 256;

}  // namespace

struct VectorIndex::Graph {
  hnswlib::InnerProductSpace space;
  hnswlib::HierarchicalNSW<float> graph;
  explicit Graph(size_t dimension)
      : space(dimension), graph(&space, first_room, links, effort_of_building) {}
  Graph(size_t dimension, const fs::path& file) : space(dimension), graph(&space, file) {}
};

VectorIndex::VectorIndex(size_t dimension)
    : graph_(std::make_unique<Graph>(dimension)), dimension_(dimension) {}
VectorIndex::VectorIndex(VectorIndex&&) noexcept = default;
VectorIndex::~VectorIndex() = default;

VectorIndex VectorIndex::load(const fs::path& file, size_t dimension) {
  VectorIndex index(dimension);
  std::error_code error;
  if (!fs::exists(file, error)) return index;
  try {
    auto graph = std::make_unique<Graph>(dimension, file);
    const auto& found = graph->graph;
    // The space tells how long vectors should be, the offsets how long they are in the file.
    if (found.label_offset_ - found.offsetData_ != dimension * sizeof(float)) return index;
    for (const auto& [label, place] : found.label_lookup_)
      if (!found.isMarkedDeleted(place)) index.ids_.insert(int64_t(label));
    index.graph_ = std::move(graph);
  } catch (const std::runtime_error&) {
    // A damaged one is made anew; it holds nothing that the database does not.
    return VectorIndex(dimension);
  }
  return index;
}

void VectorIndex::add(const std::vector<int64_t>& ids, const float* vectors) {
  auto& graph = graph_->graph;
  // Room for what comes: the graph must not move while threads write to it.
  const size_t needed = graph.cur_element_count + ids.size();
  if (needed > graph.max_elements_) graph.resizeIndex(std::max(needed, 2 * graph.max_elements_));
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t at; (at = next++) < ids.size();)
      graph.addPoint(vectors + at * dimension_, size_t(ids[at]));
  };
  std::vector<std::thread> others;
  const size_t cpus = std::max(1U, std::thread::hardware_concurrency());
  for (size_t i = 1; i < std::min(cpus, ids.size() / vectors_a_thread); ++i)
    others.emplace_back(work);
  work();
  for (auto& thread : others) thread.join();
  ids_.insert(ids.begin(), ids.end());
}

void VectorIndex::remove(int64_t id) {
  if (ids_.erase(id)) graph_->graph.markDelete(size_t(id));
}

std::vector<VectorIndex::Neighbour> VectorIndex::nearest(const float* vector, size_t count,
                                                         size_t effort) const {
  std::vector<Neighbour> found;
  if (ids_.empty()) return found;
  graph_->graph.setEf(std::max(count, effort ? effort : effort_of_searching));
  auto queue = graph_->graph.searchKnn(vector, std::min(count, ids_.size()));
  for (; !queue.empty(); queue.pop())
    found.push_back({int64_t(queue.top().second), 1 - double(queue.top().first)});
  std::reverse(found.begin(), found.end());
  return found;
}

void VectorIndex::save(const fs::path& file) const {
  const fs::path part = file.string() + "." + std::to_string(getpid());
  graph_->graph.saveIndex(part);
  if (rename(part.c_str(), file.c_str()) != 0) {
    const int error = errno;
    unlink(part.c_str());
    throw system_error("cannot write '" + file.string() + "'", error);
  }
}

}  // namespace schedcp

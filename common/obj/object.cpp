// SPDX-License-Identifier: MIT
#include "obj/object.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/error.h"
#include "base/text.h"
#include "obj/reader.h"

namespace schedcp {

namespace {

constexpr uint32_t kArena = 33;  // BPF_MAP_TYPE_ARENA, newer than some headers
constexpr size_t kMaxObject = size_t{16} << 20;

std::optional<int64_t> integer(std::string_view text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

std::optional<KnobTag> parse_knob_tag(std::string_view tag) {
  if (!tag.starts_with("knob:")) return std::nullopt;
  tag.remove_prefix(5);
  const size_t colon = tag.find(':');
  if (colon == tag.npos) return std::nullopt;
  const std::string_view range = tag.substr(0, colon);
  const size_t dots = range.find("..");
  if (dots == range.npos) return std::nullopt;
  const auto min = integer(range.substr(0, dots)), max = integer(range.substr(dots + 2));
  if (!min || !max || *min > *max) return std::nullopt;
  return KnobTag{*min, *max, std::string(tag.substr(colon + 1))};
}

uint64_t MapSpec::memory_bytes(unsigned cpus) const {
  const auto up = [](uint64_t n) { return (n + 7) / 8 * 8; };
  const uint64_t n = max_entries;
  switch (type) {
    case BPF_MAP_TYPE_ARRAY:
      return n * up(value_size);
    case BPF_MAP_TYPE_PERCPU_ARRAY:
      return n * up(value_size) * cpus;
    case BPF_MAP_TYPE_PERCPU_HASH:
    case BPF_MAP_TYPE_LRU_PERCPU_HASH:
      return n * (64 + up(key_size) + up(value_size) * cpus);
    case BPF_MAP_TYPE_RINGBUF:
    case BPF_MAP_TYPE_USER_RINGBUF:
      return n;
    case kArena:
      return n * 4096;
    default:
      return n * (64 + up(key_size) + up(value_size));
  }
}

const SourceLine* Function::line_of(uint32_t insn) const {
  auto next = lines.upper_bound(insn);
  return next == lines.begin() ? nullptr : &std::prev(next)->second;
}

const Reference* Function::reference(uint32_t insn) const {
  const auto found = references.find(insn);
  return found == references.end() ? nullptr : &found->second;
}

PolicyObject::PolicyObject(std::string bytes, const std::string& what) : bytes_(std::move(bytes)) {
  if (bytes_.size() > kMaxObject)
    throw usage_error(fmt::format("cannot read '{}': larger than {} MiB", what, kMaxObject >> 20));
  try {
    ObjectReader(*this, what).read();
  } catch (...) {
    btf__free(btf_);
    throw;
  }
}

PolicyObject PolicyObject::read(const fs::path& path) {
  return PolicyObject(read_file(path, kMaxObject), path.string());
}

PolicyObject::PolicyObject(PolicyObject&& other) noexcept { *this = std::move(other); }

PolicyObject& PolicyObject::operator=(PolicyObject&& other) noexcept {
  if (this == &other) return *this;
  btf__free(btf_);
  btf_ = std::exchange(other.btf_, nullptr);
  bytes_ = std::move(other.bytes_);
  license_ = std::move(other.license_);
  ops_ = std::move(other.ops_);
  functions_ = std::move(other.functions_);
  maps_ = std::move(other.maps_);
  knobs_ = std::move(other.knobs_);
  hints_ = std::move(other.hints_);
  kfuncs_ = std::move(other.kfuncs_);
  sections_ = std::move(other.sections_);
  zero_sections_ = std::move(other.zero_sections_);
  return *this;
}

PolicyObject::~PolicyObject() { btf__free(btf_); }

bool PolicyObject::gpl_compatible() const {
  static const char* const kLicenses[] = {
      "GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"};
  return std::find(std::begin(kLicenses), std::end(kLicenses), license_) != std::end(kLicenses);
}

const Function* PolicyObject::callback(const std::string& member) const {
  const auto found = ops().callbacks.find(member);
  return found == ops().callbacks.end() ? nullptr : &functions_[found->second];
}

std::optional<std::string> PolicyObject::section(const std::string& name) const {
  if (const auto found = sections_.find(name); found != sections_.end())
    return bytes_.substr(found->second.first, found->second.second);
  if (const auto found = zero_sections_.find(name); found != zero_sections_.end())
    return std::string(found->second, '\0');
  return std::nullopt;
}

const KnobSpec& PolicyObject::knob(const std::string& name) const {
  std::vector<std::string> known;
  for (const auto& knob : knobs_) {
    if (knob.name == name) return knob;
    known.push_back(knob.name);
  }
  const std::string subject =
      fmt::format("policy '{}' has no knob '{}'", printable(ops().name), printable(name));
  const std::string near = nearest(name, known);
  if (known.empty()) throw usage_error(subject, "it has no knobs at all");
  throw usage_error(near.empty() ? subject : fmt::format("{}, did you mean '{}'", subject, near),
                    "its knobs are " + join(known, ", "));
}

void PolicyObject::check_range(const KnobSpec& knob, int64_t value) {
  if (value >= knob.min && value <= knob.max) return;
  throw usage_error(fmt::format("knob '{}': {} is not in {}..{}", printable(knob.name), value,
                                knob.min, knob.max),
                    printable(knob.sentence));
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "doc/manifest.h"

#include <algorithm>

#include "doc/profile.h"

namespace schedcp {
namespace {

void check_feature(const std::string& name, const std::string& place,
                   const std::vector<std::string>& features) {
  if (std::find(features.begin(), features.end(), name) != features.end()) return;
  const std::string meant = nearest(name, features);
  throw usage_error(place + "/" + printable(name, 60) + ": no such feature" +
                    (meant.empty() ? "" : "; did you mean '" + meant + "'?"));
}

void check_features(const std::map<std::string, Range>& ranges, const std::string& place,
                    const std::vector<std::string>& features) {
  for (const auto& [name, range] : ranges) {
    check_feature(name, place, features);
    if (range.min && range.max && *range.min > *range.max)
      throw usage_error(place + "/" + name + ": min is above max");
  }
}

}  // namespace

std::vector<std::string> feature_names() {
  std::vector<std::string> names;
  for_each_field<Features>([&](const auto& field) { names.push_back(field.key); });
  return names;
}

Manifest parse_manifest(const std::string& text, const std::string& what,
                        const std::vector<std::string>& features) {
  Json json;
  try {
    json = Json::parse(text);
  } catch (const Json::parse_error& error) {
    const auto before = text.begin() + long(std::min(error.byte, text.size()));
    throw usage_error(what + " is not JSON (line " +
                      std::to_string(1 + std::count(text.begin(), before, '\n')) + ")");
  }
  Manifest manifest;
  try {
    parse_value(json, manifest, "");
    check_features(manifest.signature, "/signature", features);
    for (size_t i = 0; i < manifest.settings.size(); ++i) {
      const std::string place = "/settings/" + std::to_string(i);
      check_features(manifest.settings[i].when, place + "/when", features);
      for (const auto& [knob, scale] : manifest.settings[i].scaled)
        check_feature(scale.feature, place + "/scaled/" + printable(knob, 60), features);
    }
  } catch (const Error& error) {
    throw usage_error(what + ": " + error.what(), error.hint);
  }
  return manifest;
}

}  // namespace schedcp

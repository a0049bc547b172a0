// SPDX-License-Identifier: MIT
#include "doc/fields.h"

#include <algorithm>

namespace schedcp::detail {
namespace {

/// The root's place is empty; people need a word for it.
std::string shown(const std::string& place) { return place.empty() ? "document" : place; }

}  // namespace

void wrong_type(const std::string& place, const char* expected, const Json& got) {
  const char* name = got.is_number_float() ? "number"
                     : got.is_number()     ? "integer"
                                           : got.type_name();
  throw usage_error(shown(place) + ": expected " + expected + ", got " + name);
}

void check_choice(const std::string& place, const char* choices, const std::string& got) {
  const auto known = split(choices, '|');
  if (std::find(known.begin(), known.end(), got) != known.end()) return;
  throw usage_error(place + ": '" + printable(got, 60) + "' is not one of " + join(known, ", "));
}

void refuse_unknown(const Json& object, const std::vector<std::string>& known,
                    const std::string& place) {
  for (const auto& [key, unused] : object.items()) {
    if (std::find(known.begin(), known.end(), key) != known.end()) continue;
    const std::string meant = nearest(key, known);
    throw usage_error(place + "/" + printable(key, 60) + ": unknown key" +
                          (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                      meant.empty() ? "there are " + join(known, ", ") : "");
  }
}

}  // namespace schedcp::detail

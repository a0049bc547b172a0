// SPDX-License-Identifier: MIT
// A document is declared once: a plain struct with a static fields() that returns a tuple of
// (key, member, sentence). Parsing, printing, JSON Schema and the manual's rows all walk that
// tuple, whose order is the order of keys everywhere.
//
//   struct KnobValue {
//     std::string name;
//     int64_t value = 0;
//     static constexpr auto fields() {
//       return std::tuple{required("name", &KnobValue::name, "The knob's name."),
//                         required("value", &KnobValue::value, "Its value.")};
//     }
//   };
//
// Members may be bool, int64_t, uint64_t, double, std::string, Json (anything), other such structs,
// and std::vector, std::map<std::string, T> and std::optional of these.
#pragma once

#include <cmath>
#include <cstdint>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "base/error.h"
#include "base/text.h"

namespace schedcp {

using Json = nlohmann::ordered_json;

template <class Struct, class Member>
struct Field {
  const char* key;
  Member Struct::* member;
  const char* sentence;
  bool required;
  const char* choices;  ///< "a|b|c" for a string that is one of these, else ""
};

/// Must be there.
template <class S, class M>
constexpr Field<S, M> required(const char* key, M S::* member, const char* sentence,
                               const char* choices = "") {
  return {key, member, sentence, true, choices};
}
/// May be left out; the member then keeps its default.
template <class S, class M>
constexpr Field<S, M> optional(const char* key, M S::* member, const char* sentence,
                               const char* choices = "") {
  return {key, member, sentence, false, choices};
}

template <class T>
concept Described = requires { T::fields(); };

/// Calls `visit(field)` for each field of T, in order.
template <Described T, class Visit>
constexpr void for_each_field(Visit&& visit) {
  std::apply([&](const auto&... field) { (visit(field), ...); }, T::fields());
}

namespace detail {

template <class T>
struct IsVector : std::false_type {};
template <class T>
struct IsVector<std::vector<T>> : std::true_type {};
template <class T>
struct IsMap : std::false_type {};
template <class T>
struct IsMap<std::map<std::string, T>> : std::true_type {};
template <class T>
struct IsOptional : std::false_type {};
template <class T>
struct IsOptional<std::optional<T>> : std::true_type {};

[[noreturn]] void wrong_type(const std::string& place, const char* expected, const Json& got);
/// Throws unless `got` is one of "a|b|c".
void check_choice(const std::string& place, const char* choices, const std::string& got);
/// Refuse keys of `object` that are not in `known`, naming the nearest.
void refuse_unknown(const Json& object, const std::vector<std::string>& known,
                    const std::string& place);

template <class T>
constexpr const char* type_name() {
  if constexpr (std::is_same_v<T, bool>)
    return "boolean";
  else if constexpr (std::is_integral_v<T>)
    return "integer";
  else if constexpr (std::is_floating_point_v<T>)
    return "number";
  else if constexpr (std::is_same_v<T, std::string>)
    return "string";
  else if constexpr (IsVector<T>::value)
    return "array";
  else if constexpr (IsOptional<T>::value)
    return type_name<typename T::value_type>();
  else if constexpr (std::is_same_v<T, Json>)
    return "value";
  else
    return "object";
}

}  // namespace detail

/// Fill `value` from `json`. Throws usage_error naming `place`: "/knobs/0/value: expected integer,
/// got string". Unknown keys are refused with the nearest known one.
template <class T>
void parse_value(const Json& json, T& value, const std::string& place) {
  if constexpr (std::is_same_v<T, Json>) {
    value = json;
  } else if constexpr (std::is_same_v<T, bool>) {
    if (!json.is_boolean()) detail::wrong_type(place, "boolean", json);
    value = json.get<bool>();
  } else if constexpr (std::is_integral_v<T>) {
    const bool fits = json.is_number_unsigned()
                          ? std::in_range<T>(json.get<uint64_t>())
                          : json.is_number_integer() && std::in_range<T>(json.get<int64_t>());
    if (!json.is_number_integer()) detail::wrong_type(place, "integer", json);
    if (!fits) throw usage_error(place + ": " + json.dump() + " is out of range");
    value = json.get<T>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!json.is_number()) detail::wrong_type(place, "number", json);
    value = json.get<T>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!json.is_string()) detail::wrong_type(place, "string", json);
    value = json.get<std::string>();
  } else if constexpr (detail::IsOptional<T>::value) {
    if (json.is_null()) {
      value.reset();
    } else {
      value.emplace();
      parse_value(json, *value, place);
    }
  } else if constexpr (detail::IsVector<T>::value) {
    if (!json.is_array()) detail::wrong_type(place, "array", json);
    value.clear();
    for (size_t i = 0; i < json.size(); ++i) {
      value.emplace_back();
      parse_value(json[i], value.back(), place + "/" + std::to_string(i));
    }
  } else if constexpr (detail::IsMap<T>::value) {
    if (!json.is_object()) detail::wrong_type(place, "object", json);
    for (const auto& [key, item] : json.items()) parse_value(item, value[key], place + "/" + key);
  } else {
    static_assert(Described<T>, "a document's member needs fields()");
    if (!json.is_object()) detail::wrong_type(place, "object", json);
    std::vector<std::string> known;
    for_each_field<T>([&](const auto& field) { known.push_back(field.key); });
    // Before what is missing: a misspelt key is both, and its name helps more.
    detail::refuse_unknown(json, known, place);
    for_each_field<T>([&](const auto& field) {
      using Member = std::remove_reference_t<decltype(value.*field.member)>;
      const auto found = json.find(field.key);
      const std::string at = place + "/" + field.key;
      if (found == json.end()) {
        if (field.required)
          throw usage_error(at + ": missing (" + detail::type_name<Member>() + ")");
        return;
      }
      parse_value(*found, value.*field.member, at);
      if constexpr (std::is_same_v<Member, std::string>)
        if (*field.choices) detail::check_choice(at, field.choices, value.*field.member);
    });
  }
}

/// The JSON form. Optional members that are not set, and empty vectors and maps of members that may
/// be left out, are left out. Numbers that are not finite are a bug.
template <class T>
Json to_json_value(const T& value) {
  if constexpr (detail::IsOptional<T>::value) {
    return value ? to_json_value(*value) : Json();
  } else if constexpr (detail::IsVector<T>::value) {
    Json array = Json::array();
    for (const auto& item : value) array.push_back(to_json_value(item));
    return array;
  } else if constexpr (detail::IsMap<T>::value) {
    Json object = Json::object();
    for (const auto& [key, item] : value) object[key] = to_json_value(item);
    return object;
  } else if constexpr (Described<T>) {
    Json object = Json::object();
    for_each_field<T>([&](const auto& field) {
      const auto& member = value.*field.member;
      using Member = std::remove_cvref_t<decltype(member)>;
      if constexpr (detail::IsOptional<Member>::value) {
        if (!member) return;
      } else if constexpr (detail::IsVector<Member>::value || detail::IsMap<Member>::value) {
        if (!field.required && member.empty()) return;
      } else if constexpr (std::is_same_v<Member, Json>) {
        if (!field.required && member.is_null()) return;
      }
      object[field.key] = to_json_value(member);
    });
    return object;
  } else {
    if constexpr (std::is_floating_point_v<T>) SCHEDCP_ASSERT(std::isfinite(value));
    return Json(value);
  }
}

/// JSON Schema (2020-12) of a type.
template <class T>
Json schema_of() {
  if constexpr (std::is_same_v<T, Json>) {
    return Json::object();
  } else if constexpr (detail::IsOptional<T>::value) {
    return schema_of<typename T::value_type>();
  } else if constexpr (detail::IsVector<T>::value) {
    return {{"type", "array"}, {"items", schema_of<typename T::value_type>()}};
  } else if constexpr (detail::IsMap<T>::value) {
    return {{"type", "object"}, {"additionalProperties", schema_of<typename T::mapped_type>()}};
  } else if constexpr (Described<T>) {
    Json properties = Json::object(), needed = Json::array();
    for_each_field<T>([&]<class S, class M>(const Field<S, M>& field) {
      Json schema = schema_of<M>();
      if (*field.choices) schema["enum"] = split(field.choices, '|');
      schema["description"] = field.sentence;
      properties[field.key] = std::move(schema);
      if (field.required) needed.push_back(field.key);
    });
    return {{"type", "object"},
            {"properties", std::move(properties)},
            {"required", std::move(needed)},
            {"additionalProperties", false}};
  } else {
    return {{"type", detail::type_name<T>()}};
  }
}

}  // namespace schedcp

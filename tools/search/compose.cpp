// SPDX-License-Identifier: MIT
#include "compose.h"

#include <fmt/format.h>

#include <algorithm>
#include <regex>

#include "base/error.h"
#include "base/text.h"

namespace schedcp {
namespace {

/// Choices by knob, as words ask for them: "vtime", "compose-vtime-all".
std::vector<KnobValue> asked_for(const std::string& policy, const std::vector<Choice>& choices,
                                 const std::vector<std::string>& words) {
  std::vector<std::string> known;
  for (const auto& choice : choices)
    known.insert(known.end(), choice.names.begin(), choice.names.end());
  std::vector<KnobValue> asked;
  for (const auto& word : words)
    for (const auto& part : split(word, '-')) {
      if (part == policy) continue;
      bool found = false;
      for (const auto& choice : choices) {
        const auto at = std::find(choice.names.begin(), choice.names.end(), part);
        if (at == choice.names.end()) continue;
        const int64_t value = choice.min + (at - choice.names.begin());
        for (const auto& other : asked)
          if (other.name == choice.knob && other.value != value)
            throw usage_error("'" + part + "': " + choice.knob + " is chosen already, as '" +
                              choice.names[size_t(other.value - choice.min)] + "'");
        asked.push_back({choice.knob, value});
        found = true;
      }
      if (found) continue;
      const std::string meant = nearest(part, known);
      throw usage_error("no choice of " + policy + " is called '" + printable(part, 40) + "'" +
                            (meant.empty() ? "" : "; did you mean '" + meant + "'?"),
                        "there are " + join(known, ", "));
    }
  return asked;
}

/// How many choices are not the preset.
size_t changed(const Candidate& configuration, const std::vector<Choice>& choices) {
  size_t changed = 0;
  for (size_t i = 0; i < choices.size(); ++i)
    changed += configuration.knobs[i].value != choices[i].preset;
  return changed;
}

/// The source with other presets, under another name.
std::string specialised(std::string source, const std::string& from, const std::string& to,
                        const std::vector<KnobValue>& knobs) {
  for (const auto& knob : knobs) {
    const std::regex declaration("(KNOB\\(\\s*\\w+,\\s*" + knob.name + ",\\s*)[^,]+,");
    if (!std::regex_search(source, declaration))
      throw unable("the source of '" + from + "' declares no knob '" + knob.name + "'");
    source = std::regex_replace(source, declaration, "$01" + std::to_string(knob.value) + ",");
  }
  const std::regex name("(\\.name = )\"" + from + "\"");
  return std::regex_replace(source, name, "$1\"" + to + "\"");
}

}  // namespace

std::vector<Candidate> configurations(const PolicyRow& row, const PolicyObject& object,
                                      const std::vector<std::string>& words) {
  const auto choices = choices_of(object);
  const auto asked = asked_for(row.manifest.name, choices, words);
  std::vector<std::vector<KnobValue>> all{{}};
  for (const auto& choice : choices) {
    std::vector<std::vector<KnobValue>> longer;
    for (const auto& knobs : all)
      for (size_t i = 0; i < choice.names.size(); ++i) {
        const KnobValue knob{choice.knob, choice.min + int64_t(i)};
        const bool refused = std::any_of(asked.begin(), asked.end(), [&](const KnobValue& one) {
          return one.name == knob.name && one.value != knob.value;
        });
        if (refused) continue;
        longer.push_back(knobs);
        longer.back().push_back(knob);
      }
    all = std::move(longer);
  }
  std::vector<Candidate> candidates;
  for (auto& knobs : all) {
    auto candidate = new_document<Candidate>();
    candidate.policy = {row.manifest.name, row.manifest.version, path_of(row),
                        row.manifest.summary};
    candidate.knobs = std::move(knobs);
    candidate.why = {canonical_name(candidate, choices)};
    if (object.ops().timeout_ms) candidate.timeout_ms = int64_t(object.ops().timeout_ms);
    candidates.push_back(std::move(candidate));
  }
  std::stable_sort(candidates.begin(), candidates.end(), [&](const auto& a, const auto& b) {
    return changed(a, choices) < changed(b, choices);
  });
  return candidates;
}

Added store_configuration(Store& store, const PolicyRow& row, const Candidate& configuration) {
  const std::string name = configuration.why.front();
  const TempDir dir;
  make_directories(dir.path() / name, 0755);
  Manifest manifest = row.manifest;
  manifest.name = name;
  manifest.summary = "The configuration " + name + " of " + row.manifest.name + ".";
  manifest.settings.clear();
  write_file_atomic(dir.path() / name / (name + ".bpf.c"),
                    specialised(row.source, row.manifest.name, name, configuration.knobs));
  write_file_atomic(dir.path() / name / (name + ".json"), dump(to_json_value(manifest)));
  return add_policy(store, dir.path() / name);
}

std::string view(const std::vector<Candidate>& configurations, const std::vector<Choice>& choices) {
  std::string text;
  for (const auto& one : configurations) text += one.why.front() + "\n";
  text += fmt::format("{} of", configurations.size());
  size_t all = 1;
  for (const auto& choice : choices) {
    text += fmt::format("{} {} {}", all == 1 ? "" : " x", choice.names.size(), choice.knob);
    all *= choice.names.size();
  }
  return text + fmt::format(" = {} configurations\n", all);
}

}  // namespace schedcp

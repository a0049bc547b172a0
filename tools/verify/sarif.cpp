// SPDX-License-Identifier: MIT
#include "sarif.h"

#include <fmt/format.h>

#include <map>

#include "base/text.h"
#include "check/catalogue.h"

namespace schedcp {
namespace {

/// A path as a URI: absolute ones as file://, relative ones as they are, both percent-encoded.
std::string uri_of(const std::string& path) {
  std::string uri = path.starts_with('/') ? "file://" : "";
  for (const char c : path) {
    const bool plain = std::isalnum(static_cast<unsigned char>(c)) || std::strchr("/-_.~+", c);
    uri += plain ? std::string(1, c) : fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return uri;
}

Json text(const std::string& what) { return Json{{"text", what}}; }

/// What SARIF calls precision.
const char* precision(const Rule& rule) {
  const std::string_view confidence = rule.confidence;
  return confidence == "certain" ? "very-high" : confidence == "likely" ? "high" : "medium";
}

Json rule_of(const std::string& id) {
  const Rule* rule = find_rule(id);
  // The build and kernel stages pass on what compiler and kernel say; that has no rule of ours.
  if (!rule)
    return Json{{"id", id}, {"shortDescription", text("what the stage '" + id + "' reports")}};
  Json json{{"id", id},
            {"shortDescription", text(rule->title)},
            {"fullDescription", text(rule->why)},
            {"help", text(std::string(rule->why) + " " + rule->mend)},
            {"properties", Json{{"tags", {rule->family}}, {"precision", precision(*rule)}}}};
  if (*rule->severity) json["defaultConfiguration"] = Json{{"level", rule->severity}};
  return json;
}

Json place_of(const std::string& file) {
  return Json{{"artifactLocation", Json{{"uri", uri_of(file)}}}};
}

Json location_of(const Finding& finding, const Verdict& verdict) {
  const auto file = finding.file ? finding.file : verdict.candidate.policy.path;
  Json location = Json::object();
  if (file) {
    Json place = place_of(*file);
    if (finding.file && finding.line && *finding.line > 0) {
      Json region{{"startLine", *finding.line}};
      if (finding.column && *finding.column > 0) region["startColumn"] = *finding.column;
      if (finding.source) region["snippet"] = text(*finding.source);
      place["region"] = region;
    }
    location["physicalLocation"] = place;
  }
  if (finding.callback)
    location["logicalLocations"] =
        Json::array({Json{{"name", *finding.callback}, {"kind", "function"}}});
  return location;
}

}  // namespace

Json sarif_log(const std::vector<Verdict>& verdicts) {
  Json rules = Json::array(), results = Json::array();
  std::map<std::string, size_t> index;
  for (const auto& verdict : verdicts)
    for (const auto& stage : verdict.stages)
      for (const auto& finding : stage.findings) {
        const auto [at, fresh] = index.try_emplace(finding.rule, rules.size());
        if (fresh) rules.push_back(rule_of(finding.rule));
        Json result{
            {"ruleId", finding.rule},
            {"ruleIndex", at->second},
            {"level", finding.severity},
            {"message", text(finding.message + (finding.mend ? "\nMend: " + *finding.mend : ""))},
            {"properties", Json{{"policy", verdict.candidate.policy.name}, {"stage", stage.name}}}};
        if (finding.allowed)
          result["suppressions"] =
              Json::array({Json{{"kind", "external"}, {"justification", *finding.allowed}}});
        if (const Json location = location_of(finding, verdict); !location.empty())
          result["locations"] = Json::array({location});
        for (const int64_t line : finding.also) {
          Json place = place_of(finding.file.value_or(""));
          place["region"] = Json{{"startLine", line}};
          result["relatedLocations"].push_back(Json{{"physicalLocation", place}});
        }
        results.push_back(result);
      }
  return Json{{"$schema", "https://json.schemastore.org/sarif-2.1.0.json"},
              {"version", "2.1.0"},
              {"runs", Json::array({Json{{"tool", Json{{"driver", Json{{"name", "schedcp-verify"},
                                                                       {"version", SCHEDCP_VERSION},
                                                                       {"rules", rules}}}}},
                                         {"columnKind", "utf16CodeUnits"},
                                         {"results", results}}})}};
}

}  // namespace schedcp

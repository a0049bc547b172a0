// SPDX-License-Identifier: MIT
#include "report.h"

#include <fmt/format.h>

#include <map>

#include "base/time.h"

namespace schedcp::mutation {
namespace {

/// Where a mutant ended: static, sim, kernel, stress, misbehaving, harmless, or not_run.
std::string fate_of(const Fate& fate, const std::string& why) {
  if (fate.early.static_stage == "failed") return "static";
  if (fate.early.sim == "failed") return "sim";
  if (!fate.guest) return "not_run";
  if (fate.guest->kernel != "passed") return "kernel";
  if (fate.guest->stress != "passed") return "stress";
  if (!fate.guest->endured.is_object()) return "not_run";
  return why.empty() ? "harmless" : "misbehaving";
}

constexpr const char* kFates[] = {"static",      "sim",      "kernel", "stress",
                                  "misbehaving", "harmless", "not_run"};

Json counts_json(const std::map<std::string, int>& counts) {
  Json json = Json::object();
  int all = 0;
  for (const auto& [name, n] : counts) all += n;
  json["mutants"] = all;
  for (const char* name : kFates) json[name] = counts.contains(name) ? counts.at(name) : 0;
  return json;
}

}  // namespace

Json report_of(const Mutants& mutants, const std::vector<Fate>& fates, const Results& results) {
  std::map<std::string, int> all;
  std::map<std::string, std::map<std::string, int>> by_policy, by_operator;
  Json survivors = Json::array(), late = Json::array();
  int killed_and_run = 0, killed_and_misbehaving = 0, unknown = 0;
  int past_stress = 0;
  for (const auto& fate : fates) {
    const std::string why =
        fate.guest ? misbehaviour(*fate.guest, results.runs(fate.original->key, fate.guest->jobs))
                   : "";
    const std::string end = fate_of(fate, why);
    const Mutation& m = *fate.mutant->mutation;
    ++all[end], ++by_operator[m.op][end];
    ++by_policy[fate.mutant->policy + (fate.mutant->library ? "" : " (corpus)")][end];
    unknown += fate.early.sim == "unknown";
    past_stress += end == "not_run" && fate.guest.has_value();
    if (fate.early.killed()) {
      killed_and_run += fate.guest.has_value();
      killed_and_misbehaving += !why.empty();
      continue;
    }
    Json one = {{"policy", fate.mutant->policy},
                {"file", m.file},
                {"line", m.line},
                {"operator", m.op},
                {"was", m.was},
                {"now", m.now},
                {"fate", end},
                {"key", fate.mutant->key}};
    if (!why.empty()) one["why"] = why;
    if (end == "kernel") one["why"] = fate.guest->reason.value_or("");
    if (!fate.early.warnings.empty()) one["warnings"] = fate.early.warnings;
    (end == "stress" || end == "misbehaving" ? survivors : late).push_back(one);
  }
  const int early = all["static"] + all["sim"], missed = all["stress"] + all["misbehaving"];
  Json report = {{"made_by", "make mutants"},
                 {"date", rfc3339_now()},
                 {"version", kVersion},
                 {"places", mutants.made},
                 {"not_compiling", mutants.not_compiling},
                 {"equal_to_another", mutants.equal}};
  report["all"] = counts_json(all);
  report["sim_unknown"] = unknown;
  report["not_run_but_past_stress"] = past_stress;
  report["killed_before_kernel"] = early;
  report["misbehaving_not_killed_before_kernel"] = missed;
  // Of those that have not run yet nobody knows.
  report["before_kernel_ratio"] =
      all["not_run"] || !(early + missed) ? Json() : Json(double(early) / (early + missed));
  report["killed_that_were_run_too"] = killed_and_run;
  report["of_those_misbehaving"] = killed_and_misbehaving;
  for (const auto& [name, counts] : by_policy) report["by_policy"][name] = counts_json(counts);
  for (const auto& [name, counts] : by_operator) report["by_operator"][name] = counts_json(counts);
  report["misbehaving_survivors"] = survivors;
  report["others_past_sim"] = late;
  return report;
}

std::string view(const Json& report) {
  std::string text = fmt::format("{:34}{:>9}", "", "mutants");
  for (const char* name : kFates) text += fmt::format("{:>12}", name);
  const auto row = [&](const std::string& name, const Json& counts) {
    text += fmt::format("\n{:34}{:9}", name, counts["mutants"].get<int>());
    for (const char* fate : kFates) text += fmt::format("{:12}", counts[fate].get<int>());
  };
  row("all", report["all"]);
  for (const auto& [name, counts] : report["by_policy"].items()) row(name, counts);
  for (const auto& [name, counts] : report["by_operator"].items()) row(name, counts);
  text += "\n\n";
  for (const auto& one : report["misbehaving_survivors"])
    text += fmt::format("{} {}:{} {}: {} -> {}\n    {}\n", one["policy"].get<std::string>(),
                        one["file"].get<std::string>(), one["line"].get<int>(),
                        one["operator"].get<std::string>(), one["was"].get<std::string>(),
                        one["now"].get<std::string>(), one["why"].get<std::string>());
  text += fmt::format(
      "\n{} killed before a kernel, {} more misbehave: {}; {} not run to the end yet, {} of "
      "them past stress\n",
      report["killed_before_kernel"].get<int>(),
      report["misbehaving_not_killed_before_kernel"].get<int>(),
      report["before_kernel_ratio"].is_null()
          ? "no ratio yet"
          : fmt::format("{:.1f} %", 100 * report["before_kernel_ratio"].get<double>()),
      report["all"]["not_run"].get<int>(), report["not_run_but_past_stress"].get<int>());
  return text;
}

}  // namespace schedcp::mutation

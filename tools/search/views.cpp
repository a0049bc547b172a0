// SPDX-License-Identifier: MIT
#include "views.h"

#include <fmt/format.h>

#include "cli/text.h"

namespace schedcp {
namespace {

std::string wrapped(const std::string& text, const std::string& indent) {
  std::string out, line;
  for (const auto& word : split(text, ' ')) {
    if (!line.empty() && width_of(line) + 1 + width_of(word) + indent.size() > 80) {
      out += indent + line + "\n";
      line.clear();
    }
    line += (line.empty() ? "" : " ") + word;
  }
  return out + indent + line + "\n";
}

void section(std::string& out, const std::string& title, const std::vector<std::string>& items,
             bool colour) {
  if (items.empty()) return;
  out += paint(title, Colour::bold, colour) + "\n";
  for (const auto& item : items) out += wrapped(item, "  ");
}

std::string interval(const Quantity& ratio) {
  return fmt::format("{:.3f} ({:.3f} to {:.3f})", ratio.median, ratio.low, ratio.high);
}

/// The last part of a path: what tells it from others; of "--file=/srv/x", "--file=x".
std::string short_of(const std::string& word) {
  const size_t slash = word.find_last_not_of('/') == word.npos
                           ? word.npos
                           : word.rfind('/', word.find_last_not_of('/'));
  if (slash == word.npos) return word;
  const size_t is = word.find('=');
  return (is < slash ? word.substr(0, is + 1) : "") + word.substr(slash + 1);
}

/// A command as it was; one that is too long without folders, then without words in its middle.
std::string command_of(const Experience& experience) {
  constexpr size_t limit = 48;
  const auto& command = experience.header.context.command;
  std::string text = printable(join(command, " "), 4 * limit);
  if (text.size() <= limit) return text;
  std::vector<std::string> words;
  for (const auto& word : command) words.push_back(printable(short_of(word), 4 * limit));
  text = join(words, " ");
  if (text.size() <= limit) return text;
  std::string end;
  for (size_t i = words.size(); i-- > 1;) {
    if (words[0].size() + 4 + words[i].size() + 1 + end.size() > limit) break;
    end = " " + words[i] + end;
  }
  return excerpt(words[0] + " ..." + end, limit);
}

/// A pattern may be long; what it begins with names it.
std::string metric_of(const Experience& experience) {
  return excerpt(experience.metric.value_or("-"), 20);
}

/// What its line in a table does not tell of a policy: how its knobs were set, and why it was
/// rejected or failed.
std::string remarks_on(const Experience& experience) {
  constexpr size_t limit = 600;
  std::vector<std::string> knobs;
  for (const auto& [name, value] : experience.knobs)
    knobs.push_back(fmt::format("{}={}", name, value));
  std::string remarks = knobs.empty() ? "" : wrapped("with " + join(knobs, ", "), "    ");
  if (!experience.reason) return remarks;
  if (experience.summary) remarks += wrapped(excerpt(*experience.summary, limit), "    ");
  return remarks + wrapped(excerpt(*experience.reason, limit), "    ");
}

}  // namespace

std::string view(const Candidate& candidate, size_t rank, bool colour) {
  std::string out =
      fmt::format("{}. {}  {} {:.2f}\n", rank, paint(candidate.policy.name, Colour::bold, colour),
                  paint(fmt::format("{:░<20}", bar(candidate.score, 1, 20)), Colour::blue, colour),
                  candidate.score);
  if (candidate.policy.summary) out += wrapped(*candidate.policy.summary, "   ");
  for (const auto& why : candidate.why)
    out += wrapped(excerpt(why, 600), "     ").replace(3, 1, "-");
  return out;
}

std::string view(const std::vector<PolicyEntry>& entries, bool colour) {
  Table table({"policy", "version", "origin", "status", "measured", "what it does"}, colour);
  for (const auto& entry : entries)
    table.row({entry.name, entry.version, entry.origin, entry.status,
               std::to_string(entry.measured), printable(entry.summary, 100)});
  return table.str();
}

std::string view(const PolicyEntry& entry, const PolicyRow& row,
                 const std::vector<Experience>& history, bool colour) {
  std::string out = paint(entry.name, Colour::bold, colour) + " " + entry.version + " (" +
                    entry.origin + ")\n" + wrapped(entry.summary, "  ");
  if (entry.status != "offered")
    section(out,
            entry.status == "retired"    ? "Retired"
            : entry.status == "rejected" ? "Rejected"
                                         : "Promoted",
            {entry.status_reason.value_or("")}, colour);
  if (entry.description) section(out, "What it does", {*entry.description}, colour);
  if (entry.algorithm)
    section(out, "Algorithm", {*entry.algorithm + (entry.source ? " (" + *entry.source + ")" : "")},
            colour);
  section(out, "Good for", entry.suits, colour);
  section(out, "Bad for", entry.unsuited, colour);
  section(out, "Limits", entry.limitations, colour);
  std::vector<std::string> signature;
  for (const auto& [name, range] : row.manifest.signature)
    signature.push_back(name + (range.min ? fmt::format(" at least {:g}", *range.min) : "") +
                        (range.max ? fmt::format(" at most {:g}", *range.max) : ""));
  section(out, "Found for workloads with", signature, colour);
  if (!entry.knobs.empty()) {
    out += paint("Knobs", Colour::bold, colour) + "\n";
    for (const auto& knob : entry.knobs)
      out += fmt::format("  {} = {} ({} to {})\n", knob.name, knob.value, knob.min, knob.max) +
             wrapped(knob.sentence, "    ");
  }
  section(out, "Takes expected lengths in", entry.hints, colour);
  std::vector<std::string> measured;
  for (const auto& one : history) measured.push_back(sentence(one));
  section(out, "Remembered", measured, colour);
  if (entry.path) section(out, "Source", {*entry.path}, colour);
  if (entry.digest) section(out, "Digest", {*entry.digest}, colour);
  return out;
}

std::string view(const std::vector<Experience>& experiences, bool colour) {
  if (experiences.empty()) return "nothing was measured yet\n";
  Table table({"measured", "policy", "verdict", "cost over default's", "runs", "metric", "where",
               "command"},
              colour);
  for (const auto& one : experiences)
    table.row({one.measured.substr(0, 16), one.policy, one.verdict,
               one.ratio ? interval(*one.ratio) : "-", std::to_string(one.runs), metric_of(one),
               one.target.value_or("-") + (one.kernel ? " " + *one.kernel : ""), command_of(one)});
  // Under each line what it does not tell.
  const auto lines = split(table.str(), '\n');
  std::string out = lines[0] + "\n";
  for (size_t i = 0; i < experiences.size(); ++i)
    out += lines[i + 1] + "\n" + remarks_on(experiences[i]);
  return out;
}

std::string view(const Integrity& integrity, const std::string& file) {
  std::string out =
      integrity.done + (file.empty() ? "" : " " + file) + ": " +
      fmt::format("{} policies in {} versions, {} workloads, {} experiences", integrity.policies,
                  integrity.versions, integrity.workloads, integrity.experiences);
  if (integrity.done == "import") out += fmt::format("; {} rows were new", integrity.added);
  out += integrity.sound ? "; sound\n" : "\n";
  for (const auto& fault : integrity.faults) out += "  " + fault + "\n";
  return out;
}

std::string sentence(const Experience& experience) {
  std::string verdict =
      experience.verdict == "no_difference" ? "no difference" : experience.verdict;
  const bool somewhere = !experience.workload.empty() && is_of_workload(experience);
  const std::string where = somewhere ? " on '" + command_of(experience) + "'" : "";
  return fmt::format("{}: {}{}{}{}{}", experience.policy, verdict, where,
                     experience.ratio ? ", " + interval(*experience.ratio) : "",
                     experience.ratio && experience.metric ? " by " + metric_of(experience) : "",
                     experience.reason ? ": " + excerpt(*experience.reason, 600) : "");
}

}  // namespace schedcp

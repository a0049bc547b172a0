// SPDX-License-Identifier: MIT
#include "doctor.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "cli/text.h"

namespace schedcp {
namespace {

Examined result(const std::string& name, const char* status, const std::string& found,
                const std::string& why, const std::string& cure) {
  Examined one{{name, status, printable(found), {}, {}}, false};
  if (!why.empty()) one.check.why = printable(why, 300);
  if (!cure.empty()) one.check.cure = cure;
  return one;
}

}  // namespace

Examined ok(const std::string& name, const std::string& found) {
  return result(name, "ok", found, "", "");
}
Examined degraded(const std::string& name, const std::string& found, const std::string& why,
                  const std::string& cure) {
  return result(name, "degraded", found, why, cure);
}
Examined missing(const std::string& name, const std::string& found, const std::string& why,
                 const std::string& cure) {
  return result(name, "missing", found, why, cure);
}
Examined fatal(const std::string& name, const std::string& found, const std::string& why,
               const std::string& cure) {
  Examined one = missing(name, found, why, cure);
  one.essential = true;
  return one;
}

Diagnosis diagnose() {
  auto diagnosis = new_document<Diagnosis>();
  std::vector<std::string> blocking;
  size_t worse = 0;
  for (const auto& room : {examine_host(), examine_guest(), examine_tools()})
    for (const auto& one : room) {
      if (one.essential) blocking.push_back(one.check.name);
      worse += one.check.status != "ok";
      diagnosis.checks.push_back(one.check);
    }
  diagnosis.ready = blocking.empty();
  if (!diagnosis.ready)
    diagnosis.summary = "the main job cannot run here: " + join(blocking, ", ");
  else if (worse)
    diagnosis.summary = fmt::format("the main job can run here; {} of {} things could be better",
                                    worse, diagnosis.checks.size());
  else
    diagnosis.summary = "everything is as it should be";
  return diagnosis;
}

std::string diagnosis_text(const Diagnosis& diagnosis, bool colour) {
  Table table{{"", "check", "found"}, colour};
  for (const auto& check : diagnosis.checks) {
    const Colour shade = check.status == "ok"         ? Colour::green
                         : check.status == "degraded" ? Colour::yellow
                                                      : Colour::red;
    table.row({paint(check.status, shade, colour), check.name, check.found});
  }
  std::string text = table.str();
  for (const auto& check : diagnosis.checks) {
    if (check.status == "ok") continue;
    text += fmt::format("\n{}: {}\n", paint(check.name, Colour::bold, colour),
                        check.why.value_or(check.found));
    if (check.cure) text += "  cure: " + *check.cure + "\n";
  }
  return text + "\n" +
         paint(diagnosis.summary, diagnosis.ready ? Colour::green : Colour::red, colour) + "\n";
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
// The corpus of policies: the bad ones (tests/corpus/bad) that static analysis or the simulator
// must catch are caught there by the rule that their first line names, the good ones
// (tests/corpus/good), all of them unusual, by none. Rules see each object under the same neutral
// name.
#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <future>
#include <set>

#include "base/error.h"
#include "base/process.h"
#include "base/text.h"
#include "check/check.h"
#include "sim/suite.h"
#include "vm/kernel.h"

using namespace schedcp;

namespace {

const fs::path kSource = SCHEDCP_SOURCE_DIR;

/// Bad policies whose rule does not see them yet; one that is seen must be struck out.
const std::set<std::string> expected_missing = {};

/// The same of the simulator's suite.
const std::set<std::string> expected_missing_in_sim = {};

/// Good policies that a rule takes for bad ones; likewise.
const std::set<std::string> false_alarms = {};

/// Good policies of which the simulator cannot tell; likewise.
const std::set<std::string> unknown_to_sim = {};

/// What one of these is found doing ends the policy or loses tasks, or is sure: a warning is not
/// enough.
const std::set<std::string> fatal = {"SCX001", "SCX002", "SCX003", "SCX004", "SCX005", "SCX007",
                                     "SCX008", "SCX011", "SCX022", "SCX023", "SCX024", "SCX037",
                                     "SCX046", "SCX049", "SCX051", "SCX064", "SCX067", "SCX068",
                                     "SCX069", "SCX070", "SCX073"};

struct Sample {
  std::string name;         ///< file without .bpf.c
  std::string stage, rule;  ///< of a bad one: who must catch it; "" of a good one
  std::string output;       ///< the compiler's
  std::string object;       ///< "" if it does not compile
  /// The compiler warns of the policy itself, not only of the header it includes.
  bool warned() const { return ("\n" + output).find("\npolicy.bpf.c:") != std::string::npos; }
};

/// "/* caught by: static SCX004. What is wrong. */" or "/* GOOD: What is unusual. */"
Sample headed(const fs::path& file) {
  Sample sample;
  sample.name = file.filename().string();
  sample.name.resize(sample.name.size() - std::string(".bpf.c").size());
  const std::string first = split(read_file(file), '\n')[0];
  CAPTURE(file);
  if (file.parent_path().filename() == "good") {
    REQUIRE(first.starts_with("/* GOOD: "));
    return sample;
  }
  const std::string mark = "/* caught by: ";
  REQUIRE(first.starts_with(mark));
  const std::string who = first.substr(mark.size(), first.find('.') - mark.size());
  const auto words = split(who, ' ');
  static const std::set<std::string> stages = {"build", "static", "sim", "kernel", "stress"};
  sample.stage = words[0];
  REQUIRE(stages.contains(sample.stage));
  if (words.size() > 1) sample.rule = words[1];
  REQUIRE((sample.rule.size() == 6 || (words.size() == 1 && sample.stage != "static")));
  return sample;
}

/// Some policies are written as most people write them, with the header of the kernel's own types.
fs::path kernel_header() {
  for (const auto& kernel : list_kernels())
    if (!kernel.vmlinux_h.empty()) return kernel.vmlinux_h;
  return {};
}

void compile(const fs::path& source, const fs::path& header, Sample& sample) {
  const TempDir dir;
  write_file_atomic(dir.path() / "policy.bpf.c", read_file(source));
  Spawn spawn;
  spawn.argv = {find_program("clang-19") ? "clang-19" : "clang",
                "-g",
                "-O2",
                "-target",
                "bpf",
                "-mcpu=v3",
                "-D__TARGET_ARCH_x86",
                "-Wall",
                "-I" + (kSource / "bpf/include").string(),
                "-c",
                "policy.bpf.c",
                "-o",
                "policy.bpf.o"};
  if (!header.empty()) spawn.argv.push_back("-I" + header.parent_path().string());
  spawn.cwd = dir.path();
  const RunResult result = run(spawn);
  sample.output = result.err;
  if (result.exit.ok()) sample.object = read_file(dir.path() / "policy.bpf.o");
}

/// All policies of a directory, or those that a stage must catch, compiled two at a time. Left out
/// are those that want a header which this machine does not have.
std::vector<Sample> samples(const std::string& directory, const std::string& stage = "") {
  const fs::path header = kernel_header();
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kSource / "tests/corpus" / directory))
    if (entry.path().string().ends_with(".bpf.c") &&
        (stage.empty() || headed(entry.path()).stage == stage))
      files.push_back(entry.path());
  std::erase_if(files, [&](const fs::path& file) {
    const bool lacking =
        header.empty() && read_file(file).find("\"vmlinux.h\"") != std::string::npos;
    if (lacking) MESSAGE("no vmlinux.h here: ", file, " is left out");
    return lacking;
  });
  std::sort(files.begin(), files.end());
  std::vector<Sample> found;
  for (const auto& file : files) found.push_back(headed(file));
  std::atomic<size_t> next{0};
  const auto work = [&] {
    for (size_t i; (i = next++) < files.size();) compile(files[i], header, found[i]);
  };
  auto other = std::async(std::launch::async, work);
  work();
  other.get();
  return found;
}

CheckResult check(const Sample& sample) {
  return check_policy(PolicyObject(sample.object, "policy.bpf.o"));
}

CheckedSim simulate(const Sample& sample) {
  return check_in_simulator(PolicyObject(sample.object, "policy.bpf.o"));
}

/// The findings that are worse than notes, as "SCX004 error".
template <class Result>
std::vector<std::string> complaints(const Result& result) {
  std::vector<std::string> found;
  for (const auto& finding : result.findings)
    if (finding.severity != "note") found.push_back(finding.rule + " " + finding.severity);
  return found;
}

bool caught(const Sample& sample, const std::vector<std::string>& found) {
  const auto has = [&](const char* severity) {
    return std::find(found.begin(), found.end(), sample.rule + " " + severity) != found.end();
  };
  return has("error") || (has("warning") && !fatal.contains(sample.rule));
}

}  // namespace

TEST_CASE("bad policies that static rules must catch are caught by the rule they name") {
  std::set<std::string> missing = expected_missing;
  int by_static = 0, before_a_kernel = 0, all = 0;
  for (const auto& sample : samples("bad")) {
    CAPTURE(sample.name);
    ++all;
    before_a_kernel += sample.stage != "kernel" && sample.stage != "stress";
    if (sample.stage == "build") {
      CHECK(sample.object.empty());
      continue;
    }
    INFO(sample.output);
    CHECK_FALSE(sample.warned());
    REQUIRE_FALSE(sample.object.empty());
    if (sample.stage != "static") continue;
    ++by_static;
    const auto found = complaints(check(sample));
    INFO("found: ", join(found, ", "));
    const bool expected = missing.erase(sample.name) == 0;
    CHECK_MESSAGE(caught(sample, found) == expected, sample.name,
                  expected ? " is not caught by " : " is caught now, strike it out: ", sample.rule);
  }
  for (const auto& name : missing) FAIL_CHECK(name, " is expected missing, but not there");
  CHECK(all >= 50);
  CHECK(before_a_kernel * 100 >= all * 80);
  MESSAGE(all, " bad policies, ", by_static, " of them for static analysis, of which ",
          expected_missing.size(), " are not caught yet");
}

TEST_CASE("good policies, however unusual, get neither error nor warning") {
  std::set<std::string> alarms = false_alarms;
  int all = 0;
  for (const auto& sample : samples("good")) {
    CAPTURE(sample.name);
    INFO(sample.output);
    CHECK_FALSE(sample.warned());
    REQUIRE_FALSE(sample.object.empty());
    const auto found = complaints(check(sample));
    const bool expected = alarms.erase(sample.name) == 0;
    CHECK_MESSAGE(found.empty() == expected, sample.name,
                  expected ? ": " : " is left alone now, strike it out", join(found, ", "));
    ++all;
  }
  for (const auto& name : alarms) FAIL_CHECK(name, " is expected to be found, but not there");
  CHECK(all >= 20);
}

TEST_CASE("bad policies that the simulator must catch are caught by the rule they name") {
  std::set<std::string> missing = expected_missing_in_sim;
  int all = 0, placed = 0;
  for (const auto& sample : samples("bad", "sim")) {
    CAPTURE(sample.name);
    REQUIRE_FALSE(sample.object.empty());
    ++all;
    const CheckedSim result = simulate(sample);
    const auto found = complaints(result);
    INFO("found: ", join(found, ", "), "; not modelled: ", join(result.unmodelled, ", "));
    const bool expected = missing.erase(sample.name) == 0;
    CHECK_MESSAGE(caught(sample, found) == expected, sample.name,
                  expected ? " is not caught by " : " is caught now, strike it out: ", sample.rule);
    for (const auto& finding : result.findings) {
      CHECK(finding.mend);
      placed += finding.line && finding.callback;
    }
  }
  for (const auto& name : missing) FAIL_CHECK(name, " is expected missing, but not there");
  CHECK(all >= 29);
  CHECK(placed >= all - int(expected_missing_in_sim.size()));
}

TEST_CASE("good policies, however unusual, pass the simulator's suite") {
  std::set<std::string> unknown = unknown_to_sim;
  for (const auto& sample : samples("good")) {
    CAPTURE(sample.name);
    REQUIRE_FALSE(sample.object.empty());
    const CheckedSim result = simulate(sample);
    for (const auto& finding : result.findings) CHECK(finding.rule + " " + finding.message == "");
    INFO("not modelled: ", join(result.unmodelled, ", "));
    CHECK(result.outcome() == (unknown.erase(sample.name) ? "unknown" : "passed"));
    CHECK(result.complete);
  }
  for (const auto& name : unknown) FAIL_CHECK(name, " is expected unknown, but not there");
}

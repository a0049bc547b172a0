// SPDX-License-Identifier: MIT
// Many objects in one run of schedcp-verify: one guest serves all, and none tells of another. With
// it the part of the corpus that only a kernel can judge.
#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <csignal>
#include <set>
#include <thread>

#include "base/process.h"
#include "base/text.h"
#include "doc/policy.h"
#include "vm/kernel.h"

using namespace schedcp;
using namespace std::chrono_literals;

namespace {

const fs::path kSource = SCHEDCP_SOURCE_DIR;
const fs::path kCorpus = kSource / "tests/corpus";

/// Races that emulated CPUs, seldom between the same two instructions, lose now and then only.
const std::set<std::string> by_chance = {"racy_ring"};

const TempDir& state() {
  static const TempDir dir;
  return dir;
}

Spawn verify_command(const std::vector<std::string>& words) {
  Spawn spawn;
  spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-verify", "--format", "json"};
  spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
  spawn.set_env = {{"SCHEDCP_STATE_DIR", state().path().string()}};
  return spawn;
}

std::vector<Verdict> verdicts(const std::string& lines) {
  std::vector<Verdict> found;
  for (const auto& value : parse_stream(lines, "verdicts"))
    found.push_back(from_json<Verdict>(value));
  return found;
}

std::vector<Verdict> verify(const std::string& stages, const std::vector<fs::path>& files) {
  std::vector<std::string> words = {"--stages", stages, "--keep-going"};
  for (const auto& file : files) words.push_back(file.string());
  const RunResult result = run(verify_command(words), {}, 550s);
  INFO(result.err);
  REQUIRE_FALSE(result.timed_out);
  const auto found = verdicts(result.out);
  REQUIRE(found.size() == files.size());
  for (size_t i = 0; i < files.size(); ++i)
    CHECK(found[i].candidate.policy.path == files[i].string());
  return found;
}

const Stage* stage(const Verdict& verdict, const std::string& name) {
  for (const auto& stage : verdict.stages)
    if (stage.name == name) return &stage;
  return nullptr;
}

/// What a verdict says, without what differs from run to run.
std::vector<std::string> gist(const Verdict& verdict) {
  std::vector<std::string> lines = {verdict.accepted ? "accepted" : "rejected",
                                    verdict.object ? verdict.object->sha256 : "",
                                    join(verdict.kernels, ",")};
  for (const auto& stage : verdict.stages) {
    lines.push_back(stage.name + " " + stage.outcome);
    for (const auto& finding : stage.findings)
      lines.push_back(finding.rule + " " + finding.severity + " " +
                      std::to_string(finding.line.value_or(0)));
    if (!stage.evidence.is_object()) continue;
    if (stage.evidence.contains("policy")) lines.push_back(stage.evidence["policy"]);
    if (stage.evidence.contains("exit")) lines.push_back(stage.evidence["exit"]["kind_name"]);
  }
  return lines;
}

/// The stage of a corpus policy's first line: "/* caught by: stress SCX062. ..." has "stress".
std::string catcher(const fs::path& file) {
  const std::string mark = "/* caught by: ", first = split(read_file(file), '\n')[0];
  REQUIRE(first.starts_with(mark));
  const size_t end = first.find_first_of(" .", mark.size());
  return first.substr(mark.size(), end - mark.size());
}

/// Without those that want the header of the kernel's own types where there is none.
std::vector<fs::path> corpus(const char* directory) {
  const auto kernels = list_kernels();
  const bool types = std::any_of(kernels.begin(), kernels.end(),
                                 [](const Kernel& k) { return !k.vmlinux_h.empty(); });
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(kCorpus / directory))
    if (entry.path().string().ends_with(".bpf.c") &&
        (types || read_file(entry.path()).find("\"vmlinux.h\"") == std::string::npos))
      files.push_back(entry.path());
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

TEST_CASE("objects of one run share a guest and are judged as if each had its own") {
  const std::vector<fs::path> files = {
      kCorpus / "bad/init_fails.bpf.c", kSource / "policies/fifo/fifo.bpf.c",
      kCorpus / "bad/never_dispatches.bpf.c", kCorpus / "good/init_and_exit.bpf.c"};
  const auto together = verify("kernel,stress", files);
  for (size_t i = 0; i < files.size(); ++i) {
    CAPTURE(files[i]);
    const Verdict& verdict = together[i];
    CHECK(verdict.accepted == (i % 2 == 1));
    CHECK(gist(verdict) == gist(verify("kernel,stress", {files[i]})[0]));

    const Json& guest = stage(verdict, "kernel")->evidence["guest"];
    CHECK(guest["checked_before"] == i);
    CHECK((guest["start_ns"].get<int64_t>() > 0) == (i == 0));
    const Json& stress = stage(verdict, "stress")->evidence;
    CHECK(stress["boot_id"] == stage(together[0], "stress")->evidence["boot_id"]);
    CHECK(stress["health_before"]["state"] == "disabled");
    // What the kernel said of the policy before is not told of this one.
    const auto ops = stress["policy"].get<std::string>();
    for (const auto& line : stress["kernel_log"])
      CHECK_MESSAGE(line.get<std::string>().find(ops) != std::string::npos, line);
  }
  // Refused by init, run and taken out, ejected, run and taken out.
  CHECK(stage(together[3], "stress")->evidence["health_detached"]["enable_seq"] == 3);
}

TEST_CASE("a guest that dies is told of the policy that ran, and replaced for the next") {
  const TempDir dir;
  const fs::path out = dir.path() / "out";
  Spawn spawn = verify_command({"--stages", "kernel,stress"});
  for (const auto& file : {kCorpus / "bad/rejected_by_kernel.bpf.c",
                           kSource / "policies/fifo/fifo.bpf.c", kCorpus / "bad/init_fails.bpf.c"})
    spawn.argv.push_back(file);
  const Fd file = open_file(out, O_WRONLY | O_CREAT);
  spawn.stdout_fd = file.get();
  Child child(spawn);
  // Once the first verdict is out the guest is there, and the second one runs for some 8 seconds.
  for (int i = 0; i < 1200 && read_file(out).find('\n') == std::string::npos; ++i)
    std::this_thread::sleep_for(50ms);
  std::this_thread::sleep_for(3s);
  const std::string self = std::to_string(child.pid());
  const auto children = try_read_file("/proc/" + self + "/task/" + self + "/children");
  REQUIRE(children);
  REQUIRE(!children->empty());
  for (const auto& pid : split(*children, ' ')) kill(std::stoi(pid), SIGKILL);
  const auto exit = child.wait(200s);
  REQUIRE(exit);
  const auto found = verdicts(read_file(out));
  REQUIRE(found.size() == 3);
  CHECK(found[1].reason.find("the guest's kernel died") != std::string::npos);
  CHECK_FALSE(found[1].accepted);
  CHECK(stage(found[2], "kernel")->evidence["guest"]["checked_before"] == 0);
  CHECK(stage(found[2], "kernel")->evidence["guest"]["start_ns"].get<int64_t>() > 0);
  CHECK(found[2].reason.find("ops.init() failed (-22)") != std::string::npos);
}

TEST_CASE("bad policies that only a kernel can catch are caught by the stage they name") {
  std::vector<fs::path> files;
  std::vector<std::string> stages;
  for (const auto& file : corpus("bad"))
    if (const std::string name = catcher(file); name == "kernel" || name == "stress")
      files.push_back(file), stages.push_back(name);
  REQUIRE(files.size() >= 3);
  const auto found = verify("kernel,stress", files);
  for (size_t i = 0; i < files.size(); ++i) {
    const std::string& name = found[i].candidate.policy.name;
    CAPTURE(found[i].reason);
    const Stage* named = stage(found[i], stages[i]);
    REQUIRE(named);
    if (by_chance.contains(name))
      WARN_MESSAGE(named->outcome == "failed", name, " won its race");
    else
      CHECK_MESSAGE(named->outcome == "failed", name, " is not caught by ", stages[i]);
  }
}

TEST_CASE("good policies, however unusual, are loaded by the kernel") {
  const auto files = corpus("good");
  CHECK(files.size() >= 20);
  for (const auto& verdict : verify("kernel", files))
    CHECK_MESSAGE(verdict.accepted, verdict.candidate.policy.name, ": ", verdict.reason);
}

// SPDX-License-Identifier: MIT
// The repository under real processes: eight schedcp-search that record at once, one of them killed
// with SIGKILL in the middle. What a process printed, it had remembered.
#include "doc/repository.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <random>
#include <set>

#include "base/id.h"
#include "base/process.h"
#include "doc/measurement.h"

using namespace schedcp;

namespace {

constexpr int writers = 8;
constexpr int records_each = 12;

/// 100 rounds take too long beside everything else; `make crash` asks for them.
int rounds() {
  const char* asked = std::getenv("SCHEDCP_CRASH_ROUNDS");
  return asked ? std::atoi(asked) : 10;
}

std::string measurements() {
  std::string text;
  for (int i = 0; i < records_each; ++i) {
    auto measurement = new_document<Measurement>();
    measurement.command = {"./work", std::to_string(i)};
    measurement.target = "vm";
    measurement.kernel = "6.12";
    measurement.cpus = 2;
    measurement.metric = "over";
    measurement.better = "lower";
    measurement.conclusion = "ljf is better";
    Arm arm;
    arm.name = "ljf";
    arm.verdict = "better";
    arm.runs = 6;
    arm.ratio = Quantity{6, 0.8, 0.7, 0.9};
    measurement.arms = {arm};
    text += dump(to_json(measurement)) + "\n";
  }
  return text;
}

class LiveRepository {
 public:
  RunResult search(const std::vector<std::string>& words) const {
    Spawn spawn;
    spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-search"};
    spawn.argv.insert(spawn.argv.end(), words.begin(), words.end());
    spawn.set_env = environment();
    return run(spawn, {}, std::chrono::seconds(60));
  }
  /// A process that records what `input` holds, its acknowledgements in `output`.
  Child recorder(const fs::path& input, const fs::path& output) const {
    const Fd in = open_file(input, O_RDONLY);
    const Fd out = open_file(output, O_WRONLY | O_CREAT | O_TRUNC);
    Spawn spawn;
    spawn.argv = {SCHEDCP_BUILD_DIR "/bin/schedcp-search", "record"};
    spawn.set_env = environment();
    spawn.stdin_fd = in.get();
    spawn.stdout_fd = out.get();
    return Child(spawn);
  }
  /// The documents that experiences which are remembered come from.
  std::set<std::string> remembered() const {
    std::set<std::string> documents;
    const auto result = search({"history", "--limit", "10000000"});
    CHECK(result.exit.code == 0);
    for (const auto& json : parse_stream(result.out, "history"))
      documents.insert(from_json<Experience>(json).header.from.at(0));
    return documents;
  }
  void expect_sound() const {
    const auto result = search({"check"});
    INFO(result.out);
    CHECK(result.exit.code == 0);
  }
  const fs::path& dir() const { return dir_.path(); }

 private:
  std::vector<std::pair<std::string, std::string>> environment() const {
    return {{"SCHEDCP_STATE_DIR", (dir() / "state").string()}};
  }
  TempDir dir_;
};

/// Whole lines that a recorder printed; a line torn by its death was not acknowledged.
std::vector<std::string> acknowledged(const fs::path& output) {
  std::string text = read_file(output);
  text.resize(text.rfind('\n') + 1);
  std::vector<std::string> documents;
  for (const auto& json : parse_stream(text, output))
    documents.push_back(from_json<Experience>(json).header.from.at(0));
  return documents;
}

}  // namespace

TEST_CASE("repository: eight processes record, one is killed, and nothing acknowledged is lost" *
          doctest::timeout(1200)) {
  LiveRepository repository;
  REQUIRE(repository.search({"list"}).exit.code == 0);
  std::mt19937 random(7);
  std::set<std::string> promised;
  int killed_in_the_middle = 0;
  for (int round = 0; round < rounds(); ++round) {
    std::vector<Child> children;
    std::vector<fs::path> outputs;
    for (int writer = 0; writer < writers; ++writer) {
      const fs::path input = repository.dir() / fmt::format("in.{}", writer);
      write_file_atomic(input, measurements());
      outputs.push_back(repository.dir() / fmt::format("out.{}", writer));
      children.push_back(repository.recorder(input, outputs.back()));
    }
    // Anywhere between starting and the last record.
    const size_t victim = random() % writers, after = random() % records_each;
    while (acknowledged(outputs[victim]).size() < after) usleep(200);
    usleep(useconds_t(random() % 2000));
    children[victim].send(SIGKILL);
    for (size_t i = 0; i < children.size(); ++i) {
      const auto exit = children[i].wait(std::chrono::seconds(60));
      REQUIRE(exit);
      const auto documents = acknowledged(outputs[i]);
      promised.insert(documents.begin(), documents.end());
      if (i == victim) {
        killed_in_the_middle += exit->signal == SIGKILL && documents.size() > 0;
      } else {
        CHECK(exit->code == 0);
        CHECK(documents.size() == records_each);
      }
    }
    const auto kept = repository.remembered();
    for (const auto& document : promised)
      if (!kept.contains(document)) FAIL_CHECK("lost " << document << " in round " << round);
    repository.expect_sound();
  }
  MESSAGE(rounds() << " rounds, " << promised.size() << " records acknowledged, "
                   << killed_in_the_middle << " writers killed between their records");
}

TEST_CASE("repository: a backup taken under load is restored whole" * doctest::timeout(300)) {
  LiveRepository repository;
  REQUIRE(repository.search({"list"}).exit.code == 0);
  std::vector<Child> children;
  std::vector<fs::path> outputs;
  for (int writer = 0; writer < writers; ++writer) {
    const fs::path input = repository.dir() / fmt::format("in.{}", writer);
    std::string text;
    for (int i = 0; i < 6; ++i) text += measurements();
    write_file_atomic(input, text);
    outputs.push_back(repository.dir() / fmt::format("out.{}", writer));
    children.push_back(repository.recorder(input, outputs.back()));
  }
  const auto all_acknowledged = [&] {
    std::set<std::string> documents;
    for (const auto& output : outputs)
      for (const auto& document : acknowledged(output)) documents.insert(document);
    return documents;
  };
  while (all_acknowledged().size() < 20) usleep(1000);
  const auto before = all_acknowledged();
  const fs::path file = repository.dir() / "backup";
  const auto backup = repository.search({"backup", file});
  INFO(backup.err);
  CHECK(backup.exit.code == 0);
  for (auto& child : children) CHECK(child.wait(std::chrono::seconds(60))->code == 0);
  const auto after = all_acknowledged();
  CHECK(after.size() == 6 * writers * records_each);
  CHECK(repository.remembered() == after);

  CHECK(repository.search({"restore", file}).exit.code == 0);
  repository.expect_sound();
  const auto restored = repository.remembered();
  // What was acknowledged before the backup began is in it, and nothing that never was.
  for (const auto& document : before) CHECK(restored.contains(document));
  for (const auto& document : restored) CHECK(after.contains(document));
  MESSAGE(before.size() << " acknowledged before, " << restored.size() << " restored, "
                        << after.size() << " in all");
}

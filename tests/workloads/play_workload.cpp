// SPDX-License-Identifier: MIT
// play-workload: run a workload document (or rt-app's), as schedcp-sim simulates it, with real
// tasks; print what came of it as one line of JSON.
//
//   play-workload [--seed N] FILE
//
// CPU phases take the CPU time they say, whatever the machine's speed; sleeps, wake-ups and forks
// are the kernel's. A wake-up's latency is measured by the tasks: from the moment before the
// waker's system call, or from the time a sleep was to end, to the next instruction of who was
// woken.
#include <fmt/format.h>

#include <cstdlib>

#include "base/file.h"
#include "base/text.h"
#include "player.h"
#include "sim/rt_app.h"

using namespace schedcp;

int main(int argc, char** argv) {
  try {
    // schedcp-bench draws a new number for each round, the same for all schedulers in it.
    const char* given = getenv("SCHEDCP_RUN_SEED");
    uint64_t seed = given ? strtoull(given, nullptr, 10) : 1;
    std::string file;
    for (int i = 1; i < argc; ++i) {
      const std::string word = argv[i];
      if (word == "--seed" && i + 1 < argc)
        seed = strtoull(argv[++i], nullptr, 10);
      else if (file.empty() && !word.starts_with("-"))
        file = word;
      else
        throw usage_error("usage: play-workload [--seed N] FILE");
    }
    if (file.empty()) throw usage_error("usage: play-workload [--seed N] FILE");
    const auto documents = parse_stream(read_file(file, size_t{16} << 20), file);
    if (documents.size() != 1) throw usage_error("'" + file + "' is not one document");
    const auto model = sim::is_rt_app(documents[0])
                           ? sim::workload_of_rt_app(documents[0], fs::path(file).stem())
                           : from_json<WorkloadModel>(documents[0]);
    const auto played = play::play(model, seed);
    fmt::print("{}\n", dump(to_json_value(played)));
    fflush(stdout);
    _exit(0);  // with whatever threads still run
  } catch (const Error& error) {
    fmt::print(stderr, "play-workload: {}\n", error.what());
    if (!error.hint.empty()) fmt::print(stderr, "hint: {}\n", error.hint);
    return int(error.code);
  }
}

// SPDX-License-Identifier: MIT
// schedcp-profile with BPF in the guest's kernel: what it counts is what happened.
#include "doc/profile.h"

#include <doctest/doctest.h>

#include "base/file.h"
#include "base/process.h"

using namespace schedcp;
using namespace std::chrono_literals;

TEST_CASE("in a guest a profile counts every task of a command, under the name it ended with") {
  const std::string bin = SCHEDCP_BUILD_DIR "/bin/";
  const std::string boot_id = "/proc/sys/kernel/random/boot_id";
  const RunResult result =
      run({.argv = {bin + "schedcp-vm", "--root", "--", "sh", "-c",
                    "\"$@\" && cat " + boot_id + " /sys/kernel/sched_ext/enable_seq >&2", "sh",
                    bin + "schedcp-profile", "--level", "detailed", "--", "sh", "-c",
                    "for i in 1 2 3 4 5 6 7 8 9 10; do (exec true); done; sleep 0.1"}},
          {}, 300s);
  REQUIRE_MESSAGE(result.exit.ok(), result.err);
  // Another kernel than the host's, in which nothing was attached.
  CHECK(result.err.ends_with("\n0\n"));
  CHECK(result.err.find(read_file(boot_id)) == result.err.npos);
  const auto profile = from_json<Profile>(Json::parse(result.out));
  CHECK(profile.machine.sched_ext);
  CHECK(profile.level == "detailed");
  CHECK(profile.exit_code == 0);
  CHECK(profile.totals.tasks == 12);
  CHECK(profile.run_queue.has_value());
  int64_t trues = 0, forks = 0, sum_ns = 0;
  for (const auto& group : profile.commands) {
    if (group.comm == "true") trues = group.tasks;
    if (group.comm == "sh") forks = group.forks.value_or(0);
    sum_ns += group.run_ns;
  }
  CHECK(trues == 10);
  CHECK(forks == 11);
  // The two accounts of CPU time are kept apart by the kernel, and must agree.
  const double rusage_ns = double(profile.totals.user_ns + profile.totals.system_ns);
  CHECK(double(sum_ns) > 0.7 * rusage_ns);
  CHECK(double(sum_ns) < 1.5 * rusage_ns);
  for (const auto& note : profile.notes) CHECK_MESSAGE(false, note);
}

// SPDX-License-Identifier: MIT
// schedcp-vm itself, as a user calls it: streams, codes, signals, isolation.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "base/text.h"
#include "vm/kernel.h"

using namespace schedcp;
using namespace std::chrono_literals;

namespace {

const std::string program = SCHEDCP_BUILD_DIR "/bin/schedcp-vm";

RunResult guest(std::vector<std::string> options, std::vector<std::string> command,
                std::string_view input = {}) {
  Spawn spawn;
  spawn.argv = {program};
  spawn.argv.insert(spawn.argv.end(), options.begin(), options.end());
  spawn.argv.push_back("--");
  spawn.argv.insert(spawn.argv.end(), command.begin(), command.end());
  return run(spawn, input, 300s, size_t{256} << 20);
}

RunResult shell(const std::string& script, std::vector<std::string> options = {}) {
  return guest(std::move(options), {"sh", "-c", script});
}

std::string host_boot_id() { return try_read_file("/proc/sys/kernel/random/boot_id").value(); }

/// Wait until a file holds a word: a command in the guest says that it is ready.
bool appears(const fs::path& file, const std::string& word) {
  for (int i = 0; i < 1200; ++i) {
    if (try_read_file(file).value_or("").find(word) != std::string::npos) return true;
    std::this_thread::sleep_for(100ms);
  }
  return false;
}

}  // namespace

TEST_CASE("a command runs in another kernel, one with sched_ext, and its exit code is ours") {
  const auto r = shell(
      "cat /proc/sys/kernel/random/boot_id /sys/kernel/sched_ext/state "
      "/sys/kernel/sched_ext/enable_seq; exit 7");
  CHECK(r.exit.code == 7);
  const auto lines = split(r.out, '\n');
  REQUIRE(lines.size() >= 3);
  CHECK(lines[0].size() == 36);
  CHECK(lines[0] != host_boot_id());
  CHECK(lines[1] == "disabled");
  CHECK(lines[2] == "0");
}

TEST_CASE("once there is a kernel, no network is needed") {
  Spawn spawn;
  spawn.argv = {"unshare", geteuid() == 0 ? "-n" : "-rn", program, "--", "uname", "-s"};
  const RunResult ran = run(spawn, {}, 300s);
  INFO(ran.err);
  CHECK(ran.exit.code == 0);
  CHECK(ran.out == "Linux\n");
}

TEST_CASE("a full or read-only state directory is a cannot that says what to do") {
  const auto ran =
      shell("mount -t tmpfs -o size=16k none /mnt && PATH=" SCHEDCP_BUILD_DIR
            "/bin:$PATH; head -c 100000 /dev/zero > /mnt/fill 2> /dev/null; exec 2>&1;"
            "schedcp-verify keygen --format text --state-dir /mnt; echo $?;"
            "schedcp-search add --format text --state-dir /mnt " SCHEDCP_SOURCE_DIR
            "/tests/corpus/bad/starves.bpf.c; echo $?; ls /mnt/keys; mount -o remount,ro /mnt;"
            "schedcp-verify keygen --format text --state-dir /mnt/x; echo $?",
            {"--root"});
  CAPTURE(ran.out);
  const auto lines = split(ran.out, '\n');
  REQUIRE(lines.size() >= 9);
  CHECK(lines[0] ==
        "schedcp-verify: cannot write '/mnt/keys/signing.key': No space left on device");
  CHECK(lines[1].starts_with("hint: "));
  CHECK(lines[2] == "3");
  CHECK(lines[3] == "schedcp-search: cannot write '/mnt/schedcp.db': database or disk is full");
  CHECK(lines[4].starts_with("hint: "));
  CHECK(lines[5] == "3");
  CHECK(lines[6] == "schedcp-verify: cannot make the directory '/mnt/x': Read-only file system");
  CHECK(lines[7].starts_with("hint: "));
  CHECK(lines[8] == "3");
}

TEST_CASE("the host's files, directory and user are there; what is written is gone") {
  const TempDir dir("vm-test");
  write_file_atomic(dir.path() / "given", "from the host");
  Spawn spawn;
  spawn.argv = {program, "--", "sh", "-c", "pwd; id -u; cat given; echo new > made; rm given; ls"};
  spawn.cwd = dir.path();
  const auto r = run(spawn, {}, 300s);
  CHECK(r.out == dir.path().string() + "\n" + std::to_string(geteuid()) + "\nfrom the hostmade\n");
  CHECK(read_file(dir.path() / "given") == "from the host");
  CHECK_FALSE(fs::exists(dir.path() / "made"));
  Spawn here;
  here.argv = {"sha256sum", "/usr/bin/env"};
  CHECK(guest({}, here.argv).out == run(here).out);
}

TEST_CASE("stdin, stdout and stderr are separate and carry any bytes") {
  std::string bytes;
  for (int i = 0; i < 300000; ++i) bytes.push_back(char((i * 2654435761u) >> 13));
  const auto r = guest({}, {"sh", "-c", "tee /dev/stderr"}, bytes);
  CHECK(r.exit.code == 0);
  CHECK((r.out == bytes));
  CHECK((r.err == bytes));
}

TEST_CASE("100 MB of output arrive whole, and unread input holds nobody up") {
  const auto r = shell("head -c 100000000 /dev/zero");
  CHECK(r.exit.code == 0);
  CHECK(r.out.size() == 100000000);
  CHECK(guest({}, {"sh", "-c", "exit 3"}, std::string(30 << 20, 'x')).exit.code == 3);
}

TEST_CASE("what cannot be run, ends by a signal or lasts too long has its code") {
  CHECK(guest({}, {"no-such-command"}).exit.code == 127);
  CHECK(guest({}, {"/etc/passwd"}).exit.code == 126);
  CHECK(shell("kill -9 $$").exit.code == 137);
  const auto late = guest({"--timeout", "3s"}, {"sleep", "1000"});
  CHECK(late.exit.code == 124);
  CHECK(late.err.find("did not end in") != std::string::npos);
  CHECK(guest({"--cpus", "0"}, {"true"}).exit.code == 125);
  CHECK(guest({"--kernel", "no-such-kernel"}, {"true"}).exit.code == 125);
}

TEST_CASE("a panic is the guest's fault, with the kernel's last words") {
  const auto r = shell("echo before; echo c > /proc/sysrq-trigger; sleep 60", {"--root"});
  CHECK(r.exit.code == 125);
  CHECK(r.out == "before\n");
  CHECK(r.err.find("Kernel panic - not syncing: sysrq triggered crash") != std::string::npos);
}

TEST_CASE("a panic by the emulator's race is told from the others: it may go well the next time") {
  const std::string lost =
      "echo '<0>Oops: int3: 0000 [#1]' > /dev/kmsg; echo c > /proc/sysrq-trigger";
  const auto said = [&](const char* accel) {
    const auto r = shell(lost + "; sleep 60", {"--root", "--accel", accel});
    CHECK(r.exit.code == 125);
    return r.err;
  };
  CHECK(said("tcg").find("\"retry\":true") != std::string::npos);
  CHECK(said("tcg-single").find("\"retry\"") == std::string::npos);
}

TEST_CASE("signals go to the command first, and end the guest if it does not care") {
  const TempDir dir("vm-test");
  const auto start = [&](const std::string& script) {
    Spawn spawn;
    spawn.argv = {program, "--", "sh", "-c", script};
    const Fd out = open_file(dir.path() / "out", O_WRONLY | O_CREAT | O_TRUNC);
    spawn.stdout_fd = out.get();
    spawn.stderr_fd = -1;
    return Child(spawn);
  };
  {
    Child polite =
        start("trap 'echo caught; exit 42' INT; echo ready; while :; do sleep 0.1; done");
    REQUIRE(appears(dir.path() / "out", "ready"));
    kill(polite.pid(), SIGINT);
    const auto end = polite.wait(60s);
    REQUIRE(end);
    CHECK(end->code == 42);
    CHECK(read_file(dir.path() / "out") == "ready\ncaught\n");
  }
  {
    Child deaf = start("trap '' TERM; echo ready; sleep 1000");
    REQUIRE(appears(dir.path() / "out", "ready"));
    kill(deaf.pid(), SIGTERM);
    const auto end = deaf.wait(60s);
    REQUIRE(end);
    CHECK(end->signal == SIGTERM);
  }
}

TEST_CASE("a killed schedcp-vm leaves no QEMU behind") {
  const TempDir dir("vm-test");
  Spawn spawn;
  spawn.argv = {program, "--", "sh", "-c", "echo ready; sleep 1000"};
  const Fd out = open_file(dir.path() / "out", O_WRONLY | O_CREAT);
  spawn.stdout_fd = out.get();
  Child child(spawn);
  REQUIRE(appears(dir.path() / "out", "ready"));
  const std::string tasks =
      "/proc/" + std::to_string(child.pid()) + "/task/" + std::to_string(child.pid()) + "/children";
  const auto qemu = try_read_file(tasks);
  REQUIRE(qemu);
  kill(child.pid(), SIGKILL);
  child.wait(10s);
  std::string cmdline = "?";
  for (int i = 0; i < 100 && !cmdline.empty(); ++i) {
    cmdline = try_read_file("/proc/" + *qemu + "/cmdline").value_or("");
    std::this_thread::sleep_for(50ms);
  }
  CHECK(cmdline.empty());
}

TEST_CASE("a share is writable through to the host") {
  const TempDir dir("vm-test");
  const auto r = shell(
      "echo result > " + (dir.path() / "out").string() + "; mkdir " + (dir.path() / "sub").string(),
      {"--share", dir.path().string()});
  CHECK(r.exit.code == 0);
  CHECK(read_file(dir.path() / "out") == "result\n");
  CHECK(fs::is_directory(dir.path() / "sub"));
}

TEST_CASE("secrets are covered, the environment's too") {
  const TempDir home("vm-test");
  make_directories(home.path() / ".ssh", 0700);
  write_file_atomic(home.path() / ".ssh/id_ed25519", "PRIVATE", 0600);
  write_file_atomic(home.path() / ".netrc", "PRIVATE", 0600);
  make_directories(home.path() / "state/keys");
  write_file_atomic(home.path() / "state/keys/signing", "PRIVATE", 0600);
  Spawn spawn;
  spawn.argv = {
      program, "--", "sh", "-c",
      "cat ~/.ssh/* ~/.netrc $SCHEDCP_STATE_DIR/keys/* 2>/dev/null; echo $MY_TOKEN $KEPT"};
  spawn.set_env = {{"HOME", home.path()},
                   {"SCHEDCP_STATE_DIR", home.path() / "state"},
                   {"XDG_CACHE_HOME", home.path() / "cache"},
                   {"MY_TOKEN", "PRIVATE"},
                   {"KEPT", "kept"}};
  if (geteuid() == 0) spawn.set_env.emplace_back("XDG_CACHE_HOME", "/var/cache");
  CHECK(run(spawn, {}, 300s).out == "kept\n");
}

TEST_CASE("each guest has the time, its own randomness, and the other kernel's root") {
  const auto a = shell("date +%s; head -c 16 /dev/urandom | od -An -tx1; id -u", {"--root"});
  const auto b = shell("date +%s; head -c 16 /dev/urandom | od -An -tx1; id -u", {"--root"});
  const auto la = split(a.out, '\n'), lb = split(b.out, '\n');
  REQUIRE(la.size() >= 3);
  REQUIRE(lb.size() >= 3);
  CHECK(std::abs(std::stoll(lb[0]) - time(nullptr)) < 30);
  CHECK(la[1] != lb[1]);
  CHECK(la[2] == "0");
}

TEST_CASE("a broken snapshot is thrown away and costs only time") {
  const TempDir cache("vm-test");
  const auto with_cache = [&] {
    Spawn spawn;
    spawn.argv = {program, "--memory", "256", "--", "cat", "/proc/sys/kernel/random/boot_id"};
    spawn.set_env = {{"XDG_CACHE_HOME", cache.path()}};
    return run(spawn, {}, 300s);
  };
  const auto first = with_cache();
  CHECK(first.exit.code == 0);
  for (const auto& entry : fs::directory_iterator(cache.path() / "schedcp/snapshots"))
    if (fs::exists(entry.path() / "state"))
      std::ofstream(entry.path() / "state", std::ios::in | std::ios::out) << "garbage at the start";
  const auto second = with_cache();
  CHECK(second.exit.code == 0);
  CHECK(second.out.size() == 37);
  CHECK(second.out != host_boot_id() + "\n");
}

TEST_CASE("eight guests at once do not step on each other") {
  std::vector<std::thread> threads;
  std::vector<RunResult> results(8);
  for (size_t i = 0; i < results.size(); ++i)
    threads.emplace_back([&, i] {
      results[i] = shell("echo " + std::to_string(i) + "; exit " + std::to_string(i));
    });
  for (auto& t : threads) t.join();
  for (size_t i = 0; i < results.size(); ++i) {
    CHECK(results[i].exit.code == int(i));
    CHECK(results[i].out == std::to_string(i) + "\n");
  }
}

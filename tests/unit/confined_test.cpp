// SPDX-License-Identifier: MIT
// The child in which objects that are not trusted are looked at: what it may not do, and how it
// ends.

#include "confine/confined.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"

using namespace schedcp;

namespace {

/// What a system call is answered in there.
std::string refused(const std::function<long()>& call) {
  return run_confined([&] { return call() < 0 && errno == EPERM ? "refused" : "done"; }).answer;
}

}  // namespace

TEST_CASE("confined work answers, and its errors are thrown as they are") {
  const Confined large = run_confined([] { return std::string(3'000'000, 'x'); });
  CHECK(large.answer.size() == 3'000'000);
  CHECK(large.died.empty());
  try {
    run_confined([]() -> std::string { throw unable("cannot", "do this"); });
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code == ExitCode::unable);
    CHECK(error.what() == std::string("cannot"));
    CHECK(error.hint == "do this");
  }
}

TEST_CASE("confined work reaches no file, program, process or network") {
  const TempDir dir;
  const std::string file = dir.path() / "new";
  CHECK(refused([&] { return long(open(file.c_str(), O_CREAT | O_WRONLY, 0644)); }) == "refused");
  CHECK(refused([] { return long(open("/etc/passwd", O_RDONLY)); }) == "refused");
  CHECK(refused([] { return long(socket(AF_INET, SOCK_STREAM, 0)); }) == "refused");
  CHECK(refused([] { return long(fork()); }) == "refused");
  CHECK(refused([] { return long(kill(getppid(), 0)); }) == "refused");
  CHECK(refused([] {
          char* const argv[] = {nullptr};
          return long(execv("/bin/true", argv));
        }) == "refused");
  CHECK_FALSE(fs::exists(file));
  // Nor what was open before.
  const Fd held(open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644));
  run_confined([&] { return std::string(write(held.get(), "x", 1) == 1 ? "wrote" : ""); });
  CHECK(fs::file_size(file) == 0);
}

TEST_CASE("confined work that goes wrong is told by how it ended") {
  const auto died = [](const std::function<void()>& work) {
    Confinement limits;
    limits.time = std::chrono::seconds(1);
    limits.memory = uint64_t{256} << 20;
    limits.answer = 1000;
    return run_confined(
               [&] {
                 work();
                 return std::string(work ? 5000 : 0, 'x');
               },
               limits)
        .died;
  };
  CHECK(died([] {}) == "an answer without end");
  CHECK(died([] { _exit(0); }) == "no answer");
  CHECK(died([] {
          volatile uint64_t turns = 0;
          for (;;) turns = turns + 1;
        }) == "more than 1 s of CPU time");
#ifndef __SANITIZE_ADDRESS__
  CHECK(died([] {
          volatile char* nowhere = nullptr;
          *nowhere = 1;
        }).starts_with("signal 11"));
  CHECK(died([] {
          std::vector<std::string> hoard;
          for (;;) hoard.emplace_back(1 << 20, 'x');
        }) == "more memory than it may have");
#endif
}

TEST_CASE("an object that cannot be read is refused as ever, through its confined reader") {
  try {
    open_untrusted("no object", "x.bpf.o");
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.code == ExitCode::usage);
    CHECK(std::string(error.what()).find("not an ELF file") != std::string::npos);
  }
}

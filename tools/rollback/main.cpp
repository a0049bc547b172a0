// SPDX-License-Identifier: MIT
// schedcp-rollback: takes a deployed policy out of the kernel; what was good before comes back, or
// else the default scheduler. Reads a deployment, if one is piped in, only to carry its context on:
// what is to be done it sees from the kernel itself. Prints a rollback.
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/program.h"
#include "rollback.h"

using namespace schedcp;

namespace {

/// The header of the deployment on stdin. An empty stdin is as good as none. A socket is none: that
/// is what a remote shell leaves there, and it would never end.
Header header_from_stdin() {
  struct stat in{};
  if (!Program::stdin_has_documents() || fstat(0, &in) != 0 ||
      !(S_ISFIFO(in.st_mode) || S_ISREG(in.st_mode)))
    return {};
  const std::string text = read_all(0, size_t{16} << 20, "stdin");
  if (text.find_first_not_of(" \t\r\n") == text.npos) return {};
  const auto documents = documents_of<Deployment>(parse_stream(text, "stdin"));
  return std::get<Deployment>(documents.back()).header;
}

}  // namespace

int main(int argc, char** argv) {
  Program program{"schedcp-rollback",
                  "Go back to the scheduler that was good before, or to the kernel's own."};
  RollbackOptions options;
  bool kill = false, lift = false;
  program.flag("--default", options.to_default,
               "To the kernel's default scheduler, whatever ran before.");
  program.flag("--kill", kill,
               "Emergency: end any scheduler, whoever loaded it, by any means, and lock "
               "deployments. Does not read stdin.");
  program.flag("--unlock", lift, "Let deployments happen again after --kill.");
  program.reads<Deployment>().writes<Rollback>();
  program.hints({.destructive = true,
                 .idempotent = true,
                 .needs = "the account that deployed, or root; root for --kill of another "
                          "account's scheduler",
                 .timeout_s = 60});
  program.example("schedcp-rollback --unlock",
                  "Let deployments happen again after an emergency stop.");
  return program.run(argc, argv, [&] {
    if (int(kill) + int(lift) + int(options.to_default) > 1)
      throw usage_error("choose one of --default, --kill and --unlock");
    const Header from = kill ? Header{} : header_from_stdin();
    const Rollback done = kill ? kill_any(from) : lift ? unlock(from) : roll_back(options, from);
    program.emit(done, [&] { return rollback_text(done, program.colour()); });
    return done.outcome == "failed" ? ExitCode::no : ExitCode::done;
  });
}

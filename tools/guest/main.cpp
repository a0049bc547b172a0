// SPDX-License-Identifier: MIT
// schedcp-guest: init of a schedcp guest. As process 1 it prepares the kernel, opens the port to
// the host and serves it; `schedcp-guest NAME ...` runs one of the commands linked in.
#include <sys/reboot.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <exception>

#include "guest.h"

namespace schedcp::guest {

std::vector<const Command*>& commands() {
  static std::vector<const Command*> list;
  return list;
}

Command::Command(const char* name, int (*main)(int, char**)) : name(name), main(main) {
  commands().push_back(this);
}

void die(const std::string& reason) {
  fprintf(stderr, "schedcp-guest: %s\n", reason.c_str());
  if (getpid() != 1) _exit(1);
  reboot(RB_AUTOBOOT);  // with -no-reboot this ends QEMU
  for (;;) pause();
}

namespace {

[[noreturn]] void be_init() {
  try {
    prepare_kernel();
    serve(open_port());
  } catch (const std::exception& e) {
    die(e.what());
  }
}

}  // namespace
}  // namespace schedcp::guest

int main(int argc, char** argv) {
  using namespace schedcp::guest;
  if (getpid() == 1) be_init();
  for (const Command* c : commands())
    if (argc > 1 && strcmp(c->name, argv[1]) == 0) return c->main(argc - 1, argv + 1);
  fprintf(stderr, "usage: schedcp-guest COMMAND ... (process 1 of a schedcp guest; commands:");
  for (const Command* c : commands()) fprintf(stderr, " %s", c->name);
  fprintf(stderr, ")\n");
  return 2;
}

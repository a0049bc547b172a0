// SPDX-License-Identifier: MIT
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file.h"
#include "base/process.h"
#include "vm/caller.h"
#include "vm/cpio.h"
#include "vm/host.h"
#include "vm/kernel_image.h"
#include "vm/snapshot.h"
#include "vm/wire.h"

using namespace schedcp;

TEST_CASE("cpio archives hold what was put in, aligned, and may be concatenated") {
  const std::string binary("\0\x01\xff binary\n", 11);
  const std::string one =
      cpio_archive({{"dir", S_IFDIR | 0755}, {"dir/file", S_IFREG | 0644, binary}});
  const std::string two = cpio_archive({{"later", S_IFREG | 0600, "x"}});
  CHECK(one.size() % 512 == 0);
  CHECK(one.starts_with("070701"));
  CHECK(one.find("TRAILER!!!") != one.npos);
  if (!find_program("cpio")) return;
  const TempDir dir("cpio");
  Spawn spawn;
  spawn.argv = {"cpio", "-idm", "--quiet"};
  spawn.cwd = dir.path();
  CHECK(run(spawn, one).exit.ok());
  CHECK(run(spawn, two).exit.ok());
  CHECK(read_file(dir.path() / "dir/file") == binary);
  CHECK(read_file(dir.path() / "later") == "x");
}

TEST_CASE("frames are cut out of a stream wherever it is torn") {
  std::string stream;
  const std::string binary("\0\n\xff\x00", 4);
  for (int i = 0; i < 50; ++i)
    stream += wire::frame(wire::Type::out, std::string(size_t(i) * 7, 'x') + binary);
  for (const size_t step : {size_t{1}, size_t{3}, size_t{8}, size_t{1000}, stream.size()}) {
    wire::Cutter cutter;
    int seen = 0;
    for (size_t at = 0; at < stream.size(); at += step) {
      cutter.add(std::string_view(stream).substr(at, step));
      while (auto frame = cutter.next()) {
        CHECK(frame->type == wire::Type::out);
        CHECK(frame->body == std::string(size_t(seen) * 7, 'x') + binary);
        ++seen;
      }
    }
    CHECK(seen == 50);
  }
}

TEST_CASE("what is no frame is refused, not waited for") {
  wire::Cutter cutter;
  cutter.add("Kernel panic - not syncing");
  CHECK_THROWS(cutter.next());
  wire::Cutter large;
  large.add(std::string("\xff\xff\xff\x7f\x01\0\0\0", 8));
  CHECK_THROWS(large.next());
}

TEST_CASE("messages survive the wire") {
  wire::Job job;
  job.argv = {"sh", "-c", "", "a b\n"};
  job.env = {"A=1", "B=\xff"};
  job.cwd = "/tmp";
  job.uid = 1000, job.gid = 4294967295u, job.umask = 077, job.groups = {4, 24};
  const wire::Job back = wire::Job::decode(job.encode());
  CHECK(back.argv == job.argv);
  CHECK(back.env == job.env);
  CHECK(back.gid == job.gid);
  CHECK(back.groups == job.groups);
  CHECK(back.umask == 077);
  wire::Setup setup;
  setup.realtime_ns = 1795352030563380790;
  setup.shares = {{"share0", "/a"}, {"share1", "/b"}};
  setup.masks = {"/root/.ssh"};
  const wire::Setup again = wire::Setup::decode(setup.encode());
  CHECK(again.realtime_ns == setup.realtime_ns);
  CHECK(again.shares.size() == 2);
  CHECK(again.shares[1].path == "/b");
  CHECK(again.masks == setup.masks);
  CHECK_THROWS(wire::Job::decode(job.encode().substr(0, 40)));
}

TEST_CASE("a snapshot's key names everything the snapshot depends on") {
  const TempDir dir("key");
  write_file_atomic(dir.path() / "vmlinux", "k");
  write_file_atomic(dir.path() / "init", "i");
  HostFacts host;
  host.qemu = {"/usr/bin/q", "10.0.2", 10, "q:1"};
  host.tsc_khz = 2596145, host.boot_id = "b";
  MachineSpec spec;
  spec.kernel.vmlinux = dir.path() / "vmlinux";
  spec.initramfs = dir.path() / "init";
  const std::string key = snapshot_key(host, spec);
  CHECK(snapshot_key(host, spec) == key);
  const auto differs = [&](auto change) {
    HostFacts h = host;
    MachineSpec s = spec;
    change(h, s);
    return snapshot_key(h, s) != key;
  };
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.cpus = 3; }));
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.memory_mib = 512; }));
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.accel = Accel::kvm; }));
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.accel = Accel::tcg_single; }));
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.share_root = true; }));
  CHECK(differs([](HostFacts&, MachineSpec& s) { s.share = {"/tmp"}; }));
  CHECK(differs([](HostFacts& h, MachineSpec&) { h.boot_id = "c"; }));
  CHECK(differs([](HostFacts& h, MachineSpec&) { h.qemu.identity = "q:2"; }));
  CHECK(differs([](HostFacts& h, MachineSpec&) { h.tsc_khz = 1; }));
  write_file_atomic(dir.path() / "init", "j");
  CHECK(snapshot_key(host, spec) != key);
}

TEST_CASE("a kernel image that is none is refused with a reason") {
  const TempDir dir("image");
  write_file_atomic(dir.path() / "text", "not a kernel");
  CHECK_THROWS_WITH_AS(extract_vmlinux(dir.path() / "text"),
                       doctest::Contains("neither a bzImage nor an ELF image"), Error);
  CHECK_THROWS_AS(extract_vmlinux(dir.path() / "absent"), Error);
  CHECK(kernel_release_of("..Linux version %s..Linux version 7.3.4+deb13-amd64 (x)") ==
        "7.3.4+deb13-amd64");
  CHECK_THROWS_AS(kernel_release_of("nothing"), Error);
}

TEST_CASE("module dependencies are read from the module itself") {
  const std::string module(
      "\x7f"
      "ELF..\0license=GPL\0depends=9pnet,netfs-x\0name=9p\0",
      51);
  CHECK(module_dependencies(module) == std::vector<std::string>{"9pnet", "netfs_x"});
  CHECK(module_dependencies(std::string("\0depends=\0", 10)).empty());
}

TEST_CASE("variables that look like secrets or sessions stay out of a guest") {
  for (const char* name : {"GITHUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "SSH_AUTH_SOCK", "DISPLAY",
                           "OPENAI_API_KEY", "PGPASSWORD"})
    CHECK(is_private_variable(name));
  for (const char* name :
       {"PATH", "HOME", "LANG", "TERM", "TRACEPARENT", "SCHEDCP_STATE_DIR", "CC"})
    CHECK_FALSE(is_private_variable(name));
}

TEST_CASE("the time stamp counter's rate is repeatable") {
  const double a = double(measure_tsc_khz()), b = double(measure_tsc_khz());
  CHECK(a > 500'000);
  CHECK(a / b == doctest::Approx(1).epsilon(0.01));
}

// SPDX-License-Identifier: MIT
#include "vm/machine.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <nlohmann/json.hpp>

#include "base/signal.h"
#include "base/text.h"
#include "base/time.h"
#include "vm/qmp.h"

namespace schedcp {
namespace {

constexpr size_t kConsoleKept = 64 << 10;

std::pair<Fd, Fd> socket_pair() {
  int fds[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    throw system_error("cannot make a socket pair");
  fcntl(fds[0], F_SETFL, O_NONBLOCK);
  return {Fd(fds[0]), Fd(fds[1])};
}

/// Commas separate properties on QEMU's command line; doubled they are themselves.
std::string escaped(const fs::path& path) {
  std::string out;
  for (const char c : path.string()) out += c == ',' ? ",," : std::string(1, c);
  return out;
}

std::string kernel_arguments(const HostFacts& host) {
  // tsc_early_khz: calibration fails under TCG; tsc=reliable: high-resolution timers. panic=-1 with
  // -no-reboot makes a panic the end of QEMU; after an oops nothing in there can be believed.
  return "console=ttyS0 quiet oops=panic panic=-1 reboot=t tsc=reliable tsc_early_khz=" +
         std::to_string(host.tsc_khz) +
         " rdinit=/init i8042.noaux i8042.nokbd nomodule_sig_enforce mitigations=off";
}

std::vector<std::string> command_line(const HostFacts& host, const MachineSpec& spec,
                                      StartMode mode, const SnapshotFiles& files) {
  const std::string memory = std::to_string(spec.memory_mib) + "M";
  std::vector<std::string> argv{host.qemu.program, "-nodefaults", "-no-user-config"};
  const auto add = [&](std::initializer_list<std::string> more) { argv.insert(argv.end(), more); };
  add({"-display", "none", "-no-reboot"});
  const char* threads = spec.accel == Accel::tcg_single ? "single" : "multi";
  const bool kvm = spec.accel == Accel::kvm;
  add({"-accel", kvm ? "kvm" : std::string("tcg,tb-size=256,thread=") + threads});
  add({"-cpu", kvm ? "host" : "max,la57=off", "-smp", std::to_string(spec.cpus), "-m", memory});
  if (mode == StartMode::cold) {
    add({"-M", "microvm"});
  } else {
    // Memory is a file: written by the guest that is recorded, mapped privately by those restored,
    // so that a restore reads no page that is not used and all share the page cache.
    const bool recording = mode == StartMode::record;
    add({"-M", "microvm,memory-backend=ram", "-object",
         "memory-backend-file,id=ram,size=" + memory + ",mem-path=" + escaped(files.memory) +
             (recording ? ",share=on" : ",share=off,readonly=on,rom=off")});
    if (!recording) add({"-incoming", "defer"});
  }
  add({"-kernel", spec.kernel.vmlinux, "-initrd", spec.initramfs, "-append",
       kernel_arguments(host)});
  add({"-chardev", "socket,id=console,fd=3", "-serial", "chardev:console"});
  add({"-chardev", "socket,id=monitor,fd=5", "-mon", "chardev=monitor,mode=control"});
  add({"-device", "virtio-serial-device", "-chardev", "socket,id=port,fd=4", "-device",
       std::string("virtserialport,chardev=port,name=") + wire::kPort});
  if (spec.share_root)
    add({"-fsdev", "local,id=root,path=/,security_model=none,readonly=on,multidevs=remap",
         "-device", "virtio-9p-device,fsdev=root,mount_tag=root"});
  for (size_t i = 0; i < spec.share.size(); ++i) {
    const std::string tag = "share" + std::to_string(i);
    add({"-fsdev",
         "local,id=" + tag + ",path=" + escaped(spec.share[i]) +
             ",security_model=none,multidevs=remap",
         "-device", "virtio-9p-device,fsdev=" + tag + ",mount_tag=" + tag});
  }
  return argv;
}

/// How many runnable processes there are for each CPU now, at least 1. The guest's own vCPUs are
/// among them; they alone are no crowd.
double crowding() {
  const auto words = split(try_read_file("/proc/loadavg").value_or(""), ' ');
  const double running = words.size() > 3 ? std::strtod(words[3].c_str(), nullptr) : 1;
  const double cpus = double(std::max(1l, sysconf(_SC_NPROCESSORS_ONLN)));
  return std::max(1.0, running / cpus);
}

/// All that a restore needs said, at once: the answers are not waited for.
std::string restore_commands(const SnapshotFiles& files) {
  using Json = nlohmann::json;
  const Json ignore{{{"capability", "x-ignore-shared"}, {"state", true}}};
  return R"({"execute":"qmp_capabilities"})"
         "\n" +
         Json{{"execute", "migrate-set-capabilities"}, {"arguments", {{"capabilities", ignore}}}}
             .dump() +
         "\n" +
         Json{{"execute", "migrate-incoming"},
              {"arguments", {{"uri", "file:" + files.state.string()}}}}
             .dump() +
         "\n";
}

}  // namespace

const char* name_of(Accel accel) {
  switch (accel) {
    case Accel::automatic:
      return "auto";
    case Accel::kvm:
      return "kvm";
    case Accel::tcg:
      return "tcg";
    case Accel::tcg_single:
      return "tcg-single";
  }
  return "";
}

QemuMachine::QemuMachine(const HostFacts& host, const MachineSpec& spec, StartMode mode,
                         const SnapshotFiles& files, const fs::path& console_file)
    : accel_(spec.accel) {
  if (!console_file.empty())
    console_file_ = open_file(console_file, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0644);
  auto [serial, serial_there] = socket_pair();
  auto [port, port_there] = socket_pair();
  auto [monitor, monitor_there] = socket_pair();
  auto [errors, errors_there] = make_pipe();
  fcntl(errors.get(), F_SETFL, O_NONBLOCK);
  Spawn spawn;
  spawn.argv = command_line(host, spec, mode, files);
  spawn.stdout_fd = -1;
  spawn.stderr_fd = errors_there.get();
  spawn.pass_fds = {{serial_there.get(), 3}, {port_there.get(), 4}, {monitor_there.get(), 5}};
  qemu_.emplace(spawn);
  serial_ = std::move(serial), port_ = std::move(port), monitor_ = std::move(monitor);
  errors_ = std::move(errors);
  if (mode == StartMode::restore) {
    const std::string text = restore_commands(files);
    if (::send(monitor_.get(), text.data(), text.size(), MSG_NOSIGNAL) != ssize_t(text.size()))
      throw system_error("cannot talk to QEMU's monitor");
  }
}

void QemuMachine::send(wire::Type type, std::string_view body) {
  if (sent_ == unsent_.size()) unsent_.clear(), sent_ = 0;
  unsent_ += wire::frame(type, body);
}

std::optional<wire::Frame> QemuMachine::next() {
  try {
    return incoming_.next();
  } catch (const std::exception& e) {
    throw GuestError(std::string("the guest talks nonsense: ") + e.what(), console_);
  }
}

void QemuMachine::log(std::string_view text) {
  if (console_file_) write_all(console_file_.get(), text, "the kernel log file");
  console_.append(text);
  if (console_.size() > kConsoleKept) console_.erase(0, console_.size() - kConsoleKept / 2);
}

void QemuMachine::read_console() {
  char buffer[8192];
  ssize_t n;
  while ((n = read(serial_.get(), buffer, sizeof buffer)) > 0) log({buffer, size_t(n)});
  while ((n = read(errors_.get(), buffer, sizeof buffer)) > 0)
    complaints_.append(buffer, size_t(n));
}

void QemuMachine::gone() {
  const bool panicked = console_.find("Kernel panic") != console_.npos;
  std::string why;
  for (const auto& line : split(complaints_, '\n'))
    if (!line.empty()) why = printable(line);
  if (why.empty() && !panicked) {
    // Our own init says why it gives up.
    for (const auto& line : split(console_, '\n'))
      if (line.starts_with("schedcp-guest: ")) why = printable(line.substr(15));
  }
  GuestError error((panicked ? "the guest's kernel panicked" : "the guest is gone") +
                       (why.empty() ? "" : ": " + why),
                   console_);
  // The race of the emulation that Accel::tcg_single does not have. Nothing that runs in the guest
  // can bring it about, and none of our kernels has breakpoints of its own.
  if (panicked && accel_ == Accel::tcg && console_.find("Oops: int3") != console_.npos) {
    error = GuestError("the guest's kernel panicked by a fault of QEMU's emulation (Oops: int3)",
                       console_, "try again, or schedcp-vm --accel tcg-single");
    error.code = ExitCode::busy;
  }
  throw error;
}

void QemuMachine::wait(int timeout_ms, std::vector<pollfd>& others, bool take) {
  if (ended_ && take) gone();
  std::vector<pollfd> set{
      {take && !ended_ ? port_.get() : -1, short(POLLIN), 0},
      {unsent() && !ended_ ? port_.get() : -1, POLLOUT, 0},
      {ended_ ? -1 : serial_.get(), POLLIN, 0},
      {ended_ ? -1 : qemu_->pidfd(), POLLIN, 0},
  };
  set.insert(set.end(), others.begin(), others.end());
  const int n = poll(set.data(), set.size(), timeout_ms);
  if (n < 0 && errno != EINTR) throw system_error("cannot wait for the guest");
  for (size_t i = 0; i < others.size(); ++i) others[i].revents = n > 0 ? set[4 + i].revents : 0;
  if (n <= 0) return;
  if (set[1].revents & POLLOUT) {
    const ssize_t w = ::send(port_.get(), unsent_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (w > 0) sent_ += size_t(w);
  }
  const bool over = set[3].revents;
  if (set[0].revents || over) {
    // Not more than a few frames at a time, so that what is read here stays bounded.
    static thread_local char buffer[256 << 10];
    ssize_t r;
    do {
      r = read(port_.get(), buffer, sizeof buffer);
      if (r > 0) incoming_.add({buffer, size_t(r)});
    } while (over && r > 0);
  }
  if (set[2].revents || over) read_console();
  if (over) {
    qemu_->wait();
    ended_ = true;  // what it said before is taken first
  }
}

wire::Frame QemuMachine::expect(wire::Type type, std::chrono::nanoseconds timeout,
                                const std::string& what) {
  double left = double(timeout.count());
  uint64_t last = monotonic_ns();
  for (;;) {
    while (auto frame = next()) {
      if (frame->type == type) return std::move(*frame);
      if (frame->type == wire::Type::log) log(frame->body);
      // Whatever else comes is the rest of a command that was given up.
    }
    if (left <= 0) {
      GuestError error(
          "the guest did not answer in " + human_duration(double(timeout.count())) + ": " + what,
          console_);
      error.late = true;
      throw error;
    }
    std::vector<pollfd> others{{interrupt_fd(), POLLIN, 0}};
    wait(int(std::clamp(left / 1e6 + 1, 1.0, 500.0)), others);
    check_interrupted();
    const uint64_t now = monotonic_ns();
    left -= double(now - last) / crowding();
    last = now;
  }
}

std::string QemuMachine::request(wire::Type type, std::string_view body,
                                 std::chrono::nanoseconds timeout, const std::string& what) {
  send(type, body);
  const auto reply = expect(wire::Type::reply, timeout, what);
  wire::Reader r(reply.body);
  const bool ok = r.number() != 0;
  std::string text = r.text();
  if (!ok) throw GuestError(what + ": " + printable(text), console_);
  return text;
}

void QemuMachine::settle(std::chrono::nanoseconds time) {
  const uint64_t end = monotonic_ns() + uint64_t(time.count());
  for (uint64_t now; (now = monotonic_ns()) < end;) {
    std::vector<pollfd> others{{interrupt_fd(), POLLIN, 0}};
    wait(int((end - now) / 1000000 + 1), others);
    check_interrupted();
  }
}

void QemuMachine::save(const SnapshotFiles& files) {
  Qmp qmp(monitor_.get());
  // No "stop" before: the migration stops it, and the state it records is then one that runs on by
  // itself when restored.
  qmp.command("migrate-set-capabilities",
              R"({"capabilities":[{"capability":"events","state":true},)"
              R"({"capability":"x-ignore-shared","state":true}]})");
  qmp.command("migrate", nlohmann::json{{"uri", "file:" + files.state.string()}}.dump());
  qmp.wait_for_migration();
}

}  // namespace schedcp

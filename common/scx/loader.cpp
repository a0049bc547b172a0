// SPDX-License-Identifier: MIT
#include "scx/loader.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <mutex>
#include <set>
#include <thread>

#include "base/error.h"
#include "base/text.h"
#include "base/time.h"
#include "obj/hints.h"
#include "obj/libbpf_log.h"
#include "scx/kernel_types.h"

namespace schedcp {

namespace {

using namespace std::chrono_literals;

constexpr uint32_t kDefaultTimeout = 30000;    // the kernel's, in ms
constexpr size_t kLogBytes = size_t{4} << 20;  // of the verifier's log
constexpr auto kBusyPatience = 2s;             // a scheduler that died may still be leaving
constexpr auto kDetachPatience = 10s;

/// The record that record_exit() in schedcp.bpf.h writes.
struct RawExit {
  uint32_t recorded;
  uint32_t kind;
  int64_t exit_code;
  char reason[128];
  char message[1024];
};
static_assert(sizeof(RawExit) == 1168);

Error not_permitted(const std::string& what, int error) {
  return system_error(fmt::format("cannot load '{}'", printable(what)), error,
                      "loading a scheduler takes CAP_BPF and CAP_PERFMON: run it as root or inside "
                      "schedcp-vm --root");
}

/// What the running kernel has, read once: it does not change, and takes 0.2 s where emulated.
const KernelTypes& types_of_this_kernel(const std::string& table) {
  static std::mutex mutex;
  static std::map<std::string, KernelTypes> known;
  const std::lock_guard lock(mutex);
  if (const auto found = known.find(table); found != known.end()) return found->second;
  const auto raw = try_read_file("/sys/kernel/btf/vmlinux");
  if (!raw)
    throw unable("this kernel does not describe its types (no /sys/kernel/btf/vmlinux)",
                 "use a kernel with CONFIG_DEBUG_INFO_BTF");
  return known.emplace(table, find_kernel_types(*raw, table)).first->second;
}

/// This thread without CAP_SYS_ADMIN while this lives: loading takes CAP_BPF and CAP_PERFMON only,
/// as in schedcp-guard. Who has more makes libbpf read the types of every kernel module, which no
/// policy uses and which takes 0.3 s where emulated.
class WithoutAdmin {
 public:
  WithoutAdmin() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    if (syscall(SYS_capget, &header, before_)) return;
    __user_cap_data_struct now[2] = {before_[0], before_[1]};
    now[0].effective &= ~(1U << CAP_SYS_ADMIN);
    const auto has = [&](int cap) { return now[cap / 32].effective >> (cap % 32) & 1; };
    if (has(CAP_BPF) && has(CAP_PERFMON)) changed_ = syscall(SYS_capset, &header, now) == 0;
  }
  ~WithoutAdmin() {
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    if (changed_) syscall(SYS_capset, &header, before_);
  }
  WithoutAdmin(const WithoutAdmin&) = delete;
  WithoutAdmin& operator=(const WithoutAdmin&) = delete;

 private:
  __user_cap_data_struct before_[2] = {};
  bool changed_ = false;
};

}  // namespace

struct Policy::Impl {
  Impl(std::string bytes, const std::string& what) : object(std::move(bytes), what), what(what) {}
  ~Impl() { bpf_object__close(bpf); }

  PolicyObject object;
  std::string what;
  bpf_object* bpf = nullptr;
  bpf_map* ops_map = nullptr;
  std::atomic<bpf_link*> link{nullptr};
  std::atomic<int64_t> expected_seq{-1};
  std::vector<std::string> left_out;
  uint32_t timeout_ms = kDefaultTimeout;
  std::chrono::nanoseconds load_time{0};
  std::string log;

  void open();
  void set_knobs(const std::vector<KnobValue>& knobs);
  void fit_kernel(const LoadOptions& options);
  void load();
  void fill_hints(const std::vector<LengthHint>& hints);
  [[noreturn]] void refused(int error, const LibbpfLog& said);
  template <class T>
  void set_member(const char* member, T value);
};

void Policy::Impl::open() {
  LibbpfLog said;
  log.assign(kLogBytes, '\0');
  bpf_object_open_opts options{};
  options.sz = sizeof(options);
  options.object_name = "schedcp";
  options.kernel_log_buf = log.data();
  options.kernel_log_size = log.size();
  bpf = bpf_object__open_mem(object.bytes().data(), object.bytes().size(), &options);
  if (!bpf)
    throw usage_error(
        fmt::format("cannot read '{}': {}", printable(what),
                    printable(said.text().empty() ? std::strerror(errno) : said.last_line())));
  ops_map = bpf_object__find_map_by_name(bpf, object.ops().map.c_str());
  if (!ops_map) throw usage_error(fmt::format("cannot read '{}': no struct_ops", printable(what)));
  bpf_map* other = nullptr;
  bpf_object__for_each_map(other, bpf) {
    if (bpf_map__type(other) == BPF_MAP_TYPE_STRUCT_OPS && other != ops_map)
      throw usage_error(
          fmt::format("cannot read '{}': it holds more than one scheduler", printable(what)));
  }
}

void Policy::Impl::set_knobs(const std::vector<KnobValue>& knobs) {
  std::set<std::string> seen;
  for (const auto& given : knobs) {
    const KnobSpec& knob = object.knob(given.name);
    PolicyObject::check_range(knob, given.value);
    if (!seen.insert(given.name).second)
      throw usage_error(fmt::format("knob '{}' is set twice", given.name));
    bpf_map* rodata = bpf_object__find_map_by_name(bpf, ".rodata");
    size_t size = 0;
    void* data = rodata ? bpf_map__initial_value(rodata, &size) : nullptr;
    SCHEDCP_ASSERT(data && knob.offset <= size && size - knob.offset >= knob.size);
    std::memcpy(static_cast<char*>(data) + knob.offset, &given.value, knob.size);  // little endian
  }
}

template <class T>
void Policy::Impl::set_member(const char* member, T value) {
  const auto place = object.ops().members.find(member);
  if (place == object.ops().members.end())
    throw unable(fmt::format("cannot load '{}': its sched_ext_ops has no '{}'", what, member),
                 "compile it with schedcp.bpf.h or the kernel's vmlinux.h");
  size_t size = 0;
  void* data = bpf_map__initial_value(ops_map, &size);
  SCHEDCP_ASSERT(data && place->second.second == sizeof(T) &&
                 place->second.first + sizeof(T) <= size);
  std::memcpy(static_cast<char*>(data) + place->second.first, &value, sizeof(T));
}

void Policy::Impl::fit_kernel(const LoadOptions& options) {
  const Ops& ops = object.ops();
  const auto& [members, known_flags] = types_of_this_kernel(ops.type);
  if (members.empty()) throw unable(fmt::format("this kernel has no {}", ops.type));
  for (const auto& [member, function] : ops.callbacks) {
    if (members.contains(member)) continue;
    set_member<void*>(member.c_str(), nullptr);
    left_out.push_back("callback " + member);
    if (bpf_program* program =
            bpf_object__find_program_by_name(bpf, object.functions()[function].name.c_str()))
      bpf_program__set_autoload(program, false);
  }
  uint64_t flags = ops.flags;
  if (const auto known = known_flags.find("SCX_OPS_ALL_FLAGS");
      known != known_flags.end() && (flags & ~known->second)) {
    left_out.push_back(fmt::format("flags {:#x}", flags & ~known->second));
    flags &= known->second;
  }
  if (options.partial) {
    const auto partial = known_flags.find("SCX_OPS_SWITCH_PARTIAL");
    if (partial == known_flags.end())
      throw unable("this kernel cannot switch tasks to a scheduler one by one");
    flags |= partial->second;
  }
  if (flags != ops.flags) set_member<uint64_t>("flags", flags);
  if (ops.timeout_ms) timeout_ms = ops.timeout_ms;
  if (options.timeout_ms && *options.timeout_ms > 0 && *options.timeout_ms < timeout_ms) {
    timeout_ms = *options.timeout_ms;
    set_member<uint32_t>("timeout_ms", timeout_ms);
  }
  // A CPU that comes or goes between here and attach would make what the policy saw at load stale.
  if (ops.members.contains("hotplug_seq") && members.contains("hotplug_seq"))
    set_member<uint64_t>("hotplug_seq", uint64_t(read_health().hotplug_seq));
}

void Policy::Impl::refused(int error, const LibbpfLog& said) {
  log.resize(std::strlen(log.c_str()));
  if ((error == EPERM || error == EACCES) && log.empty() &&
      said.text().find("BTF") == std::string::npos)
    throw not_permitted(what, error);
  if (error == EPERM && said.text().find("trivial BPF program") != std::string::npos)
    throw not_permitted(what, error);
  VerifierReason reason = condense_verifier_log(log);
  for (const auto& line : split(said.text(), '\n')) {
    // What is missing says more than the failures that follow from it.
    if (reason.message.empty() &&
        (line.find("not found in kernel") != line.npos || line.find("incompatible") != line.npos ||
         line.find("Cannot find member") != line.npos))
      reason.message = printable(line);
  }
  if (reason.message.empty())
    reason.message = printable(said.text().empty() ? std::strerror(error) : said.last_line());
  throw RejectedByKernel(reason, log.empty() ? said.text() : log);
}

void Policy::Impl::load() {
  LibbpfLog said;
  const WithoutAdmin only_what_it_takes;
  const uint64_t start = monotonic_ns();
  const int error = -bpf_object__load(bpf);
  load_time = std::chrono::nanoseconds(monotonic_ns() - start);
  if (error) refused(error, said);
  std::string().swap(log);
}

void Policy::Impl::fill_hints(const std::vector<LengthHint>& hints) {
  if (hints.empty()) return;
  if (object.hints().empty()) {
    left_out.push_back("hints (the policy takes none)");
    return;
  }
  const HintSpec& spec = object.hints().front();
  if (hints.size() > spec.max_entries)
    throw usage_error(fmt::format("{} hints, but '{}' takes {} at most", hints.size(),
                                  object.ops().name, spec.max_entries));
  bpf_map* map = bpf_object__find_map_by_name(bpf, spec.map.c_str());
  for (const auto& hint : hints) {
    const std::string key = comm_key(hint.comm);
    const uint32_t value = hint_value(hint);
    if (!map || bpf_map__update_elem(map, key.data(), key.size(), &value, sizeof(value), BPF_ANY))
      throw system_error(fmt::format("cannot fill hint map '{}'", printable(spec.map)));
  }
}

Policy::Policy(std::string bytes, const LoadOptions& options, const std::string& what)
    : impl_(std::make_unique<Impl>(std::move(bytes), what)) {
  for (const auto& hint : options.hints) comm_key(hint.comm), hint_value(hint);
  impl_->open();
  impl_->set_knobs(options.knobs);
  require_sched_ext();
  impl_->fit_kernel(options);
  impl_->load();
  impl_->fill_hints(options.hints);
}

Policy::~Policy() { detach(); }

void Policy::attach() {
  SCHEDCP_ASSERT(!attached());
  LibbpfLog said;
  const auto deadline = std::chrono::steady_clock::now() + kBusyPatience;
  for (;;) {
    const KernelHealth before = read_health();
    impl_->expected_seq = before.enable_seq + 1;
    bpf_link* link = before.enabled() ? nullptr : bpf_map__attach_struct_ops(impl_->ops_map);
    if (link) {
      impl_->link = link;
      return;
    }
    const int error = before.enabled() ? EBUSY : errno;
    const KernelHealth now = read_health();
    if (error == EBUSY && now.enabled())
      throw busy(
          fmt::format("cannot attach '{}': another scheduler is loaded ('{}')", name(),
                      printable(now.ops)),
          "schedcp-rollback takes it out if it is ours, schedcp-rollback --kill in any case");
    if (error == EBUSY && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(20ms);
      continue;
    }
    if (error == EBUSY)
      throw busy(
          fmt::format("cannot attach '{}': the kernel is still busy with another scheduler "
                      "(state '{}')",
                      name(), now.state));
    if (error == EPERM) throw not_permitted(name(), error);
    std::string hint;
    if (error == EINVAL) hint = "a kernel booted with isolcpus= refuses every scheduler";
    if (error == E2BIG) hint = "timeout_ms may be 30000 at most";
    throw system_error(fmt::format("cannot attach '{}'", name()), error, hint);
  }
}

void Policy::detach() noexcept {
  bpf_link* link = impl_->link.exchange(nullptr);
  if (!link) return;
  LibbpfLog said;
  bpf_link__destroy(link);
  const auto deadline = std::chrono::steady_clock::now() + kDetachPatience;
  while (std::chrono::steady_clock::now() < deadline) {
    const KernelHealth health = read_health();
    if (health.state == "disabled" || (health.enabled() && health.ops != name())) return;
    std::this_thread::sleep_for(5ms);
  }
}

bool Policy::attached() const { return impl_->link.load() != nullptr; }

int Policy::link_fd() const {
  const bpf_link* link = impl_->link.load();
  return link ? bpf_link__fd(link) : -1;
}

std::optional<ExitRecord> Policy::exit_record() const {
  const bpf_map* map = bpf_object__find_map_by_name(impl_->bpf, "schedcp_exit");
  RawExit raw{};
  const uint32_t key = 0;
  if (!map || bpf_map__value_size(map) != sizeof(raw) ||
      bpf_map__lookup_elem(map, &key, sizeof(key), &raw, sizeof(raw), 0) || !raw.recorded)
    return std::nullopt;
  ExitRecord record;
  record.kind = raw.kind;
  record.kind_name = exit_kind_name(raw.kind);
  record.code = raw.exit_code;
  record.reason = printable(std::string_view(raw.reason, strnlen(raw.reason, sizeof(raw.reason))));
  record.message =
      printable(std::string_view(raw.message, strnlen(raw.message, sizeof(raw.message))), 1024);
  record.restart = asks_for_restart(raw.exit_code);
  return record;
}

PolicyHealth Policy::health() const {
  PolicyHealth health;
  health.kernel = read_health();
  health.exit = exit_record();
  const int64_t expected = impl_->expected_seq;
  if (health.exit)
    health.reason =
        fmt::format("the kernel ended it: {}{}{}",
                    health.exit->reason.empty() ? health.exit->kind_name : health.exit->reason,
                    health.exit->message.empty() ? "" : ": ", health.exit->message);
  else if (!health.kernel.enabled())
    health.reason = fmt::format("sched_ext is '{}', not 'enabled'", health.kernel.state);
  else if (health.kernel.ops != name())
    health.reason = fmt::format("another scheduler runs ('{}')", printable(health.kernel.ops));
  else if (health.kernel.enable_seq != expected)
    health.reason = fmt::format("schedulers were changed meanwhile (enable_seq {}, expected {})",
                                health.kernel.enable_seq, expected);
  health.ok = health.reason.empty();
  return health;
}

std::map<std::string, uint64_t> Policy::statistics() const {
  std::map<std::string, uint64_t> counters;
  const bpf_map* map = bpf_object__find_map_by_name(impl_->bpf, "schedcp_stats");
  const btf* types = impl_->object.types();
  const int id = btf__find_by_name_kind(types, "schedcp_stats", BTF_KIND_STRUCT);
  const int cpus = libbpf_num_possible_cpus();
  if (!map || id < 0 || cpus <= 0 || bpf_map__type(map) != BPF_MAP_TYPE_PERCPU_ARRAY)
    return counters;
  const size_t stride = (bpf_map__value_size(map) + 7) / 8 * 8;
  std::string values(stride * size_t(cpus), '\0');
  const uint32_t key = 0;
  if (bpf_map__lookup_elem(map, &key, sizeof(key), values.data(), values.size(), 0))
    return counters;
  const btf_type* type = btf__type_by_id(types, uint32_t(id));
  for (unsigned i = 0; i < btf_vlen(type); ++i) {
    const size_t at = btf_member_bit_offset(type, i) / 8;
    uint64_t sum = 0, one = 0;
    for (int cpu = 0; cpu < cpus && at + 8 <= stride; ++cpu) {
      std::memcpy(&one, values.data() + size_t(cpu) * stride + at, 8);
      sum += one;
    }
    counters[btf__name_by_offset(types, btf_members(type)[i].name_off)] = sum;
  }
  return counters;
}

const PolicyObject& Policy::object() const { return impl_->object; }
const std::string& Policy::name() const { return impl_->object.ops().name; }
uint32_t Policy::timeout_ms() const { return impl_->timeout_ms; }
const std::vector<std::string>& Policy::left_out() const { return impl_->left_out; }
std::map<std::string, uint64_t> Policy::verified_instructions() const {
  std::map<std::string, uint64_t> verified;
  bpf_program* program = nullptr;
  bpf_object__for_each_program(program, impl_->bpf) {
    bpf_prog_info info{};
    uint32_t size = sizeof(info);
    if (bpf_prog_get_info_by_fd(bpf_program__fd(program), &info, &size) == 0)
      verified[bpf_program__name(program)] = info.verified_insns;
  }
  return verified;
}

std::chrono::nanoseconds Policy::load_time() const { return impl_->load_time; }

}  // namespace schedcp

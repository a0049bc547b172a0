// SPDX-License-Identifier: MIT
// Generic netlink by hand: one request for the family's number, one to register for all CPUs, then
// messages with a nested {pid, struct taskstats}. The struct grows with the kernel; its beginning
// never changes, and what is read here was there in version 12.
#include "accounting.h"

#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <linux/taskstats.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <set>

#include "base/error.h"

namespace schedcp {
namespace {

constexpr size_t attribute_header = NLA_HDRLEN;

void put_attribute(std::string& to, uint16_t type, std::string_view value) {
  nlattr head{uint16_t(attribute_header + value.size()), type};
  to.append(reinterpret_cast<const char*>(&head), sizeof head);
  to.append(value);
  to.append(NLA_ALIGN(value.size()) - value.size(), '\0');
}

/// Calls visit(type, value) for each attribute; stops at the first that does not fit.
template <class Visit>
void each_attribute(std::string_view data, Visit&& visit) {
  while (data.size() >= attribute_header) {
    nlattr head;
    memcpy(&head, data.data(), sizeof head);
    if (head.nla_len < attribute_header || head.nla_len > data.size()) return;
    visit(head.nla_type & NLA_TYPE_MASK,
          data.substr(attribute_header, head.nla_len - attribute_header));
    data.remove_prefix(std::min(data.size(), size_t(NLA_ALIGN(head.nla_len))));
  }
}

void request(int fd, uint16_t family, uint8_t command, const std::string& attributes) {
  nlmsghdr head{};
  genlmsghdr generic{command, 1, 0};
  head.nlmsg_len = uint32_t(NLMSG_HDRLEN + GENL_HDRLEN + attributes.size());
  head.nlmsg_type = family;
  head.nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
  std::string message(reinterpret_cast<const char*>(&head), sizeof head);
  message.append(reinterpret_cast<const char*>(&generic), sizeof generic);
  message += attributes;
  if (send(fd, message.data(), message.size(), 0) != ssize_t(message.size()))
    throw system_error("cannot ask for process accounting");
}

/// The payloads (after the generic header) of the messages in one datagram. Throws for an error.
std::vector<std::string_view> payloads(std::string_view data) {
  std::vector<std::string_view> list;
  while (data.size() >= NLMSG_HDRLEN) {
    nlmsghdr head;
    memcpy(&head, data.data(), sizeof head);
    if (head.nlmsg_len < NLMSG_HDRLEN || head.nlmsg_len > data.size()) break;
    const std::string_view body = data.substr(NLMSG_HDRLEN, head.nlmsg_len - NLMSG_HDRLEN);
    if (head.nlmsg_type == NLMSG_ERROR && body.size() >= sizeof(int)) {
      int error;
      memcpy(&error, body.data(), sizeof error);
      if (error != 0)
        throw system_error("the kernel refuses process accounting (taskstats)", -error,
                           "it takes CAP_NET_ADMIN and CONFIG_TASKSTATS");
    } else if (body.size() >= GENL_HDRLEN) {
      list.push_back(body.substr(GENL_HDRLEN));
    }
    data.remove_prefix(std::min(data.size(), size_t(NLMSG_ALIGN(head.nlmsg_len))));
  }
  return list;
}

template <class T>
T field_at(std::string_view stats, size_t offset) {
  T value{};
  if (offset + sizeof value <= stats.size()) memcpy(&value, stats.data() + offset, sizeof value);
  return value;
}

TaskEnd task_end(std::string_view stats) {
  TaskEnd end;
  end.pid = field_at<uint32_t>(stats, offsetof(taskstats, ac_pid));
  end.tgid = field_at<uint32_t>(stats, offsetof(taskstats, ac_tgid));
  end.parent = field_at<uint32_t>(stats, offsetof(taskstats, ac_ppid));
  end.elapsed_ns = field_at<uint64_t>(stats, offsetof(taskstats, ac_etime)) * 1000;
  end.cpu_ns = field_at<uint64_t>(stats, offsetof(taskstats, cpu_run_virtual_total));
  if (end.cpu_ns == 0)  // a kernel without delay accounting: whole ticks
    end.cpu_ns = (field_at<uint64_t>(stats, offsetof(taskstats, ac_utime)) +
                  field_at<uint64_t>(stats, offsetof(taskstats, ac_stime))) *
                 1000;
  if (stats.size() >= offsetof(taskstats, ac_comm) + TS_COMM_LEN) {
    const char* comm = stats.data() + offsetof(taskstats, ac_comm);
    end.comm.assign(comm, strnlen(comm, TS_COMM_LEN));
  }
  return end;
}

}  // namespace

Descendants sum_descendants(const std::vector<TaskEnd>& ends, uint32_t root) {
  std::set<uint32_t> ours{root}, parents;
  for (bool grown = true; grown;) {
    grown = false;
    for (const auto& end : ends)
      if (ours.contains(end.parent)) grown |= ours.insert(end.tgid).second;
  }
  std::map<uint32_t, uint64_t> life;
  Descendants sum;
  for (const auto& end : ends) {
    if (!ours.contains(end.parent)) continue;
    parents.insert(end.parent);
    sum.longest_ns = std::max(sum.longest_ns, end.cpu_ns);
    life[end.tgid] = std::max(life[end.tgid], end.elapsed_ns);
  }
  for (const auto& [tgid, elapsed] : life) {
    if (parents.contains(tgid)) continue;
    sum.mean_completion_ns += double(elapsed);
    ++sum.processes;
  }
  if (sum.processes > 0) sum.mean_completion_ns /= double(sum.processes);
  return sum;
}

ExitListener::ExitListener()
    : socket_(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_GENERIC)) {
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  if (!socket_ || bind(socket_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0)
    throw system_error("cannot open a netlink socket");
  // Nobody reads while a run lasts: room for some ten thousand exits.
  const int room = 32 << 20;
  if (setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof room) != 0)
    setsockopt(socket_.get(), SOL_SOCKET, SO_RCVBUF, &room, sizeof room);

  std::string name, cpus;
  put_attribute(name, CTRL_ATTR_FAMILY_NAME, std::string_view(TASKSTATS_GENL_NAME "\0", 10));
  request(socket_.get(), GENL_ID_CTRL, CTRL_CMD_GETFAMILY, name);
  char buffer[16384];
  for (bool acknowledged = false; !acknowledged;) {
    const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, 0);
    if (n < 0) throw system_error("cannot ask for process accounting");
    const auto answers = payloads({buffer, size_t(n)});
    acknowledged = answers.empty();
    for (const auto answer : answers)
      each_attribute(answer, [&](int type, std::string_view value) {
        if (type == CTRL_ATTR_FAMILY_ID) family_ = field_at<uint16_t>(value, 0);
      });
  }
  if (family_ == 0) throw unable("the kernel has no process accounting (taskstats)");

  const auto possible = try_read_file("/sys/devices/system/cpu/possible");
  put_attribute(cpus, TASKSTATS_CMD_ATTR_REGISTER_CPUMASK, possible.value_or("0") + '\0');
  request(socket_.get(), family_, TASKSTATS_CMD_GET, cpus);
  const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, 0);
  if (n < 0) throw system_error("cannot ask for process accounting");
  payloads({buffer, size_t(n)});
}

std::optional<std::vector<TaskEnd>> ExitListener::take() {
  std::vector<TaskEnd> ends;
  bool lost = false;
  char buffer[65536];
  for (;;) {
    const ssize_t n = recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
    if (n < 0 && errno == ENOBUFS) {
      lost = true;
      continue;
    }
    if (n <= 0) break;
    for (const auto payload : payloads({buffer, size_t(n)}))
      each_attribute(payload, [&](int type, std::string_view group) {
        if (type != TASKSTATS_TYPE_AGGR_PID) return;
        each_attribute(group, [&](int inner, std::string_view value) {
          if (inner == TASKSTATS_TYPE_STATS) ends.push_back(task_end(value));
        });
      });
  }
  if (lost) return std::nullopt;
  return ends;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "fakes/embeddings_server.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>

#include "base/error.h"
#include "doc/document.h"

namespace schedcp {

EmbeddingsServer::EmbeddingsServer() : listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(listener_.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      listen(listener_.get(), 8) != 0 ||
      getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    throw system_error("cannot listen on localhost");
  port_ = ntohs(address.sin_port);
  std::tie(stop_read_, stop_write_) = make_pipe();
  thread_ = std::thread([this] { serve(); });
}

EmbeddingsServer::~EmbeddingsServer() {
  stop_write_.reset();
  thread_.join();
}

std::string EmbeddingsServer::url() const {
  return "http://127.0.0.1:" + std::to_string(port_) + "/v1";
}

std::vector<size_t> EmbeddingsServer::batches() const {
  const std::lock_guard lock(mutex_);
  return batches_;
}

std::string EmbeddingsServer::last_model() const {
  const std::lock_guard lock(mutex_);
  return last_model_;
}

std::string EmbeddingsServer::answer(const std::string& head, const std::string& content,
                                     int& status) {
  const std::lock_guard lock(mutex_);
  status = 404;
  if (!head.starts_with("POST /v1/embeddings HTTP/1.1\r\n")) return R"({"error":"not here"})";
  status = 401;
  if (!key.empty() && head.find("\r\nAuthorization: Bearer " + key + "\r\n") == head.npos)
    return R"({"error":"no key"})";
  status = refusal;
  if (refuse > 0) {
    --refuse;
    return R"({"error":"later"})";
  }
  status = 200;
  if (!body.empty()) return body;
  const Json asked = Json::parse(content);
  last_model_ = asked.at("model");
  Json data = Json::array();
  for (const auto& text : asked.at("input")) {
    std::vector<double> vector(dimension);
    for (const unsigned char c : text.get<std::string>())
      if (std::isalpha(c)) vector[size_t(std::tolower(c) - 'a') % dimension] += 1;
    // As the protocol allows: in any order, each with its place.
    data.insert(data.begin(),
                Json{{"object", "embedding"}, {"index", data.size()}, {"embedding", vector}});
  }
  batches_.push_back(data.size());
  return dump(Json{{"object", "list"}, {"data", data}, {"model", last_model_}});
}

void EmbeddingsServer::serve() {
  for (;;) {
    pollfd waiting[] = {{listener_.get(), POLLIN, 0}, {stop_read_.get(), POLLIN, 0}};
    if (poll(waiting, 2, -1) < 0 || waiting[1].revents) return;
    const Fd client(accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    std::string received;
    size_t head = std::string::npos, length = 0;
    char bytes[4096];
    while (head == received.npos || received.size() < head + 4 + length) {
      const ssize_t n = read(client.get(), bytes, sizeof bytes);
      if (n <= 0) break;
      received.append(bytes, size_t(n));
      if (head == received.npos && (head = received.find("\r\n\r\n")) != received.npos) {
        const size_t at = received.find("Content-Length: ");
        if (at != received.npos) length = std::stoul(received.substr(at + 16));
      }
    }
    if (head == received.npos) continue;
    int status = 0;
    const std::string content =
        answer(received.substr(0, head + 2), received.substr(head + 4), status);
    write_all(client.get(),
              "HTTP/1.1 " + std::to_string(status) +
                  " .\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: " +
                  std::to_string(content.size()) + "\r\n\r\n" + content,
              "an answer");
  }
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "net/http.h"

#include <curl/curl.h>

#include <memory>

#include "base/error.h"
#include "base/signal.h"
#include "base/text.h"

namespace schedcp {
namespace {

struct CloseCurl {
  void operator()(CURL* curl) const { curl_easy_cleanup(curl); }
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Sink {
  std::string body;
  size_t limit;
};

size_t receive(char* data, size_t size, size_t count, void* to) {
  auto& sink = *static_cast<Sink*>(to);
  if (sink.body.size() + size * count > sink.limit) return 0;
  sink.body.append(data, size * count);
  return size * count;
}

int stop_when_interrupted(void*, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return interrupted() != 0;
}

}  // namespace

HttpAnswer http_post(const HttpRequest& request) {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  const std::unique_ptr<CURL, CloseCurl> curl(started == CURLE_OK ? curl_easy_init() : nullptr);
  if (!curl) throw unable("cannot start libcurl");
  std::unique_ptr<curl_slist, CloseCurl> headers;
  // An "Expect" would cost a round trip with servers that do not know it.
  std::vector<std::string> lines{"Expect:"};
  lines.insert(lines.end(), request.headers.begin(), request.headers.end());
  for (const auto& line : lines) {
    curl_slist* longer = curl_slist_append(headers.get(), line.c_str());
    if (!longer) throw unable("cannot post to '" + request.url + "': out of memory");
    (void)headers.release();
    headers.reset(longer);
  }
  Sink sink{{}, request.limit};
  char reason[CURL_ERROR_SIZE] = "";
  CURL* handle = curl.get();
  curl_easy_setopt(handle, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(handle, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(handle, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDS, request.body.data());
  curl_easy_setopt(handle, CURLOPT_POSTFIELDSIZE_LARGE, curl_off_t(request.body.size()));
  curl_easy_setopt(handle, CURLOPT_WRITEFUNCTION, receive);
  curl_easy_setopt(handle, CURLOPT_WRITEDATA, &sink);
  curl_easy_setopt(handle, CURLOPT_TIMEOUT_MS, long(request.timeout.count()));
  curl_easy_setopt(handle, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(handle, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(handle, CURLOPT_XFERINFOFUNCTION, stop_when_interrupted);
  curl_easy_setopt(handle, CURLOPT_ERRORBUFFER, reason);
  curl_easy_setopt(handle, CURLOPT_USERAGENT, "schedcp");
  const CURLcode result = curl_easy_perform(handle);
  check_interrupted();
  const std::string what = "cannot ask '" + printable(request.url) + "': ";
  if (result == CURLE_OPERATION_TIMEDOUT)
    throw timed_out(what + "no answer in " + std::to_string(request.timeout.count()) + " ms");
  if (result == CURLE_WRITE_ERROR)
    throw unable(what + "more than " + std::to_string(request.limit) + " bytes");
  if (result != CURLE_OK)
    throw unable(what + printable(*reason ? reason : curl_easy_strerror(result)));
  HttpAnswer answer{0, std::move(sink.body)};
  curl_easy_getinfo(handle, CURLINFO_RESPONSE_CODE, &answer.status);
  return answer;
}

}  // namespace schedcp

// SPDX-License-Identifier: MIT
#include "endpoint.h"

#include <cmath>
#include <cstdlib>

#include "base/text.h"
#include "net/http.h"
#include "store/store.h"

namespace schedcp {
namespace {

constexpr size_t texts_a_batch = 64;
constexpr int tries = 3;
constexpr auto first_pause = std::chrono::milliseconds(500);

std::string key_of(const std::string& file) {
  std::string key;
  if (!file.empty()) {
    key = read_file(file, 16 << 10);
  } else if (const char* set = std::getenv("SCHEDCP_EMBEDDINGS_KEY")) {
    key = set;
  }
  while (!key.empty() && std::isspace(static_cast<unsigned char>(key.back()))) key.pop_back();
  for (const unsigned char c : key)
    if (c < 0x21 || c > 0x7e)
      throw usage_error("the key for the embeddings endpoint holds what no key holds");
  return key;
}

}  // namespace

Endpoint::Endpoint(EndpointOptions options, Store& store)
    : url_(std::move(options.url)),
      name_(options.model),
      key_(key_of(options.key_file)),
      store_(store) {
  if (name_.empty()) throw usage_error("--embedding-model: missing", "the endpoint asks for one");
  while (url_.ends_with("/")) url_.pop_back();
  if (!url_.ends_with("/embeddings")) url_ += "/embeddings";
  // The same name may mean another model elsewhere.
  model_ = name_ + " at " + url_;
}

std::vector<Embedder::Vector> Endpoint::ask(const std::vector<std::string>& texts) const {
  HttpRequest request{
      .url = url_,
      .body = dump(Json{{"model", name_}, {"input", texts}, {"encoding_format", "float"}}),
      .headers = {"Content-Type: application/json"}};
  if (!key_.empty()) request.headers.push_back("Authorization: Bearer " + key_);
  HttpAnswer answer;
  auto pause = first_pause;
  for (int left = tries; left-- > 0; pause *= 2) {
    answer = http_post(request);
    // Too many requests, or a fault that may pass.
    if ((answer.status != 429 && answer.status < 500) || left == 0) break;
    const timespec wait{pause.count() / 1000, pause.count() % 1000 * 1'000'000};
    nanosleep(&wait, nullptr);
  }
  const std::string what = "'" + printable(url_) + "' ";
  if (answer.status == 401 || answer.status == 403)
    throw denied(what + "refuses the key (HTTP " + std::to_string(answer.status) + ")",
                 "put it into a file and name that with --embedding-key-file");
  if (answer.status != 200)
    throw unable(what + "answered with HTTP " + std::to_string(answer.status) + ": " +
                 printable(answer.body, 160));
  const Json json = Json::parse(answer.body, nullptr, false);
  const auto wrong = [&](const std::string& why) {
    return unable(what + "does not speak the embeddings protocol: " + why);
  };
  const auto data = json.is_object() ? json.find("data") : json.end();
  if (!json.is_object() || data == json.end() || !data->is_array()) throw wrong("no 'data'");
  if (data->size() != texts.size())
    throw wrong(std::to_string(data->size()) + " vectors for " + std::to_string(texts.size()) +
                " texts");
  std::vector<Vector> vectors(texts.size());
  for (size_t i = 0; i < data->size(); ++i) {
    const Json& one = (*data)[i];
    const size_t at = one.is_object() ? one.value("index", i) : texts.size();
    if (at >= vectors.size() || !vectors[at].empty() || !one.contains("embedding") ||
        !one["embedding"].is_array() || one["embedding"].empty())
      throw wrong("vector " + std::to_string(i) + " is none");
    for (const auto& value : one["embedding"]) {
      if (!value.is_number() || !std::isfinite(value.get<float>()))
        throw wrong("vector " + std::to_string(i) + " holds what is no number");
      vectors[at].push_back(value.get<float>());
    }
    normalize(vectors[at]);
    if (vectors[at].size() != vectors[(*data)[0].value("index", size_t{0})].size())
      throw wrong("vectors of different lengths");
  }
  return vectors;
}

std::vector<Embedder::Vector> Endpoint::embed(const std::vector<std::string>& texts) {
  std::vector<Vector> vectors(texts.size());
  std::vector<size_t> missing;
  for (size_t i = 0; i < texts.size(); ++i) {
    if (auto known = store_.embedding(model_, texts[i]))
      vectors[i] = std::move(*known);
    else
      missing.push_back(i);
  }
  for (size_t from = 0; from < missing.size(); from += texts_a_batch) {
    std::vector<std::string> batch;
    const size_t to = std::min(missing.size(), from + texts_a_batch);
    for (size_t i = from; i < to; ++i) batch.push_back(texts[missing[i]]);
    auto answers = ask(batch);
    if (store_.writable()) store_.keep_embeddings(model_, batch, answers);
    for (size_t i = from; i < to; ++i) vectors[missing[i]] = std::move(answers[i - from]);
  }
  return vectors;
}

}  // namespace schedcp

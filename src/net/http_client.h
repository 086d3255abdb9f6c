// A small HTTP client that blocks: one request, one answer, with a deadline and a bound for what is read.
//
//   HttpClient client;
//   auto answer = client.send({.method = "POST", .url = "https://hooks.example/x", .body = json, .deadline_ms =
//   5'000}); if (!answer) …answer.error().message says what happened: "no answer within 5000 ms"… if (answer->status ==
//   200) use(answer->body);
//
// For threads that may wait, never for a worker. Follows no redirect, uses no proxy of the environment, sends no
// cookie, speaks http and https only, and checks certificates. One thread at a time; it keeps connections for the next
// request. Limits: kMaxAnswerBody unless the request says less; what is beyond is not read (`cut`).
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace weir {

inline constexpr std::size_t kMaxAnswerBody = 1 << 20;
inline constexpr std::size_t kMaxAnswerHead = 64 << 10;

struct HttpRequest {
  std::string method = "GET";
  std::string url;
  std::vector<std::pair<std::string, std::string>> headers = {};  // without line breaks
  std::string body = {};
  int deadline_ms = 10'000;  // for all of it, from the look-up of the name to the last byte
  std::size_t max_body = kMaxAnswerBody;
};

struct HttpResponse {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  bool cut = false;  // there was more

  std::string_view header(std::string_view lower_name) const;  // the first of that name; empty: none
};

class HttpClient {
 public:
  // `ca_file`: authorities in PEM form; empty: the system's.
  explicit HttpClient(std::string ca_file = {});
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  Result<HttpResponse> send(const HttpRequest& request);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir
